"""Tiles per second for training, beside what is commonly used, on the same JPEG tiles.

    python -m benchmarks.batches --data FOLDER [--peers FOLDER] [--tiles 8000] [--repeats 5]

Cuts 256 px tiles (JPEG 90, 4:2:0) from a real slide with Curatome's own build, overlapping so that
there are enough, and gives every way of reading the form it likes best: our shards and manifest;
equal tar files of 1,000; loose files; Parquet with an image column. Every way reads all tiles in
shuffled order, in batches of 64 as uint8 arrays, with two workers on two cores: threads for
Curatome and DALI, processes of PyTorch's DataLoader for the others. One epoch goes before, the
next is timed. The ways take turns, and ratios are medians over turns of one beside the other,
since machines are noisy. CPU is that of the process and its workers.

Each peer has a virtual environment of its own under `--peers`, made when it is missing. Where that
fails, the figure measured before is printed and marked as recorded.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.environments import python_with
from benchmarks.recording import keep, machine

from curatome.project import create_project, open_project
from curatome.tiles.index import TileIndex
from curatome.tiles.shards import ShardWriter, read_member
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project

SLIDE = "slides/aperio/cmu-1-small-region.svs"
BATCH = 64
_PER_TAR = 1000
_TORCH = "torch==2.13.0"  # without torchvision, which has no CPU build to go with it

PROTOCOL = """
[dataset]
title = "batches"
[build]
quality = 90
chroma = "4:2:0"
mpp_tolerance = 0.02
[[scales]]
name = "B"
mpp = 0.5
side_px = 256
stride_px = 17
min_tissue = 0.5
"""


@dataclass(frozen=True)
class Way:
    """A way of reading.

    Attributes:
        name: its entry in batch_peers.py.
        title: what the table calls it.
        needs: what its virtual environment holds; empty for our own.
        recorded: tiles/s measured before on two cores, printed where it cannot be run.
    """

    name: str
    title: str
    needs: tuple[str, ...] = ()
    recorded: str = ""


_WDS = ("webdataset==1.0.2", _TORCH, "pillow", "simplejpeg", "numpy")
_HF = ("datasets", _TORCH, "pillow", "numpy")
WAYS = (
    Way("curatome", "Curatome, 2 threads"),
    Way("curatome_verified", "Curatome, 2 threads, every hash verified"),
    Way("webdataset_pillow", "WebDataset, Pillow", _WDS, "1,900"),
    Way("webdataset_simplejpeg", "WebDataset, simplejpeg", _WDS, "3,000"),
    Way("loose_pillow", "loose files, Pillow", _WDS, "2,300 to 3,300"),
    Way("datasets", "Hugging Face datasets, Parquet", _HF, "2,000 to 4,000"),
    Way("dali", "DALI on the CPU, loose files", ("nvidia-dali-cuda120", "numpy"), "4,800"),
)
_FOLDERS = {_WDS: "webdataset", _HF: "datasets"}


def make_tiles(folder: Path, data: Path, wanted: int) -> int:
    """Tiles in every form; how many, at most `wanted`."""
    create_project(folder / "project", PROTOCOL)
    add_slides(open_project(folder / "project"), [data / SLIDE])
    project = open_project(folder / "project")
    build_project(project, 2)
    for path in (*project.build.glob("shards"), project.build / "tiles.parquet"):
        (folder / path.name).symlink_to(path)
    manifest = pq.read_table(folder / "tiles.parquet")
    count = min(wanted, len(manifest))
    (folder / "tiles.parquet").unlink()
    pq.write_table(manifest.slice(0, count), folder / "tiles.parquet")
    write_forms(folder, TileIndex(folder / "tiles.parquet"))
    return count


def write_forms(folder: Path, index: TileIndex) -> None:
    """The same images as equal tar files, as loose files and as Parquet."""
    loose, equal = folder / "loose" / "all", folder / "equal"
    loose.mkdir(parents=True)
    equal.mkdir()
    images = []
    for first in range(0, len(index), _PER_TAR):
        with (equal / f"{first:06d}.tar").open("wb") as stream:
            shard = ShardWriter(stream)
            for i in range(first, min(first + _PER_TAR, len(index))):
                place = int(index.offset[i]), int(index.length[i])
                images.append(read_member(index.shards[index.shard[i]], *place))
                shard.add(f"{i:06d}.jpg", images[-1])
                (loose / f"{i:06d}.jpg").write_bytes(images[-1])
            shard.finish()
    table = pa.table({"image": [{"bytes": data, "path": None} for data in images]})
    pq.write_table(table, folder / "images.parquet", row_group_size=100)


def python_of(way: Way, peers: Path) -> Path | None:
    """The Python that runs a way; None where its environment cannot be made."""
    if not way.needs:
        return Path(sys.executable)
    return python_with(peers / _FOLDERS.get(way.needs, way.name), way.needs)


def run(way: Way, python: Path, folder: Path) -> dict[str, float] | None:
    """One run of one way, or None where it fails."""
    script = Path(__file__).with_name("batch_peers.py")
    command = [python, script, way.name, folder, str(BATCH)]
    quiet = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | quiet
    )
    if done.returncode:
        print(f"{way.title} failed:\n{done.stderr[-2000:]}", flush=True)
        return None
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def versions(python: Path, way: Way) -> str:
    """What is installed for a way, of what it needs."""
    names = [need.partition("==")[0] for need in way.needs] or ["simplejpeg", "numpy", "pyarrow"]
    code = "import sys; from importlib.metadata import version as v; print(*map(v, sys.argv[1:]))"
    done = subprocess.run([python, "-c", code, *names], capture_output=True, text=True, check=True)
    return ", ".join(f"{n} {v}" for n, v in zip(names, done.stdout.split(), strict=True))


def table(runs: Mapping[str, Sequence[dict[str, float]]]) -> list[str]:
    """The table's lines; ratios are of the same turn."""
    lines = [
        "| way | tiles/s | least and most | Curatome is faster by | CPU, µs per tile "
        "| its CPU over Curatome's |",
        "|---|---|---|---|---|---|",
    ]
    ours = runs["curatome"]
    for way in WAYS:
        found = runs.get(way.name)
        if not found:
            lines.append(f"| {way.title} | {way.recorded} (recorded) | | | | |")
            continue
        rates = [one["per_second"] for one in found]
        cpu = statistics.median(one["cpu_us"] for one in found)
        turns = list(zip(ours, found, strict=True))
        ratio = statistics.median(a["per_second"] / b["per_second"] for a, b in turns)
        costs = statistics.median(b["cpu_us"] / a["cpu_us"] for a, b in turns)
        lines.append(
            f"| {way.title} | {statistics.median(rates):,.0f} | {min(rates):,.0f} to "
            f"{max(rates):,.0f} | {ratio:.2f} | {cpu:.0f} | {costs:.2f} |"
        )
    return lines


