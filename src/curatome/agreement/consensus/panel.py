"""The expert panel: two blinded reads, a third decides where they differ; candidates are judged.

As MIDOG did (Aubreville et al. 2023, 10.1016/j.media.2022.102699): two experts label each object
without seeing the other's label. A model adds candidates that the experts may have missed; they
are judged by the same two, and its own opinion is no vote. Where the two differ, a third decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curatome.agreement.consensus.verdict import Verdict
from curatome.agreement.ratings import MISSING, Ratings
from curatome.errors import ProtocolError

AGREED, JUDGED = "two readers", "judge"
WAITS_READ, WAITS_JUDGE = "waits for a read", "waits for the judge"
_WAYS = (AGREED, JUDGED, WAITS_READ, WAITS_JUDGE)


@dataclass(frozen=True)
class Panel:
    """Who reads, and who decides.

    Attributes:
        first: name of one of the two blinded readers.
        second: name of the other.
        judge: name of the third.

    Raises:
        ProtocolError: two of them are the same person.
    """

    first: str
    second: str
    judge: str

    def __post_init__(self) -> None:
        if len({self.first, self.second, self.judge}) < 3:
            raise ProtocolError(
                "a panel needs three different people. "
                f"Got {self.first}, {self.second} and {self.judge}."
            )

    @property
    def members(self) -> tuple[str, str, str]:
        """The two readers and the judge."""
        return self.first, self.second, self.judge


def decide_by_panel(ratings: Ratings, panel: Panel) -> Verdict:
    """The label of the two readers where they agree, else the judge's.

    What the judge says where the two agree, and what anyone else says, is no vote. An item that
    lacks a read has no label yet. The posterior is the share of the panel's votes that count.

    Args:
        ratings: who said what, the panel and perhaps others.
        panel: who reads and who decides.

    Raises:
        TableError: somebody of the panel read nothing at all.
    """
    seated = ratings.of(panel.members)
    first, second, judge = seated.codes.T
    read = (first != MISSING) & (second != MISSING)
    agreed, judged = read & (first == second), read & (first != second) & (judge != MISSING)
    codes = np.where(agreed, first, np.where(judged, judge, MISSING)).astype(np.int16)
    by = np.select([agreed, judged, ~read], [0, 1, 2], 3).astype(np.int8)
    counting = seated.codes.copy()
    counting[agreed, 2] = MISSING
    votes = Ratings(counting, seated.items, seated.readers, seated.labels, seated.cases)
    agreeing = (counting == codes[:, None]).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = agreeing / votes.seen.sum(axis=1)
    return Verdict(votes, codes, np.where(codes == MISSING, np.nan, share), by, _WAYS)


def open_reads(ratings: Ratings, panel: Panel, proposer: str | None = None) -> pa.Table:
    """What the protocol asks for next.

    Args:
        ratings: who said what so far, the panel and perhaps others; a member of the panel may
            not have begun.
        panel: who reads and who decides.
        proposer: the model, or filter, whose candidates the panel judges.

    Returns:
        Columns `item`, `reader` and `reason`: `blinded read` of an object that somebody else of
        the panel marked, `candidate` for one that only the proposer did, `judgement` where the
        two differ.
    """
    columns = {name: ratings.codes[:, k] for k, name in enumerate(ratings.readers)}
    nobody = np.full(len(ratings), MISSING, np.int16)
    first, second, judge = (columns.get(name, nobody) for name in panel.members)
    unseen = (first == MISSING) & (second == MISSING)
    proposed = columns.get(proposer or "", nobody) != MISSING
    wanted: list[tuple[npt.NDArray[np.int64], str, str]] = []
    for name, codes in ((panel.first, first), (panel.second, second)):
        missing = codes == MISSING
        candidate = missing & unseen & proposed
        wanted.append((np.flatnonzero(missing & ~candidate), name, "blinded read"))
        wanted.append((np.flatnonzero(candidate), name, "candidate"))
    differ = (first != MISSING) & (second != MISSING) & (first != second) & (judge == MISSING)
    wanted.append((np.flatnonzero(differ), panel.judge, "judgement"))
    rows = np.concatenate([index for index, _, _ in wanted])
    return pa.table(
        {
            "item": ratings.items.take(pa.array(rows)),
            "reader": pa.array([name for index, name, _ in wanted for _ in index], pa.string()),
            "reason": pa.array([why for index, _, why in wanted for _ in index], pa.string()),
        }
    )
