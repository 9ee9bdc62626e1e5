"""Cohen's κ of two readers: 10.1177/001316446002000104, weighted 10.1037/h0026256."""

from __future__ import annotations

import numpy as np

from curatome.agreement.coefficients.base import Coefficient, ratio, seen_by_both
from curatome.agreement.coefficients.weights import weights as matrix
from curatome.agreement.intervals import Floats
from curatome.agreement.ratings import Ratings


def cohen_kappa(weights: str = "identity") -> Coefficient:
    """Agreement above what each reader's own use of the labels gives by chance.

    Items that one of the two did not judge do not count.

    Args:
        weights: how much labels that differ agree, of `weights.KINDS`; `linear` and `quadratic`
            take the labels as equally spaced in their order.
    """

    def parts(ratings: Ratings) -> Floats:
        known = np.arange(len(ratings.labels))
        both = seen_by_both(ratings)
        one = (ratings.codes[:, :1] == known) & both[:, None]
        other = (ratings.codes[:, 1:2] == known) & both[:, None]
        alike = ((one @ matrix(weights, len(known))) * other).sum(axis=1)
        return np.column_stack([both, alike, one, other])

    def statistic(sums: Floats, labels: tuple[str, ...]) -> Floats:
        n, agreeing, one, other = np.split(sums, [1, 2, 2 + len(labels)], axis=1)
        chance = np.einsum("bk,kl,bl->b", one, matrix(weights, len(labels)), other)
        return ratio(n[:, 0] * agreeing[:, 0] - chance, n[:, 0] ** 2 - chance)

    return Coefficient(
        "cohen_kappa",
        parts,
        statistic,
        "Cohen 1960" if weights == "identity" else f"Cohen 1968, {weights} weights",
        "the two judged no item in common, or both used one and the same label only, so that "
        "chance agreement is 1",
        pairs=True,
    )
