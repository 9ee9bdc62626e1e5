"""A coefficient per class, domain and reader, and for every two readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pyarrow as pa

from curatome.agreement.coefficients.base import Coefficient
from curatome.agreement.intervals import Floats
from curatome.agreement.ratings import Ratings
from curatome.errors import TableError
from curatome.findings import Measure


def by_class(coefficient: Coefficient, ratings: Ratings) -> list[Measure]:
    """Each label against all others together, as for multi-label reads."""
    return [
        coefficient.measure(ratings.binary(label), f"class {label}") for label in ratings.labels
    ]


def by_label(of: Callable[[str], Coefficient], ratings: Ratings) -> list[Measure]:
    """Coefficients that are made for one label, such as `positive_agreement`."""
    return [of(label).measure(ratings, f"class {label}") for label in ratings.labels]


def by_domain(
    coefficient: Coefficient, ratings: Ratings, domains: Sequence[str | None]
) -> list[Measure]:
    """Items of each domain (tumor, scanner, site) by themselves.

    Args:
        coefficient: what to measure.
        ratings: who called what what.
        domains: (N,) the domain of each item; None for items of none.

    Raises:
        TableError: there is not one for each item.
    """
    if len(domains) != len(ratings):
        raise TableError(f"{len(domains)} domains for {len(ratings)} items. Give one per item.")
    names = np.array(["" if one is None else one for one in domains], object)
    known = sorted({one for one in domains if one is not None})
    return [coefficient.measure(ratings.take(names == one), f"domain {one}") for one in known]


def by_pair(coefficient: Coefficient, ratings: Ratings) -> list[Measure]:
    """Every two readers."""
    return [
        coefficient.measure(ratings.of(two), f"readers {two[0]} and {two[1]}")
        for two in combinations(ratings.readers, 2)
    ]


def by_reader(coefficient: Coefficient, ratings: Ratings) -> list[Measure]:
    """Each reader with the others: the mean of the coefficient with each of them."""
    return [
        of_reader(coefficient, reader).measure(ratings, f"reader {reader}")
        for reader in ratings.readers
    ]


def of_reader(coefficient: Coefficient, reader: str) -> Coefficient:
    """The mean of a coefficient between a reader and each of the others, where it is defined."""

    def pairs(readers: tuple[str, ...]) -> list[tuple[str, str]]:
        return [(reader, other) for other in readers if other != reader]

    return _mean(coefficient, pairs, f"mean of {reader} with each other reader")


def of_pairs(coefficient: Coefficient) -> Coefficient:
    """The mean of a coefficient over every two readers; of Cohen's κ it is Light's κ.

    Light, 10.1037/h0031643.
    """

    def pairs(readers: tuple[str, ...]) -> list[tuple[str, str]]:
        return list(combinations(readers, 2))

    return _mean(coefficient, pairs, "mean of every two readers")


def _mean(
    coefficient: Coefficient,
    pairs: Callable[[tuple[str, ...]], list[tuple[str, str]]],
    how: str,
) -> Coefficient:
    def parts(ratings: Ratings) -> Floats:
        found = [coefficient.parts(ratings.of(two)) for two in pairs(ratings.readers)]
        if not found:
            return np.empty((len(ratings), 0))
        return np.concatenate(found, axis=1)

    def statistic(sums: Floats, labels: tuple[str, ...]) -> Floats:
        width = coefficient.parts(_nothing(labels)).shape[1]
        blocks = [sums[:, at : at + width] for at in range(0, sums.shape[1], width)]
        if not blocks:
            return np.full(len(sums), np.nan)
        values = np.stack([coefficient.statistic(block, labels) for block in blocks])
        known = np.isfinite(values)
        total = np.where(known, values, 0.0).sum(axis=0)
        count = known.sum(axis=0)
        mean: Floats = np.divide(total, count, out=np.full(len(sums), np.nan), where=count > 0)
        return mean

    method = f"{coefficient.method}, {how}"
    undefined = f"of no two readers: {coefficient.undefined}"
    return replace(
        coefficient,
        parts=parts,
        statistic=statistic,
        method=method,
        undefined=undefined,
        pairs=False,
    )


def _nothing(labels: tuple[str, ...]) -> Ratings:
    none = np.empty(0, np.int64)
    return Ratings(np.empty((0, 2), np.int16), pa.array(none), ("", " "), labels, none)
