"""Peak memory of a build's processes as slides grow: bounded by tiles and workers.

    python -m benchmarks.memory [--data FOLDER] [--width 60000] [--height 40000] [--scales cpia]

Writes slides of growing size, strip by strip, builds each with one and with two workers, and reads
every child's high-water mark of resident memory (VmHWM) every 10 ms. A child that looked for
tissue goes on to make tiles: its mark is reset in between. The last size is the one asked for.
Tissue fills an ellipse of a tenth of the slide's area; the rest is glass, as on real slides. With
`--data` the tissue is a piece of a real slide, else it is noise of tissue's color.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from benchmarks.recording import keep, machine

from curatome.phantom.svs import SvsOptions, write_svs
from curatome.project import create_project, open_project
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project
from curatome.workflows.watch import Silent

Pixels = npt.NDArray[np.uint8]
MPP = 0.499
SIZES = ((10_000, 8_000), (30_000, 20_000))
_PIECE = 2048
_CELL = 256  # tissue begins and ends at multiples of this
_SHARE = 0.1
_REAL = "slides/aperio/cmu-1-small-region.svs"

SCALES = {
    "cpia": (("XL", 3840, ""), ("L", 960, "XL"), ("M", 384, "XL"), ("S", 96, "M")),
    "L": (("L", 960, ""),),
}


@dataclass(frozen=True)
class Peaks:
    """What one build took.

    Attributes:
        survey: highest VmHWM of a child that looked for tissue, bytes.
        tiles: the same of a child that made tiles.
        supervisor: VmHWM of the process that ran the build.
        children: how many children there were while tiles were made.
        made: tiles made.
        seconds: time it took.
    """

    survey: int
    tiles: int
    supervisor: int
    children: int
    made: int
    seconds: float


def tissue_piece(data: Path | None) -> Pixels:
    """A square of tissue, repeated over the slide."""
    if data is not None:
        import openslide

        with openslide.OpenSlide(data / _REAL) as slide:
            image = slide.read_region((0, 0), 0, (_PIECE, _PIECE)).convert("RGB")
        return np.asarray(image)
    rng = np.random.default_rng(5)
    coarse = np.kron(rng.normal(0, 18, (_PIECE // 8, _PIECE // 8)), np.ones((8, 8)))
    shade = coarse + rng.normal(0, 8, (_PIECE, _PIECE))
    return np.clip(np.array([196, 128, 178]) + shade[..., None], 0, 255).astype(np.uint8)


def write_slide(path: Path, size: tuple[int, int], piece: Pixels) -> None:
    """A slide of any size with an ellipse of tissue in its middle, in bounded memory."""
    noise = np.random.default_rng(6).integers(-2, 3, (_PIECE, _PIECE, 1))
    glass = (np.full((_PIECE, _PIECE, 3), 243) + noise).astype(np.uint8)
    radius = math.sqrt(_SHARE / math.pi)  # of both axes, as parts of width and height

    def block(x: int, y: int, width: int, height: int) -> Pixels:
        # The writer asks for strips that never cross a multiple of the piece.
        place = np.s_[y % _PIECE : y % _PIECE + height, x % _PIECE : x % _PIECE + width]
        out, tissue = glass[place].copy(), piece[place]
        down = (y // _CELL + 0.5) * _CELL / size[1] - 0.5
        for left in range(0, width, _CELL):
            across = ((x + left) // _CELL + 0.5) * _CELL / size[0] - 0.5
            if across**2 + down**2 < radius**2:
                out[:, left : left + _CELL] = tissue[:, left : left + _CELL]
        return out

    write_svs(path, size, block, SvsOptions(mpp=MPP))


def protocol(scales: str) -> str:
    """A protocol with the named scales, as text."""
    lines = ['[dataset]\ntitle = "memory"']
    for name, side, parent in SCALES[scales]:
        lines.append(f'[[scales]]\nname = "{name}"\nmpp = 0.4942\nside_px = {side}')
        if parent:
            lines.append(f'parent = "{parent}"')
    return "\n".join(lines)


class _Sampler(Silent):
    """Reads the high-water mark of every child, phase by phase."""

    def __init__(self) -> None:
        self.peak: dict[tuple[str, int], int] = {}
        self._phase = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def start(self, phase: str, total: int, unit: str) -> None:  # noqa: ARG002
        """A phase begins."""
        self._phase = ""  # nothing counts while marks are reset
        for pid in children(os.getpid()):
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # VmHWM is what is resident now
        self._phase = phase

    def stop(self) -> None:
        """No more samples."""
        self._over.set()
        self._thread.join()

    def highest(self, phase: str) -> int:
        """The highest mark of the children of a phase."""
        return max((self.peak[phase, pid] for pid in self.of(phase)), default=0)

    def of(self, phase: str) -> list[int]:
        """The children of a phase."""
        return [pid for seen, pid in self.peak if seen == phase]

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            phase = self._phase
            for pid in children(os.getpid()) if phase else ():
                mark = high_water(pid)
                if mark and phase == self._phase:
                    self.peak[phase, pid] = max(mark, self.peak.get((phase, pid), 0))


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still live."""
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, listing.read_text().split())
        except OSError:  # a thread that has just ended
            continue
    return found


