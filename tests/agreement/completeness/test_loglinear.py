"""Log-linear models against closed forms, another library and readers with planted dependence."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from curatome.agreement.completeness import missed
from curatome.agreement.completeness.loglinear import (
    SHARED,
    columns,
    fit,
    loglinear,
    profile,
    select,
)
from curatome.agreement.completeness.two_reads import interval
from curatome.errors import TableError
from tests.agreement.completeness.made import cohort, reader, sized

# Spina bifida in upstate New York by birth certificates, death certificates and rehabilitation
# (Hook, Albright & Cross 1980, 10.1093/oxfordjournals.aje.a112988): B, D, BD, R, BR, DR, BDR.
SPINA = np.array([247.0, 49, 142, 60, 112, 12, 4])


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        # Bishop, Fienberg & Holland 1975, section 6.4: the closed forms of three lists.
        (((1, 2),), 247 * (49 + 60 + 12) / (142 + 112 + 4)),
        (((0, 1),), 60 * (247 + 49 + 142) / (112 + 12 + 4)),
        (((0, 1), (1, 2)), 247 * 60 / 112),
        (((0, 1), (0, 2)), 49 * 60 / 12),
        (((0, 1), (0, 2), (1, 2)), 4 * 247 * 49 * 60 / (142 * 112 * 12)),
    ],
)
def test_three_lists_equal_the_closed_forms(terms, expected):
    assert fit(SPINA, 3, terms).missed == pytest.approx(expected, rel=1e-6)


def test_deaths_and_rehabilitation_exclude_each_other():
    """The authors' finding, whichever other dependence is added."""
    single = {pair: fit(SPINA, 3, (pair,)).bic for pair in combinations(range(3), 2)}
    assert min(single, key=single.get) == (1, 2)
    assert (1, 2) in select(SPINA, 3).terms
    found = loglinear(SPINA, ("births", "deaths", "rehabilitation"))
    assert "deaths and rehabilitation" in found.method


def test_fits_equal_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(3)
    counts = rng.poisson(30, 15).astype(float)
    for terms in ((), ((0, 1), (2, 3)), tuple(combinations(range(4), 2))):
        other = sm.GLM(counts, columns(4, terms)[1:], family=sm.families.Poisson()).fit(tol=1e-12)
        own = fit(counts, 4, terms)
        assert own.missed == pytest.approx(np.exp(other.params[0]), rel=1e-6)
        assert own.bic == pytest.approx(-2 * other.llf + len(other.params) * np.log(counts.sum()))
        np.testing.assert_allclose(own.mean, other.mu, rtol=1e-6)


def test_gradient_is_that_of_the_log():
    for terms in ((), ((1, 2),)):
        at = fit(SPINA, 3, terms)
        for k in range(7):
            more = fit(SPINA + 1e-3 * np.eye(7)[k], 3, terms)
            rise = (np.log(more.missed) - np.log(at.missed)) / 1e-3
            assert at.gradient[k] == pytest.approx(rise, rel=1e-3)


def test_profile_of_two_readers_is_near_the_inverted_test():
    counts = np.array([300.0, 250.0, 900.0])
    low, high = profile(counts, 2, ())
    assert (low, high) == pytest.approx(interval((300, 250, 900)), abs=2)


def test_a_shared_dependence_is_never_negative():
    assert fit(SPINA, 3, (SHARED,)) is None


def test_five_readers_of_whom_two_look_alike():
    rng = np.random.default_rng(5)
    found = rng.random((3000, 5)) > 0.4
    copied = rng.random(3000) < 0.5
    found[copied, 1] = found[copied, 0]
    counts = np.bincount(found @ (1 << np.arange(5)), minlength=32)[1:].astype(float)
    assert (0, 1) in select(counts, 5).terms


def test_two_readers_cannot_show_dependence():
    with pytest.raises(TableError, match="three readers"):
        select(np.array([3.0, 2, 5]), 2)


def test_readers_without_anything_in_common_tell_nothing():
    with pytest.raises(TableError, match="found by two readers"):
        select(np.array([5.0, 0, 0, 0, 0, 0, 0]), 3)


def coverage(readers, cohorts, design):
    hits, truths, values = 0, [], []
    for seed in range(cohorts):
        seen, truth = cohort(readers, seed, design)
        found = missed(seen)
        hits += found.low <= truth <= found.high
        truths.append(truth)
        values.append(found.value)
    return hits / cohorts, np.mean(truths), np.median(values)


@pytest.mark.acceptance
def test_covers_three_independent_readers():
    readers = [reader(f"r{k}", 0.35) for k in range(3)]
    share, truth, value = coverage(readers, 1000, sized(40, 25))
    assert 0.93 <= share <= 0.985  # conservative, as `loglinear` says
    assert value == pytest.approx(truth, rel=0.1)


@pytest.mark.acceptance
def test_a_candidate_reader_shows_that_two_people_miss_the_same():
    """The people overlook what is hard; the candidates come from a filter that does not."""
    people = [reader("ann", 0.2, slope=1.5), reader("joe", 0.2, slope=1.5)]
    design = sized(20, 50)
    alone, truth, value = coverage(people, 200, design)
    assert alone < 0.05
    assert value < 0.65 * truth
    third, truth, value = coverage([*people, reader("filter", 0.3)], 1000, design)
    assert 0.93 <= third <= 0.985
    assert value == pytest.approx(truth, rel=0.1)
