"""Fleiss' κ against its paper, statsmodels and irrCAC."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.inter_rater import fleiss_kappa as oracle

from curatome.agreement.coefficients import fleiss_kappa
from tests.agreement.coefficients import made

# The example of https://en.wikipedia.org/wiki/Fleiss%27_kappa: ten items, 14 readers, 0.210.
WIKIPEDIA = np.array(
    [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]
)  # fmt: skip


def test_fleiss_1971():
    """κ = .430 of observed .5556 and chance .2201."""
    assert round(fleiss_kappa().value(made.from_counts(made.FLEISS)), 3) == 0.430


def test_the_known_example():
    assert round(fleiss_kappa().value(made.from_counts(WIKIPEDIA)), 3) == 0.210


@pytest.mark.parametrize("seed", range(5))
def test_statsmodels_where_all_judged_all(seed):
    ratings = made.random(seed, missing=0.0)
    assert fleiss_kappa().value(ratings) == pytest.approx(oracle(ratings.counts()), abs=1e-9)


@pytest.mark.parametrize(
    ("kind", "four", "five"),
    [
        ("identity", 0.761169275422, 0.457621686772),
        ("linear", 0.817944767097, 0.611850043816),
        ("quadratic", 0.864935064935, 0.750719128305),
        ("ordinal", 0.850206189397, 0.701221117633),
    ],
)
def test_varying_readers_as_irrcac(kind, four, five):
    """raw_4raters and raw_5observers of irrCAC 0.4.4, to the 12 digits that it rounds to."""
    assert fleiss_kappa(kind).value(made.KRIPPENDORFF) == pytest.approx(four, abs=1e-12)
    assert fleiss_kappa(kind).value(made.OBSERVERS) == pytest.approx(five, abs=1e-12)


def test_what_is_not_defined_is_no_number_and_says_why():
    for kind in ("identity", "quadratic"):
        for ratings in (made.constant(), made.apart()):
            measure = fleiss_kappa(kind).measure(ratings)
            assert np.isnan(measure.value)
            assert "only one label was used" in measure.method
