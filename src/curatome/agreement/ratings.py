"""Who called which item what, as an array: what every measure of labels starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.errors import TableError

Codes = npt.NDArray[np.int16]
Whole = npt.NDArray[np.int64]

MISSING = -1
"""The code of a reader who did not see an item, or could not judge it."""


@dataclass(frozen=True, eq=False)
class Ratings:
    """N items, R readers, K labels.

    Attributes:
        codes: (N, R) int16, index into `labels`, or `MISSING`.
        items: (N,) what each row is about.
        readers: (R,) who read.
        labels: (K,) what they could say; ordered for ordinal measures.
        cases: (N,) whole numbers, equal for items of one case; each item its own case if no case
            is known.
    """

    codes: Codes
    items: pa.Array
    readers: tuple[str, ...]
    labels: tuple[str, ...]
    cases: Whole

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """(N, R): who judged what."""
        judged: npt.NDArray[np.bool_] = self.codes != MISSING
        return judged

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Ratings:
        """The same with some of the items, by number (repeats allowed) or by a mask."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        items = self.items.take(pa.array(index))
        return Ratings(self.codes[index], items, self.readers, self.labels, self.cases[index])

    def of(self, readers: Sequence[str]) -> Ratings:
        """The same with some of the readers, in the order given.

        Raises:
            TableError: one of them read nothing.
        """
        columns = [_position(reader, self.readers) for reader in readers]
        codes = self.codes[:, columns]
        return Ratings(codes, self.items, tuple(readers), self.labels, self.cases)

    def counts(self) -> Whole:
        """(N, K): how many readers gave each item each label."""
        found = np.zeros((len(self), len(self.labels)), np.int64)
        for reader in range(len(self.readers)):
            column = self.codes[:, reader]
            rows = np.flatnonzero(column >= 0)
            found[rows, column[rows]] += 1
        return found

    def binary(self, label: str) -> Ratings:
        """The same with two labels: whether it is that one (1) or another (0).

        Raises:
            TableError: nobody uses that label.
        """
        code = _position(label, self.labels)
        codes = np.where(self.codes < 0, MISSING, self.codes == code).astype(np.int16)
        return Ratings(codes, self.items, self.readers, (f"not {label}", label), self.cases)


def ratings(table: pa.Table, labels: Sequence[str] | None = None) -> Ratings:
    """A long table as an array.

    Args:
        table: columns `item` (of any type), `reader` and `label` (texts, or dictionaries of them;
            a label that is null is MISSING), and `case` if cases are known. Other columns are
            passed over.
        labels: all that could be said, in order; by default those that are there, sorted.

    Raises:
        TableError: a column is missing, an item, reader or case has no value, a label is none
            of `labels`, a reader judged one item twice, or an item lies in two cases.
    """
    for name in ("item", "reader", "label"):
        if name not in table.column_names:
            raise TableError(f"a table of labels has no column {name}. Got {table.column_names}.")
    row, items = _encoded(table["item"], "item")
    reader, names = _encoded(table["reader"], "reader")
    code, known = _labels(table["label"], labels)
    order = np.argsort(np.array(names.to_pylist(), object), kind="stable")
    reader = np.argsort(order)[reader]
    readers = tuple(names[int(k)].as_py() for k in order)
    _refuse_twice(row, reader, items, readers)
    codes = np.full((len(items), len(readers)), MISSING, np.int16)
    codes[row, reader] = code
    return Ratings(codes, items, readers, known, _cases(table, row, items))


def _encoded(column: pa.ChunkedArray, name: str) -> tuple[Whole, pa.Array]:
    """A column as numbers in order of first appearance, and the values they stand for."""
    if column.null_count:
        at = pc.index(pc.is_null(column), True).as_py()
        raise TableError(f"table of labels, row {at + 1}: no {name}. Every row needs one.")
    found = _dictionary(column)
    return found.indices.to_numpy(zero_copy_only=False).astype(np.int64), found.dictionary


def _dictionary(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """The column's values in order of first appearance, and where each is."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    found = pc.dictionary_encode(column.combine_chunks())
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _labels(column: pa.ChunkedArray, labels: Sequence[str] | None) -> tuple[Codes, tuple[str, ...]]:
    found = _dictionary(column)
    there = found.dictionary.to_pylist()
    known = tuple(sorted(there)) if labels is None else tuple(labels)
    unknown = [one for one in there if one not in set(known)]
    if unknown:
        raise TableError(f'label "{unknown[0]}" is none of {", ".join(known)}.')
    if len(known) > np.iinfo(np.int16).max:
        raise TableError(f"{len(known):,} labels are more than can be compared; are they ids?")
    position = {label: at for at, label in enumerate(known)}
    codes = np.array([*(position[one] for one in there), MISSING], np.int16)
    at = pc.fill_null(found.indices, len(there)).to_numpy(zero_copy_only=False)
    return codes[at], known


def _refuse_twice(row: Whole, reader: Whole, items: pa.Array, readers: Sequence[str]) -> None:
    pair = row * len(readers) + reader
    judged = np.zeros(len(items) * len(readers), np.bool_)
    judged[pair] = True
    if np.count_nonzero(judged) < len(pair):
        ordered = np.sort(pair)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        item, who = divmod(int(twice[0]), len(readers))
        raise TableError(
            f"reader {readers[who]} judged item {items[item]} twice. Compare repeat reads as "
            "readers of their own, or keep one read."
        )


def _cases(table: pa.Table, row: Whole, items: pa.Array) -> Whole:
    if "case" not in table.column_names:
        return np.arange(len(items))
    case, _ = _encoded(table["case"], "case")
    found = np.zeros(len(items), np.int64)
    found[row] = case
    other = np.flatnonzero(found[row] != case)
    if len(other):
        item = items[int(row[other[0]])]
        raise TableError(f"item {item} lies in two cases. An item belongs to one case.")
    return found


def _position(name: str, names: Sequence[str]) -> int:
    if name not in names:
        raise TableError(f'"{name}" is none of {", ".join(names)}.')
    return list(names).index(name)
