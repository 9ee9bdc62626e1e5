"""Intervals with known coverage and values printed elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.agreement.intervals import bootstrap, case_sums, wilson


def share(sums):
    return sums[:, 0] / sums[:, 1]


def test_sums_of_cases():
    parts = np.array([[1, 2], [3, 4], [5, 6]])
    assert case_sums(parts, np.array([7, 2, 7])).tolist() == [[3, 4], [6, 8]]


def test_wilson_equals_the_published_examples():
    # Newcombe 1998 (10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E), table I,
    # method 3: 81 of 263 and 15 of 148, 0 of 20, 1 of 29.
    for hits, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_without_trials_says_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


def test_one_case_has_no_interval():
    assert bootstrap(np.array([[3.0, 4.0]]), share) is None


def test_the_mean_has_the_interval_of_the_normal_law():
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    sums = np.stack([values, np.ones(400)], axis=1)
    low, high = bootstrap(sums, share, replicates=20_000)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_very_many_cases_have_the_interval_of_the_normal_law():
    values = np.random.default_rng(1).exponential(5.0, 20_000)
    sums = np.stack([values, np.ones(20_000)], axis=1)
    low, high = bootstrap(sums, share, replicates=4000)
    half = 1.96 * values.std() / np.sqrt(20_000)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 20)


def test_objects_of_a_case_are_not_independent():
    """20 cases of 50 equal objects each: the interval is that of 20 values, not of 1,000."""
    rng = np.random.default_rng(2)
    hit = np.repeat(rng.random(20) < 0.5, 50)
    parts = np.stack([hit, np.ones(1000)], axis=1)
    low, high = bootstrap(case_sums(parts, np.repeat(np.arange(20), 50)), share)
    alone = bootstrap(case_sums(parts, np.arange(1000)), share)
    assert high - low > 5 * (alone[1] - alone[0])


def test_draws_in_blocks_are_the_same_numbers_for_one_seed():
    sums = np.random.default_rng(3).random((50, 2)) + 1
    assert bootstrap(sums, share, seed=4) == bootstrap(sums, share, seed=4)
    assert bootstrap(sums, share, seed=4) != bootstrap(sums, share, seed=5)


def test_equal_cases_are_drawn_together():
    """Three kinds of cases with their counts, or 30,000 cases one by one: the same interval."""
    kinds, counts = np.array([[0.0, 1.0], [1.0, 1.0], [3.0, 2.0]]), np.array([15_000, 9_000, 6_000])
    sums = np.repeat(kinds, counts, axis=0)
    together = bootstrap(kinds, share, counts=counts)
    mean = (9_000 + 18_000) / (24_000 + 12_000)
    left = sums[:, 0] - mean * sums[:, 1]
    half = 1.96 * np.sqrt((left**2).sum()) / 36_000
    for found in (together, bootstrap(sums, share)):
        assert found == pytest.approx((mean - half, mean + half), abs=half / 15)


def test_one_case_of_counted_ones_has_no_interval():
    assert bootstrap(np.array([[3.0, 4.0]]), share, counts=np.array([1])) is None
    assert bootstrap(np.array([[3.0, 4.0]]), share, counts=np.array([5])) == (0.75, 0.75)
