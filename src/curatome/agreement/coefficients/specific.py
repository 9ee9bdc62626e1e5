"""Positive and negative agreement: how often another reader says the same, given that one said it.

Cicchetti & Feinstein, 10.1016/0895-4356(90)90159-M, for two readers; for many, pairs are pooled:
de Vet et al., 10.1186/s12911-017-0544-y. A label that is rare can have a high percent agreement
and a low positive agreement.
"""

from __future__ import annotations

import numpy as np

from curatome.agreement.coefficients.base import Coefficient, ratio
from curatome.agreement.intervals import Floats
from curatome.agreement.ratings import Ratings


def positive_agreement(label: str) -> Coefficient:
    """The share of other readers who also gave a label, of all pairs in which one gave it."""
    return _specific(
        label, True, "positive_agreement", f"nobody called an item of several readers {label}"
    )


def negative_agreement(label: str) -> Coefficient:
    """The share of other readers who did not give a label either, of all where one did not."""
    return _specific(
        label, False, "negative_agreement", f"all called all items of several readers {label}"
    )


def _specific(label: str, given: bool, name: str, undefined: str) -> Coefficient:
    def parts(ratings: Ratings) -> Floats:
        counts = ratings.binary(label).counts().astype(np.float64)
        readers = counts.sum(axis=1)
        one = counts[:, int(given)]
        return np.column_stack([one * (one - 1), one * (readers - 1)])

    def statistic(sums: Floats, labels: tuple[str, ...]) -> Floats:
        del labels
        return ratio(sums[:, 0], sums[:, 1])

    return Coefficient(name, parts, statistic, f"specific agreement of {label}", undefined)
