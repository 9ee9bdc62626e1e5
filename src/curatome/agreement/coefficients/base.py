"""What all coefficients of agreement share: a sum over items, and a function of that sum.

Each coefficient adds up numbers of every item and makes its value from the sums. So an interval
from drawing cases needs only the sums of each case, and a million items cost no more than the
patterns of labels that differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from curatome.agreement.intervals import Floats, bootstrap
from curatome.agreement.ratings import MISSING, Ratings, Whole
from curatome.errors import TableError
from curatome.findings import Measure

_CELLS = 1 << 22  # patterns that are counted rather than sorted


class Statistic(Protocol):
    """From sums of parts to values."""

    def __call__(self, sums: Floats, labels: tuple[str, ...]) -> Floats:
        """(B, P) sums to (B,) values; NaN where it is not defined."""


@dataclass(frozen=True)
class Coefficient:
    """One way to say how well readers agree.

    Attributes:
        name: of the measure, `krippendorff_alpha`.
        parts: from ratings to (N, P), what each item adds to the sums. An item's parts follow
            from its own row of codes.
        statistic: from (B, P) sums and the labels to (B,) values; NaN where it is not defined.
        method: how it is defined, for a person.
        undefined: when and why there is no value, for a person.
        pairs: whether it compares two readers, and no more.
    """

    name: str
    parts: Callable[[Ratings], Floats]
    statistic: Statistic
    method: str
    undefined: str
    pairs: bool = False

    def value(self, ratings: Ratings) -> float:
        """The coefficient over all items; NaN where it is not defined.

        Raises:
            TableError: it compares two readers, and there are not two.
        """
        parts, index = self._distinct(ratings)
        return self._total(parts, index, ratings.labels)

    def measure(
        self,
        ratings: Ratings,
        subject: str = "all",
        *,
        level: float = 0.95,
        replicates: int = 2000,
        seed: int = 0,
    ) -> Measure:
        """The same with an interval from drawing cases.

        Args:
            ratings: who called what what.
            subject: what it is about, `class tumor`.
            level: of the interval.
            replicates: how many times cases are drawn.
            seed: decides the draws.

        Raises:
            TableError: it compares two readers, and there are not two.
        """
        parts, index = self._distinct(ratings)
        value = self._total(parts, index, ratings.labels)
        sums, counts = _by_case(parts, index, ratings.cases)
        ends = None
        if np.isfinite(value):
            ends = bootstrap(
                sums,
                partial(self.statistic, labels=ratings.labels),
                counts=counts,
                replicates=replicates,
                level=level,
                seed=seed,
            )
        compared = ratings.seen.sum(axis=1) > 1
        how = f"{self.method}; cases drawn {replicates} times" if ends else self.method
        return Measure(
            self.name,
            subject,
            value,
            low=ends[0] if ends else None,
            high=ends[1] if ends else None,
            level=level,
            n=int(compared.sum()),
            clusters=len(np.unique(ratings.cases[compared])),
            method=how if np.isfinite(value) else f"{self.method}; undefined: {self.undefined}",
        )

    def _distinct(self, ratings: Ratings) -> tuple[Floats, Whole]:
        if self.pairs and len(ratings.readers) != 2:
            raise TableError(
                f"{self.name} compares two readers. Got {len(ratings.readers)}: choose two with "
                "`Ratings.of`, or take the mean of all pairs."
            )
        first, index = distinct(ratings)
        return self.parts(ratings.take(first)), index

    def _total(self, parts: Floats, index: Whole, labels: tuple[str, ...]) -> float:
        sums = np.bincount(index, minlength=len(parts)) @ parts
        return float(self.statistic(sums[None], labels)[0])


def distinct(ratings: Ratings) -> tuple[Whole, Whole]:
    """The items whose rows of codes differ.

    Returns:
        (U,) one item of each pattern, and (N,) which pattern each item has.
    """
    base = len(ratings.labels) + 1
    if base ** len(ratings.readers) > np.iinfo(np.int64).max:
        _, first, index = np.unique(ratings.codes, axis=0, return_index=True, return_inverse=True)
        return first, index.reshape(-1)
    pattern = np.zeros(len(ratings), np.int64)
    for column in ratings.codes.T:
        pattern *= base
        pattern += column
        pattern += 1
    cells = base ** len(ratings.readers)
    if cells > max(_CELLS, len(ratings)):
        _, first, index = np.unique(pattern, return_index=True, return_inverse=True)
        return first, index
    example = np.full(cells, -1)
    example[pattern] = np.arange(len(ratings))
    known = np.flatnonzero(example >= 0)
    place = np.empty(cells, np.int64)
    place[known] = np.arange(len(known))
    return example[known], place[pattern]


def _by_case(parts: Floats, index: Whole, cases: Whole) -> tuple[Floats, Whole | None]:
    """Sums of each case; or, where each item is a case, the patterns and their counts."""
    _, case = np.unique(cases, return_inverse=True)
    count = int(case.max()) + 1 if len(case) else 0
    if count == len(cases):
        return parts, np.bincount(index, minlength=len(parts))
    often = csr_array((np.ones(len(case)), (case, index)), shape=(count, len(parts)))
    return np.asarray(often @ parts), None


def ratio(above: Floats, below: Floats) -> Floats:
    """Their quotient; NaN where there is nothing to divide by."""
    ok = below > 0
    found: Floats = np.divide(above, below, out=np.full(below.shape, np.nan), where=ok)
    return found


def seen_by_both(ratings: Ratings) -> npt.NDArray[np.bool_]:
    """(N,) the items that the first two readers judged."""
    both: npt.NDArray[np.bool_] = (ratings.codes[:, :2] != MISSING).all(axis=1)
    return both
