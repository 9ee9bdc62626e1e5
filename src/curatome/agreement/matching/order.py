"""Objects in an order that geometry alone decides, so that no result depends on rows or names.

Sorted like this, everything that follows may depend on the order of its input: a permutation of
the rows, or other names for the readers, give the same arrays. Objects that are alike in place,
label and in all else that their reader marked on the image can be exchanged for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.errors import TableError

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
Column: TypeAlias = npt.NDArray[Any] | Sequence[Any] | Any
"""A NumPy array, a list, or a column of Arrow."""


@dataclass(frozen=True, eq=False)
class Objects:
    """Objects of several readers, in the order of `in_order`.

    Attributes:
        row: (M,) the row of the input that each was.
        image: (M,) number of its image, from 0 up, ascending.
        reader: (M,) number of its reader.
        label: (M,) number of its label; all 0 if labels are not told apart.
        same_label: whether only objects of one label match.
    """

    row: Whole
    image: Whole
    reader: Whole
    label: Whole
    same_label: bool

    def __len__(self) -> int:
        return len(self.row)

    def may_match(self, first: Whole, second: Whole) -> npt.NDArray[np.bool_]:
        """(P,) whether two objects are of different readers and one image, and of fitting labels.

        Args:
            first: (P,) positions in this order.
            second: (P,) positions in this order.
        """
        fits: npt.NDArray[np.bool_] = self.reader[first] != self.reader[second]
        fits &= self.image[first] == self.image[second]
        if self.same_label:
            fits &= self.label[first] == self.label[second]
        return fits


def in_order(
    keys: Floats, reader: Column, image: Column, label: Column | None, same_label: bool
) -> Objects:
    """Sort objects by image, keys and label, then by what else their readers marked.

    Args:
        keys: (M, K) numbers that say where an object is and how it looks.
        reader: (M,) who marked it.
        image: (M,) where.
        label: (M,) what it is called, or None.
        same_label: whether only objects of one label match.

    Raises:
        TableError: columns differ in length, or a reader or image has no value.
    """
    if same_label and label is None:
        raise TableError("same_label needs the labels of the objects. Got no label.")
    images, readers = numbers_of(image, "image")[0], numbers_of(reader, "reader")[0]
    labels = np.zeros(len(keys), np.int64) if label is None else numbers_of(label, "label")[0]
    for name, column in (("reader", readers), ("image", images), ("label", labels)):
        if len(column) != len(keys):
            raise TableError(f"{len(keys)} objects, but {len(column)} values of {name}.")
    print_of = _fingerprints(np.column_stack([keys, labels]), images, readers)
    row = np.lexsort((print_of, labels, *keys.T[::-1], images))
    return Objects(row, images[row], readers[row], labels[row], same_label)


def numbers_of(values: Column, name: str) -> tuple[Whole, list[Any]]:
    """A column as numbers from 0 up, and the values they stand for, sorted.

    A label may be null and is a value of its own, the last.

    Raises:
        TableError: a value is null, except for labels.
    """
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if array.null_count and name != "label":
        at = pc.index(pc.is_null(array), True).as_py()
        raise TableError(f"object in row {at + 1}: no {name}. Every object needs one.")
    known = sorted(one for one in pc.unique(array).to_pylist() if one is not None)
    found = pc.index_in(array, pa.array(known, array.type)) if known else array
    found = pc.fill_null(found.cast(pa.int64()), len(known))
    return found.to_numpy().astype(np.int64), known


def _fingerprints(keys: Floats, image: Whole, reader: Whole) -> Bits:
    """(M,) a number for all that an object's reader marked on its image, whatever their names."""
    marks = hashed(keys)
    group = image * (int(reader.max(initial=0)) + 1) + reader
    total = np.zeros(int(group.max(initial=-1)) + 1, np.uint64)
    np.add.at(total, group, marks)
    found: Bits = total[group]
    return found


def hashed(numbers: Floats) -> Bits:
    """(M,) 64 bits for each row of (M, K), by the finalizer of SplitMix64.

    Steele, Lea & Flood 2014, 10.1145/2660193.2660195.
    """
    out = np.zeros(len(numbers), np.uint64)
    for column in (numbers + 0.0).T:  # + 0.0: -0 and 0 are one number
        out += np.ascontiguousarray(column).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        out = (out ^ (out >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        out = (out ^ (out >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        out ^= out >> np.uint64(31)
    return out
