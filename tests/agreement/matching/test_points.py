"""Items by distance: known answers, all ways tried, and no dependence on order or names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from curatome.agreement.matching import match_points, pair_points, ranked_hits
from curatome.errors import TableError
from tests.agreement.matching.brute import best, worth_of

# Halves on a small field make ties, coincident marks and double marks common.
MARKS = st.lists(
    st.tuples(st.integers(0, 24), st.integers(0, 10), st.integers(0, 3), st.integers(0, 1)),
    min_size=1,
    max_size=9,
)


def arrays(marks):
    x, y, reader, other = np.array(marks).T
    return x / 2, y / 2, reader, other


def within(x, y, radius):
    apart = np.hypot(x[:, None] - x, y[:, None] - y)
    return np.where(apart <= radius, apart, np.inf)


def as_sets(items, *columns):
    """What each item holds, whatever its number and the order of the rows."""
    rows = list(zip(*(c.tolist() for c in columns), strict=True))
    return sorted(sorted(rows[k] for k in np.flatnonzero(items == i)) for i in np.unique(items))


def test_two_readers_one_image():
    """The nearest pair is given up where that saves a match: 2 matches at 5 + 5, not 1 at 1."""
    x = np.array([0.0, 6.0, 5.0, 11.0])
    items = match_points(x, np.zeros(4), ["ann", "ann", "joe", "joe"], ["i"] * 4, 7.0)
    assert items.tolist() == [0, 1, 0, 1]


def test_the_radius_belongs_to_the_match():
    marks = np.array([0.0, 7.5, 100.0, 107.6]), np.zeros(4)
    items = match_points(*marks, ["ann", "joe", "ann", "joe"], ["i"] * 4)
    assert items.tolist() == [0, 0, 1, 2]


def test_a_chain_is_not_one_item():
    """Ann's and Cy's marks are 10 µm apart: Joe's between them goes with the nearer one."""
    x = np.array([0.0, 4.0, 10.0])
    assert match_points(x, np.zeros(3), ["ann", "joe", "cy"], [1, 1, 1]).tolist() == [0, 0, 1]


def test_three_pairs_are_worth_more_than_two_near_ones():
    """Joe and Cy at 6 could each go alone with Ann's two; together with one of them they make 3."""
    x = np.array([0.0, 3.0, 3.0, 6.0])
    items = match_points(x, np.zeros(4), ["ann", "joe", "cy", "ann"], ["i"] * 4)
    assert items.tolist() == [0, 0, 0, 1]


def test_images_and_labels():
    x, y = np.zeros(4), np.zeros(4)
    reader, image = ["ann", "joe", "ann", "joe"], ["A", "A", "B", "C"]
    assert match_points(x, y, reader, image).tolist() == [0, 0, 1, 2]
    label = ["mitosis", "other", "mitosis", "other"]
    assert match_points(x, y, reader, image, label=label).tolist() == [0, 0, 1, 2]
    alone = match_points(x, y, reader, image, label=label, same_label=True)
    assert len(set(alone.tolist())) == 4


@pytest.mark.parametrize("rows", [[0, 1, 2], [1, 0, 2], [2, 1, 0]])
def test_of_two_marks_at_one_place_the_one_of_the_same_label_matches(rows):
    label = np.array(["mitosis", "apoptosis", "mitosis"])[rows]
    reader = np.array(["ann", "ann", "joe"])[rows]
    items = match_points(np.zeros(3), np.zeros(3), reader, [1] * 3, label=label)
    joined = {label[k] for k in range(3) if items[k] == items[rows.index(2)]}
    assert joined == {"mitosis"}


def test_nothing_gives_nothing():
    assert match_points(np.empty(0), np.empty(0), [], []).tolist() == []
    assert pair_points(np.empty((0, 2)), np.zeros((1, 2))).tolist() == []
    assert not ranked_hits(np.zeros((2, 2)), np.empty((0, 2)), np.array([1.0, 2.0])).any()


@settings(max_examples=150, deadline=None)
@given(MARKS)
def test_no_other_way_is_better(marks):
    x, y, reader, image = arrays(marks)
    items = match_points(x, y, reader, image, 4.0)
    worth = within(x, y, 4.0)
    worth[image[:, None] != image] = np.inf
    pairs, cost = worth_of(items, worth, reader)
    most, least = best(worth, reader)
    assert pairs == most
    assert cost == pytest.approx(least, abs=1e-5)


@settings(max_examples=150, deadline=None)
@given(MARKS, st.randoms(use_true_random=False), st.permutations(["d", "b", "a", "c"]))
def test_neither_rows_nor_names_matter(marks, random, names):
    x, y, reader, label = arrays(marks)
    image = np.zeros(len(x), np.int64)
    items = match_points(x, y, reader, image, 4.0, label=label)
    rows = np.array(random.sample(range(len(x)), len(x)))
    renamed = np.array(names)[reader]
    again = match_points(x[rows], y[rows], renamed[rows], image[rows], 4.0, label=label[rows])
    shown = as_sets(items, x, y, label, renamed)
    assert as_sets(again, x[rows], y[rows], label[rows], renamed[rows]) == shown


def test_where_no_single_exchange_helps_all_ways_are_tried():
    """Eight marks of five readers in which moving one at a time stops a pair short of the best."""
    x = np.array([6.5, 4.0, 5.5, 4.0, 2.5, 3.5, 0.0, 0.0])
    y = np.array([0.0, 1.0, 3.5, 2.5, 2.0, 2.5, 0.5, 3.5])
    reader = np.array([3, 0, 1, 0, 4, 2, 1, 3])
    items = match_points(x, y, reader, np.zeros(8, int), 4.0)
    worth = within(x, y, 4.0)
    assert worth_of(items, worth, reader)[0] == best(worth, reader)[0]


