"""Flags and labels as captures."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curatome.agreement.completeness import captures, captures_of
from curatome.agreement.matching.reads import NOTHING
from curatome.agreement.ratings import ratings
from curatome.errors import TableError

FOUND = [[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 1], [1, 1, 0]]


def test_counts_of_patterns():
    seen = captures(FOUND, ("ann", "joe", "sue"), cases=["a", "b", "b", "b", "a"])
    assert len(seen) == 4  # what nobody found is not there
    # patterns: ann 1, joe 2, ann and joe 3, sue 4, …
    assert seen.counts().tolist() == [1, 0, 2, 0, 0, 1, 0]
    assert seen.case_counts().tolist() == [[1, 0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 1, 0]]


def test_weights_are_counted():
    seen = captures(FOUND, ("ann", "joe", "sue"), weight=[0.5, 1, 1, 0.25, 0.5])
    assert seen.counts().tolist() == [0.5, 0, 1.5, 0, 0, 0.25, 0]
    assert seen.objects == 2.25


def test_readers_counted_as_one():
    seen = captures(FOUND, ("ann", "joe", "sue")).pooled(["ann", "sue"], "both")
    assert seen.readers == ("both", "joe")
    assert seen.counts().tolist() == [1, 0, 3]


def test_labels_as_captures_leave_out_what_somebody_did_not_read():
    table = pa.table(
        {
            "item": [1, 1, 2, 2, 3, 4, 4],
            "reader": ["ann", "joe", "ann", "joe", "ann", "ann", "joe"],
            "label": ["mitosis", "other", NOTHING, "mitosis", "mitosis", NOTHING, NOTHING],
            "case": ["a", "a", "b", "b", "b", "a", "a"],
        }
    )
    seen = captures_of(ratings(table), weight=[1.0, 0.5, 1.0, 1.0])
    assert seen.counts().tolist() == [0, 0.5, 1]
    assert seen.cases[0] != seen.cases[1]


@pytest.mark.parametrize(
    ("readers", "change", "message"),
    [
        (("ann", "joe"), {}, r"must be \(N, 2\)"),
        (("a", "b", "c"), {"weight": [1, 1, 2, 1, 1]}, "between 0 and 1"),
        (("a", "b", "c"), {"cases": [1]}, "fit 5 objects"),
    ],
)
def test_what_cannot_be_is_refused(readers, change, message):
    with pytest.raises(TableError, match=message):
        captures(FOUND, readers, **change)


def test_too_few_and_too_many_readers_are_refused():
    for count in (1, 13):
        with pytest.raises(TableError, match="2 to 12 readers"):
            captures(np.ones((3, count)), [str(k) for k in range(count)])
    with pytest.raises(TableError, match='"eve" is none of'):
        captures(FOUND, ("ann", "joe", "sue")).pooled(["eve"], "x")