def high_water(pid: int | str = "self") -> int:
    """VmHWM of a process in bytes; 0 if it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line for line in text.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) << 10 if lines else 0


def measure(folder: Path, slide: Path, scales: str, workers: int) -> Peaks:
    """Build one slide in a process of its own and see what it and its children took."""
    create_project(folder, protocol(scales))
    add_slides(open_project(folder), [slide])
    command = [sys.executable, "-m", "benchmarks.memory", "--measure", str(folder)]
    done = subprocess.run(
        [*command, "--workers", str(workers)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    return Peaks(**json.loads(done.stdout))


def _measured(folder: Path, workers: int) -> Peaks:
    started = time.monotonic()
    sampler = _Sampler()
    result = build_project(open_project(folder), workers, sampler)
    sampler.stop()
    return Peaks(
        survey=sampler.highest("looking for tissue"),
        tiles=sampler.highest("making tiles"),
        supervisor=high_water(),
        children=len(sampler.of("making tiles")),
        made=result.made,
        seconds=time.monotonic() - started,
    )


def report(sizes: Sequence[tuple[int, int]], scales: str, data: Path | None) -> str:
    """The table, printed line by line as it is made."""
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    say(f"Peak resident memory of a build, scales {scales}, JPEG")
    say(machine())
    say("tissue: " + ("a piece of cmu-1-small-region.svs" if data else "noise") + ", a tenth")
    say("")
    say(
        "| slide, px | slide, GB decoded | workers | survey child, MB | tile child, MB "
        "| supervisor, MB | tiles | s |"
    )
    say("|---|---|---|---|---|---|---|---|")
    piece = tissue_piece(data)
    for width, height in sizes:
        with tempfile.TemporaryDirectory() as name:
            slide = Path(name) / "slide.svs"
            write_slide(slide, (width, height), piece)
            for workers in (1, 2):
                one = measure(Path(name) / f"p{workers}", slide, scales, workers)
                marks = (one.survey, one.tiles, one.supervisor)
                peaks = " | ".join(f"{mark / 1e6:.0f}" for mark in marks)
                decoded = width * height * 3 / 1e9
                say(
                    f"| {width:,} x {height:,} | {decoded:.2f} | {workers} | {peaks} "
                    f"| {one.made:,} | {one.seconds:.0f} |"
                )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the real files")
    parser.add_argument("--width", type=int, default=60_000)
    parser.add_argument("--height", type=int, default=40_000)
    parser.add_argument("--scales", choices=list(SCALES), default="cpia")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(asdict(_measured(options.measure, options.workers))))
        return
    wanted = (options.width, options.height)
    sizes = [size for size in SIZES if math.prod(size) < math.prod(wanted)]
    text = report([*sizes, wanted], options.scales, options.data)
    keep("memory", text)


if __name__ == "__main__":
    main()
