"""Trends and changes of the guideline, as large as they were planted."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.agreement.drift import before_after, follow, trend
from curatome.errors import TableError
from curatome.phantom.readers import Drift
from tests.agreement.drift.made import CHANGED, columns, table


def test_slope_by_hand():
    start = np.datetime64("2025-01-01", "us")
    times = start + (np.array([0, 0, 1, 2]) * 30.4375 * 86400e6).astype("timedelta64[us]")
    found = trend(follow([1.0, 3.0, 3.0, 7.0], ["a", "a", "b", "c"], times), "reader ann")
    assert found.value == pytest.approx(np.polyfit([0, 0, 1, 2], [1, 3, 3, 7], 1)[0])
    assert (found.n, found.clusters, found.unit) == (4, 3, "per month")


def test_a_planted_trend_comes_back():
    made = table(1, drift=Drift(margin_um=0.2))
    found = trend(follow(*columns(made, "margin_um")), "reader ann", unit="µm per month")
    assert found.low < 0.2 < found.high
    assert found.high - found.low < 0.05


def test_difference_by_hand():
    found = before_after([1, 2, 6, np.nan, 8], list("aabbb"), [0, 0, 1, 1, 1], "reader ann")
    assert found.value == pytest.approx(7 - 1.5)
    assert (found.n, found.clusters) == (4, 2)


def test_a_new_guideline_changes_what_it_asks_for():
    made = table(2, CHANGED)
    after = np.array(made["guideline"].to_pylist()) == "2"
    values, cases, _ = columns(made, "margin_um")
    margin = before_after(values, cases, after, "reader ann", unit="µm")
    assert margin.low < 1.5 < margin.high
    values, cases, _ = columns(made, "excess of tumor")
    share = before_after(values, cases, after, "reader ann")
    assert share.low > 0.05


def test_one_side_alone_is_refused():
    with pytest.raises(TableError, match="nothing was annotated after"):
        before_after([1.0, 2.0], ["a", "b"], [False, False], "reader ann")


@pytest.mark.acceptance
def test_intervals_of_a_difference_cover_it():
    """The planted change of class shares, known from the reader's own confusion matrix."""
    hits = 0
    for seed in range(1000):
        made = table(seed, CHANGED)
        after = np.array(made["guideline"].to_pylist()) == "2"
        values, cases, _ = columns(made, "excess of tumor")
        found = before_after(values, cases, after, "reader ann")
        hits += found.low <= EXPECTED <= found.high
    assert 930 <= hits <= 970


def _excess(log_odds):
    """Mean of (called tumor) - (is tumor): 60 % tumor, 15 % wrong, a border that has moved."""
    gain = np.exp(log_odds)
    tumor = 0.85 * gain / (0.85 * gain + 0.15)
    stromal = 0.15 * gain / (0.15 * gain + 0.85)
    return 0.6 * (tumor - 1) + 0.4 * stromal


EXPECTED = _excess(2.0) - _excess(0.0)
