"""Cohen's κ against printed tables, scikit-learn and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from curatome.agreement.coefficients import cohen_kappa
from curatome.errors import TableError
from tests.agreement.coefficients import made


def of_table(table):
    """Two readers whose table of counts this is."""
    rows = [
        [one, other]
        for one in range(len(table))
        for other in range(len(table))
        for _ in range(table[one][other])
    ]
    return made.made(rows, list(range(len(table))))


def test_cohen_1960():
    """Table 1: 200 patients, κ = .492 (agreement .70, chance .41)."""
    table = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
    assert round(cohen_kappa().value(of_table(table)), 3) == 0.492


def test_weights_of_two_labels_are_all_the_same():
    """By hand: agreement 35 / 50, chance (25 * 30 + 25 * 20) / 2500, κ = .4."""
    table = [[20, 5], [10, 15]]
    for kind in ("identity", "linear", "quadratic"):
        assert cohen_kappa(kind).value(of_table(table)) == pytest.approx(0.4, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("kind", "name"), [("identity", None), ("linear", "linear"), ("quadratic", "quadratic")]
)
def test_scikit_learn_and_statsmodels(seed, kind, name):
    ratings = made.random(seed, items=80, readers=2)
    both = ratings.codes[(ratings.codes >= 0).all(axis=1)]
    found = cohen_kappa(kind).value(ratings)
    labels = list(range(4))
    sklearn = cohen_kappa_score(both[:, 0], both[:, 1], labels=labels, weights=name)
    table = np.zeros((4, 4))
    np.add.at(table, (both[:, 0], both[:, 1]), 1)
    statsmodels = cohens_kappa(table, wt={"identity": None}.get(kind, kind), return_results=False)
    assert found == pytest.approx(sklearn, abs=1e-9)
    assert found == pytest.approx(float(statsmodels), abs=1e-9)


def test_what_is_not_defined_is_no_number_and_says_why():
    for kind in ("identity", "linear", "quadratic", "ordinal"):
        for ratings in (made.constant(2), made.apart(2)):
            measure = cohen_kappa(kind).measure(ratings)
            assert np.isnan(measure.value)
            assert "undefined: the two judged no item in common" in measure.method


def test_one_who_never_varies_has_no_more_than_chance():
    ratings = made.made([["1", "1"], ["1", "2"], ["1", "1"]], ["1", "2"])
    assert cohen_kappa().value(ratings) == 0.0


def test_two_readers_and_no_more():
    with pytest.raises(TableError, match=r"compares two readers\. Got 3"):
        cohen_kappa().value(made.random(0, readers=3))
    with pytest.raises(TableError, match='weights "cubic" are none of identity'):
        cohen_kappa("cubic").value(made.random(0, readers=2))
