"""Dawid–Skene against the 1979 paper, a plain implementation, and planted matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.agreement.consensus.dawid_skene import dawid_skene
from curatome.agreement.consensus.majority import majority
from curatome.agreement.consensus.ties import TieRule
from curatome.errors import ProtocolError, TableError
from curatome.phantom.objects import ObjectDesign
from curatome.phantom.readers import Reader
from curatome.phantom.reads_cohort import ReadsDesign, make_reads_cohort

from .simulated import diagonal, judged, ratings_of

# Dawid & Skene 1979 (10.2307/2346806), table 1: fitness of 45 patients for anesthesia, 1 to 4, by
# five observers; the first assessed each form three times (the first three digits).
TABLE = """
1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444 2223343
1111111 2223212 1211111 1112111 1111111 1111111 2222221 2221322 2222222 2222221 2223222 2212222
1111111 1111111 2322222 1111111 1111111 1121121 1111111 3333233 1111111 2222222 2223232 4334343
2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111 2222222
"""
OBSERVERS = ("1", "1", "1", "2", "3", "4", "5")
MARGINALS = (0.40, 0.42, 0.11, 0.07)
# For each observer and true class (row) the share of each response, as printed there.
ERROR_RATES = [
    [[0.89, 0.11, 0, 0], [0.07, 0.88, 0.05, 0], [0, 0.34, 0.66, 0], [0, 0, 0.56, 0.44]],
    [[0.83, 0.17, 0, 0], [0.05, 0.63, 0.31, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
    [[1, 0, 0, 0], [0.11, 0.79, 0.11, 0], [0, 0.40, 0.20, 0.40], [0, 0, 0.67, 0.33]],
    [[0.94, 0.06, 0, 0], [0.05, 0.84, 0.10, 0], [0, 0, 0.80, 0.20], [0, 0, 0.33, 0.67]],
    [[1, 0, 0, 0], [0.16, 0.73, 0.11, 0], [0, 0.21, 0.79, 0], [0, 0, 0.33, 0.67]],
]


def anesthetists():
    return ratings_of([[int(digit) - 1 for digit in row] for row in TABLE.split()], labels="1234")


def test_the_anesthetists_of_1979():
    found = dawid_skene(anesthetists(), people=OBSERVERS)
    assert found.people == ("1", "2", "3", "4", "5")
    assert found.converged
    assert found.marginals == pytest.approx(MARGINALS, abs=0.0051)
    assert found.confusion == pytest.approx(np.array(ERROR_RATES), abs=0.0051)
    # Patient 2 is called 3 by four of the seven, and is a 4; 7 is a 1 with 0.98; 36 is a 4.
    assert found.verdict().table()["label"].to_pylist()[1] == "4"
    assert found.posterior[6] == pytest.approx([0.98, 0.02, 0, 0], abs=0.0051)
    assert found.verdict().table()["label"].to_pylist()[35] == "4"


def plain(codes, classes, iterations, smoothing=0.0):
    """The paper's formulas 2.3 to 2.5, item by item with products, no logarithms."""
    votes = np.stack([(codes == k).sum(axis=1) for k in range(classes)], axis=1).astype(float)
    posterior = votes / votes.sum(axis=1, keepdims=True)
    for _ in range(iterations + 1):
        prior = posterior.mean(axis=0)
        errors = np.full((codes.shape[1], classes, classes), smoothing)
        for r in range(codes.shape[1]):
            for label in range(classes):
                errors[r, :, label] += posterior[codes[:, r] == label].sum(axis=0)
        errors = np.maximum(errors, 1e-10)
        errors /= errors.sum(axis=2, keepdims=True)
        last = posterior
        posterior = np.tile(prior, (len(codes), 1))
        for i in range(len(codes)):
            for r in range(codes.shape[1]):
                if codes[i, r] >= 0:
                    posterior[i] *= errors[r, :, codes[i, r]]
        likelihood = np.log(posterior.sum(axis=1)).sum()
        posterior /= posterior.sum(axis=1, keepdims=True)
    return last, prior, errors, likelihood


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_equals_the_papers_formulas_item_by_item(smoothing):
    truth = np.random.default_rng(1).integers(0, 3, 300)
    codes = judged(truth, diagonal(3, 0.7, 4), seed=2, missing=0.3)
    codes = codes[(codes >= 0).any(axis=1)]
    found = dawid_skene(ratings_of(codes), iterations=12, tolerance=-1, smoothing=smoothing)
    posterior, prior, errors, _ = plain(codes, 3, 12, smoothing)
    assert found.posterior == pytest.approx(posterior, abs=1e-9)
    assert found.marginals == pytest.approx(prior, abs=1e-9)
    assert found.confusion == pytest.approx(errors, abs=1e-9)
    likelihood = plain(codes, 3, 11, smoothing)[3]
    assert found.log_likelihood[-1] == pytest.approx(likelihood, rel=1e-12)
    assert len(found.log_likelihood) == 12
    assert not found.converged


@settings(max_examples=30)
@given(st.integers(2, 4), st.integers(2, 5), st.integers(0, 999))
def test_every_iteration_is_likelier_and_probabilities_add_up(classes, readers, seed):
    truth = np.random.default_rng(seed).integers(0, classes, 60)
    codes = judged(truth, diagonal(classes, 0.6, readers), seed, missing=0.2)
    found = dawid_skene(ratings_of(codes), iterations=50)
    assert (np.diff(found.log_likelihood) > -1e-9).all()
    assert found.posterior.sum(axis=1) == pytest.approx(1)
    assert found.confusion.sum(axis=2) == pytest.approx(1)
    assert found.marginals.sum() == pytest.approx(1)


