"""Intervals from cases cover a truth that is known, 1,000 cohorts with fixed seeds.

Each case has its own share of items that both readers see through; of the others they guess
between two equally common labels. Agreement above chance is the mean of that share exactly.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curatome.agreement.coefficients import (
    cohen_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    percent_agreement,
)
from curatome.agreement.ratings import Ratings

CASES, ITEMS, LEFT, RIGHT = 60, 20, 3.0, 2.0


def cohort(seed):
    rng = np.random.default_rng(seed)
    share = np.repeat(rng.beta(LEFT, RIGHT, CASES), ITEMS)
    items = len(share)
    hidden = rng.integers(0, 2, items)
    guesses = rng.integers(0, 2, (items, 2))
    seen = rng.random(items) < share
    codes = np.where(seen[:, None], hidden[:, None], guesses).astype(np.int16)
    cases = np.repeat(np.arange(CASES), ITEMS)
    return Ratings(codes, pa.array(range(items)), ("a", "b"), ("x", "y"), cases)


@pytest.mark.acceptance
@pytest.mark.parametrize(
    "coefficient",
    [percent_agreement(), cohen_kappa(), fleiss_kappa(), gwet_ac(), krippendorff_alpha()],
    ids=lambda one: one.name,
)
def test_the_interval_covers_the_truth(coefficient):
    kappa = LEFT / (LEFT + RIGHT)
    truth = kappa + (1 - kappa) / 2 if coefficient.name == "percent_agreement" else kappa
    hits = 0
    for seed in range(1000):
        measure = coefficient.measure(cohort(seed), replicates=1000, seed=seed)
        hits += measure.low <= truth <= measure.high
    assert 930 <= hits <= 970, hits
