"""Chao's lower bound by hand, and under what it is a bound."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.agreement.completeness import missed
from curatome.agreement.completeness.chao import chao
from tests.agreement.completeness.made import cohort, reader, sized


def counts_of(once, twice, readers):
    """Counts with `once` objects found by the first alone, `twice` by the first two."""
    counts = np.zeros((1 << readers) - 1)
    counts[0], counts[2] = once, twice
    return counts


def test_bound_by_hand():
    # 68 snowshoe hares in six nights, 25 caught once, 22 twice (Cormack 1989, 10.2307/2531485).
    assert chao(counts_of(25, 22, 6)).value == pytest.approx(5 / 6 * 25 * 24 / (2 * 23))


def test_interval_by_hand():
    # r = 25/22, variance 22 (k r²/2 + k² r³ + k² r⁴/4) with k = 5/6.
    found, r, k = chao(counts_of(25, 22, 6)), 25 / 22, 5 / 6
    variance = 22 * (k * r**2 / 2 + k**2 * r**3 + k**2 * r**4 / 4)
    spread = np.exp(1.959964 * np.sqrt(np.log(1 + variance / found.value**2)))
    assert (found.low, found.high) == pytest.approx((found.value / spread, found.value * spread))


@pytest.mark.parametrize(("once", "twice"), [(0, 0), (0, 5), (1, 0), (6, 0)])
def test_small_counts_have_an_estimate(once, twice):
    found = chao(counts_of(once, twice, 3))
    assert 0 <= found.low <= found.value <= found.high < np.inf


@pytest.mark.parametrize(("slope", "least", "most"), [(0.0, 0.65, 1.35), (2.0, 0.3, 0.95)])
def test_near_for_alike_objects_and_a_bound_for_hard_ones(slope, least, most):
    readers = [reader(f"r{k}", 0.3, slope=slope) for k in range(4)]
    made = [cohort(readers, seed, sized(20, 50)) for seed in range(40)]
    truth = np.mean([truth for _, truth in made])
    bound = np.mean([missed(seen, "chao").value for seen, _ in made])
    assert least * truth < bound < most * truth
