"""Long tables as arrays of codes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curatome.agreement.ratings import MISSING, ratings
from curatome.errors import TableError

ROWS = pa.table(
    {
        "item": ["b", "b", "a", "a", "c"],
        "reader": ["joe", "ann", "joe", "ann", "joe"],
        "label": ["tumor", "normal", "tumor", None, "normal"],
        "case": ["P1", "P1", "P2", "P2", "P1"],
    }
)


def test_items_keep_their_order_and_readers_and_labels_are_sorted():
    found = ratings(ROWS)
    assert found.items.to_pylist() == ["b", "a", "c"]
    assert found.readers == ("ann", "joe")
    assert found.labels == ("normal", "tumor")
    assert found.codes.tolist() == [[0, 1], [MISSING, 1], [MISSING, 0]]
    assert found.cases[0] == found.cases[2] != found.cases[1]
    assert found.counts().tolist() == [[1, 1], [0, 1], [1, 0]]


def test_labels_keep_a_given_order_even_where_nobody_uses_one():
    found = ratings(ROWS, labels=("tumor", "unsure", "normal"))
    assert found.codes.tolist() == [[2, 0], [MISSING, 0], [MISSING, 2]]


def test_parts():
    found = ratings(ROWS)
    assert found.of(["joe"]).codes.tolist() == [[1], [1], [0]]
    assert found.take(np.array([2, 2])).items.to_pylist() == ["c", "c"]
    assert found.take(np.array([True, False, False])).codes.tolist() == [[0, 1]]
    assert found.binary("normal").codes.tolist() == [[1, 0], [MISSING, 0], [MISSING, 1]]


def test_dictionaries_and_chunks_are_the_same_table():
    parts = pa.concat_tables([ROWS.slice(0, 2), ROWS.slice(2)])
    for name in ("reader", "label"):
        at = parts.schema.get_field_index(name)
        parts = parts.set_column(at, name, parts[name].dictionary_encode())
    assert ratings(parts).codes.tolist() == ratings(ROWS).codes.tolist()


def test_without_cases_each_item_is_its_own():
    assert ratings(ROWS.drop_columns(["case"])).cases.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reader": ["joe", "joe", "joe", "ann", "joe"]}, "reader joe judged item b twice"),
        ({"reader": ["joe", None, "joe", "ann", "joe"]}, "row 2: no reader"),
        ({"case": ["P1", "P1", "P2", "P1", "P1"]}, "item a lies in two cases"),
    ],
)
def test_what_cannot_be_is_refused(change, message):
    table = pa.table({**ROWS.to_pydict(), **change})
    with pytest.raises(TableError, match=message):
        ratings(table)


def test_a_label_that_may_not_be_is_refused():
    with pytest.raises(TableError, match='label "tumor" is none of normal'):
        ratings(ROWS, labels=("normal",))
    with pytest.raises(TableError, match="no column reader"):
        ratings(ROWS.drop_columns(["reader"]))
