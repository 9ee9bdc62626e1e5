"""How unevenly classes are filled, for one label per item and for several.

Imbalance ratios after Charte et al. 2015, 10.1016/j.neucom.2014.08.091; SCUMBLE after Charte et
al. 2019, 10.1016/j.neucom.2016.08.158. Items of one case are much alike, so that a class is worth
as many as its effective number of cases (Kish 1965).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of N items, as pairs.

    Attributes:
        names: (K,) the classes, sorted.
        row: (P,) an item.
        code: (P,) one of its classes, an index into `names`.
        items: N, items without any label among them.
    """

    names: tuple[str, ...]
    row: Whole
    code: Whole
    items: int

    @property
    def counts(self) -> Whole:
        """(K,) items of each class."""
        return np.bincount(self.code, minlength=len(self.names)).astype(np.int64)

    @property
    def several(self) -> bool:
        """Whether some item has more than one label."""
        return int(np.bincount(self.row).max(initial=0)) > 1

    def take(self, names: Iterable[str]) -> Labels:
        """Only what is said of some of the classes."""
        wanted = np.isin(np.array(self.names, object), list(names))
        place = np.cumsum(wanted) - 1
        kept = wanted[self.code]
        left = tuple(name for name, one in zip(self.names, wanted, strict=True) if one)
        return Labels(left, self.row[kept], place[self.code[kept]], self.items)

    def by(self, group: Whole, groups: int, weights: Floats | None = None) -> Floats:
        """(K, G) items of each class in each group, or the sum of their weights.

        Args:
            group: (N,) of each item, below 0 for none.
            groups: G.
            weights: (N,) of each item.
        """
        at = group[self.row]
        kept = at >= 0
        flat = self.code[kept] * groups + at[kept]
        share = None if weights is None else weights[self.row[kept]]
        found = np.bincount(flat, share, len(self.names) * groups)
        return found.reshape(len(self.names), groups).astype(np.float64)


def labels_of(column: pa.ChunkedArray) -> Labels:
    """A column `labels` of lists of texts as pairs; a label that an item has twice counts once."""
    lists = column.combine_chunks()
    row = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    coded = pc.dictionary_encode(pc.list_flatten(lists))
    names = np.array(coded.dictionary.to_pylist(), object)
    order = np.argsort(names, kind="stable")
    code = np.argsort(order)[coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)]
    pairs = np.sort(row * max(len(names), 1) + code)  # nearly sorted: faster than `np.unique`
    row, code = np.divmod(pairs[np.diff(pairs, prepend=-1) > 0], max(len(names), 1))
    return Labels(tuple(names[order]), row, code, len(lists))


def effective_number(weights: Floats) -> Floats:
    """How many equal cases unequal ones are worth, (Σw)² / Σw².

    Args:
        weights: (..., C) what each case brings; sums are over the last axis.

    Returns:
        (...) from 0, of nothing, to the number of cases.
    """
    total, squares = weights.sum(axis=-1), (weights**2).sum(axis=-1)
    found: Floats = np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0)
    return found


def imbalance_ratios(counts: npt.ArrayLike) -> Floats:
    """(K,) IRLbl: how many times rarer each class is than the commonest; infinite without items."""
    held = np.asarray(counts, np.float64)
    most = held.max(initial=0.0)
    found: Floats = np.divide(most, held, out=np.full(len(held), np.inf), where=held > 0)
    return found


def mean_ratio(counts: npt.ArrayLike) -> float:
    """MeanIR: the mean IRLbl of the classes that have items; NaN without any."""
    ratios = imbalance_ratios(np.asarray(counts)[np.asarray(counts) > 0])
    return float(ratios.mean()) if len(ratios) else float("nan")


def ratio_variation(counts: npt.ArrayLike) -> float:
    """CVIR: standard deviation of IRLbl over MeanIR; NaN with fewer than two classes."""
    ratios = imbalance_ratios(np.asarray(counts)[np.asarray(counts) > 0])
    return float(ratios.std(ddof=1) / ratios.mean()) if len(ratios) > 1 else float("nan")


def scumble(labels: Labels) -> float:
    """SCUMBLE: how much rare and common labels go together, 0 (never) to 1.

    The mean over labelled items of 1 less the geometric over the arithmetic mean of the IRLbl of
    its labels. Where it is high, repeating items of a rare class repeats common ones as well.
    """
    if not len(labels.row):
        return float("nan")
    ratio = imbalance_ratios(labels.counts)[labels.code]
    _, item = np.unique(labels.row, return_inverse=True)
    many = np.bincount(item)
    arithmetic = np.bincount(item, ratio) / many
    geometric = np.exp(np.bincount(item, np.log(ratio)) / many)
    return float((1 - geometric / arithmetic).mean())


def least_ratio(of_class: Floats, of_commonest: Floats, z: float = 1.645) -> float:
    """Lower end of the interval of a class's imbalance ratio, by cases.

    The logarithm of a ratio of sums over cases, with its variance by linearization (Cochran 1977,
    Sampling Techniques, chapter 6), and no smaller than that of counts by chance alone, which few
    labels that happen to be spread evenly would seem to be.

    Args:
        of_class: (C,) items of the class in each case.
        of_commonest: (C,) the same of the commonest class.
        z: how many standard errors below.
    """
    few, many = of_class.sum(), of_commonest.sum()
    cases = len(of_class)
    if few == 0 or cases < 2:
        return 0.0
    apart = of_commonest / many - of_class / few
    variance = max((apart**2).sum() * cases / (cases - 1), 1 / few + 1 / many)
    return float(many / few * np.exp(-z * np.sqrt(variance)))


def label_sets(labels: Labels) -> tuple[Whole, list[tuple[str, ...]]]:
    """The combination of labels of each item.

    Returns:
        (N,) number of its combination, -1 for an item without labels; and the combinations.
    """
    bits = np.zeros((labels.items, (len(labels.names) + 63) // 64 or 1), np.uint64)
    word, bit = np.divmod(labels.code, 64)
    np.bitwise_or.at(bits, (labels.row, word), np.uint64(1) << bit.astype(np.uint64))
    known = bits.any(axis=1)
    one = bits.shape[1] == 1  # numbers are sorted faster than rows of them
    kinds, number = np.unique(bits[known], axis=None if one else 0, return_inverse=True)
    of = np.full(labels.items, -1, np.int64)
    of[known] = number.reshape(-1)
    sets = [
        tuple(name for k, name in enumerate(labels.names) if int(kind[k // 64]) >> (k % 64) & 1)
        for kind in kinds.reshape(-1, bits.shape[1])
    ]
    return of, sets
