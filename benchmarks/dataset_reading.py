"""Reading a version, beside its exports in the form that other tools read best.

    python -m benchmarks.dataset_reading --data FOLDER [--tiles 3000] [--repeats 3]

Cuts 256 px tiles (JPEG 90, 4:2:0) from a real slide, freezes a version, and exports it as
WebDataset, Hugging Face dataset and loose files with a CSV. Every way then reads the same tiles
with their labels, shuffled, in batches of 64 as uint8 tensors or arrays, with two workers on two
cores: processes of PyTorch's DataLoader, or threads where the name says so. One epoch goes before,
the next is timed; workers stay from one to the next. The ways take turns, and ratios are medians
over turns of one beside the other, since machines are noisy.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from benchmarks.recording import keep, machine

SLIDE = "slides/aperio/cmu-1-small-region.svs"
BATCH, WORKERS, SEED = 64, 2, 1
PROTOCOL = """
[dataset]
title = "reading"
[build]
quality = 90
chroma = "4:2:0"
mpp_tolerance = 0.02
[split]
fractions = { train = 1.0 }
[[scales]]
name = "B"
mpp = 0.5
side_px = 256
stride_px = 28
min_tissue = 0.5
"""

Epochs = Callable[[], Iterator[Any]]


def make(folder: Path, data: Path, wanted: int) -> int:
    """A project with a version, and its exports; how many tiles."""
    from curatome.dataset.export import webdataset
    from curatome.dataset.opening import open_version
    from curatome.project import create_project, open_project
    from curatome.workflows.add import add_slides
    from curatome.workflows.build import build_project
    from curatome.workflows.create_version import create_version
    from curatome.workflows.export_dataset import export_version

    create_project(folder / "project", PROTOCOL)
    table = folder / "slides.csv"
    table.write_text(f"path,case\n{Path(SLIDE).name},C1\n")
    add_slides(open_project(folder / "project"), [data / SLIDE], table)
    project = open_project(folder / "project")
    build_project(project, 2)
    path = project.build / "tiles.parquet"
    manifest = pq.read_table(path)
    pq.write_table(manifest.slice(0, wanted), path)
    create_version(project, "benchmark", near=False)
    webdataset._SAMPLES = 500  # or one of two workers would have no shard to read
    opened = open_version(project.root)
    for name in ("webdataset", "huggingface", "csv"):
        export_version(opened, folder / name, name)
    return len(opened)


def _selection(folder: Path) -> Any:
    from curatome.dataset.opening import open_version

    return open_version(folder / "project").select("train")


def curatome_batches(folder: Path) -> Epochs:
    from curatome.dataset.torch_data import Loader, VersionBatches
    from curatome.tiles.batches import Loading

    batches = VersionBatches(_selection(folder), BATCH, seed=SEED, loading=Loading(threads=1))
    loader = Loader(batches, WORKERS)
    return lambda: (batch["image"] for batch in loader)


def curatome_threads(folder: Path) -> Epochs:
    from curatome.dataset.torch_data import Loader, VersionBatches
    from curatome.tiles.batches import Loading

    batches = VersionBatches(_selection(folder), BATCH, seed=SEED, loading=Loading(WORKERS))
    loader = Loader(batches)
    return lambda: (batch["image"] for batch in loader)


def curatome_dataset(folder: Path) -> Epochs:
    from curatome.dataset.torch_data import VersionDataset

    loader = _loader(VersionDataset(_selection(folder)))
    return lambda: (batch["image"] for batch in loader)


def curatome_samples(folder: Path) -> Epochs:
    from curatome.dataset.loading import Samples
    from curatome.tiles.batches import Loading

    samples = Samples(_selection(folder), seed=SEED, loading=Loading(WORKERS))
    return lambda: (sample.pixels[None] for sample in samples)


def webdataset_pillow(folder: Path) -> Epochs:
    return _webdataset(folder, "rgb8")


def webdataset_simplejpeg(folder: Path) -> Epochs:
    import simplejpeg

    def decoded(key: str, data: bytes) -> Any:
        return simplejpeg.decode_jpeg(data) if key.endswith("jpg") else None

    return _webdataset(folder, decoded)


def _webdataset(folder: Path, decoder: Any) -> Epochs:
    import webdataset
    from torch.utils.data import DataLoader

    shards = sorted(map(str, (folder / "webdataset/train").glob("*.tar")))
    tiles = webdataset.WebDataset(shards, shardshuffle=len(shards)).shuffle(1000)
    tiles = tiles.decode(decoder).to_tuple("jpg", "json").batched(BATCH)
    loader = DataLoader(tiles, batch_size=None, num_workers=WORKERS, persistent_workers=True)
    return lambda: (pixels for pixels, _ in loader)


def hugging_face(folder: Path) -> Epochs:
    import datasets
    import torch

    quiet = datasets.load_dataset(str(folder / "huggingface"), cache_dir=str(folder / "cache"))
    names = quiet["train"].features["labels"].feature

    def collate(rows: list[Any]) -> Any:
        images = torch.from_numpy(np.stack([np.asarray(row["image"]) for row in rows]))
        return images, [row["labels"] for row in rows], names

    loader = _loader(quiet["train"].select_columns(["image", "labels"]), collate)
    return lambda: (batch[0] for batch in loader)


class _Loose:
    def __init__(self, folder: Path) -> None:
        with (folder / "train.csv").open() as stream:
            rows = list(csv.DictReader(stream))
        self.files = [str(folder / row["file"]) for row in rows]
        self.labels = [row["labels"] for row in rows]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, at: int) -> Any:
        from PIL import Image

        with Image.open(self.files[at]) as image:
            return np.asarray(image.convert("RGB")), self.labels[at]


def loose_files(folder: Path) -> Epochs:
    loader = _loader(_Loose(folder / "csv"))
    return lambda: (batch[0] for batch in loader)


def _loader(tiles: Any, collate: Any = None) -> Any:
    from torch.utils.data import DataLoader

    return DataLoader(
        tiles,
        BATCH,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,
        collate_fn=collate,
    )


WAYS: dict[str, tuple[str, Callable[[Path], Epochs]]] = {
    "batches": ("Curatome, batches (Loader), 2 processes", curatome_batches),
    "threads": ("Curatome, batches (Loader), 2 threads", curatome_threads),
    "dataset": ("Curatome, samples by number (VersionDataset)", curatome_dataset),
    "samples": ("Curatome, plain Python (Samples), 2 threads", curatome_samples),
    "webdataset": ("WebDataset, Pillow", webdataset_pillow),
    "simplejpeg": ("WebDataset, simplejpeg", webdataset_simplejpeg),
    "huggingface": ("Hugging Face datasets", hugging_face),
    "loose": ("loose files and CSV, Pillow", loose_files),
}


def measure(name: str, folder: Path) -> None:
    """Print samples/s of the second epoch of one way."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:WORKERS])
    epoch = WAYS[name][1](folder)
    for _ in epoch():
        pass
    count, begun = 0, time.perf_counter()
    for pixels in epoch():
        count += len(pixels)
        int(pixels[0, 0, 0, 0])  # looks at every batch
    print(json.dumps({"count": count, "per_second": count / (time.perf_counter() - begun)}))


