"""Chapman's estimate, its interval against a brute-force test, and how often it covers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import hypergeom

from curatome.agreement.completeness import missed
from curatome.agreement.completeness.two_reads import chapman, interval
from tests.agreement.completeness.made import cohort, reader, sized


def test_chapman_by_hand():
    # 10 marked, 15 caught, 5 of them marked: (11 × 16) / 6 - 1 = 28.33 in all, 20 were seen.
    found = chapman(np.array([5.0, 10.0, 5.0]))
    assert 20 + found.value == pytest.approx(11 * 16 / 6 - 1)


@pytest.mark.parametrize(
    "counts", [(5, 10, 5), (0, 3, 9), (12, 0, 40), (83, 72, 326), (2, 2, 1), (40, 30, 4)]
)
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_interval_is_what_the_test_does_not_reject(counts, level):
    first, second, both = counts
    missing = np.arange(4000)
    law = hypergeom(sum(counts) + missing, first + both, second + both)
    middle = law.cdf(both - 1) + law.pmf(both) / 2
    kept = np.flatnonzero(((1 - level) / 2 <= middle) & (middle <= (1 + level) / 2))
    assert (np.diff(kept) == 1).all()
    assert interval(counts, level) == (kept[0], kept[-1])


def test_nothing_in_common_bounds_nothing():
    low, high = interval((7, 8, 0))
    assert math.isinf(high)
    assert low > 0


def test_both_found_all():
    assert interval((0, 0, 50)) == (0, 0)


def test_gradient_is_that_of_the_log():
    counts = np.array([30.0, 20.0, 100.0])
    for k in range(3):
        more = counts + 1e-5 * np.eye(3)[k]
        rise = (math.log(chapman(more).value) - math.log(chapman(counts).value)) / 1e-5
        assert chapman(counts).gradient[k] == pytest.approx(rise, rel=1e-3)


@pytest.mark.acceptance
@pytest.mark.parametrize(
    ("cases", "per_case", "rates", "conservative"),
    [
        (10, 5, (0.05, 0.20), True),
        (10, 5, (0.40, 0.40), True),
        (20, 10, (0.05, 0.05), True),
        (20, 10, (0.20, 0.30), False),
        (20, 25, (0.10, 0.40), False),
        (20, 25, (0.20, 0.20), False),
        (40, 50, (0.05, 0.05), False),
        (40, 50, (0.10, 0.20), False),
        (40, 50, (0.40, 0.40), False),
    ],
)
def test_covers_the_truth_in_1000_cohorts(cases, per_case, rates, conservative):
    readers = [reader(f"r{k}", rate) for k, rate in enumerate(rates)]
    design, hits = sized(cases, per_case), 0
    for seed in range(1000):
        seen, truth = cohort(readers, seed, design)
        found = missed(seen)
        hits += found.low <= truth <= found.high
    # Fewer than some five missed objects: whole numbers do not allow exactly 95 %.
    assert 930 <= hits <= (1000 if conservative else 970)


@pytest.mark.acceptance
def test_covers_where_cases_differ_for_one_reader():
    """Objects of a case are alike hard for one reader, not for the other: still independent."""
    readers = [reader("tired", 0.3, slope=3.0), reader("even", 0.3)]
    design, hits, narrow = sized(30, 40, case_share=0.9), 0, 0
    for seed in range(1000):
        seen, truth = cohort(readers, seed, design)
        wide = missed(seen)
        hits += wide.low <= truth <= wide.high
        low, high = interval(tuple(int(v) for v in seen.counts()))
        narrow += low <= truth <= high
    assert hits >= 930
    assert hits >= narrow
