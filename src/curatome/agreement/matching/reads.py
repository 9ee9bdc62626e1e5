"""From matched objects to what every reader said about every item, silence included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.agreement.matching.order import Column, numbers_of
from curatome.errors import TableError

Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NOTHING = "nothing here"
"""The label of a reader who read an image and marked nothing where an item is."""


def read_table(
    items: Whole,
    reader: Column,
    label: Column,
    readers: Sequence[str] | None = None,
    *,
    image: Column | None = None,
    seen: pa.Table | None = None,
    images: pa.Table | None = None,
) -> pa.Table:
    """The long table that `ratings` takes: each reader's word on each item.

    A reader who read the image of an item and marked nothing there has the label `NOTHING`; one
    who did not read it has no row. An object whose label is null keeps it: seen, and not judged.

    Args:
        items: (M,) item of each object, as matching returns it.
        reader: (M,) who marked it.
        label: (M,) what it is called, texts; null where the reader could not judge.
        readers: all who read, even if they marked nothing; by default those who marked.
        image: (M,) where it lies; one image by default.
        seen: columns `image` and `reader`, who read which image; by default all read all.
            Whoever marked something on an image read it.
        images: column `image`, and what else is known of it, such as `case` and `domain`: these
            columns are added to the rows.

    Returns:
        Columns `item`, `reader`, `label`, `image` if there is one, and those of `images`; by item,
        then by reader.

    Raises:
        TableError: two objects of one reader are one item, an item lies on two images, a label is
            `NOTHING` itself, a reader is none of `readers`, an image is not described or twice,
            or a column is missing or has no value.
    """
    one_image = image is None
    where, image_names = numbers_of(
        np.zeros(len(items), np.int64) if image is None else image, "image"
    )
    who, names = _readers(reader, readers)
    what, labels = numbers_of(label, "label")
    if NOTHING in labels:
        raise TableError(f'"{NOTHING}" is no label of an object: it stands for none.')
    known, row = np.unique(items, return_inverse=True)
    item_image = _images_of(row, where, known, image_names)
    _refuse_twice(row, who, known, names)
    looked = _looked(where, who, (image_names, names), seen)
    said = np.where(looked[item_image], len(labels) + 1, -1)
    said[row, who] = what
    item, who = np.nonzero(said >= 0)
    code = said[item, who]
    texts = pa.array([*labels, None, NOTHING], pa.string())
    columns: dict[str, Any] = {
        "item": known[item],
        "reader": pa.array(names, pa.string()).take(pa.array(who)),
        "label": texts.take(pa.array(code)),
    }
    if not one_image:
        columns["image"] = pa.array(image_names).take(pa.array(item_image[item]))
    table = pa.table(columns)
    return table if images is None else _with(table, images)


def item_values(table: pa.Table, name: str, items: pa.Array) -> pa.Array:
    """The value of a column for each item, from a table with several rows for each.

    Args:
        table: column `item` and the column asked for, equal in all rows of an item.
        name: the column, such as `domain`.
        items: (N,) items, as in `Ratings.items`.

    Raises:
        TableError: the column is missing.
    """
    if name not in table.column_names:
        raise TableError(f"the table has no column {name}. Got {table.column_names}.")
    item = table["item"].combine_chunks()
    return table[name].combine_chunks().take(pc.index_in(items.cast(item.type), item))


def _readers(reader: Column, readers: Sequence[str] | None) -> tuple[Whole, list[str]]:
    who, there = numbers_of(reader, "reader")
    names = there if readers is None else sorted(set(readers))
    strangers = sorted(set(there) - set(names))
    if strangers:
        raise TableError(f"reader {strangers[0]} marked objects but is none of {', '.join(names)}.")
    place = np.array([names.index(one) for one in there], np.int64)
    return (place[who] if len(who) else who), names


def _images_of(row: Whole, where: Whole, known: Whole, names: Sequence[Any]) -> Whole:
    """(N,) image of each item."""
    found = np.zeros(len(known), np.int64)
    found[row] = where
    other = np.flatnonzero(found[row] != where)
    if len(other):
        at = other[0]
        one, two = names[where[at]], names[found[row[at]]]
        raise TableError(f"item {known[row[at]]} lies on two images, {one} and {two}.")
    return found


def _refuse_twice(row: Whole, who: Whole, known: Whole, names: Sequence[str]) -> None:
    marks, count = np.unique(row * len(names) + who, return_counts=True)
    twice = np.flatnonzero(count > 1)
    if len(twice):
        item, reader = divmod(int(marks[twice[0]]), len(names))
        raise TableError(
            f"reader {names[reader]} has {count[twice[0]]} objects in item {known[item]}. An item "
            "holds at most one object of a reader."
        )


def _looked(
    where: Whole, who: Whole, names: tuple[Sequence[Any], Sequence[str]], seen: pa.Table | None
) -> Flags:
    """(I, R) who read which image."""
    images, readers = names
    if seen is None:
        return np.ones((len(images), len(readers)), np.bool_)
    looked = np.zeros((len(images), len(readers)), np.bool_)
    looked[where, who] = True
    rows = [_index(seen, "image", images), _index(seen, "reader", readers)]
    both = (rows[0] >= 0) & (rows[1] >= 0)
    looked[rows[0][both], rows[1][both]] = True
    return looked


def _index(table: pa.Table, name: str, names: Sequence[Any]) -> Whole:
    """(S,) the position of each value of a column among names, -1 if it is none of them."""
    if name not in table.column_names:
        raise TableError(f"a table of what was seen has no column {name}.")
    column = table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not names:
        return np.full(len(column), -1)
    found = pc.index_in(column.combine_chunks(), pa.array(names).cast(column.type))
    codes: Whole = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _with(table: pa.Table, images: pa.Table) -> pa.Table:
    """A table of reads with the columns that describe its images."""
    for name, one in (("the table of images", images), ("the objects", table)):
        if "image" not in one.column_names:
            raise TableError(f"{name} must say the image of each row.")
    column = images["image"].combine_chunks()
    if len(pc.unique(column)) < len(column):
        raise TableError("an image is described twice in the table of images.")
    at = pc.index_in(table["image"].combine_chunks().cast(column.type), column)
    if at.null_count:
        lost = table["image"][pc.index(pc.is_null(at), True).as_py()]
        raise TableError(f"image {lost} is not in the table of images.")
    for name in images.column_names:
        if name not in table.column_names:
            table = table.append_column(name, images[name].combine_chunks().take(at))
    return table
