"""Fleiss' κ: many readers, who need not be the same ones for each item (10.1037/h0031619)."""

from __future__ import annotations

from functools import partial

import numpy as np

from curatome.agreement.coefficients.base import Coefficient, ratio
from curatome.agreement.coefficients.chance import observed, pairs_and_shares, prevalence
from curatome.agreement.coefficients.weights import weights as matrix
from curatome.agreement.intervals import Floats


def fleiss_kappa(weights: str = "identity") -> Coefficient:
    """Agreement of pairs above what the labels' prevalence gives by chance.

    With equally many readers per item it is Fleiss' of 1971. With a varying number it is Gwet's
    generalization (2014, chapter 2): every item weighs the same however many judged it, those with
    one reader count for prevalence only.

    Args:
        weights: how much labels that differ agree, of `weights.KINDS`.
    """

    def statistic(sums: Floats, labels: tuple[str, ...]) -> Floats:
        share = prevalence(sums)
        chance = np.einsum("bk,kl,bl->b", share, matrix(weights, len(labels)), share)
        return ratio(observed(sums) - chance, 1 - chance)

    return Coefficient(
        "fleiss_kappa",
        partial(pairs_and_shares, kind=weights),
        statistic,
        "Fleiss 1971, Gwet's form for varying readers"
        + ("" if weights == "identity" else f", {weights} weights"),
        "no item was judged by two readers, or only one label was used, so that chance agreement "
        "is 1",
    )