def compare(folder: Path, count: int, repeats: int) -> list[str]:
    """The table."""
    runs: dict[str, list[float]] = {name: [] for name in WAYS}
    quiet = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    for turn in range(repeats):
        for name in WAYS:
            command = [sys.executable, "-m", "benchmarks.dataset_reading", "--way", name]
            done = subprocess.run(
                [*command, "--data", str(folder)],
                capture_output=True,
                text=True,
                check=True,
                env=os.environ | quiet,
            )
            found = json.loads(done.stdout.splitlines()[-1])
            if found["count"] != count:
                raise RuntimeError(f"{name} read {found['count']} of {count} tiles")
            runs[name].append(found["per_second"])
            print(f"turn {turn + 1}: {name}: {found['per_second']:,.0f}/s", flush=True)
    return _rows(runs)


def _rows(runs: dict[str, list[float]]) -> list[str]:
    lines = [
        "| way | samples/s | least and most | the first is faster by |",
        "|---|---|---|---|",
    ]
    first: Sequence[float] = next(iter(runs.values()))
    for name, rates in runs.items():
        ratio = statistics.median(a / b for a, b in zip(first, rates, strict=True))
        lines.append(
            f"| {WAYS[name][0]} | {statistics.median(rates):,.0f} | {min(rates):,.0f} to "
            f"{max(rates):,.0f} | {ratio:.2f} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real files")
    parser.add_argument("--tiles", type=int, default=3000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        measure(options.way, options.data)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = make(folder, options.data, options.tiles)
        rows = compare(folder, count, options.repeats)
        size = sum(one.stat().st_size for one in (folder / "csv/train").iterdir()) / count
    out = io.StringIO()
    print("Reading a version", file=out)
    print(machine(), file=out)
    packages = ("torch", "webdataset", "datasets", "pillow", "simplejpeg")
    print(*(f"{one} {installed(one)}" for one in packages), sep=", ", file=out)
    print(
        f"{count:,} tiles of 256 px from {Path(SLIDE).name}, JPEG 90 4:2:0, {size / 1000:.1f} kB "
        f"each; shuffled, batches of {BATCH}, two workers; {options.repeats} turns",
        file=out,
    )
    print("", *rows, sep="\n", file=out)
    print(out.getvalue())
    keep("dataset_reading", out.getvalue())


if __name__ == "__main__":
    main()
