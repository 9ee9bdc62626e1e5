from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit, logit
from scipy.stats import norm

from curatome.phantom.logit_normal import STEEPEST, association, intercepts, mean_rate

RATES = np.array([1e-4, 0.02, 0.3, 0.5, 0.9, 0.999])


def _integral(function):
    return quad(lambda z: function(z) * norm.pdf(z), -12, 12, epsabs=1e-13, limit=400)[0]


@pytest.mark.parametrize("slope", [0.0, 0.4, 1.0, 2.5, 4.0, STEEPEST])
def test_the_mean_over_difficulty_is_the_planted_rate(slope):
    for rate, a in zip(RATES, intercepts(logit(RATES), slope), strict=True):
        mean = _integral(lambda z, a=a: expit(a + slope * z))
        assert mean == pytest.approx(rate, abs=1e-6, rel=1e-4)
        assert float(mean_rate(a, slope)) == pytest.approx(mean, abs=1e-6)


def test_a_slope_moves_the_intercept_away_from_zero():
    assert intercepts(logit(0.1), 0.0) == pytest.approx(logit(0.1))
    assert intercepts(logit(0.1), 2.0) < logit(0.1) - 0.5


def test_never_and_always_stay_so():
    assert list(expit(intercepts([-np.inf, np.inf], 1.5))) == [0.0, 1.0]


def test_readers_without_slope_are_independent():
    one = association((0.1, 0.3), (0.0, 2.0))
    assert one.odds_ratio == pytest.approx(1, abs=1e-9)
    assert one.correlation == pytest.approx(0, abs=1e-9)
    assert one.both == pytest.approx(0.03)


def test_association_is_the_integral_over_both():
    rates, slopes = (0.1, 0.25), (2.0, 1.2)
    a, b = (float(intercepts(logit(p), s)) for p, s in zip(rates, slopes, strict=True))
    both = _integral(lambda z: expit(a + slopes[0] * z) * expit(b + slopes[1] * z))
    found = association(rates, slopes)
    assert found.both == pytest.approx(both, abs=1e-9)
    p, q = rates
    ratio = both * (1 - p - q + both) / ((p - both) * (q - both))
    assert found.odds_ratio == pytest.approx(ratio, rel=1e-6)
    assert found.correlation == pytest.approx((both - p * q) / np.sqrt(p * (1 - p) * q * (1 - q)))


def test_steeper_readers_depend_more():
    ratios = [association((0.1, 0.2), (s, s)).odds_ratio for s in (0, 0.5, 1, 2, 4)]
    assert ratios == sorted(ratios)
    assert ratios[-1] > 10


@pytest.mark.parametrize("slope", [-0.1, STEEPEST + 0.1, float("nan")])
def test_slopes_out_of_range_are_refused(slope):
    with pytest.raises(ValueError, match="slope must lie"):
        intercepts(0.0, slope)


def test_rates_of_zero_have_no_association():
    with pytest.raises(ValueError, match="strictly"):
        association((0.0, 0.1), (1.0, 1.0))
