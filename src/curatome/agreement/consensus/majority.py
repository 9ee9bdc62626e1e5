"""Majority: the label that most readers gave."""

from __future__ import annotations

from curatome.agreement.consensus.ties import TieRule, decide
from curatome.agreement.consensus.verdict import Verdict
from curatome.agreement.ratings import Ratings


def majority(ratings: Ratings, ties: TieRule | None = None) -> Verdict:
    """The label with the most votes of each item; a relative majority is enough.

    The posterior is the share of the votes, not a probability: five readers who copy each other
    are as sure as five who do not.

    Args:
        ratings: who said what.
        ties: what happens when several labels have the most votes; left unresolved by default.

    Raises:
        TableError: the senior reader of the tie rule read nothing.
    """
    return decide(ratings, ratings.counts(), "majority", ties or TieRule())
