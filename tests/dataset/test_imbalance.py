"""Imbalance by hand, and as mldr's definitions give it on a few items."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curatome.dataset.imbalance import (
    effective_number,
    imbalance_ratios,
    label_sets,
    labels_of,
    least_ratio,
    mean_ratio,
    ratio_variation,
    scumble,
)

LISTS = pa.list_(pa.string())


def _labels(*rows):
    return labels_of(pa.chunked_array([pa.array(rows, LISTS)]))


def test_labels_as_pairs():
    labels = _labels(["b", "a"], [], ["b", "b"], None, ["c"])
    assert labels.names == ("a", "b", "c")
    assert labels.counts.tolist() == [1, 2, 1]
    assert labels.items == 5
    assert labels.several
    assert not _labels(["b", "b"], ["a"]).several
    assert labels.by(np.array([0, 0, 1, 1, -1]), 2).tolist() == [[1, 0], [1, 1], [0, 0]]
    assert labels.by(np.array([0, 0, 1, 1, -1]), 2, np.arange(5.0)).tolist()[1] == [0, 2]
    assert labels.take(["c", "b"]).counts.tolist() == [2, 1]


def test_ratios_by_hand():
    """12, 6, 2: IRLbl 1, 2, 6; mean 3; standard deviation √7."""
    assert imbalance_ratios([12, 6, 2, 0]).tolist() == [1, 2, 6, np.inf]
    assert mean_ratio([12, 6, 2, 0]) == 3
    assert ratio_variation([12, 6, 2]) == pytest.approx(np.sqrt(7) / 3)


def test_scumble_by_hand():
    """Classes a ×4 and b ×1: ratios 1 and 4. Only one of four items has both: 1 - 2 / 2.5."""
    labels = _labels(["a", "b"], ["a"], ["a"], ["a"], [])
    assert scumble(labels) == pytest.approx((1 - 2 / 2.5) / 4)
    assert scumble(_labels(["a"], ["b"])) == 0


def test_effective_number_by_hand():
    assert effective_number(np.array([[5.0, 5, 5, 0], [9, 1, 0, 0], [0, 0, 0, 0]])).tolist() == [
        pytest.approx(3),
        pytest.approx(100 / 82),
        0,
    ]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_effective_number_lies_between_one_and_the_cases_that_have_any(counts):
    worth = float(effective_number(np.array(counts, float)))
    there = sum(one > 0 for one in counts)
    assert (worth == 0) if not there else 1 - 1e-9 <= worth <= there + 1e-9


def test_label_sets_of_more_classes_than_a_word_has_bits():
    names = [f"c{k:03d}" for k in range(130)]
    of, sets = label_sets(_labels(names, [names[0], names[129]], [], [names[129], names[0]]))
    assert of[2] == -1
    assert of[1] == of[3]
    assert sets[of[1]] == (names[0], names[129])
    assert sets[of[0]] == tuple(names)


def test_the_lower_end_of_a_ratio_holds_in_its_share_of_datasets():
    """Counts of 40 cases, Poisson with a mean of each case's own: the true ratio is 10."""
    rng = np.random.default_rng(1)
    below = 0
    for _ in range(1000):
        size = rng.gamma(2.0, 1.0, 40)
        few, many = rng.poisson(2 * size), rng.poisson(20 * size)
        below += least_ratio(few.astype(float), many.astype(float)) <= 10
    assert 0.92 <= below / 1000 <= 0.98  # 0.95 one-sided


def test_no_lower_end_without_the_class_or_with_one_case():
    assert least_ratio(np.zeros(5), np.ones(5)) == 0
    assert least_ratio(np.ones(1), np.full(1, 90.0)) == 0
