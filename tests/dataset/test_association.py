"""Cramér's V against SciPy, and a chance that is what it says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact
from scipy.stats.contingency import association as scipy_association

from curatome.dataset.association import association


def _one_hot(classes: np.ndarray) -> np.ndarray:
    return np.eye(classes.max() + 1)[classes]


def test_v_and_tables_are_those_of_scipy():
    rng = np.random.default_rng(5)
    classes, group = rng.integers(0, 3, 200), rng.integers(0, 4, 200)
    counts = np.zeros((3, 4))
    np.add.at(counts, (classes, group), 1)
    found = association(_one_hot(classes), group)
    assert found.table.tolist() == counts.tolist()
    assert found.v == pytest.approx(scipy_association(counts.astype(int), method="cramer"))
    assert found.expected.sum() == pytest.approx(200)


def test_the_chance_of_a_small_table_is_that_of_fishers_test():
    """2 × 2 with fixed margins; tables as uneven as this one are those as improbable."""
    classes = np.repeat([0, 1], 8)
    group = np.array([0] * 7 + [1] + [0] + [1] * 7)
    exact = fisher_exact([[7, 1], [1, 7]]).pvalue
    found = association(_one_hot(classes), group, deals=20_000, seed=3)
    assert found.chance == pytest.approx(exact, rel=0.5)  # stops after 20 as uneven ones


def test_perfect_separation_of_few_cases_is_no_news():
    """Of 4 cases in two pairs, every third deal separates them too."""
    found = association(_one_hot(np.array([0, 0, 1, 1])), np.array([0, 0, 1, 1]))
    assert found.v == 1
    assert 0.2 < found.chance < 0.5


def test_cases_of_several_classes_are_shared_out():
    shares = np.array([[1.0, 0], [0.5, 0.5], [0.5, 0.5], [0, 1]])
    found = association(shares, np.array([0, 0, 1, 1]))
    assert found.table.tolist() == [[1.5, 0.5], [0.5, 1.5]]
    assert found.v == pytest.approx(0.5)


def test_one_group_or_one_class_goes_with_nothing():
    for shares, group in (
        (np.ones((5, 1)), np.array([0, 0, 1, 1, 1])),
        (np.eye(3), np.zeros(3, int)),
    ):
        found = association(shares, group)
        assert (found.v, found.chance) == (0, 1)


def test_chance_is_uniform_where_nothing_goes_with_anything():
    rng = np.random.default_rng(9)
    chances = [
        association(_one_hot(rng.permutation(np.arange(24) % 3)), np.arange(24) % 4, 199, k).chance
        for k in range(400)
    ]
    assert np.mean(np.array(chances) <= 0.1) <= 0.14
    assert np.mean(np.array(chances) <= 0.5) <= 0.58
