"""The manifest of a version: `tables.ITEMS` in one Parquet file, with a hash for every row.

It is written and read as a stream, in the order in which the rows come, so that twenty million
rows need little memory. Beside it lies an index of the ids, by which one row is found at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curatome.dataset.row_hash import DIGEST, Bytes, hash_column, row_hashes
from curatome.durable import new_file
from curatome.errors import TableError, VersionError
from curatome.tables import ITEMS, TableSpec

Whole = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]

ROW_HASH = "row_hash"
_GROUP = 1 << 16  # rows of a row group: what one look-up decodes
_UNIQUE = ("item", "hash", "offset", "length", ROW_HASH)  # a dictionary of these is of no use


def index_path(manifest: Path) -> Path:
    """Where the index of a manifest's ids lies."""
    return manifest.with_suffix(".index")


def with_hashes(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch with the hash of each row as its last column."""
    return batch.append_column(ROW_HASH, hash_column(row_hashes(batch)))


def write_manifest(
    batches: Iterable[pa.RecordBatch], path: Path, spec: TableSpec = ITEMS, key: str = "item"
) -> int:
    """Write rows with their hashes, and the index of their ids.

    Args:
        batches: of the table's contract, in the order to keep.
        path: the Parquet file; the index goes beside it.
        spec: the contract.
        key: the column that tells rows apart.

    Returns:
        How many rows.

    Raises:
        TableError: an id is there twice, has no value, or a column is missing.
    """
    schema = spec.schema.append(pa.field(ROW_HASH, pa.binary(DIGEST)))
    often = [name for name in schema.names if name not in (*_UNIQUE, key)]
    keys: list[Keys] = []
    with (
        new_file(path) as stream,
        pq.ParquetWriter(
            stream, schema, compression="zstd", compression_level=1, use_dictionary=often
        ) as writer,
    ):
        for batch in _regrouped(batches, spec):
            keys.append(_keys(batch.column(key)))
            writer.write_batch(with_hashes(batch).cast(schema), row_group_size=_GROUP)
    found = np.concatenate(keys) if keys else np.empty(0, np.uint64)
    order = np.argsort(found, kind="stable")
    ordered = found[order]
    _refuse_twice(path, key, ordered, order)
    with new_file(index_path(path)) as stream:
        np.save(stream, np.stack([ordered, order.astype(np.uint64)]))
    return len(found)


@dataclass(frozen=True)
class Manifest:
    """A manifest that was written.

    Attributes:
        path: its Parquet file.
        key: the column that tells rows apart.
    """

    path: Path
    key: str = "item"

    def __len__(self) -> int:
        return int(self._file().metadata.num_rows)

    def batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """All rows, in order."""
        yield from self._file().iter_batches(_GROUP, columns=columns)

    def hashes(self) -> Bytes:
        """(N, 16) uint8, the hash of every row."""
        out = np.empty((len(self), DIGEST), np.uint8)
        at = 0
        for batch in self.batches([ROW_HASH]):
            out[at : at + len(batch)] = _binary(batch.column(0))
            at += len(batch)
        return out

    def row(self, name: str) -> dict[str, Any]:
        """The row of one id.

        Raises:
            VersionError: there is none.
        """
        keys, rows = np.load(index_path(self.path), mmap_mode="r")
        wanted = _keys(pa.array([name]))[0]
        first, last = np.searchsorted(keys, wanted, "left"), np.searchsorted(keys, wanted, "right")
        for row in rows[first:last].tolist():
            found: dict[str, Any] = self.rows(np.array([row])).to_pylist()[0]
            if found[self.key] == name:
                return found
        raise VersionError(f'{self.path} has no {self.key} "{name}".')

    def rows(self, numbers: Whole) -> pa.Table:
        """Rows by their number, in the order of the numbers, which must rise."""
        file = self._file()
        ends = np.cumsum(
            [file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)]
        )
        group = np.searchsorted(ends, numbers, "right")
        parts = []
        for one in np.unique(group).tolist():
            start = int(ends[one]) - file.metadata.row_group(one).num_rows
            parts.append(file.read_row_group(one).take(pa.array(numbers[group == one] - start)))
        return pa.concat_tables(parts) if parts else self._file().schema_arrow.empty_table()

    def _file(self) -> pq.ParquetFile:
        return pq.ParquetFile(self.path)


def _regrouped(batches: Iterable[pa.RecordBatch], spec: TableSpec) -> Iterator[pa.RecordBatch]:
    """Batches of the size of a row group, with the contract's columns in their order."""
    names = list(spec.schema.names)
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        missing = [name for name in names if name not in batch.schema.names]
        if missing:
            raise TableError(f"table {spec.name}: column {missing[0]} is missing.")
        held.append(batch.select(names).cast(spec.schema))
        count += len(batch)
        if count >= _GROUP:
            together = pa.Table.from_batches(held, spec.schema).combine_chunks()
            whole = count // _GROUP * _GROUP
            yield from together.slice(0, whole).to_batches(_GROUP)
            held = together.slice(whole).to_batches()
            count -= whole
    if count:
        yield from pa.Table.from_batches(held, spec.schema).combine_chunks().to_batches()


def _refuse_twice(path: Path, key: str, ordered: Keys, order: Whole) -> None:
    """Raise if an id is there twice. Equal keys are rarely more than chance, so look at the ids."""
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    if not len(same):
        return
    rows = np.unique(np.concatenate([order[same], order[same + 1]]))
    names = Manifest(path, key).rows(rows)[key]
    for pair in pc.value_counts(names).to_pylist():
        if pair["counts"] > 1:
            path.unlink(missing_ok=True)
            raise TableError(
                f'{key} "{pair["values"]}" is there {pair["counts"]} times; every row needs an '
                "id of its own."
            )


def _binary(column: pa.Array) -> Bytes:
    _, data = column.buffers()
    whole = np.frombuffer(data, np.uint8)[column.offset * DIGEST :]
    return whole[: len(column) * DIGEST].reshape(-1, DIGEST)


def _keys(column: pa.Array) -> Keys:
    """64-bit FNV-1a of each text: a key to look under, not a promise that two differ."""
    if column.null_count:
        row = pc.index(pc.is_null(column), True).as_py()
        raise TableError(f"row {row + 1} of a batch has no id.")
    texts = column.cast(pa.large_string())
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    found = np.empty(len(texts), np.uint64)
    _fnv(ends, np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8), found)
    return found


@numba.njit(cache=True, nogil=True)
def _fnv(ends: Whole, data: Bytes, out: Keys) -> None:  # pragma: no cover - compiled
    for row in range(len(out)):
        h = np.uint64(0xCBF29CE484222325)
        for k in range(ends[row], ends[row + 1]):
            h = (h ^ np.uint64(data[k])) * np.uint64(0x100000001B3)
        out[row] = h
