"""CPU per tile of the engine, beside peers, on the same slides in one run.

    python -m benchmarks.tiles --data FOLDER [--peers FOLDER] [--turns 3] [--side 16384]

Slides are made of real tissue, JPEG 4:2:0, with 256 px tiles at 0.25 µm/px (the grids coincide)
and 240 px tiles at 0.2525 µm/px (they do not, as in archives). Every way runs in a process and,
if it is a peer, a virtual environment of its own, in turns; ratios are medians over turns.
Curatome does the whole job (plan, hashes, shards, manifest, fsync), the peers only pixels. Where
ways make tiles of several sizes, CPU is per 65,536 encoded pixels, the content of a 256 px tile.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import openslide
from benchmarks.environments import python_with
from benchmarks.recording import keep, machine

from curatome.hashes import file_sha256
from curatome.phantom.svs import SvsOptions, write_svs
from curatome.protocol import parse_protocol
from curatome.tiles.record import SlideRecord, slide_key
from curatome.tiles.survey import SlideSource, survey_slide
from curatome.units import Mpp

TISSUE = "slides/aperio/cmu-1-small-region.svs"
SIDE, TARGET = 256, 0.5
SCALES = (("XL", 3840, ""), ("L", 960, "XL"), ("M", 384, "XL"), ("S", 96, "M"))

NEEDS: dict[str, tuple[str, ...]] = {
    "openslide_lanczos": ("openslide-python", "openslide-bin", "pillow", "numpy"),
    "tiffslide": ("tiffslide", "pillow", "numpy", "imagecodecs"),
    "pyvips": ("pyvips[binary]", "numpy"),
    "codecs_of_cpia_scales": ("opencv-python-headless", str(Path(__file__).parents[1])),
    "cucim": ("cucim-cu12", "cupy-cuda12x", "pillow", "numpy"),
}
RECORDED = {  # µm of CPU per tile, aligned; measured earlier on a machine of this class
    "cucim": 1550,
    "fastslide": 2100,
    "slideflow": 3400,
    "TIAToolbox": 7400,
    "TRIDENT": 7900,
    "LazySlide": 9500,
    "large_image": 11600,
    "histolab": 48700,
}


@dataclass
class Case:
    """One comparison.

    Attributes:
        title: what is compared.
        slide: the slide.
        task: what every way is told.
        ways: the ways, Curatome first.
        cpu: seconds of CPU per turn, by way.
        tiles: what was encoded, in tiles of 256 px, by way.
    """

    title: str
    slide: Path
    task: dict[str, Any]
    ways: tuple[str, ...]
    cpu: dict[str, list[float]] = field(default_factory=dict)
    tiles: dict[str, float] = field(default_factory=dict)

    def run(self, way: str, python: Path) -> None:
        """One turn of one way."""
        with tempfile.TemporaryDirectory() as scratch:
            told = Path(scratch) / "task.json"
            told.write_text(json.dumps({**self.task, "scratch": scratch}))
            script = Path(__file__).with_name("tile_peers.py")
            command = [python, script, way, self.slide, told]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"  {way} failed: {done.stderr.strip().splitlines()[-1:]}", flush=True)
            return
        found = json.loads(done.stdout.splitlines()[-1])
        self.cpu.setdefault(way, []).append(found["cpu"])
        self.tiles[way] = found["pixels"] / SIDE**2

    def lines(self) -> list[str]:
        """The table's lines."""
        lines = [
            f"\n{self.title}",
            "| way | CPU, µs per 256 px tile | of them | its CPU over Curatome's |",
        ]
        lines += ["|---|---|---|---|"]
        ours = self.cpu["curatome"]
        for way in self.ways:
            if way not in self.cpu:
                known = f"{RECORDED[way]:,} (recorded)" if way in RECORDED else "did not run"
                lines.append(f"| {way} | {known} | | |")
                continue
            per_tile = statistics.median(self.cpu[way]) / self.tiles[way] * 1e6
            pairs = zip(self.cpu[way], ours, strict=False)
            ratios = [a / self.tiles[way] / (b / self.tiles["curatome"]) for a, b in pairs]
            lines.append(
                f"| {way} | {per_tile:,.0f} | {self.tiles[way]:,.0f} | "
                f"{statistics.median(ratios):.2f} |"
            )
        return lines


def make_slide(path: Path, data: Path, side: int, tile: int, mpp: float) -> Path:
    """A slide of real tissue, mirrored until it is large enough."""
    with openslide.OpenSlide(data / TISSUE) as source:
        piece = np.asarray(source.read_region((0, 0), 0, (2160, 2880)).convert("RGB"))
    wide = np.concatenate([piece, piece[:, ::-1]], axis=1)
    whole = np.concatenate([wide, wide[::-1]], axis=0)

    def block(x: int, y: int, width: int, height: int) -> Any:
        rows = (y + np.arange(height)) % whole.shape[0]
        return whole[np.ix_(rows, (x + np.arange(width)) % whole.shape[1])]

    options = SvsOptions(mpp=mpp, objective=40, scanner="benchmark", tile=tile)
    write_svs(path, (side, side), block, options)
    return path


