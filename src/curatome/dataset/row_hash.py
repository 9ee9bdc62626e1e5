"""A content hash for every row of a table, the same whatever wrote the table.

A row's bytes are its columns in the order of the table: 0 for a null, else 1 and the value. Whole
numbers and floats are little-endian in their own width, booleans one byte, times are whole numbers
in the column's unit; texts and binaries are their length (4 bytes) and their bytes, UTF-8; lists
of texts are their number (4 bytes) and each text so. The hash is BLAKE2b (RFC 7693) with a digest
of 16 bytes, so that `hashlib.blake2b(row, digest_size=16)` confirms it.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.errors import TableError

Bytes = npt.NDArray[np.uint8]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

DIGEST = 16
_AT_ONCE = 1 << 16


def row_hashes(batch: pa.RecordBatch | pa.Table) -> Bytes:
    """(N, 16) uint8, the hash of each row.

    Args:
        batch: of numbers, booleans, times, texts, binaries and lists of texts.

    Raises:
        TableError: a column is of another type.
    """
    if isinstance(batch, pa.Table):
        parts = [row_hashes(one) for one in batch.to_batches(max_chunksize=_AT_ONCE)]
        return np.concatenate(parts) if parts else np.empty((0, DIGEST), np.uint8)
    columns = [
        _Column(name, array) for name, array in zip(batch.schema.names, batch.columns, strict=True)
    ]
    ends = np.zeros(batch.num_rows + 1, np.int64)
    for column in columns:
        ends[1:] += column.lengths
    np.cumsum(ends, out=ends)
    buffer = np.empty(int(ends[-1]), np.uint8)
    at = ends[:-1].copy()
    for column in columns:
        column.write(buffer, at)
    view, places = memoryview(buffer.data), ends.tolist()
    digests = [hashlib.blake2b(view[a:b], digest_size=DIGEST).digest() for a, b in pairwise(places)]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST)


def hash_column(hashes: Bytes) -> pa.Array:
    """Hashes as an Arrow array of 16 bytes each."""
    buffer = pa.py_buffer(np.ascontiguousarray(hashes))
    return pa.Array.from_buffers(pa.binary(DIGEST), len(hashes), [None, buffer])


class _Column:
    """One column of a batch as plain arrays."""

    def __init__(self, name: str, array: pa.Array) -> None:
        if pa.types.is_dictionary(array.type):
            array = array.cast(array.type.value_type)
        self._valid = (
            np.ones(len(array), np.bool_)
            if not array.null_count
            else pc.is_valid(array).to_numpy(zero_copy_only=False)
        )
        self._lists: Whole | None = None
        self._texts: tuple[Whole, Bytes] | None = None
        if pa.types.is_list(array.type):
            sizes = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
            self._lists = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
            self._texts = _texts(name, array.flatten())
        elif _is_text(array.type):
            self._texts = _texts(name, array)
        else:
            self._fixed = _fixed(name, array)
        self.lengths = self._lengths()

    def _lengths(self) -> Whole:
        if self._texts is None:
            return np.where(self._valid, 1 + self._fixed.shape[1], 1)
        offsets = self._texts[0]
        if self._lists is None:
            return np.where(self._valid, 5 + np.diff(offsets), 1)
        first, last = self._lists[:-1], self._lists[1:]
        inside = 4 * (last - first) + offsets[last] - offsets[first]
        return np.where(self._valid, 5 + inside, 1)

    def write(self, buffer: Bytes, at: Whole) -> None:
        """Write the values at the place of each row, and move the places on."""
        if self._texts is None:
            _put_fixed(buffer, at, self._fixed, self._valid)
        elif self._lists is None:
            _put_texts(buffer, at, self._texts, self._valid)
        else:
            _put_lists(buffer, at, self._lists, self._texts, self._valid)


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _texts(name: str, array: pa.Array) -> tuple[Whole, Bytes]:
    """Where each text ends, and the bytes of all."""
    if not _is_text(array.type):
        raise TableError(f"column {name}: {array.type} cannot be hashed row by row.")
    large = array.cast(pa.large_binary())
    _, offsets, data = large.buffers()
    found = np.frombuffer(offsets, np.int64)[large.offset : large.offset + len(large) + 1]
    bytes_ = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return found, bytes_


def _fixed(name: str, array: pa.Array) -> Bytes:
    kind = array.type
    if pa.types.is_boolean(kind):
        array = array.cast(pa.uint8())
    elif pa.types.is_timestamp(kind) or pa.types.is_date64(kind):
        array = array.cast(pa.int64())
    elif pa.types.is_date32(kind):
        array = array.cast(pa.int32())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise TableError(f"column {name}: {kind} cannot be hashed row by row.")
    if array.null_count:
        array = array.fill_null(0)
    values = np.ascontiguousarray(array.to_numpy(zero_copy_only=False))
    return values.view(np.uint8).reshape(len(values), values.itemsize)


@numba.njit(cache=True, nogil=True)
def _put_length(buffer: Bytes, at: int, value: int) -> None:  # pragma: no cover - compiled
    for k in range(4):
        buffer[at + k] = (value >> (8 * k)) & 0xFF


@numba.njit(cache=True, nogil=True)
def _put_fixed(
    buffer: Bytes, at: Whole, values: Bytes, valid: Flags
) -> None:  # pragma: no cover - compiled
    for row in range(len(at)):
        place = at[row]
        buffer[place] = valid[row]
        place += 1
        if valid[row]:
            for k in range(values.shape[1]):
                buffer[place + k] = values[row, k]
            place += values.shape[1]
        at[row] = place


@numba.njit(cache=True, nogil=True)
def _put_texts(
    buffer: Bytes, at: Whole, texts: tuple[Whole, Bytes], valid: Flags
) -> None:  # pragma: no cover - compiled
    offsets, data = texts
    for row in range(len(at)):
        place = at[row]
        buffer[place] = valid[row]
        place += 1
        if valid[row]:
            first, last = offsets[row], offsets[row + 1]
            _put_length(buffer, place, last - first)
            place += 4
            for k in range(first, last):
                buffer[place] = data[k]
                place += 1
        at[row] = place


@numba.njit(cache=True, nogil=True)
def _put_lists(
    buffer: Bytes,
    at: Whole,
    lists: Whole,
    texts: tuple[Whole, Bytes],
    valid: Flags,
) -> None:  # pragma: no cover - compiled
    offsets, data = texts
    for row in range(len(at)):
        place = at[row]
        buffer[place] = valid[row]
        place += 1
        if valid[row]:
            _put_length(buffer, place, lists[row + 1] - lists[row])
            place += 4
            for item in range(lists[row], lists[row + 1]):
                first, last = offsets[item], offsets[item + 1]
                _put_length(buffer, place, last - first)
                place += 4
                for k in range(first, last):
                    buffer[place] = data[k]
                    place += 1
        at[row] = place
