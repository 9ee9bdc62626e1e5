"""Two workers beside one: wall time of whole builds, CPIA's four scales, in turns.

    python -m benchmarks.workers --data FOLDER [--slides 4] [--side 23048] [--turns 3]

Slides are made of real tissue (JPEG 4:2:0, 256 px tiles at 0.25 µm/px). A build is everything
that `curatome build` does once slides are added: children start, look for tissue, make tiles,
and the manifest is written. On a machine whose cores others use, two workers cannot be twice as
fast as one; the load before the run is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.recording import keep, machine
from benchmarks.tiles import cpia_scales, make_slide

from curatome.project import create_project, open_project
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project
from curatome.workflows.watch import Silent


class _Phases(Silent):
    """When each phase began."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}

    def start(self, phase: str, total: int, unit: str) -> None:  # noqa: ARG002
        """A phase begins."""
        self.began[phase] = time.monotonic()


def measure(folder: Path, slides: Path, workers: int) -> dict[str, float]:
    """Seconds of a build and of its tiles, in a process of its own."""
    create_project(folder, f'[dataset]\ntitle = "workers"\n{cpia_scales()}')
    add_slides(open_project(folder), [slides])
    command = [sys.executable, "-m", "benchmarks.workers", "--measure", str(folder)]
    done = subprocess.run(
        [*command, "--workers", str(workers)],
        check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _measured(folder: Path, workers: int) -> dict[str, float]:
    phases, began = _Phases(), time.monotonic()
    result = build_project(open_project(folder), workers, phases)
    ended = time.monotonic()
    tiles = [when for phase, when in phases.began.items() if "tiles" in phase]
    after = [when for when in phases.began.values() if when > tiles[0]] + [ended]
    return {"build": ended - began, "tiles": min(after) - tiles[0], "made": result.made}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, help="folder of the real files")
    parser.add_argument("--slides", type=int, default=4)
    parser.add_argument("--side", type=int, default=23048, help="edge of the slides, px")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(_measured(given.measure, given.workers)))
        return
    load = os.getloadavg()[0]
    seconds: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as name:
        slides = Path(name) / "slides"
        slides.mkdir()
        for number in range(given.slides):
            # Another edge each time, so that no two slides are the same file.
            make_slide(slides / f"s{number}.svs", given.data, given.side + 8 * number, 256, 0.25)
        for turn in range(given.turns):
            for workers in (1, 2):
                found = measure(Path(name) / f"p{turn}-{workers}", slides, workers)
                seconds[workers].append(found)
                print(f"turn {turn + 1}, {workers} workers: {found}", flush=True)
    lines = [f"Two workers beside one, {given.slides} slides of {given.side} px edge, {machine()}"]
    lines += [f"load average before: {load:.2f}", "", "| | 1 worker, s | 2 workers, s | times |"]
    lines.append("|---|---|---|---|")
    for what in ("build", "tiles"):
        one, two = ([found[what] for found in seconds[n]] for n in (1, 2))
        ratio = statistics.median(a / b for a, b in zip(one, two, strict=True))
        lines.append(
            f"| {'whole build' if what == 'build' else 'making tiles'} "
            f"| {statistics.median(one):.1f} | {statistics.median(two):.1f} | {ratio:.2f} |"
        )
    text = "\n".join(lines) + "\n"
    print(text)
    keep("workers", text)


if __name__ == "__main__":
    main()