def surveyed(build: Path, slide: Path, mpp: float, text: str) -> tuple[str, SlideRecord]:
    """A slide that is ready for `build_unit`, and its record."""
    protocol, scale = parse_protocol(f'[dataset]\ntitle = "b"\n{text}', "benchmark"), Mpp(mpp, mpp)
    sha256 = file_sha256(slide)
    source = SlideSource(slide, sha256, slide_key(sha256, scale, protocol), scale)
    return source.key, survey_slide(build, source, protocol)


def one_scale(tolerance: float = 0.0, more: str = "") -> str:
    """A protocol of one scale that keeps every tile."""
    return (
        f"[build]\nmpp_tolerance = {tolerance}\n{more}\n"
        f'[[scales]]\nname = "A"\nmpp = {TARGET}\nside_px = {SIDE}\nmin_tissue = 0\n'
    )


def cpia_scales(tolerance: float = 0.0) -> str:
    """CPIA's four scales, every tile kept."""
    text = f"[build]\nmpp_tolerance = {tolerance}\n"
    for name, side, parent in (
        ("XL", 3840, ""),
        ("L", 960, "XL"),
        ("M", 384, "XL"),
        ("S", 96, "M"),
    ):
        text += f'[[scales]]\nname = "{name}"\nmpp = 0.4942\nside_px = {side}\nmin_tissue = 0\n'
        text += f'parent = "{parent}"\n' if parent else ""
    return text


def cases(scratch: Path, data: Path, side: int) -> list[Case]:
    """All comparisons."""
    peers = ("openslide_lanczos", "tiffslide", "pyvips", "cucim")
    aligned = make_slide(scratch / "aligned.svs", data, side, 256, 0.25)
    archive = make_slide(scratch / "archive.svs", data, side, 240, 0.2525)
    found = []

    def add(
        title: str, slide: Path, mpp: float, text: str, ways: Sequence[str], **more: Any
    ) -> None:
        build = scratch / f"build{len(found)}"
        key, record = surveyed(build, slide, mpp, text)
        target, scale = more.get("target", TARGET), record.scales[0]
        across = int(more.get("edge", side) * mpp / target) // scale.side_px
        places = [(c, r) for r in range(across) for c in range(across)]
        task = {"mpp": mpp, "target": target, "side": scale.side_px, "build": str(build)}
        task |= {"key": key, "places": places, "parents": places}
        found.append(Case(title, slide, task, ("curatome", *ways)))

    add(
        "One scale, 256 px at 0.5 µm/px, JPEG 90; grids coincide",
        aligned, 0.25, one_scale(), ("bare_loop", *peers),
    )  # fmt: skip
    add(
        "The same, 240 px tiles at 0.2525 µm/px: exact resampling",
        archive, 0.2525, one_scale(), peers,
    )  # fmt: skip
    add(
        "The same, native half-size pixels (mpp_tolerance = 0.02)",
        archive, 0.2525, one_scale(0.02), peers,
    )  # fmt: skip
    native = one_scale(more="pass_through = true").replace(f"mpp = {TARGET}", "mpp = 0.25")
    add("Pass-through of the slide's own tiles", aligned, 0.25, native, (), target=0.25)
    # Whole XL tiles of 3840 px, at half size, so that all ways make the same tiles.
    edge = max(1, side // 7680) * 7680 + 8
    aligned = make_slide(scratch / "aligned-cpia.svs", data, edge, 256, 0.25)
    archive = make_slide(scratch / "archive-cpia.svs", data, edge, 240, 0.2525)
    for slide, mpp in ((aligned, 0.25), (archive, 0.2525)):
        add(
            f"CPIA's four scales from {mpp} µm/px, exact",
            slide, mpp, cpia_scales(), ("cpia", "codecs_of_cpia_scales"), target=0.4942,
            edge=edge,
        )  # fmt: skip
        add(
            f"CPIA's four scales from {mpp} µm/px, mpp_tolerance = 0.02",
            slide, mpp, cpia_scales(0.025 if mpp > 0.25 else 0.02), ("cpia",),
            target=0.4942, edge=edge,
        )  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real files")
    parser.add_argument("--peers", type=Path, default=Path(tempfile.gettempdir()) / "peers")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--side", type=int, default=16384, help="edge of the slides, px")
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="curatome-tiles-"))
    try:
        compared = cases(scratch, given.data, given.side)
        pythons: dict[str, Path | None] = {}
        for way in dict.fromkeys(way for case in compared for way in case.ways):
            needs = NEEDS.get(way)
            pythons[way] = python_with(given.peers / way, needs) if needs else Path(sys.executable)
        for turn in range(given.turns):
            for case in compared:
                print(f"turn {turn + 1}: {case.title}", flush=True)
                for way in case.ways:
                    python = pythons[way]
                    if python is not None:
                        case.run(way, python)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    lines = [f"CPU per tile; {machine()}; slides of {given.side} px edge, {given.turns} turns"]
    for case in compared:
        lines += case.lines()
    lines += ["\nRecorded earlier on this class of machine, aligned, µs of CPU per tile: "]
    lines += [", ".join(f"{name} {value:,}" for name, value in RECORDED.items())]
    text = "\n".join(lines) + "\n"
    print(text)
    keep("tiles", text)


if __name__ == "__main__":
    main()