@pytest.mark.parametrize(
    ("marks", "reader", "names", "rows"),
    [
        (
            "4.0,.5 2,1 2.5,3.5 0,2.5 1.5,1 6.5,1.5 3,1 0,3 0,.5 5,3 6,3 6,3 7,2.5",
            [0, 0, 2, 1, 2, 2, 1, 3, 2, 1, 1, 3, 2],
            [5, 4, 2, 0, 3, 1],
            [12, 0, 5, 11, 8, 4, 2, 3, 7, 10, 6, 1, 9],
        ),
        (
            "5.5,3 2.5,3.5 .5,2.5 4,2.5 5,2.5 1,3 0,1 5,1 5,1 3.5,1 3,2 7,1.5 5.5,3",
            [4, 1, 4, 2, 2, 0, 2, 3, 3, 1, 2, 2, 1],
            [0, 5, 3, 1, 2, 4],
            [1, 9, 7, 12, 0, 5, 8, 4, 10, 3, 6, 2, 11],
        ),
    ],
)
def test_marks_of_two_readers_at_one_place_are_told_apart_by_their_other_marks(
    marks, reader, names, rows
):
    """Crowds with ties in which the marks at one place, in another order, gave other items."""
    x, y = np.array([m.split(",") for m in marks.split()], float).T
    renamed, image = np.array(names)[reader], np.zeros(len(x), int)
    items = match_points(x, y, reader, image, 4.0)
    again = match_points(x[rows], y[rows], renamed[rows], image, 4.0)
    assert as_sets(again, x[rows], y[rows], renamed[rows]) == as_sets(items, x, y, renamed)


@pytest.mark.parametrize("spread", [30.0, 60.0, 200.0])
def test_large_crowds_neither_depend_on_rows_nor_on_names(spread):
    """Groups too large to try all ways: still one answer, and none that one exchange improves."""
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, spread, (2, 300))
    reader = rng.integers(0, 5, 300)
    items = match_points(x, y, reader, np.zeros(300, int))
    rows, names = rng.permutation(300), np.array(["e", "a", "d", "c", "b"])
    again = match_points(x[rows], y[rows], names[reader][rows], np.zeros(300, int))
    assert again.tolist() == items[rows].tolist()
    worth = within(x, y, 7.5)
    assert np.isfinite(worth_of(items, worth, reader)[1])
    pairs, cost = worth_of(items, worth, reader)
    for one in rng.integers(0, 300, 40):
        for item in np.unique(items[np.isfinite(worth[one])]):
            moved = items.copy()
            moved[one] = item
            more, then = worth_of(moved, worth, reader)
            assert not np.isfinite(then) or (-more, then) >= (-pairs, cost - 1e-9)


@pytest.mark.parametrize(("count", "side"), [(60, 60.0), (120, 60.0), (150, 300.0)])
def test_two_readers_equal_the_assignment_of_scipy(count, side):
    rng = np.random.default_rng(count)
    first, second = rng.uniform(0, side, (count, 2)), rng.uniform(0, side, (count + 7, 2))
    apart = np.hypot(*(first[:, None] - second[None]).transpose(2, 0, 1))
    # Beyond the radius a match costs more than all within it together.
    rows, columns = linear_sum_assignment(np.where(apart <= 7.5, apart, 1e5))
    kept = apart[rows, columns] <= 7.5
    found = pair_points(first, second)
    assert len(found) == kept.sum()
    assert len(set(found[:, 0])) == len(set(found[:, 1])) == len(found)
    assert apart[tuple(found.T)].max() <= 7.5
    assert apart[tuple(found.T)].sum() == pytest.approx(apart[rows, columns][kept].sum(), abs=1e-8)


def test_pairs_lie_on_one_image():
    place = np.zeros((3, 2))
    found = pair_points(place, place[:2], images=(["A", "B", "C"], ["C", "A"]))
    assert found.tolist() == [[0, 1], [2, 0]]


@settings(max_examples=100, deadline=None)
@given(MARKS)
def test_hits_down_to_each_score_are_as_many_as_can_be(marks):
    x, y, side, score = arrays(marks)
    first, second = np.stack([x, y], 1)[side % 2 == 0], np.stack([x, y], 1)[side % 2 == 1]
    score = score[side % 2 == 0] + np.arange(len(first)) % 3
    hits = ranked_hits(first, second, score, 4.0)
    for least in np.unique(score):
        some = score >= least
        assert hits[some].sum() == len(pair_points(first[some], second, 4.0))


def test_a_better_candidate_keeps_its_hit():
    """The weaker candidate lies nearer, but only one can have the object."""
    first = np.array([[3.0, 0.0], [0.0, 0.0]])
    assert ranked_hits(first, np.zeros((1, 2)), np.array([0.9, 0.2])).tolist() == [True, False]
    assert pair_points(first, np.zeros((1, 2))).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_um": np.array([0.0, np.nan])}, "object in row 2: no place"),
        ({"radius_um": 0.0}, "radius must be positive"),
        ({"reader": ["ann", None]}, "object in row 2: no reader"),
        ({"image": ["A"]}, "2 objects, but 1 values of image"),
        ({"same_label": True}, "same_label needs the labels"),
    ],
)
def test_what_cannot_be_matched_is_refused(change, message):
    one = {"x_um": np.zeros(2), "y_um": np.zeros(2), "reader": ["ann", "joe"], "image": ["A", "A"]}
    with pytest.raises(TableError, match=message):
        match_points(**{**one, **change})
