"""Weighted votes: by hand, and against the best decision of the known model."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.agreement.consensus.majority import majority
from curatome.agreement.consensus.weighted import agreement_with_majority, weighted
from curatome.errors import TableError

from .simulated import diagonal, judged, ratings_of


def test_skill_is_the_share_of_agreement_with_the_majority():
    # r1 agrees with 3 of 3 majorities, r2 with 2 of 3, r3 with 1 of 2; the tie does not count.
    votes = ratings_of([[0, 0, 1], [1, 1, -1], [1, 0, 1], [0, 1, -1]])
    found = agreement_with_majority(votes)
    assert found == pytest.approx({"r1": 1.0, "r2": 2 / 3, "r3": 1 / 2})


def test_a_skilled_reader_outvotes_two_poor_ones():
    votes = ratings_of([[0, 1, 1], [1, 1, 0]])
    skill = {"r1": 0.9, "r2": 0.4, "r3": 0.4}
    verdict = weighted(votes, skill)
    assert verdict.codes.tolist() == [0, 1]
    assert verdict.posterior == pytest.approx([0.9 / 1.7, 1.3 / 1.7])


def test_log_odds_give_the_probability_by_bayes():
    # Three labels: P(a) ∝ .8 (.3/2) (.1), P(b) ∝ .1 .7 .1, P(c) ∝ .1 .15 .8, by hand.
    votes = ratings_of([[0, 1, 2]])
    skill = {"r1": 0.8, "r2": 0.7, "r3": 0.8}
    a, b, c = 0.8 * 0.15 * 0.1, 0.1 * 0.7 * 0.1, 0.1 * 0.15 * 0.8
    verdict = weighted(votes, skill, by="log_odds")
    assert verdict.codes.tolist() == [-1]  # a and c are alike
    skill["r1"] = 0.9
    a, b, c = 0.9 * 0.15 * 0.1, 0.05 * 0.7 * 0.1, 0.05 * 0.15 * 0.8
    verdict = weighted(votes, skill, by="log_odds")
    assert verdict.codes.tolist() == [0]
    assert verdict.posterior == pytest.approx([a / (a + b + c)])


def test_weights_beat_plain_votes_where_skills_differ():
    truth = np.random.default_rng(3).integers(0, 3, 20_000)
    confusion = np.concatenate([diagonal(3, right, 1) for right in (0.95, 0.55, 0.5, 0.5, 0.5)])
    votes = ratings_of(judged(truth, confusion, 4))
    skill = dict(zip(votes.readers, (0.95, 0.55, 0.5, 0.5, 0.5), strict=True))
    best = (weighted(votes, skill, by="log_odds").codes == truth).mean()
    plain = (majority(votes).codes == truth).mean()
    assert best > 0.95 > plain + 0.1


def test_nobody_gives_no_label():
    for by in ("skill", "log_odds"):
        verdict = weighted(ratings_of([[-1, -1], [1, 1]]), by=by)
        assert verdict.codes.tolist() == [-1, 1]


def test_skills_must_be_there_and_be_shares():
    votes = ratings_of([[0, 1]])
    with pytest.raises(TableError, match="reader r2 has no skill"):
        weighted(votes, {"r1": 0.5})
    with pytest.raises(TableError, match=r"between 0 and 1. Got 1\.5"):
        weighted(votes, {"r1": 0.5, "r2": 1.5})
