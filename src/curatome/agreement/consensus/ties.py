"""What happens when several labels have the most votes. A rule is declared, never implied."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from curatome.agreement.consensus.verdict import Floats, Verdict, unanimous
from curatome.agreement.ratings import MISSING, Codes, Ratings
from curatome.errors import ProtocolError, TableError

Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NOBODY, UNANIMOUS, UNRESOLVED = "nobody", "unanimous", "tie, unresolved"
_ALIKE = 1e-9


@dataclass(frozen=True)
class TieRule:
    """How a tie ends.

    Attributes:
        how: `unresolved` leaves the item without a label; `first` takes the tied label that comes
            first in the order of the labels; `senior` takes what the senior reader said, if that
            is one of the tied labels; `random` draws one of them, decided by the seed and the
            item's name, so that other items do not matter.
        senior: name of the senior reader.
        seed: of the draw.

    Raises:
        ProtocolError: the rule is unknown, or lacks its senior reader.
    """

    how: Literal["unresolved", "first", "senior", "random"] = "unresolved"
    senior: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.how not in ("unresolved", "first", "senior", "random"):
            raise ProtocolError(
                f'tie rule "{self.how}" is none of unresolved, first, senior and random.'
            )
        if (self.how == "senior") != (self.senior is not None):
            raise ProtocolError("the tie rule senior, and no other, names a senior reader.")

    @property
    def way(self) -> str:
        """What `decided_by` says of a tie that was broken."""
        named = {"first": "first label", "senior": f"senior {self.senior}", "random": "random"}
        return f"tie, {named.get(self.how, 'unresolved')}"


def decide(ratings: Ratings, scores: Floats | Whole, name: str, ties: TieRule) -> Verdict:
    """The label with the highest score of each item.

    Args:
        ratings: what the scores come from.
        scores: (N, K), at least 0, of each label; the posterior is a label's share of them.
        name: what `decided_by` says where the highest score stands alone.
        ties: what happens where it does not.

    Raises:
        TableError: the senior reader read nothing.
    """
    total = scores.sum(axis=1)
    top = scores.max(axis=1, initial=0)
    leading = (scores >= (top - _ALIKE * np.abs(top))[:, None]) & (total > 0)[:, None]
    tied = leading.sum(axis=1) > 1
    codes = np.where(total > 0, leading.argmax(axis=1), MISSING).astype(np.int16)
    rows = np.flatnonzero(tied)
    codes[rows] = _broken(ratings, leading, rows, ties)
    ways = (name, UNANIMOUS, NOBODY, UNRESOLVED, ties.way)
    by = np.zeros(len(ratings), np.int8)
    by[unanimous(ratings, codes)] = 1
    by[total <= 0] = 2
    by[rows] = np.where(codes[rows] == MISSING, 3, 4)
    with np.errstate(invalid="ignore"):
        share = scores[np.arange(len(codes)), np.maximum(codes, 0)] / total
    return Verdict(ratings, codes, np.where(codes == MISSING, np.nan, share), by, ways)


def _broken(ratings: Ratings, leading: Flags, rows: Whole, ties: TieRule) -> Codes | int:
    """(T,) codes of the rows that are tied."""
    if ties.how == "first":
        return np.asarray(leading[rows].argmax(axis=1), np.int16)
    if ties.how == "senior":
        if ties.senior not in ratings.readers:
            raise TableError(
                f"the senior reader {ties.senior} is none of {', '.join(ratings.readers)}."
            )
        said = ratings.codes[rows, ratings.readers.index(ties.senior)]
        return np.where((said >= 0) & leading[rows, np.maximum(said, 0)], said, MISSING)
    if ties.how == "random":
        drawn = [_drawn(f"{ties.seed} {ratings.items[int(row)]}") for row in rows]
        place = (np.array(drawn, np.float64) * leading[rows].sum(axis=1)).astype(np.int64)
        # The label at that place among the tied ones.
        at = leading[rows].cumsum(axis=1) > place[:, None]
        return np.asarray(at.argmax(axis=1), np.int16)
    return MISSING


def _drawn(name: str) -> float:
    """A number from 0 to 1, the same for one name for ever."""
    digest = hashlib.blake2b(name.encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48
