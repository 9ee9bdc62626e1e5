"""What a consensus says about each item: the label, how sure, who disagreed, and what decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curatome.agreement.ratings import MISSING, Codes, Ratings
from curatome.tables import CONSENSUS

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Verdict:
    """One label per item, or none.

    Attributes:
        ratings: what was decided from.
        codes: (N,) int16, index into the ratings' labels, or MISSING where nothing was decided.
        posterior: (N,) of the label: a probability where a model gives one, else the share of
            the votes; NaN without a label.
        decided_by: (N,) int8, index into `ways`.
        ways: what may have decided.
    """

    ratings: Ratings
    codes: Codes
    posterior: Floats
    decided_by: npt.NDArray[np.int8]
    ways: tuple[str, ...]

    @property
    def dissent(self) -> Flags:
        """(N, R): who judged an item and did not say what was decided."""
        other: Flags = self.ratings.seen & (self.ratings.codes != self.codes[:, None])
        return other

    def table(self) -> pa.Table:
        """The table `tables.CONSENSUS`, one row per item."""
        dissent, seen = self.dissent, self.ratings.seen.sum(axis=1, dtype=np.int32)
        return CONSENSUS.from_columns(
            {
                "item": self.ratings.items.cast(pa.string()),
                "label": _named(self.codes, self.ratings.labels),
                "posterior": pa.array(self.posterior, from_pandas=True),
                "readers": seen,
                "agreeing": seen - dissent.sum(axis=1, dtype=np.int32),
                "dissenters": names_of(dissent, self.ratings.readers),
                "decided_by": _named(self.decided_by, self.ways),
            }
        )


def names_of(flags: Flags, names: Sequence[str]) -> pa.Array:
    """For each row of flags (N, R) the list of the names whose flag is set."""
    ends = np.concatenate([[0], np.cumsum(flags.sum(axis=1))]).astype(np.int32)
    found = _named(np.nonzero(flags)[1].astype(np.int16), names)
    return pa.ListArray.from_arrays(pa.array(ends), found, type=CONSENSUS.schema.field(5).type)


def unanimous(ratings: Ratings, codes: Codes) -> Flags:
    """(N,): whether all who judged an item gave it its label."""
    label = codes[:, None]
    alike: Flags = (~ratings.seen | (ratings.codes == label)).all(axis=1) & (codes != MISSING)
    return alike


def _named(codes: npt.NDArray[np.signedinteger], names: Sequence[str]) -> pa.Array:
    index = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.array(list(names), pa.string()).take(index)
