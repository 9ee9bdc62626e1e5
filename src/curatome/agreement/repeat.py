"""Agreement of readers with themselves: the same items, read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curatome.agreement.coefficients.base import Coefficient
from curatome.agreement.ratings import MISSING, Ratings, ratings
from curatome.errors import TableError
from curatome.findings import Measure

_NEEDED = ("item", "reader", "read", "label")


def repeat_reads(
    table: pa.Table,
    labels: Sequence[str] | None = None,
    reads: tuple[int, int] = (1, 2),
) -> dict[str, Ratings]:
    """Two reads of every reader, as if two readers `read 1` and `read 2` had made them.

    Args:
        table: columns `item`, `reader`, `read` (whole numbers from 1) and `label`, and `case` if
            cases are known. An item that several readers read twice is one case otherwise.
        labels: all that could be said, in order; by default those that are there, sorted.
        reads: which reads to compare.

    Returns:
        Ratings by reader, of the items that the reader judged in both reads; readers without any
        are left out. The numbers of cases are the same for all readers.

    Raises:
        TableError: a column is missing, an item was judged twice in one read, or as of `ratings`.
    """
    both, reader = _paired(table, labels, reads)
    return {name: both.take(pc.equal(reader, name).to_numpy(False)) for name in _known(reader)}


def intra_reader(
    coefficient: Coefficient,
    table: pa.Table,
    labels: Sequence[str] | None = None,
    reads: tuple[int, int] = (1, 2),
) -> list[Measure]:
    """How well each reader agrees with the own earlier read, and all of them together.

    Args:
        coefficient: what to measure, `cohen_kappa()`.
        table: as of `repeat_reads`.
        labels: all that could be said, in order; by default those that are there, sorted.
        reads: which reads to compare.

    Returns:
        One measure per reader with items read twice, `reader joe`, and one of `all`, in which
        each item of each reader counts once and cases are drawn with all their readers.

    Raises:
        TableError: as of `repeat_reads`.
    """
    both, reader = _paired(table, labels, reads)
    found = [
        coefficient.measure(both.take(pc.equal(reader, name).to_numpy(False)), f"reader {name}")
        for name in _known(reader)
    ]
    return [*found, coefficient.measure(both, "all")]


def _paired(
    table: pa.Table, labels: Sequence[str] | None, reads: tuple[int, int]
) -> tuple[Ratings, pa.Array]:
    """All items of all readers that were judged in both reads, and who read each."""
    for name in _NEEDED:
        if name not in table.column_names:
            raise TableError(f"a table of repeat reads has no column {name}: {table.column_names}.")
    if labels is None:
        labels = sorted(one for one in pc.unique(table["label"]).to_pylist() if one is not None)
    kept = table.filter(pc.is_in(table["read"], pa.array(reads, table["read"].type)))
    who = pc.cast(kept["reader"], pa.string())
    own = pc.binary_join_element_wise(pc.cast(kept["item"], pa.string()), who, " of ")
    again = pa.table(
        {
            "item": own,
            "reader": pc.binary_join_element_wise("read", pc.cast(kept["read"], pa.string()), " "),
            "label": kept["label"],
            "case": kept["case"] if "case" in kept.column_names else kept["item"],
        }
    )
    both = _columns(ratings(again, labels), tuple(f"read {one}" for one in reads))
    both = both.take(np.flatnonzero(both.seen.all(axis=1)))
    row = pc.index_in(both.items, own)
    items = kept["item"].combine_chunks().take(row)
    return replace(both, items=items), who.combine_chunks().take(row)


def _columns(found: Ratings, readers: tuple[str, ...]) -> Ratings:
    """The same with these readers, also those who judged nothing."""
    codes = np.full((len(found), len(readers)), MISSING, np.int16)
    for at, reader in enumerate(readers):
        if reader in found.readers:
            codes[:, at] = found.codes[:, found.readers.index(reader)]
    return replace(found, codes=codes, readers=readers)


def _known(reader: pa.Array) -> list[str]:
    return sorted(pc.unique(reader).to_pylist())
