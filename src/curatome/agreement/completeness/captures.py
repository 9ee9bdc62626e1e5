"""Which reader found which object: what every estimate of missed objects starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curatome.agreement.matching.reads import NOTHING
from curatome.agreement.ratings import Ratings
from curatome.errors import TableError

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_MOST_READERS = 12


@dataclass(frozen=True, eq=False)
class Captures:
    """N objects that somebody found, R readers.

    Attributes:
        found: (N, R) who found what; each object by at least one reader.
        readers: (R,) names.
        cases: (N,) whole numbers, equal for objects of one case.
        weight: (N,) how probable it is that the object is real, 0 to 1.
    """

    found: Flags
    readers: tuple[str, ...]
    cases: Whole
    weight: Floats

    def __len__(self) -> int:
        return len(self.found)

    @property
    def objects(self) -> float:
        """How many of them are real."""
        return float(self.weight.sum())

    def take(self, rows: Flags) -> Captures:
        """The same with some of the objects."""
        return Captures(self.found[rows], self.readers, self.cases[rows], self.weight[rows])

    def pooled(self, readers: Sequence[str], name: str) -> Captures:
        """Several readers as one, who found what any of them found; the others stay.

        Raises:
            TableError: one of them read nothing.
        """
        columns = [self._column(reader) for reader in readers]
        rest = [k for k in range(len(self.readers)) if k not in columns]
        together = self.found[:, columns].any(axis=1, keepdims=True)
        found = np.concatenate([together, self.found[:, rest]], axis=1)
        names = (name, *(self.readers[k] for k in rest))
        return Captures(found, names, self.cases, self.weight)

    def patterns(self) -> Whole:
        """(N,) who found each object as a number: bit r is set if reader r found it."""
        bits = 1 << np.arange(len(self.readers))
        return np.asarray(self.found @ bits, np.int64)

    def counts(self) -> Floats:
        """(2^R - 1,) objects of each pattern from 1 up; nobody sees the objects of pattern 0."""
        return np.asarray(self._of_patterns(np.zeros(len(self), np.int64), 1)[0])

    def case_counts(self) -> Floats:
        """(C, 2^R - 1): the same for each case."""
        _, case = np.unique(self.cases, return_inverse=True)
        return self._of_patterns(case, int(case.max(initial=-1)) + 1)

    def _of_patterns(self, group: Whole, groups: int) -> Floats:
        width = 1 << len(self.readers)
        cell = group * width + self.patterns()
        sums = np.bincount(cell, self.weight, groups * width)
        return np.asarray(sums, np.float64).reshape(groups, width)[:, 1:]

    def _column(self, reader: str) -> int:
        if reader not in self.readers:
            raise TableError(f'"{reader}" is none of {", ".join(self.readers)}.')
        return self.readers.index(reader)


def captures(
    found: npt.ArrayLike,
    readers: Sequence[str],
    *,
    cases: npt.ArrayLike | None = None,
    weight: npt.ArrayLike | None = None,
) -> Captures:
    """Flags as captures; objects that none of these readers found are left out.

    Only objects that are real may count: a false mark looks like an object that all others
    missed, and makes completeness too low. So give objects that a consensus confirmed, or say
    by `weight` how probable each is: its posterior, or, where only a sample of the marks was
    judged, the share that held true among those alike (found by one reader, by two, …).

    Args:
        found: (N, R) true where a reader found an object.
        readers: (R,) names.
        cases: (N,) the case of each; each object its own if none are known.
        weight: (N,) 0 to 1; 1 for all by default.

    Raises:
        TableError: fewer than two readers, or more than can be told apart, columns of other
            lengths, or a weight that is no probability.
    """
    flags = np.asarray(found, bool)
    if flags.ndim != 2 or flags.shape[1] != len(readers):
        raise TableError(f"found must be (N, {len(readers)}). Got {flags.shape}.")
    if not 2 <= len(readers) <= _MOST_READERS:
        raise TableError(
            f"what everybody missed needs 2 to {_MOST_READERS} readers. Got {len(readers)}. "
            "Count several as one with `pooled`."
        )
    count = len(flags)
    case = np.arange(count) if cases is None else np.unique(cases, return_inverse=True)[1]
    real = np.ones(count) if weight is None else np.asarray(weight, np.float64)
    if len(case) != count or len(real) != count:
        raise TableError(f"cases and weight must fit {count} objects.")
    if not ((real >= 0) & (real <= 1)).all():
        raise TableError("weight must lie between 0 and 1.")
    seen: Flags = np.asarray(flags.any(axis=1))
    out = Captures(flags, tuple(readers), np.asarray(case, np.int64), real)
    return out.take(seen)


def captures_of(ratings: Ratings, weight: npt.ArrayLike | None = None) -> Captures:
    """Labels of matched items as captures: any label but `NOTHING` is a find.

    Items of images that one of the readers did not read are left out.

    Args:
        ratings: of items that are real, with `NOTHING` where a reader marked none.
        weight: (N,) as `captures` takes it.

    Raises:
        TableError: as `captures`.
    """
    nothing = ratings.labels.index(NOTHING) if NOTHING in ratings.labels else -2
    all_read = ratings.seen.all(axis=1)
    found = (ratings.codes != nothing)[all_read]
    real = None if weight is None else np.asarray(weight, np.float64)[all_read]
    return captures(found, ratings.readers, cases=ratings.cases[all_read], weight=real)
