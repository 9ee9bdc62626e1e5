"""Two workers beside one: wall time of whole builds, CPIA's four scales, in turns.

    python -m benchmarks.workers --data FOLDER [--slides 8] [--side 23048] [--turns 3]

Slides are made of real tissue (JPEG 4:2:0, 256 px tiles at 0.25 µm/px). A build is everything
that `curatome build` does once slides are added: children start, look for tissue, make tiles,
and the manifest is written. Python keeps its bytecode, as it does for whoever installs Curatome.

What the machine itself gives is measured in the same turns: a bare loop of simplejpeg (decode at
half size, encode) alone, and two of them at once. Where cores are shared, they are less than
twice as fast, and two workers cannot be faster. Whatever was measured while others took more than
5 % of the processors is measured again, up to four times (told apart on Linux only); how often
that was, and what others took at the most during what counts, is printed. Medians of turns.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.recording import keep, machine
from benchmarks.tile_peers import bare_loop
from benchmarks.tiles import cpia_scales, make_slide

from curatome.project import create_project, open_project
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project
from curatome.workflows.watch import Silent

_ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
_LOOP_TILES = 4000
_CALM, _REPEATS = 0.05, 4
_ROWS = (
    ("build", "whole build"),
    ("tiles", "making tiles"),
    ("bare", "a bare loop, and two at once"),
)
_ROOT = Path(__file__).parents[1]


class _Phases(Silent):
    """When each phase began."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}

    def start(self, phase: str, total: int, unit: str) -> None:  # noqa: ARG002
        """A phase begins."""
        self.began[phase] = time.monotonic()


def measure(scratch: Path, slides: Path, workers: int) -> dict[str, float]:
    """Seconds of a build and of its tiles, in a process of its own."""
    folder = scratch / uuid.uuid4().hex
    create_project(folder, f'[dataset]\ntitle = "workers"\n{cpia_scales()}')
    add_slides(open_project(folder), [slides])
    command = [sys.executable, "-m", "benchmarks.workers", "--measure", str(folder)]
    done = subprocess.run(
        [*command, "--workers", str(workers)],
        check=True, capture_output=True, text=True, cwd=_ROOT, env=_ENVIRONMENT,
    )  # fmt: skip
    shutil.rmtree(folder)  # or each turn finds less free memory for its files than the one before
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _measured(folder: Path, workers: int) -> dict[str, float]:
    phases, began = _Phases(), time.monotonic()
    result = build_project(open_project(folder), workers, phases)
    ended = time.monotonic()
    tiles = [when for phase, when in phases.began.items() if "tiles" in phase]
    after = [when for when in phases.began.values() if when > tiles[0]] + [ended]
    return {"build": ended - began, "tiles": min(after) - tiles[0], "made": result.made}


def _others() -> float:
    """Seconds of CPU that this machine spent on others than this process and its children."""
    path = Path("/proc/stat")
    if not path.exists():
        return 0.0
    user, nice, system, _idle, _waiting, *rest = path.read_text().split()[1:9]
    busy = sum(map(int, (user, nice, system, *rest))) / os.sysconf("SC_CLK_TCK")
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ours = sum(sum(resource.getrusage(who)[:2]) for who in whose)
    return busy - ours


@dataclass
class Calm:
    """Repeats what was disturbed.

    Attributes:
        repeated: how often something was measured again.
        worst: the largest share of the processors that others took during what counts.
    """

    repeated: int = 0
    worst: float = 0.0

    def run(self, what: Callable[[], dict[str, float]]) -> dict[str, float]:
        """What is measured, of the calmest try if none was calm."""
        tries: list[tuple[float, dict[str, float]]] = []
        while len(tries) <= _REPEATS and not (tries and tries[-1][0] <= _CALM):
            before, began = _others(), time.monotonic()
            found = what()
            taken = (_others() - before) / (time.monotonic() - began) / (os.cpu_count() or 1)
            tries.append((taken, found))
            print(f"  {found}, others {taken:.1%}", flush=True)
        self.repeated += len(tries) - 1
        taken, found = min(tries, key=lambda one: one[0])
        self.worst = max(self.worst, taken)
        return found


def bare(slide: Path, at_once: int) -> dict[str, float]:
    """Seconds until all of some bare loops, which start at the same time, have ended."""
    command = [sys.executable, "-m", "benchmarks.workers", "--loop", str(slide)]
    began = time.monotonic()
    loops = [subprocess.Popen(command, cwd=_ROOT, env=_ENVIRONMENT) for _ in range(at_once)]
    codes = [loop.wait() for loop in loops]
    if any(codes):
        raise RuntimeError("a bare loop failed")
    return {"bare": time.monotonic() - began}


def _loop(slide: Path) -> None:
    places = [(n % 40, n // 40 % 40) for n in range(_LOOP_TILES)]
    bare_loop(slide, {"side": 256, "places": places})


def _make_slides(folder: Path, data: Path, count: int, side: int) -> None:
    """Slides that differ in what follows their last byte, so that no two are the same file."""
    folder.mkdir()
    first = make_slide(folder / "s0.svs", data, side, 256, 0.25)
    for number in range(1, count):
        other = shutil.copy(first, folder / f"s{number}.svs")
        with Path(other).open("ab") as stream:
            stream.write(bytes([number]))


def _row(name: str, one: list[float], two: list[float], share: int = 1) -> str:
    first, second = statistics.median(one), statistics.median(two)
    return f"| {name} | {first:.1f} | {second:.1f} | {share * first / second:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, help="folder of the real files")
    parser.add_argument("--slides", type=int, default=8)
    parser.add_argument("--side", type=int, default=23048, help="edge of the slides, px")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--loop", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(_measured(given.measure, given.workers)))
        return
    if given.loop:
        _loop(given.loop)
        return
    seconds: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as name:
        slides = Path(name) / "slides"
        _make_slides(slides, given.data, given.slides, given.side)
        calm = Calm()
        for turn in range(given.turns):
            for n in (1, 2):
                print(f"turn {turn + 1}, {n}", flush=True)
                loop = calm.run(partial(bare, slides / "s0.svs", n))
                seconds[n].append(loop | calm.run(partial(measure, Path(name), slides, n)))
    lines = [f"Two workers beside one, {given.slides} slides of {given.side} px edge, {machine()}"]
    lines += [f"medians of {given.turns} turns; {calm.repeated} repeats; others took at the most "]
    lines[-1] += f"{calm.worst:.1%} of the processors"
    lines.append("")
    lines.append("| | 1 worker, s | 2 workers, s | times |")
    lines.append("|---|---|---|---|")
    for what, title in _ROWS:
        one, two = ([found[what] for found in seconds[n]] for n in (1, 2))
        lines.append(_row(title, one, two, share=2 if what == "bare" else 1))
    text = "\n".join(lines) + "\n"
    print(text)
    keep("workers", text)


if __name__ == "__main__":
    main()
