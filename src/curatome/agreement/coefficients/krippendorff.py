"""Krippendorff's α: any number of readers, labels missing, four kinds of labels.

Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011
(https://repository.upenn.edu/asc_papers/43).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from curatome.agreement.coefficients.base import Coefficient, ratio
from curatome.agreement.coefficients.numbers import label_values
from curatome.agreement.intervals import Floats
from curatome.agreement.ratings import Ratings
from curatome.errors import TableError

KINDS = ("nominal", "ordinal", "interval", "ratio")


def krippendorff_alpha(kind: str = "nominal", values: Sequence[float] | None = None) -> Coefficient:
    """1 less the disagreement within items over that between all labels given.

    Items that one reader judged, or none, do not count.

    Args:
        kind: of `KINDS`: `nominal` takes labels as names, `ordinal` as ranks in the order of
            `Ratings.labels`, `interval` and `ratio` as numbers.
        values: (K,) what the labels stand for; by default, numbers are read from their names.

    Raises:
        TableError: there is no such kind, or values do not fit it; also raised later, where a
            label is no number.
    """
    if kind not in KINDS:
        raise TableError(f'α of kind "{kind}" is none of {", ".join(KINDS)}.')
    if kind in ("nominal", "ordinal") and values is not None:
        raise TableError(f"α of kind {kind} takes no values: order the labels instead.")

    def parts(ratings: Ratings) -> Floats:
        counts, readers = _compared(ratings)
        if kind == "ordinal":
            return np.column_stack([counts, _coincidences(counts, readers)])
        apart = _apart(kind, ratings.labels, values)
        within = (counts * (counts @ apart)).sum(axis=1) / np.maximum(readers - 1, 1)
        return np.column_stack([counts, within])

    def statistic(sums: Floats, labels: tuple[str, ...]) -> Floats:
        counts, rest = np.split(sums, [len(labels)], axis=1)
        n = counts.sum(axis=1)
        if kind == "ordinal":
            within, between = _by_ranks(counts, rest)
        else:
            apart = _apart(kind, labels, values)
            within, between = rest[:, 0], np.einsum("bk,kl,bl->b", counts, apart, counts)
        varied = (counts > 0).sum(axis=1) > 1
        return 1 - ratio((n - 1) * within, np.where(varied, between, 0.0))

    return Coefficient(
        "krippendorff_alpha",
        parts,
        statistic,
        f"Krippendorff 2011, {kind}",
        "no item was judged by two readers, or only one label was used, so that no disagreement "
        "is expected",
    )


def _compared(ratings: Ratings) -> tuple[Floats, Floats]:
    """(N, K) labels of items that two or more readers judged, 0 for others; (N,) their readers."""
    counts = ratings.counts().astype(np.float64)
    readers = counts.sum(axis=1)
    return counts * (readers > 1)[:, None], readers


def _coincidences(counts: Floats, readers: Floats) -> Floats:
    """(N, K * K) how often an item's pairs of readers gave each pair of labels."""
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs -= counts[:, :, None] * np.eye(counts.shape[1])
    pairs /= np.maximum(readers - 1, 1)[:, None, None]
    return pairs.reshape(len(counts), counts.shape[1] ** 2)


def _by_ranks(counts: Floats, coincidences: Floats) -> tuple[Floats, Floats]:
    """Disagreement within items and between all labels, each label at its middle rank."""
    labels = counts.shape[1]
    rank = np.cumsum(counts, axis=1) - counts / 2
    n = np.maximum(counts.sum(axis=1), 1)
    rank -= ((counts * rank).sum(axis=1) / n)[:, None]
    spread = (counts * rank**2).sum(axis=1)
    pairs = coincidences.reshape(-1, labels, labels)
    within = 2 * (spread - np.einsum("bk,bkl,bl->b", rank, pairs, rank))
    return within, 2 * n * spread


def _apart(kind: str, labels: tuple[str, ...], values: Sequence[float] | None) -> Floats:
    """(K, K) how far labels lie apart."""
    if kind == "nominal":
        return 1 - np.eye(len(labels))
    at = label_values(labels, values)
    if kind == "interval":
        return (at[:, None] - at) ** 2
    if (at < 0).any():
        raise TableError(f"α of kind ratio needs values from 0 up. Got {at.min()}.")
    total = at[:, None] + at
    apart = np.divide(at[:, None] - at, total, out=np.zeros_like(total), where=total > 0)
    return apart**2