def compare(folder: Path, peers: Path, repeats: int) -> tuple[list[str], list[str]]:
    """Table and versions."""
    pythons = {way.name: python_of(way, peers) for way in WAYS}
    runs: dict[str, list[dict[str, float]]] = {
        way.name: [] for way in WAYS if pythons[way.name] is not None
    }
    for turn in range(repeats):
        for way in WAYS:
            if way.name not in runs:
                continue
            python = pythons[way.name]
            measured = run(way, python, folder) if python else None
            if measured is None:
                del runs[way.name]
                continue
            runs[way.name].append(measured)
            print(f"turn {turn + 1}: {way.title}: {measured['per_second']:,.0f}/s", flush=True)
    used = {str(p): w for w in WAYS if w.name in runs and (p := pythons[w.name]) is not None}
    return table(runs), [versions(Path(python), way) for python, way in used.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real files")
    cache = Path.home() / ".cache" / "curatome-peers"
    parser.add_argument("--peers", type=Path, default=cache, help="virtual environments of peers")
    parser.add_argument("--tiles", type=int, default=8000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = make_tiles(folder, options.data, options.tiles)
        size = sum(path.stat().st_size for path in (folder / "equal").iterdir()) / count
        rows, installed = compare(folder, options.peers, options.repeats)
    out = io.StringIO()
    print("Reading tiles for training", file=out)
    print(machine(), *installed, sep="\n", file=out)
    print(
        f"{count:,} tiles of 256 px from {Path(SLIDE).name}, JPEG 90 4:2:0, {size / 1000:.1f} kB "
        f"each; shuffled, batches of {BATCH}, two workers; {options.repeats} turns",
        file=out,
    )
    print("", *rows, sep="\n", file=out)
    print(out.getvalue())
    keep("batches", out.getvalue())


if __name__ == "__main__":
    main()
