"""Observed agreement against chance from the shares of labels: what π-like coefficients share.

With readers that vary in number from item to item, as in Gwet's handbook (4th edition, 2014,
chapter 2): observed agreement is the mean over items that two or more readers judged, of the share
of their pairs that agree; a label's prevalence is the mean over all judged items of the share of
their readers that gave it.
"""

from __future__ import annotations

import numpy as np

from curatome.agreement.coefficients.weights import weights
from curatome.agreement.intervals import Floats
from curatome.agreement.ratings import Ratings

PAIRED, AGREEING, JUDGED = 0, 1, 2


def pairs_and_shares(ratings: Ratings, kind: str = "identity") -> Floats:
    """(N, 3 + K): compared at all, share of agreeing pairs, judged at all, share of each label.

    Args:
        ratings: who called what what.
        kind: how much labels that differ agree, of `weights.KINDS`.
    """
    counts = ratings.counts().astype(np.float64)
    readers = counts.sum(axis=1)
    alike = (counts * (counts @ weights(kind, counts.shape[1]))).sum(axis=1) - readers
    pairs = readers * (readers - 1)
    share = np.divide(alike, pairs, out=np.zeros(len(counts)), where=pairs > 0)
    shares = counts / np.maximum(readers, 1)[:, None]
    return np.column_stack([pairs > 0, share, readers > 0, shares])


def observed(sums: Floats, labels: tuple[str, ...] = ()) -> Floats:
    """(B,) the share of pairs that agree; NaN without pairs."""
    del labels
    below = sums[:, PAIRED]
    found: Floats = np.divide(
        sums[:, AGREEING], below, out=np.full(len(sums), np.nan), where=below > 0
    )
    return found


def prevalence(sums: Floats) -> Floats:
    """(B, K) how often each label is given; NaN where nothing was judged."""
    below = sums[:, JUDGED, None]
    shares = sums[:, JUDGED + 1 :]
    found: Floats = np.divide(shares, below, out=np.full(shares.shape, np.nan), where=below > 0)
    return found