def test_order_of_items_and_readers_does_not_matter():
    truth = np.random.default_rng(5).integers(0, 3, 500)
    codes = judged(truth, diagonal(3, 0.65, 5), seed=6)
    one = dawid_skene(ratings_of(codes))
    items = np.random.default_rng(7).permutation(500)
    other = dawid_skene(ratings_of(codes[items][:, ::-1]))
    assert other.posterior == pytest.approx(one.posterior[items], abs=1e-6)
    assert other.confusion[::-1] == pytest.approx(one.confusion, abs=1e-6)


def test_many_readers_do_not_underflow():
    truth = np.arange(200) % 2
    codes = judged(truth, diagonal(2, 0.6, 1500), seed=1)
    found = dawid_skene(ratings_of(codes))
    assert np.isfinite(found.log_likelihood).all()
    assert np.array_equal(found.verdict().codes, truth)


def test_an_item_nobody_judged_changes_nothing_and_gets_no_label():
    codes = [[0, 0, 1], [1, 1, 1], [0, 0, 0], [0, 1, 1]]
    alone = dawid_skene(ratings_of(codes))
    found = dawid_skene(ratings_of([*codes, [-1, -1, -1]]))
    assert found.marginals == pytest.approx(alone.marginals)
    assert found.confusion == pytest.approx(alone.confusion)
    assert found.verdict().codes[-1] == -1
    assert found.verdict().table()["decided_by"].to_pylist()[-1] == "nobody"


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(TableError, match="nobody judged anything"):
        dawid_skene(ratings_of([[-1, -1]]))
    with pytest.raises(TableError, match="2 people for 3 readers"):
        dawid_skene(ratings_of([[0, 1, 1]]), people=("ann", "joe"))
    with pytest.raises(ProtocolError, match="must not be negative"):
        dawid_skene(ratings_of([[0, 1, 1]]), smoothing=-1)


CLASSES = ObjectDesign().classes
MATRICES = (
    ((0.90, 0.02, 0.06, 0.02), (0.01, 0.95, 0.03, 0.01), (0.08, 0.07, 0.84, 0.01),
     (0.25, 0.05, 0.02, 0.68)),
    ((0.75, 0.10, 0.10, 0.05), (0.05, 0.85, 0.05, 0.05), (0.15, 0.05, 0.70, 0.10),
     (0.10, 0.10, 0.10, 0.70)),
    ((0.60, 0.20, 0.10, 0.10), (0.10, 0.70, 0.10, 0.10), (0.05, 0.15, 0.75, 0.05),
     (0.05, 0.05, 0.10, 0.80)),
    ((0.80, 0.05, 0.10, 0.05), (0.15, 0.65, 0.10, 0.10), (0.10, 0.10, 0.60, 0.20),
     (0.20, 0.05, 0.05, 0.70)),
    ((0.70, 0.10, 0.10, 0.10), (0.02, 0.90, 0.04, 0.04), (0.20, 0.10, 0.65, 0.05),
     (0.05, 0.15, 0.10, 0.70)),
)  # fmt: skip


def phantom(seed, cases=208):
    """Reads of the phantom as ratings, with the true class of each item."""
    design = ObjectDesign(cases=cases, objects_per_slide=100, frequencies=(0.25,) * 4)
    readers = tuple(
        Reader(f"r{k}", CLASSES, (0.1,) * 4, matrix) for k, matrix in enumerate(MATRICES)
    )
    cohort = make_reads_cohort(ReadsDesign(design, readers), seed)
    truth = np.array([CLASSES.index(one) for one in cohort.objects["class"].to_pylist()])
    codes = np.full((len(truth), len(readers)), -1, np.int16)
    marks = cohort.reads.filter(cohort.reads["item"].is_valid()).to_pydict()
    for item, reader, label in zip(marks["item"], marks["reader"], marks["label"], strict=True):
        codes[item, int(reader[1:])] = CLASSES.index(label)
    return ratings_of(codes), truth


def test_planted_matrices_come_back_within_three_hundredths():
    """5,000 items per true class, a tenth missed by each of five readers."""
    votes, truth = phantom(seed=3)
    assert np.bincount(truth).min() >= 5000
    found = dawid_skene(votes)
    assert np.abs(found.confusion - np.array(MATRICES)).max() < 0.03
    assert found.marginals == pytest.approx([0.25] * 4, abs=0.03)


def test_consensus_beats_the_best_reader_and_the_majority():
    votes, truth = phantom(seed=4, cases=80)
    seen = votes.seen.all(axis=1)
    votes, truth = votes.take(seen), truth[seen]
    best = (votes.codes == truth[:, None]).mean(axis=0).max()
    plain_votes = (majority(votes, TieRule("first")).codes == truth).mean()
    found = (dawid_skene(votes).verdict().codes == truth).mean()
    assert found > plain_votes > best
    assert found > best + 0.03


def test_skill_is_the_chance_of_the_right_label():
    truth = np.arange(30_000) % 3
    rights = (0.9, 0.8, 0.7, 0.6)
    confusion = np.concatenate([diagonal(3, right, 1) for right in rights])
    found = dawid_skene(ratings_of(judged(truth, confusion, seed=8))).skill
    assert list(found.values()) == pytest.approx(rights, abs=0.015)
