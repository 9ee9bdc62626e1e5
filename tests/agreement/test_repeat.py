"""Repeat reads as two readers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curatome.agreement.coefficients import cohen_kappa, percent_agreement
from curatome.agreement.repeat import intra_reader, repeat_reads
from curatome.errors import TableError

# (item, reader, read, label); joe changes his mind on c, ann reads b once only.
ROWS = [
    ("a", "joe", 1, "x"), ("b", "joe", 1, "y"), ("c", "joe", 1, "x"), ("d", "joe", 1, "y"),
    ("a", "joe", 2, "x"), ("b", "joe", 2, "y"), ("c", "joe", 2, "y"), ("d", "joe", 2, "y"),
    ("a", "ann", 1, "x"), ("b", "ann", 1, "y"), ("c", "ann", 1, "y"),
    ("c", "ann", 2, "x"), ("a", "ann", 2, "x"), ("d", "ann", 2, None),
    ("a", "tim", 1, "z"), ("a", "joe", 3, "y"),
]  # fmt: skip


def of(rows, **more):
    columns = dict(zip(("item", "reader", "read", "label"), zip(*rows, strict=True), strict=True))
    return pa.table({**{name: list(values) for name, values in columns.items()}, **more})


def test_reads_of_a_reader_are_two_readers():
    found = repeat_reads(of(ROWS))
    assert list(found) == ["ann", "joe"]
    joe = found["joe"]
    assert joe.readers == ("read 1", "read 2")
    assert joe.labels == ("x", "y", "z")
    assert joe.items.to_pylist() == ["a", "b", "c", "d"]
    assert joe.codes.tolist() == [[0, 0], [1, 1], [0, 1], [1, 1]]
    assert dict(zip(found["ann"].items.to_pylist(), found["ann"].codes.tolist(), strict=True)) == {
        "a": [0, 0],
        "c": [1, 0],
    }


def test_an_item_is_the_same_case_for_all_readers():
    found = repeat_reads(of(ROWS))
    cases = [dict(zip(one.items.to_pylist(), one.cases, strict=True)) for one in found.values()]
    assert cases[0]["a"] == cases[1]["a"] != cases[0]["c"] == cases[1]["c"]
    with_case = of(ROWS, case=["P1" if row[0] in "ab" else "P2" for row in ROWS])
    joe = repeat_reads(with_case)["joe"]
    assert joe.cases[0] == joe.cases[1] != joe.cases[2] == joe.cases[3]


def test_measures():
    ann, joe, everybody = intra_reader(percent_agreement(), of(ROWS))
    assert (ann.subject, ann.value, ann.n) == ("reader ann", 0.5, 2)
    assert (joe.subject, joe.value, joe.n, joe.clusters) == ("reader joe", 0.75, 4, 4)
    assert everybody.value == pytest.approx(4 / 6)
    assert (everybody.subject, everybody.n, everybody.clusters) == ("all", 6, 4)
    # joe: agreement 3 / 4, chance (2 * 1 + 2 * 3) / 16.
    assert intra_reader(cohen_kappa(), of(ROWS))[1].value == pytest.approx(0.5)


def test_other_reads():
    found = repeat_reads(of(ROWS), reads=(1, 3))
    assert list(found) == ["joe"]
    assert found["joe"].readers == ("read 1", "read 3")
    assert found["joe"].codes.tolist() == [[0, 1]]


def test_nobody_read_twice():
    table = of(ROWS[:4])
    assert repeat_reads(table) == {}
    (measure,) = intra_reader(cohen_kappa(), table)
    assert np.isnan(measure.value)
    assert "undefined" in measure.method


def test_what_cannot_be_is_refused():
    with pytest.raises(TableError, match="no column read"):
        repeat_reads(of(ROWS).drop_columns(["read"]))
    with pytest.raises(TableError, match="read 1 judged item a of joe twice"):
        repeat_reads(of([*ROWS, ROWS[0]]))
