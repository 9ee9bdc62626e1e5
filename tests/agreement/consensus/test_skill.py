"""Skill by hand, against the known truth, and intervals that hold it as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.agreement.consensus.dawid_skene import dawid_skene
from curatome.agreement.consensus.skill import Draws, confusion_counts, skill_against, skill_of
from curatome.errors import TableError

from .simulated import diagonal, judged, ratings_of


def by_subject(measures):
    return {(one.name, one.subject): one for one in measures}


def test_counts_and_shares_by_hand():
    votes = ratings_of([[0, 1], [1, 1], [0, -1], [1, 0], [1, 1]], cases=np.array([0, 0, 1, 1, 2]))
    reference = np.array([0, 0, 0, 1, -1], np.int16)
    counts = confusion_counts(votes, reference)
    assert counts.tolist() == [[[2, 1], [0, 1]], [[0, 2], [1, 0]]]
    found = by_subject(skill_against(votes, reference))
    skill = found["skill", "reader r1"]
    assert (skill.value, skill.n, skill.clusters) == (3 / 4, 4, 3)
    cell = found["confusion", "reader r1, class a called b"]
    assert (cell.value, cell.n) == (pytest.approx(1 / 3), 3)
    assert found["skill", "reader r2"].value == 0
    assert 0 <= skill.low <= skill.value <= skill.high <= 1


def test_classes_without_an_item_have_no_measure():
    votes = ratings_of([[0], [2]])
    found = by_subject(skill_against(votes, np.array([0, 0], np.int16)))
    assert {subject for _, subject in found} == {
        "reader r1", "reader r1, class a called a", "reader r1, class a called b",
        "reader r1, class a called c",
    }  # fmt: skip


def test_one_case_has_no_interval():
    votes = ratings_of([[0, 0], [1, 1], [1, 0]], cases=np.zeros(3, np.int64))
    reference = np.array([0, 1, 1], np.int16)
    assert all(one.low is None for one in skill_against(votes, reference))
    assert all(one.low is None for one in skill_of(dawid_skene(votes)))


def test_the_interval_is_that_of_cases():
    """20 cases of 50 items each judged alike: as wide as for 20 items."""
    right = np.random.default_rng(1).random(20) < 0.5
    codes = np.repeat(right, 50)[:, None].astype(np.int16)
    votes = ratings_of(codes, cases=np.repeat(np.arange(20), 50))
    one = skill_against(votes, np.ones(1000, np.int16), Draws(4000))[0]
    half = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 20)
    assert one.high - one.low == pytest.approx(2 * half, rel=0.1)


def test_without_a_reference_skill_is_the_models():
    truth = np.arange(4000) % 2
    confusion = np.concatenate([diagonal(2, right, 1) for right in (0.9, 0.8, 0.7)])
    model = dawid_skene(ratings_of(judged(truth, confusion, seed=2)))
    found = by_subject(skill_of(model, Draws(100)))
    for reader, skill in model.skill.items():
        one = found["skill", f"reader {reader}"]
        assert one.value == pytest.approx(skill)
        assert one.low < one.value < one.high
        assert one.n == 4000
    cell = found["confusion", "reader r1, class a called b"]
    assert cell.value == pytest.approx(model.confusion[0, 0, 1])
    assert cell.n == round(4000 * model.marginals[0])


def test_repeat_reads_share_a_reader():
    truth = np.arange(600) % 2
    codes = judged(truth, diagonal(2, 0.8, 4), seed=3)
    model = dawid_skene(ratings_of(codes), people=("ann", "ann", "joe", "eve"))
    found = by_subject(skill_of(model, Draws(50)))
    assert found["skill", "reader ann"].n == 1200
    assert len([subject for name, subject in found if name == "skill"]) == 3


def test_a_reference_of_other_items_is_refused():
    with pytest.raises(TableError, match="reference of 2 items for ratings of 3"):
        skill_against(ratings_of([[0], [1], [1]]), np.array([0, 1], np.int16))


@pytest.mark.acceptance
def test_intervals_of_the_latent_model_cover_what_is_planted():
    """1,000 cohorts of 100 cases of 10 items by four readers."""
    rights = np.array([0.9, 0.8, 0.75, 0.7])
    confusion = np.concatenate([diagonal(2, right, 1) for right in rights])
    hits = np.zeros(4)
    for seed in range(1000):
        truth = np.random.default_rng([seed, 1]).integers(0, 2, 1000)
        votes = ratings_of(judged(truth, confusion, seed), cases=np.repeat(np.arange(100), 10))
        found = by_subject(skill_of(dawid_skene(votes), Draws(seed=seed)))
        for r, right in enumerate(rights):
            one = found["skill", f"reader r{r + 1}"]
            hits[r] += one.low <= right <= one.high
    assert (hits / 1000 >= 0.93).all(), hits
    assert (hits / 1000 <= 0.97).all(), hits
