"""Items of a project that look alike: hashed once, and again only where their bytes are new."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curatome.cohort.duplicates import (
    is_cut_out,
    jpeg_hash,
    near_duplicates,
    perceptual_hash,
    without_ground,
)
from curatome.durable import new_file
from curatome.location import located
from curatome.project import Project
from curatome.tiles.encode import decode
from curatome.tiles.shards import read_member
from curatome.workflows.watch import Watcher

Hashes = npt.NDArray[np.uint64]
Pixels = npt.NDArray[np.uint8]

_AT_ONCE = 256
_THREADS = 2
_JPEG = b"\xff\xd8"
_VERSION, _NOW = b"curatome.hashes", b"2"
"""Raised when images get other hashes; those of others are made anew."""


def near_items(project: Project, items: Path, watcher: Watcher) -> pa.Table:
    """Items that look like another one, as `tables.NEAR_DUPLICATES`.

    Only items with an image of their own can be compared; those of which only the place is kept
    are left out. What was cut out on white is compared without the white, which is the same
    around every cell.

    Args:
        project: the project.
        items: Parquet file of `tables.ITEMS`.
        watcher: is told the course.

    Raises:
        OSError: a shard cannot be read.
    """
    table = pq.read_table(items, columns=["item", "kind", "shard", "offset", "length", "hash"])
    table = table.filter(pa.compute.is_valid(table["shard"]))
    hashes = _hashes(project, table, watcher)
    places = {name: table[name].to_numpy() for name in ("offset", "length")}
    shards = table["shard"].combine_chunks().dictionary_encode()
    names, which = shards.dictionary.to_pylist(), shards.indices.to_numpy()

    def load(row: int) -> Pixels:
        place = located(names[which[row]], project.root)
        return _shown(read_member(place, int(places["offset"][row]), int(places["length"][row])))

    return near_duplicates(table["item"].to_pylist(), hashes, load)


def _hashes(project: Project, table: pa.Table, watcher: Watcher) -> Hashes:
    """(N,) perceptual hashes; what is known of equal bytes is not made again."""
    cache = project.root / ".curatome" / "perceptual.parquet"
    known: dict[str, int] = {}
    if cache.exists() and (pq.read_schema(cache).metadata or {}).get(_VERSION) == _NOW:
        held = pq.read_table(cache)
        known = dict(zip(held["hash"].to_pylist(), held["bits"].to_pylist(), strict=True))
    content = table["hash"].to_pylist()
    missing = [row for row, one in enumerate(content) if one not in known]
    watcher.start("looking for near-duplicates", len(missing), "images")
    with ThreadPoolExecutor(_THREADS) as pool:
        for rows, bits in pool.map(
            lambda part: (part, _hashed(project, table, part)), _parts(missing)
        ):
            known.update(zip((content[row] for row in rows), bits.tolist(), strict=True))
            watcher.advance(len(rows))
    watcher.finish()
    if missing:
        wanted = set(content)
        kept = {one: bits for one, bits in known.items() if one in wanted}
        with new_file(cache) as stream:
            bits = pa.array(kept.values(), pa.uint64())
            found = pa.table({"hash": pa.array(kept, pa.string()), "bits": bits})
            pq.write_table(found.replace_schema_metadata({_VERSION: _NOW}), stream)
    return np.array([known[one] for one in content], np.uint64)


def _parts(rows: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]


def _hashed(project: Project, table: pa.Table, rows: list[int]) -> Hashes:
    some = table.take(rows).to_pylist()
    data = [
        read_member(located(row["shard"], project.root), row["offset"], row["length"])
        for row in some
    ]
    if all(one.startswith(_JPEG) for one in data) and {row["kind"] for row in some} == {"tile"}:
        return jpeg_hash(data)
    return perceptual_hash([_shown(one) for one in data])


def _shown(data: bytes) -> Pixels:
    """An image without the white around what was cut out; tiles are never cut out."""
    pixels: Pixels = decode(data)
    return without_ground(pixels) if is_cut_out(pixels) else pixels
