"""Control charts: rules and means by hand, planted drift, and false alarms."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.agreement.drift import control_chart, follow
from curatome.agreement.drift.charts import RULES, broken, ewma
from curatome.errors import TableError
from curatome.phantom.readers import Drift, Shift
from tests.agreement.drift.made import columns, table


def test_ewma_by_hand():
    smooth, limit = ewma(np.array([1.0, 2.0, 0.0]), 0.5, 3.0)
    assert smooth.tolist() == [0.5, 1.25, 0.625]
    # variance of the weighted mean: 0.5² then (0.5² + 0.25²) …
    assert limit == pytest.approx(3 * np.sqrt([0.25, 0.25 + 0.0625, 0.25 + 0.0625 + 0.015625]))


def test_rules_by_hand():
    names = [rule[0] for rule in RULES]
    lone = broken(np.array([0.5, -3.2, 0.5]))
    assert lone[names[0]].tolist() == [False, True, False]
    assert broken(np.array([2.1, 0.0, 2.2]))[names[1]].tolist() == [False, False, True]
    # On both sides is not on one side.
    assert not broken(np.array([2.1, 0.0, -2.2]))[names[1]].any()
    assert broken(np.array([1.1, 1.2, 0, 1.1, 1.5]))[names[2]].tolist() == [False] * 4 + [True]
    assert broken(np.full(9, 0.1))[names[3]].tolist() == [False] * 7 + [True] * 2


def fortnights(values, per_point=50):
    """A series with one case per half month: 50 objects each, so many of them hits."""
    case = np.repeat(np.arange(len(values)), per_point)
    value = (np.arange(per_point) < np.array(values)[:, None]).ravel().astype(float)
    start = np.datetime64("2025-01-01", "us")
    times = start + (case * 15.21875 * 86400e6 + 1).astype("timedelta64[us]")
    return follow(value, case, times)


def test_limits_by_hand():
    hits = np.array([20, 30, 20, 30, 20, 30])
    chart = control_chart(fortnights(hits), "ann", "share of x", period_months=0.5)
    assert chart["value"].to_pylist() == pytest.approx((hits / 50).tolist())
    assert chart["center"][0].as_py() == pytest.approx(0.5)
    # p' chart: z is ±0.1 / sqrt(0.25/50), neighbors differ by 0.2, so the limits are at
    # 3 × 0.2 / 1.128 to both sides, whatever the binomial says.
    assert chart["high"][0].as_py() == pytest.approx(0.5 + 3 * 0.2 / 1.128)
    assert chart["n"].to_pylist() == [50] * 6


def test_a_planted_drift_shows_on_the_chart():
    drift = Drift(shift=Shift("stromal", "tumor", 0.35))
    series = follow(*columns(table(1, drift=drift), "excess of tumor"))
    chart = control_chart(series, "ann", "excess of tumor", baseline=6)
    signals = chart["signal"].to_pylist()
    assert signals[-1] is not None
    assert "EWMA" in signals[-1]
    assert chart["value"][-1].as_py() > chart["center"][0].as_py()


def test_too_few_periods_are_refused():
    with pytest.raises(TableError, match=r"needs 5 periods with cases\. Got 2"):
        control_chart(fortnights([20, 30]), "ann", "x", period_months=0.5)


@pytest.mark.acceptance
def test_points_of_clean_readers_seldom_lie_beyond_the_limits():
    """Nominal 0.27 %; limits from 24 points themselves let fewer or a few more through."""
    beyond = points = 0
    for seed in range(300):
        series = follow(*columns(table(seed), "agreement"))
        chart = control_chart(series, "ann", "agreement", period_months=0.5)
        value, low, high = (np.asarray(chart[name]) for name in ("value", "low", "high"))
        beyond += int(((value < low) | (value > high)).sum())
        points += len(value)
    assert beyond / points < 0.01
