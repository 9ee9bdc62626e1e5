"""Points of change: where they were planted, and none where nothing was."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest

from curatome.agreement.drift import change_points, follow, holm, stability
from curatome.agreement.drift.changes import _gaps
from curatome.phantom.readers import Drift, Shift
from tests.agreement.drift.made import CHANGED, columns, table

START = np.datetime64("2025-01-01", "us")


def made(means, rng, per_case=10, noise=1.0):
    """One case a day with so high a mean."""
    case = np.repeat(np.arange(len(means)), per_case)
    value = np.repeat(means, per_case) + noise * rng.standard_normal(len(case))
    return follow(value, case, START + (case * 86400e6).astype("timedelta64[us]"))


def moments(found):
    return found["time"].cast(pa.timestamp("us")).to_numpy()


def test_gaps_by_hand():
    off, count = np.array([[-1.0, -1.0, 2.0, 0.0]]), np.array([[1.0, 1.0, 2.0, 1.0]])
    # After two cases: |-2| over sqrt(2 × 3 / 5).
    assert _gaps(off, count, 2)[0] == pytest.approx([2 / np.sqrt(6 / 5)])
    assert len(_gaps(off, count, 1)[0]) == 3


def test_p_value_is_that_of_all_orders():
    series = made(np.array([0.0, 0.1, 0.05, 1.0, 0.9, 0.0]), np.random.default_rng(1), noise=0.0)
    off = series.total - series.mean * series.count
    orders = np.array(list(permutations(range(6))))
    greatest = _gaps(off[orders], series.count[orders], 2).max(axis=1)
    exact = (greatest >= greatest[0] - 1e-9).mean()
    _, p = stability(series, least=2, replicates=20_000)
    assert p == pytest.approx(exact, abs=0.01)


def test_two_planted_steps_are_found_where_they_are():
    means = np.repeat([0.0, 1.0, -0.5], [40, 30, 30])
    found = change_points(made(means, np.random.default_rng(2)), "ann", "size")
    days = (moments(found) - START) / np.timedelta64(1, "D")
    assert days == pytest.approx([39.5, 69.5], abs=2)
    assert np.array(found["before"]) == pytest.approx([0.0, 1.0], abs=0.2)
    assert np.array(found["after"]) == pytest.approx([1.0, -0.5], abs=0.2)
    assert found["cases_before"][0].as_py() + found["cases_after"][0].as_py() == pytest.approx(70)


def test_a_new_guideline_is_found_in_its_month():
    errors = []
    for seed in range(10):
        made_table = table(seed, CHANGED)
        found = change_points(follow(*columns(made_table, "excess of tumor")), "ann", "tumor")
        assert len(found) >= 1
        months = (
            (moments(found) - np.datetime64("2025-01-06T08:00"))
            / np.timedelta64(1, "s")
            / 86400
            / 30.4375
        )
        errors.append(np.abs(months - 5.0).min())
    assert np.median(errors) < 0.7


def test_too_few_cases_say_nothing():
    assert stability(made(np.zeros(9), np.random.default_rng(3))) == (0, 1.0)
    assert stability(made(np.zeros(20), np.random.default_rng(3), noise=0.0))[1] == 1.0


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]).tolist() == [1.0, 1.0]


@pytest.mark.acceptance
@pytest.mark.parametrize("quantity", ["excess of tumor", "agreement", "margin_um"])
def test_false_alarms_on_clean_readers_are_as_often_as_said(quantity):
    """1,000 readers without drift at 5 %: 50 alarms, 95 % of counts within 37 to 64."""
    alarms = sum(
        stability(follow(*columns(table(seed), quantity)), replicates=199)[1] <= 0.05
        for seed in range(1000)
    )
    assert 37 <= alarms <= 64


@pytest.mark.acceptance
def test_a_planted_drift_is_found():
    drift = Drift(shift=Shift("stromal", "tumor", 0.15), margin_um=0.05)
    for quantity in ("excess of tumor", "margin_um"):
        found = sum(
            stability(follow(*columns(table(seed, drift=drift), quantity)), replicates=199)[1]
            <= 0.05
            for seed in range(100)
        )
        assert found >= 90
