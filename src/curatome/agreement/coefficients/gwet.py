"""Gwet's AC1 and AC2: agreement that high prevalence does not turn to zero.

AC1: Gwet, 10.1348/000711006X126600; AC2, with weights and missing labels: Gwet, Handbook of
Inter-Rater Reliability, 4th edition, 2014, chapters 4 and 5.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from curatome.agreement.coefficients.base import Coefficient, ratio
from curatome.agreement.coefficients.chance import observed, pairs_and_shares, prevalence
from curatome.agreement.coefficients.weights import weights as matrix
from curatome.agreement.intervals import Floats


def gwet_ac(weights: str = "identity") -> Coefficient:
    """AC1 with identity weights, AC2 with others.

    All of `Ratings.labels` count as labels that could have been given. If all readers always say
    the same one of several, chance agreement is 0 by this definition, and AC1 is 1.

    Args:
        weights: how much labels that differ agree, of `weights.KINDS`.
    """

    def statistic(sums: Floats, labels: tuple[str, ...]) -> Floats:
        share = prevalence(sums)
        known = len(labels)
        if known < 2:
            return np.full(len(sums), np.nan)
        chance = (share * (1 - share)).sum(axis=1) * matrix(weights, known).sum()
        chance /= known * (known - 1)
        return ratio(observed(sums) - chance, 1 - chance)

    return Coefficient(
        "gwet_ac1" if weights == "identity" else "gwet_ac2",
        partial(pairs_and_shares, kind=weights),
        statistic,
        "Gwet's AC1" if weights == "identity" else f"Gwet's AC2, {weights} weights",
        "no item was judged by two readers, or there is only one label to give",
    )
