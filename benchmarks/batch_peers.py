"""One way of reading batches of tiles, run by the Python of its own virtual environment.

    PEER/bin/python batch_peers.py NAME FOLDER BATCH

Reads the tiles twice, shuffled, with two workers, and prints samples/s and CPU µs per tile of the
second time as JSON. Nothing of Curatome is imported here, except by the entry of that name.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

WORKERS = 2
Epochs = Callable[[Path, int], Callable[[], Iterator[Any]]]


def curatome(folder: Path, batch: int) -> Callable[[], Iterator[Any]]:
    from curatome.tiles.batches import BatchReader, Loading
    from curatome.tiles.index import TileIndex

    index = TileIndex(folder / "tiles.parquet")
    reader = BatchReader(index, batch, seed=1, loading=Loading(threads=WORKERS))
    return lambda: (tiles.pixels for tiles in reader)


def curatome_verified(folder: Path, batch: int) -> Callable[[], Iterator[Any]]:
    from curatome.tiles.batches import BatchReader, Loading
    from curatome.tiles.index import TileIndex

    index = TileIndex(folder / "tiles.parquet")
    loading = Loading(threads=WORKERS, verify=True)
    reader = BatchReader(index, batch, seed=1, loading=loading)
    return lambda: (tiles.pixels for tiles in reader)


def webdataset_pillow(folder: Path, batch: int) -> Callable[[], Iterator[Any]]:
    return _webdataset(folder, batch, "rgb8")


def webdataset_simplejpeg(folder: Path, batch: int) -> Callable[[], Iterator[Any]]:
    return _webdataset(folder, batch, _simplejpeg)


def _simplejpeg(key: str, data: bytes) -> Any:
    import simplejpeg

    return simplejpeg.decode_jpeg(data) if key.endswith("jpg") else None


def _webdataset(folder: Path, batch: int, decoder: Any) -> Callable[[], Iterator[Any]]:
    import webdataset as wds
    from torch.utils.data import DataLoader

    shards = sorted(map(str, (folder / "equal").glob("*.tar")))
    tiles = wds.WebDataset(shards, shardshuffle=len(shards)).shuffle(1000)
    tiles = tiles.decode(decoder).to_tuple("jpg").batched(batch)
    loader = DataLoader(tiles, batch_size=None, num_workers=WORKERS, persistent_workers=True)
    return lambda: (pixels for (pixels,) in loader)


class _Loose:
    def __init__(self, folder: Path) -> None:
        self.paths = sorted((folder / "loose" / "all").glob("*.jpg"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, at: int) -> Any:
        from PIL import Image

        with Image.open(self.paths[at]) as image:
            return np.asarray(image.convert("RGB"))


def _stacked(tiles: list[Any]) -> Any:
    import torch

    return torch.from_numpy(np.stack(tiles))


def loose_pillow(folder: Path, batch: int) -> Callable[[], Iterator[Any]]:
    return _map_style(_Loose(folder), batch)


def _map_style(tiles: Any, batch: int) -> Callable[[], Iterator[Any]]:
    from torch.utils.data import DataLoader

    loader = DataLoader(
        tiles,
        batch,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,
        collate_fn=_stacked,
    )
    return lambda: iter(loader)


def datasets(folder: Path, batch: int) -> Callable[[], Iterator[Any]]:
    from datasets import Dataset, Image
    from torch.utils.data import DataLoader

    tiles = Dataset.from_parquet(str(folder / "images.parquet"), cache_dir=str(folder / "cache"))
    tiles = tiles.cast_column("image", Image())
    loader = DataLoader(
        tiles,
        batch,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,
        collate_fn=lambda rows: _stacked([np.asarray(row["image"]) for row in rows]),
    )
    return lambda: iter(loader)


def dali(folder: Path, batch: int) -> Callable[[], Iterator[Any]]:
    from nvidia.dali import fn, pipeline_def, types

    @pipeline_def(batch_size=batch, num_threads=WORKERS, device_id=None, seed=1)  # type: ignore
    def pipeline() -> Any:
        data, _ = fn.readers.file(
            file_root=str(folder / "loose"), random_shuffle=True, name="tiles"
        )
        return fn.decoders.image(data, device="cpu", output_type=types.RGB)

    pipe = pipeline()
    pipe.build()
    batches = -(-pipe.epoch_size("tiles") // batch)
    return lambda: (pipe.run()[0].as_array() for _ in range(batches))


WAYS: dict[str, Epochs] = {
    "curatome": curatome,
    "curatome_verified": curatome_verified,
    "webdataset_pillow": webdataset_pillow,
    "webdataset_simplejpeg": webdataset_simplejpeg,
    "loose_pillow": loose_pillow,
    "datasets": datasets,
    "dali": dali,
}


def cpu_seconds() -> float:
    """CPU time of this process and of its living children, s; Linux."""
    pids = [str(os.getpid())]
    for listing in Path("/proc/self/task").glob("*/children"):
        pids += listing.read_text().split()
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    name, folder, batch = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:WORKERS])
    epoch = WAYS[name](folder, batch)
    for _ in epoch():
        pass
    tiles, cpu, begun = 0, cpu_seconds(), time.perf_counter()
    total = 0
    for pixels in epoch():
        tiles += len(pixels)
        total += int(pixels[0, 0, 0, 0])  # looks at every batch
    seconds = time.perf_counter() - begun
    cost = (cpu_seconds() - cpu) / tiles * 1e6
    print(json.dumps({"tiles": tiles, "per_second": tiles / seconds, "cpu_us": cost}))


if __name__ == "__main__":
    main()
