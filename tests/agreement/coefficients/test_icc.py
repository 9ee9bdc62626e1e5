"""ICC(2,1) against its paper, statsmodels' analysis of variance and simulated truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.formula.api import ols

from curatome.agreement.coefficients import icc, icc_measure, reads
from tests.agreement.coefficients import made

# Shrout & Fleiss 1979, table 2: six targets, four judges; ICC(2,1) = .29 (table 4).
SHROUT = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)


def test_shrout_and_fleiss():
    assert round(icc(SHROUT), 2) == 0.29


def test_interval_from_f():
    """pingouin 0.6.1 and the R package psych print [0.02, 0.76] for this table."""
    measure = icc_measure(SHROUT)
    assert (round(measure.low, 2), round(measure.high, 2)) == (0.02, 0.76)
    assert (measure.n, measure.clusters) == (6, 6)


@pytest.mark.parametrize("seed", range(3))
def test_analysis_of_variance(seed):
    rng = np.random.default_rng(seed)
    n, k = 25, 3
    values = 1e4 + rng.normal(0, 3, (n, 1)) + rng.normal(0, 1, (1, k)) + rng.normal(0, 2, (n, k))
    columns = {"v": values.reshape(-1), "t": np.repeat(np.arange(n), k), "r": [*range(k)] * n}
    data = pd.DataFrame(columns)
    table = sm.stats.anova_lm(ols("v ~ C(t) + C(r)", data).fit())
    items, readers, error = (table["sum_sq"] / table["df"]).to_numpy()
    expected = (items - error) / (items + (k - 1) * error + k * (readers - error) / n)
    assert icc(values) == pytest.approx(expected, abs=1e-9)


def test_missing_values_leave_their_item_out():
    values = np.vstack([SHROUT, [[9, np.nan, 1, 1]]])
    assert icc(values) == icc(SHROUT)
    assert icc_measure(values).n == 6


def test_what_is_not_defined_is_no_number_and_says_why():
    for values in (np.ones((5, 3)), SHROUT[:1], SHROUT[:, :1], np.empty((0, 3))):
        assert np.isnan(icc(values))
        measure = icc_measure(values)
        assert np.isnan(measure.value)
        assert "undefined: fewer than two items or readers" in measure.method


def test_readers_who_always_agree():
    values = np.repeat(np.arange(5.0), 3).reshape(5, 3)
    measure = icc_measure(values)
    assert measure.value == 1.0
    assert measure.low is None


def test_items_of_a_case_are_drawn_together():
    """The interval is that of whole cases drawn one by one, not that of items."""
    rng = np.random.default_rng(4)
    cases = np.repeat(np.arange(15), 4)
    values = np.repeat(rng.normal(0, 3, (15, 1)), 4, axis=0) + rng.normal(0, 2, (60, 3))
    measure = icc_measure(values, cases=cases)
    drawn = [
        icc(np.concatenate([values[cases == one] for one in rng.integers(0, 15, 15)]))
        for _ in range(2000)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (measure.n, measure.clusters) == (60, 15)
    assert (measure.low, measure.high) == pytest.approx((low, high), abs=0.03)
    alone = icc_measure(values)
    assert measure.value == alone.value
    assert measure.high - measure.low > 1.2 * (alone.high - alone.low)


def test_reads_are_numbers_of_labels():
    found = reads(made.made([["1", None], ["2.5", "1"]], ["1", "2.5"]))
    assert np.array_equal(found, [[1, np.nan], [2.5, 1]], equal_nan=True)


@pytest.mark.acceptance
def test_the_interval_covers_the_truth():
    """1,000 tables of 20 items by five readers with a known ICC of 9 / (9 + 1 + 4)."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(1000):
        values = rng.normal(0, 3, (20, 1)) + rng.normal(0, 1, (1, 5)) + rng.normal(0, 2, (20, 5))
        measure = icc_measure(values)
        hits += measure.low <= 9 / 14 <= measure.high
    assert 930 <= hits <= 970
