"""What every reader said about every item, silence included."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curatome.agreement.matching import NOTHING, item_values, read_table
from curatome.agreement.ratings import MISSING, ratings
from curatome.errors import TableError

ITEMS = np.array([0, 0, 1, 2])
READER = ["ann", "joe", "joe", "ann"]
LABEL = ["mitosis", "other", "mitosis", None]
IMAGE = ["A", "A", "A", "B"]


def said(table):
    return [(r["item"], r["reader"], r["label"]) for r in table.to_pylist()]


def test_who_marked_nothing_says_so():
    table = read_table(ITEMS, READER, LABEL)
    assert said(table) == [
        (0, "ann", "mitosis"), (0, "joe", "other"),
        (1, "ann", NOTHING), (1, "joe", "mitosis"),
        (2, "ann", None), (2, "joe", NOTHING),
    ]  # fmt: skip
    assert table.column_names == ["item", "reader", "label"]


def test_who_did_not_read_an_image_has_no_row():
    """Joe read A alone; cy read B and found nothing; ann's marks say that she read both."""
    seen = pa.table({"image": ["A", "B", "C"], "reader": ["joe", "cy", "joe"]})
    table = read_table(ITEMS, READER, LABEL, ["joe", "cy", "ann"], image=IMAGE, seen=seen)
    assert said(table) == [
        (0, "ann", "mitosis"), (0, "joe", "other"),
        (1, "ann", NOTHING), (1, "joe", "mitosis"),
        (2, "ann", None), (2, "cy", NOTHING),
    ]  # fmt: skip
    found = ratings(table)
    assert found.readers == ("ann", "cy", "joe")
    codes = found.codes[:, [0, 2]]
    assert (codes[2] == MISSING).all()


def test_what_is_known_of_images_goes_with_the_rows():
    images = pa.table({"image": ["B", "A"], "case": ["P2", "P1"], "domain": ["lung", None]})
    table = read_table(ITEMS, READER, LABEL, image=pa.array(IMAGE), images=images)
    assert table["case"].to_pylist() == ["P1"] * 4 + ["P2"] * 2
    reads = ratings(table)
    assert item_values(table, "domain", reads.items).to_pylist() == [None, None, "lung"]


def test_no_objects_no_rows():
    table = read_table(np.empty(0, np.int64), [], [], ["ann"])
    assert said(table) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reader": ["ann", "ann", "joe", "ann"]}, "reader ann has 2 objects in item 0"),
        ({"image": ["A", "B", "A", "B"]}, "item 0 lies on two images"),
        ({"label": ["mitosis", NOTHING, "other", None]}, "is no label of an object"),
        ({"readers": ["joe"]}, "reader ann marked objects but is none of joe"),
        ({"images": pa.table({"image": ["A"]})}, "image B is not in the table"),
        ({"images": pa.table({"image": ["A", "A", "B"]})}, "described twice"),
        ({"seen": pa.table({"image": ["A"]})}, "no column reader"),
    ],
)
def test_what_cannot_be_is_refused(change, message):
    one = {"items": ITEMS, "reader": READER, "label": LABEL, "image": IMAGE}
    with pytest.raises(TableError, match=message):
        read_table(**{**one, **change})
