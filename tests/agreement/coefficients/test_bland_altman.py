"""Limits of agreement against the paper's 17 people and two flow meters."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.agreement.coefficients import limits, limits_measures

# Bland & Altman 1986, table I, first readings of peak expiratory flow in l/min: the large meter
# and the mini meter.
WRIGHT = np.array(
    [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427], float
)
MINI = np.array(
    [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451], float
)


def test_the_paper():
    """Mean -2.1 and s 38.8; the paper takes two s: -79.7 to 75.5."""
    bias, low, high = limits(WRIGHT, MINI)
    assert round(bias, 1) == -2.1
    sd = (high - low) / (2 * 1.959963984540054)
    assert round(sd, 1) == 38.8
    assert bias - 2 * 38.8 == pytest.approx(-79.7, abs=0.05)


def test_the_papers_intervals():
    """Of the bias -22.0 to 17.8 and standard errors 9.4 of it and 16.3 of a limit, t = 2.12."""
    bias, low, high = limits_measures(WRIGHT, MINI, unit="l/min")
    assert (round(bias.low, 1), round(bias.high, 1)) == (-22.0, 17.8)
    assert round((bias.high - bias.low) / 2 / 2.12, 1) == 9.4
    for limit in (low, high):
        assert round((limit.high - limit.low) / 2 / 2.12, 1) == 16.3
        assert (limit.n, limit.clusters, limit.unit) == (17, 17, "l/min")


def test_missing_values_do_not_count():
    first = np.append(WRIGHT, [np.nan, 3.0])
    second = np.append(MINI, [1.0, np.nan])
    assert limits(first, second) == limits(WRIGHT, MINI)


def test_items_of_a_case_are_drawn_together():
    first, second = np.repeat(WRIGHT, 8), np.repeat(MINI, 8)
    alone = limits_measures(first, second)[0]
    together = limits_measures(first, second, cases=np.repeat(np.arange(17), 8))[0]
    assert together.clusters == 17
    # The bootstrap of 17 means has the standard error s sqrt(16 / 17) / sqrt(17).
    expected = 2 * 1.96 * 38.77 * np.sqrt(16 / 17 / 17)
    assert together.high - together.low == pytest.approx(expected, rel=0.07)
    assert together.high - together.low > 2.3 * (alone.high - alone.low)


@pytest.mark.parametrize("n", [0, 1])
def test_what_is_not_defined_is_no_number_and_says_why(n):
    for measure in limits_measures(WRIGHT[:n], MINI[:n]):
        assert np.isnan(measure.value)
        assert measure.low is None
        assert "undefined: fewer than two items" in measure.method


def test_readers_who_always_agree():
    assert limits(WRIGHT, WRIGHT) == (0.0, 0.0, 0.0)
