"""Finding tiles: by id through the manifest, and by number through three plain columns."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curatome.errors import BuildError, TableError
from curatome.location import is_url, joined, located
from curatome.tiles.shards import shards_of
from curatome.tiles.state import reading

Rows = npt.NDArray[np.int64]

_KEYS = ("tile_id", "item")
_CACHED_GROUPS = 2
_HASH_BYTES = 16


class TileTable:
    """Rows of a manifest by tile id or row number, read one row group at a time.

    A manifest is sorted by slide, and an id begins with its slide, so the smallest and largest id
    that Parquet keeps of every row group leave one or a few groups to look into. Held in memory
    are these bounds and the ids of two groups: about 15 MB, however many tiles there are.

    Args:
        manifest: a build's `tiles.parquet`, or a version's `items.parquet`.

    Attributes:
        path: the manifest.
        key: its column of ids, `tile_id` or `item`.

    Raises:
        BuildError: there is no manifest, it is damaged (by every call), or no table of tiles.
    """

    def __init__(self, manifest: Path) -> None:
        self.path = manifest
        try:
            with reading(manifest):
                metadata = pq.read_metadata(manifest)
        except FileNotFoundError as error:
            raise BuildError(f"{manifest} is not there. Run `curatome build` first.") from error
        names = metadata.schema.names
        key = next((name for name in _KEYS if name in names), None)
        if key is None:
            raise BuildError(f"{manifest} is no table of tiles: it has no column {_KEYS[0]}.")
        self.key = key
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        counts = [group.num_rows for group in groups]
        self._first = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
        column = names.index(key)
        self._bounds = [_bounds(group.column(column).statistics) for group in groups]
        self._ids: OrderedDict[int, pa.Array] = OrderedDict()

    def __len__(self) -> int:
        return int(self._first[-1])

    def find(self, tile_ids: Sequence[str]) -> Rows:
        """Row numbers of tiles, (N,) int64, in the order asked for.

        Takes some tens of milliseconds for each row group that is looked into, however many ids
        are asked for at once.

        Raises:
            TableError: the manifest does not have one of the tiles.
        """
        asked = np.asarray(tile_ids, dtype=object)
        names, where = np.unique(asked, return_inverse=True)
        wanted = pa.array(names, pa.string())
        rows = np.full(len(names), -1, np.int64)
        for group, (low, high) in enumerate(self._bounds):
            possible = rows < 0
            if low is not None:
                within = pc.and_(pc.greater_equal(wanted, low), pc.less_equal(wanted, high))
                possible &= np.asarray(within)
            some = np.flatnonzero(possible)
            if len(some):
                hits = pc.index_in(self._group_ids(group), value_set=wanted.take(pa.array(some)))
                at = np.flatnonzero(np.asarray(hits.is_valid()))
                rows[some[np.asarray(hits.take(pa.array(at)), np.int64)]] = self._first[group] + at
        if (rows < 0).any():
            missing = [str(name) for name in names[rows < 0]]
            raise TableError(
                f"{self.path} has no tile {missing[0]} ({len(missing)} of {len(names)} ids are "
                "not in it). Take ids from the manifest of the same build."
            )
        return np.asarray(rows[where], np.int64)

    def take(self, rows: Rows, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows by number, in the order asked for, with some or all columns.

        Raises:
            IndexError: a row is beyond the end of the manifest.
        """
        rows = np.asarray(rows, np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows must be from 0 to {len(self) - 1}. Got {rows.max()}.")
        order = np.argsort(rows, kind="stable")
        group_of = np.searchsorted(self._first, rows[order], side="right") - 1
        parts = []
        with pq.ParquetFile(self.path) as file:
            for group in np.unique(group_of).tolist():
                inside = rows[order][group_of == group] - self._first[group]
                with reading(self.path):
                    part = file.read_row_group(group, columns=columns)
                parts.append(part.take(pa.array(inside)))
            if not parts:
                return file.schema_arrow.empty_table().select(columns or file.schema_arrow.names)
        return pa.concat_tables(parts).take(pa.array(np.argsort(order, kind="stable")))

    def groups(self, columns: Sequence[str]) -> Iterator[tuple[slice, pa.Table]]:
        """Columns of the whole manifest, row group by row group, and which rows these are."""
        texts = [c for c in columns if c in ("shard", "scale", "slide", "case")]
        with pq.ParquetFile(self.path, read_dictionary=texts) as file:
            for group in range(file.num_row_groups):
                place = slice(int(self._first[group]), int(self._first[group + 1]))
                with reading(self.path):
                    part = file.read_row_group(group, columns=list(columns))
                yield place, part

    def _group_ids(self, group: int) -> pa.Array:
        if group not in self._ids:
            with reading(self.path), pq.ParquetFile(self.path) as file:
                column = file.read_row_group(group, columns=[self.key]).column(0)
            self._ids[group] = column.combine_chunks()
            while len(self._ids) > _CACHED_GROUPS:
                self._ids.popitem(last=False)
        self._ids.move_to_end(group)
        return self._ids[group]


def _bounds(statistics: Any) -> tuple[str | None, str | None]:
    if statistics is None or not statistics.has_min_max:
        return None, None
    return statistics.min, statistics.max


class TileIndex:
    """Where the images of tiles lie, for those that are to be read: 24 bytes per tile.

    Tiles are numbered from 0, in the order of the manifest. 21 million of them take 0.5 GB, which
    worker processes share if they are forked.

    Args:
        manifest: a build's `tiles.parquet`; its shards lie beside it, or in the store it names.
        scale: tiles of this scale only.
        rows: these rows of the manifest only, for example a split's; kept in ascending order.
        home: what the paths of shards begin at, where that is not the manifest's folder or store.
        one_size: whether all images must have the same size, as those of batches.

    Attributes:
        table: the manifest.
        rows: (N,) int64, row numbers in the manifest.
        side_px: edge of the images; 0 where they differ.
        shards: paths or URLs of the shards that hold them.
        shard: (N,) int32, position in `shards`.
        offset: (N,) int64, first byte of the image in its shard.
        length: (N,) int32, length of the image in bytes.

    Raises:
        BuildError: the build has no manifest, keeps coordinates only, or has no such scale.
        TableError: the tiles differ in size, so no batch can hold them.
    """

    def __init__(
        self,
        manifest: Path,
        scale: str | None = None,
        rows: Rows | None = None,
        *,
        home: Path | None = None,
        one_size: bool = True,
    ) -> None:
        self.table = TileTable(manifest)
        kept = _kept_rows(self.table, scale, rows)
        self.rows = np.flatnonzero(kept).astype(np.int64)
        if not len(self.rows):
            raise BuildError(f"{manifest} has no tiles {f'of scale {scale}' if scale else 'here'}.")
        count = len(self.rows)
        self.shard = np.empty(count, np.int32)
        self.offset = np.empty(count, np.int64)
        self.length = np.empty(count, np.int32)
        codes: dict[str, int] = {}
        sides: set[int] = set()
        at = 0
        for place, part in self.table.groups(["shard", "offset", "length", "side_px"]):
            chosen = part.filter(pa.array(kept[place]))
            here = slice(at, at + len(chosen))
            at += len(chosen)
            if chosen["shard"].null_count:
                raise BuildError(
                    f"{manifest} keeps coordinates only, so there are no images to read. Set "
                    'output = "shards" under [build] and build again, or read with TileSource.'
                )
            self.shard[here] = _coded(chosen["shard"], codes)
            self.offset[here] = np.asarray(chosen["offset"])
            self.length[here] = np.asarray(chosen["length"])
            sides |= set(pc.unique(chosen["side_px"]).to_pylist())
        if len(sides) > 1 and one_size:
            raise TableError(
                f"{manifest}: tiles of {sorted(sides)} px cannot share a batch. Name one scale."
            )
        self.side_px = sides.pop() if len(sides) == 1 else 0
        folder = shards_of(manifest) if home is None else home
        self.shards = [located(name) if is_url(name) else joined(folder, name) for name in codes]

    def __len__(self) -> int:
        return len(self.rows)

    def find(self, tile_ids: Sequence[str]) -> Rows:
        """Positions of tiles in this index, (N,) int64, in the order asked for.

        Raises:
            TableError: a tile is not in the manifest, or not among the chosen ones.
        """
        rows = self.table.find(tile_ids)
        at = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        absent = np.flatnonzero(self.rows[at] != rows)
        if len(absent):
            raise TableError(f"tile {tile_ids[absent[0]]} is not among the chosen tiles.")
        return np.asarray(at, np.int64)

    def tile_id(self, position: int) -> str:
        """The id of the tile at a position."""
        return str(self.take(np.array([position]), [self.table.key]).column(0)[0].as_py())

    def take(self, positions: Rows, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows of the manifest at some positions, in the order asked for."""
        return self.table.take(self.rows[positions], columns)

    def column(self, name: str) -> pa.ChunkedArray:
        """A column of the manifest for all tiles, such as `case`; text as a dictionary."""
        parts = []
        for place, part in self.table.groups([name]):
            first, last = np.searchsorted(self.rows, [place.start, place.stop])
            parts.append(part.take(pa.array(self.rows[first:last] - place.start)))
        return pa.concat_tables(parts).unify_dictionaries()[name]

    def hashes(self) -> npt.NDArray[np.uint8]:
        """Content hashes of all tiles as bytes, (N, 16) uint8."""
        out = np.empty((len(self), _HASH_BYTES), np.uint8)
        for place, part in self.table.groups(["hash"]):
            first, last = np.searchsorted(self.rows, [place.start, place.stop])
            chosen = part["hash"].take(pa.array(self.rows[first:last] - place.start))
            digits = bytes.fromhex("".join(chosen.to_pylist()))
            out[first:last] = np.frombuffer(digits, np.uint8).reshape(-1, _HASH_BYTES)
        return out


def _kept_rows(table: TileTable, scale: str | None, rows: Rows | None) -> npt.NDArray[np.bool_]:
    kept = np.full(len(table), rows is None)
    if rows is not None:
        if len(rows) and not 0 <= np.min(rows) <= np.max(rows) < len(table):
            raise TableError(f"{table.path} has {len(table)} rows. Got row {np.max(rows)}.")
        kept[rows] = True
    if scale is not None:
        for place, part in table.groups(["scale"]):
            kept[place] &= np.asarray(pc.equal(part["scale"].cast(pa.string()), scale))
    return kept


def _coded(shards: pa.ChunkedArray, codes: dict[str, int]) -> npt.NDArray[np.int32]:
    """Shard names as numbers that count over all row groups; new names are added to `codes`."""
    out = [np.empty(0, np.int32)]
    for chunk in shards.chunks:
        encoded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        used = np.unique(np.asarray(encoded.indices)).tolist()
        number = np.zeros(len(encoded.dictionary), np.int32)
        for local in used:
            number[local] = codes.setdefault(encoded.dictionary[local].as_py(), len(codes))
        out.append(number[np.asarray(encoded.indices)])
    return np.concatenate(out)
