"""Votes counted by hand, and every way a tie can end."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curatome.agreement.consensus.majority import majority
from curatome.agreement.consensus.ties import TieRule
from curatome.agreement.ratings import Ratings
from curatome.errors import ProtocolError, TableError
from curatome.tables import CONSENSUS

from .simulated import ratings_of

VOTES = ratings_of([[0, 0, 1], [1, 1, 1], [0, 1, -1], [2, 1, 0], [-1, -1, -1], [2, -1, -1]])


def test_the_table_says_what_was_decided_and_who_disagreed():
    table = majority(VOTES).table()
    assert table.schema.equals(CONSENSUS.schema)
    assert table["item"].to_pylist() == ["i0", "i1", "i2", "i3", "i4", "i5"]
    assert table["label"].to_pylist() == ["a", "b", None, None, None, "c"]
    posterior = table["posterior"].to_pylist()
    assert posterior == [pytest.approx(2 / 3), 1, None, None, None, 1]
    assert table["readers"].to_pylist() == [3, 3, 2, 3, 0, 1]
    assert table["agreeing"].to_pylist() == [2, 3, 0, 0, 0, 1]
    assert table["dissenters"].to_pylist() == [
        ["r3"], [], ["r1", "r2"], ["r1", "r2", "r3"], [], [],
    ]  # fmt: skip
    assert table["decided_by"].to_pylist() == [
        "majority", "unanimous", "tie, unresolved", "tie, unresolved", "nobody", "unanimous",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "labels", "way"),
    [
        (TieRule("first"), ["a", "a"], "tie, first label"),
        (TieRule("senior", senior="r2"), ["b", "b"], "tie, senior r2"),
        (TieRule("senior", senior="r1"), ["a", "c"], "tie, senior r1"),
    ],
)
def test_ties_end_as_declared(rule, labels, way):
    table = majority(VOTES, rule).table()
    assert table["label"].to_pylist() == ["a", "b", *labels, None, "c"]
    assert table["decided_by"].to_pylist()[2:4] == [way, way]


def test_a_senior_who_is_not_among_the_tied_decides_nothing():
    votes = ratings_of([[0, 0, 1, 1, 2], [0, 0, 1, 1, -1]])
    verdict = majority(votes, TieRule("senior", senior="r5"))
    assert verdict.codes.tolist() == [-1, -1]
    assert verdict.table()["decided_by"].to_pylist() == ["tie, unresolved"] * 2


def test_random_ties_are_even_and_belong_to_the_item():
    votes = ratings_of(np.tile([2, 0], (3000, 1)))
    found = majority(votes, TieRule("random", seed=7)).codes
    assert set(found.tolist()) == {0, 2}
    assert abs((found == 0).sum() - 1500) < 4 * np.sqrt(750)
    some = np.arange(3000)[::-7]
    again = majority(votes.take(some), TieRule("random", seed=7)).codes
    assert np.array_equal(again, found[some])
    assert not np.array_equal(majority(votes, TieRule("random", seed=8)).codes, found)


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 99))
def test_no_label_has_more_votes_than_the_majority(readers, classes, seed):
    codes = np.random.default_rng(seed).integers(-1, classes, (30, readers)).astype(np.int16)
    votes = ratings_of(codes)
    verdict = majority(votes, TieRule("first"))
    counts = votes.counts()
    decided = verdict.codes >= 0
    assert np.array_equal(decided, counts.sum(axis=1) > 0)
    rows = np.flatnonzero(decided)
    assert np.array_equal(counts[rows, verdict.codes[rows]], counts[rows].max(axis=1))


def test_items_may_be_numbers():
    votes = Ratings(np.zeros((2, 1), np.int16), pa.array([7, 8]), ("r1",), ("a",), np.arange(2))
    assert majority(votes).table()["item"].to_pylist() == ["7", "8"]


def test_rules_that_cannot_be_are_refused():
    with pytest.raises(ProtocolError, match="names a senior reader"):
        TieRule("senior")
    with pytest.raises(ProtocolError, match="names a senior reader"):
        TieRule("first", senior="r1")
    with pytest.raises(ProtocolError, match='"coin" is none of'):
        TieRule("coin")
    with pytest.raises(TableError, match="senior reader eve is none of r1, r2, r3"):
        majority(VOTES, TieRule("senior", senior="eve"))
