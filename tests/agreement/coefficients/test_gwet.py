"""Gwet's AC1 and AC2 against his examples and irrCAC."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.agreement.coefficients import cohen_kappa, gwet_ac
from tests.agreement.coefficients import made


@pytest.mark.parametrize(
    ("kind", "four", "five"),
    [
        ("identity", 0.775444068127, 0.496622054873),
        ("linear", 0.858739136433, 0.689639422886),
        ("quadratic", 0.914000723552, 0.830433572655),
        ("ordinal", 0.898939769908, 0.785341793553),
    ],
)
def test_irrcac(kind, four, five):
    """raw_4raters (AC1 is .77544 in its manual) and raw_5observers of irrCAC 0.4.4, 12 digits."""
    assert gwet_ac(kind).value(made.KRIPPENDORFF) == pytest.approx(four, abs=1e-12)
    assert gwet_ac(kind).value(made.OBSERVERS) == pytest.approx(five, abs=1e-12)


def test_high_prevalence_does_not_hide_agreement():
    """118 yes and 2 no alike, 5 apart: κ is under .6, and AC1 near the agreement of .96.

    By hand: chance is 2 q (1 - q) with q = (2 * 118 + 5) / 250.
    """
    rows = [["yes", "yes"]] * 118 + [["yes", "no"]] * 5 + [["no", "no"]] * 2
    ratings = made.made(rows, ["no", "yes"])
    share = 241 / 250
    chance = 2 * share * (1 - share)
    assert gwet_ac().value(ratings) == pytest.approx((0.96 - chance) / (1 - chance), abs=1e-12)
    assert cohen_kappa().value(ratings) < 0.6 < gwet_ac().value(ratings)


def test_names():
    assert gwet_ac().name == "gwet_ac1"
    assert gwet_ac("ordinal").name == "gwet_ac2"


def test_one_label_of_several_is_agreement_and_one_label_at_all_is_nothing():
    assert gwet_ac().value(made.constant()) == 1.0
    one = made.made([["1", "1"], ["1", "1"]], ["1"])
    for kind in ("identity", "quadratic"):
        measure = gwet_ac(kind).measure(one)
        assert np.isnan(measure.value)
        assert "only one label to give" in measure.method
        assert np.isnan(gwet_ac(kind).value(made.apart()))
