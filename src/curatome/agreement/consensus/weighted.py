"""Votes that weigh as much as their reader is skilled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from curatome.agreement.consensus.majority import majority
from curatome.agreement.consensus.ties import TieRule, decide
from curatome.agreement.consensus.verdict import Floats, Verdict
from curatome.agreement.ratings import Ratings
from curatome.errors import TableError

_SURE = 1e-6  # how far from 0 and 1 a skill is kept, so that no reader outvotes all others


def agreement_with_majority(ratings: Ratings) -> dict[str, float]:
    """For each reader the share of judged items where the majority says the same.

    The skill of WAWA, worker agreement with aggregate (Appen's report, 2021; crowd-kit). Items
    without a majority do not count. It is too high for readers whose own vote decides.
    """
    codes = majority(ratings).codes
    counted = ratings.seen & (codes >= 0)[:, None]
    alike = (counted & (ratings.codes == codes[:, None])).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = alike / counted.sum(axis=0)
    return dict(zip(ratings.readers, np.nan_to_num(share).tolist(), strict=True))


def weighted(
    ratings: Ratings,
    skill: Mapping[str, float] | None = None,
    *,
    by: Literal["skill", "log_odds"] = "skill",
    ties: TieRule | None = None,
) -> Verdict:
    """The label with the highest sum of weights.

    By `skill` a vote weighs the reader's skill s, and the posterior is the label's share of all
    weights. By `log_odds` it weighs log((K - 1) s / (1 - s)), which decides best among readers
    who err independently, each wrong label as often (Nitzan & Paroush 1982, 10.2307/2526438);
    the posterior is then the probability under that model with all K labels as frequent.

    Args:
        ratings: who said what.
        skill: share of correct labels of each reader, 0 to 1; the agreement with the majority by
            default.
        by: how skill becomes weight.
        ties: what happens when several labels weigh the most; left unresolved by default.

    Raises:
        TableError: a reader has no skill, or one outside 0 to 1.
    """
    skills = agreement_with_majority(ratings) if skill is None else skill
    values = np.array([_skill_of(reader, skills) for reader in ratings.readers])
    if by == "skill":
        return decide(ratings, _sums(ratings, values), "weighted votes", ties or TieRule())
    values = np.clip(values, _SURE, 1 - _SURE)
    weights = np.log(max(1, len(ratings.labels) - 1) * values / (1 - values))
    sums = _sums(ratings, weights)
    odds = np.exp(sums - sums.max(axis=1, keepdims=True, initial=-np.inf))
    odds[~ratings.seen.any(axis=1)] = 0
    return decide(ratings, odds, "weighted votes", ties or TieRule())


def _sums(ratings: Ratings, weights: Floats) -> Floats:
    """(N, K): the weights of the readers who gave each item each label, added up."""
    sums = np.zeros((len(ratings), len(ratings.labels)))
    for reader, weight in enumerate(weights):
        rows = np.flatnonzero(ratings.seen[:, reader])
        sums[rows, ratings.codes[rows, reader]] += weight
    return sums


def _skill_of(reader: str, skills: Mapping[str, float]) -> float:
    if reader not in skills:
        raise TableError(f"reader {reader} has no skill. Give one for each of the readers.")
    if not 0 <= skills[reader] <= 1:
        raise TableError(
            f"skill of reader {reader} must lie between 0 and 1. Got {skills[reader]}."
        )
    return float(skills[reader])
