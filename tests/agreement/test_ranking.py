"""Ranked candidates: curves by hand, scikit-learn's average precision, intervals over cases."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from curatome.agreement.ranking import (
    average_precision,
    free_response,
    measure_average_precision,
    measure_sensitivity,
    ranking,
)
from curatome.errors import TableError

SCORE = np.array([0.2, 0.9, 0.6, 0.6, 0.4])
HIT = np.array([True, True, True, False, False])
CASE = ["B", "A", "A", "B", "A"]
OBJECTS = ["A", "A", "B", "B"]  # one of B is never hit


def test_by_hand():
    """Precision 1, 2/3, 2/5 at the scores that hit; one object of four each, the last never."""
    ranked = ranking(SCORE, HIT, CASE, OBJECTS)
    assert average_precision(ranked) == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)
    false, sensitivity, score = free_response(ranked, area_mm2=2.0)
    assert score.tolist() == [0.9, 0.6, 0.4, 0.2]
    assert false.tolist() == [0.0, 0.5, 1.0, 1.0]
    assert sensitivity.tolist() == [0.25, 0.5, 0.5, 0.75]


@pytest.mark.parametrize("digits", [1, 3, 9])
def test_equals_scikit_learn_where_all_objects_are_candidates(digits):
    rng = np.random.default_rng(digits)
    hit = rng.random(500) < 0.3
    score = (hit + rng.normal(0, 1, 500)).round(digits)
    ranked = ranking(score, hit, np.zeros(500), np.zeros(hit.sum()))
    assert average_precision(ranked) == pytest.approx(average_precision_score(hit, score))


def test_the_order_of_equal_scores_does_not_matter():
    one = ranking(np.ones(4), np.array([True, False, True, False]), [1] * 4, [1] * 2)
    other = ranking(np.ones(4), np.array([False, False, True, True]), [1] * 4, [1] * 2)
    assert average_precision(one) == average_precision(other) == 0.5


def test_without_candidates_and_without_objects():
    assert average_precision(ranking(np.empty(0), np.empty(0, bool), [], ["A"])) == 0.0
    nothing = ranking(np.ones(1), np.zeros(1, bool), ["A"], [])
    assert np.isnan(average_precision(nothing))


def test_intervals_draw_cases_as_wholes():
    """Draws written out: all candidates and objects of a case, as often as it is drawn."""
    rng = np.random.default_rng(3)
    case = np.repeat(np.arange(12), 30)
    hit = rng.random(360) < np.repeat(rng.uniform(0.1, 0.9, 12), 30)
    score = hit + rng.normal(0, 1, 360)
    ranked = ranking(score, hit, case, np.append(case[hit], np.arange(12)))
    made = measure_average_precision(ranked, "class tumor", replicates=1000)
    values = []
    for _ in range(1000):
        rows = [np.flatnonzero(case == c) for c in rng.integers(0, 12, 12)]
        rows = np.concatenate(rows)
        found = hit[rows].sum()
        share = found / (found + 12)  # one object of each case is never hit
        values.append(share * average_precision_score(hit[rows], score[rows]))
    assert made.value == pytest.approx(average_precision(ranked))
    assert (made.low, made.high) == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.03)
    assert (made.subject, made.clusters, made.n) == ("class tumor", 12, hit.sum() + 12)


def test_sensitivity_at_a_rate_of_false_positives():
    ranked = ranking(SCORE, HIT, CASE, OBJECTS)
    for rate, value in ((0.0, 0.25), (0.49, 0.25), (0.5, 0.5), (1.0, 0.75), (9.0, 0.75)):
        made = measure_sensitivity(ranked, [1.5, 0.5], rate, replicates=20)
        assert made.value == value
    assert made.name == "sensitivity_at_9_false_positives_per_mm2"
    with pytest.raises(TableError, match="2 cases, but 1 areas"):
        measure_sensitivity(ranked, [1.0], 1.0)


def test_what_cannot_be_ranked_is_refused():
    with pytest.raises(TableError, match="case B has more hits than objects"):
        ranking(SCORE, HIT, CASE, ["A", "A"])
    with pytest.raises(TableError, match="row 1 has no score"):
        ranking(np.array([np.nan]), np.ones(1, bool), ["A"], ["A"])
