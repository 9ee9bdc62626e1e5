"""How often readers agree, chance or not."""

from __future__ import annotations

from functools import partial

from curatome.agreement.coefficients.base import Coefficient
from curatome.agreement.coefficients.chance import observed, pairs_and_shares


def percent_agreement(weights: str = "identity") -> Coefficient:
    """The mean over items of the share of pairs of readers that agree.

    Items with one reader or none do not count; with two readers it is the share of items on which
    they agree.

    Args:
        weights: how much labels that differ agree, of `weights.KINDS`.
    """
    return Coefficient(
        "percent_agreement",
        partial(pairs_and_shares, kind=weights),
        observed,
        "mean share of agreeing pairs of readers per item"
        + ("" if weights == "identity" else f", {weights} weights"),
        "no item was judged by two readers",
    )
