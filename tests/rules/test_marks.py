"""Marks of annotations, and functions of tables whose last result is at hand."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pyarrow as pa
import shapely

from curatome.rules.marks import MARKS, bounds_of, marks, marks_of
from curatome.rules.remembered import Remembered
from tests.rules.made import annotation, annotations, inputs, slide, slides

NUCLEUS = shapely.Point(100, 100).buffer(20)


def test_what_a_mark_says() -> None:
    crossed = shapely.Polygon([(0, 0), (9, 9), (9, 0), (0, 9)])
    rows = [
        annotation("box", shapely.box(1, 2, 5, 9), kind="box", labels=["tumor", "mitosis"]),
        annotation("crossed", crossed),
        annotation("whole", read=2),
    ]
    found = marks_of(annotations(*rows), slides(slide()))
    assert found.schema == MARKS.schema
    assert found["annotation"].to_pylist() == ["box", "crossed", "whole"]
    assert found["labels"].to_pylist() == [["tumor", "mitosis"], ["tumor"], ["tumor"]]
    assert found["area"].to_numpy()[0] == 28
    assert found["filled"].to_pylist() == [True, False, False]
    assert bounds_of(found)[0].tolist() == [1, 2, 5, 9]
    assert np.isnan(bounds_of(found)[2]).all()
    assert found["object"].null_count == 3  # one reader, no object to be matched


def test_objects_are_those_of_first_reads_of_several_readers() -> None:
    """Two readers mark the same nucleus, one of them another one too, and reads all again."""
    far = shapely.Point(900, 900).buffer(20)
    rows = [
        annotation("a", NUCLEUS, reader="ada"),
        annotation("b", shapely.Point(102, 100).buffer(20), reader="ben"),
        annotation("c", far, reader="ben"),
        annotation("again", NUCLEUS, reader="ada", read=2),
        annotation("elsewhere", NUCLEUS, reader="ada", image="s2"),
    ]
    given = inputs(rows, of=[slide(), slide("s2")])
    a, b, c, again, elsewhere = marks(given)["object"].to_pylist()
    assert a == b != c
    assert (again, elsewhere) == (None, None)
    assert marks(given) is marks(given)


def test_a_result_is_at_hand_until_other_tables_come() -> None:
    calls = []

    @Remembered
    def length(one: pa.Table, other: pa.Table) -> int:
        """How long both are."""
        calls.append((len(one), len(other)))
        return len(one) + len(other)

    one, other = (pa.table({"a": list(range(k))}) for k in (2, 3))
    equal = pa.table({"a": [0, 1]})
    assert [length(one, other), length(one, other)] == [5, 5]
    assert calls == [(2, 3)]
    assert length(equal, other) == 5
    assert length(other, one) == 5
    assert calls == [(2, 3), (2, 3), (3, 2)]
    assert length.__doc__ == "How long both are."


def test_a_result_goes_with_its_tables() -> None:
    @Remembered
    def same(table: pa.Table) -> list[pa.Table]:
        return [table.slice(0, 1)]

    table = pa.table({"a": [1, 2]})
    held = weakref.ref(same(table)[0])
    assert held() is not None
    del table
    gc.collect()
    assert held() is None
