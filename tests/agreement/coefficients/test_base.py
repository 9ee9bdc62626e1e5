"""Patterns, intervals from cases, and what classes, domains and readers get."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.agreement.coefficients import (
    by_class,
    by_domain,
    by_label,
    by_pair,
    by_reader,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    of_pairs,
    percent_agreement,
    positive_agreement,
)
from curatome.agreement.coefficients.base import distinct
from curatome.agreement.ratings import MISSING
from curatome.errors import TableError
from tests.agreement.coefficients import made

ALL = [
    percent_agreement(),
    fleiss_kappa(),
    gwet_ac(),
    krippendorff_alpha(),
    krippendorff_alpha("ordinal"),
    krippendorff_alpha("interval"),
    positive_agreement("1"),
    of_pairs(cohen_kappa()),
]
NAMES = [one.name for one in ALL]


@pytest.mark.parametrize(("items", "readers"), [(300, 3), (40, 12), (40, 40)])
def test_patterns_stand_for_all_items(items, readers):
    """Counted, sorted by one number, and sorted as rows where no number holds them."""
    ratings = made.random(1, items=items, readers=readers, labels=3)
    first, index = distinct(ratings)
    assert (ratings.codes[first][index] == ratings.codes).all()
    assert len(first) == len(np.unique(ratings.codes, axis=0))


@pytest.mark.parametrize("coefficient", ALL, ids=NAMES)
def test_the_interval_is_that_of_cases_drawn_one_by_one(coefficient):
    ratings = made.random(5, items=120)
    rng = np.random.default_rng(8)
    values = []
    for _ in range(400):
        drawn = rng.integers(0, 12, 12)
        values.append(coefficient.value(ratings.take(np.concatenate(
            [np.flatnonzero(ratings.cases == one) for one in drawn]))))  # fmt: skip
    measure = coefficient.measure(ratings)
    assert (measure.n, measure.clusters) == ((ratings.seen.sum(axis=1) > 1).sum(), 12)
    spread = np.std(values)
    low, high = np.quantile(values, [0.025, 0.975])
    assert measure.low == pytest.approx(low, abs=0.5 * spread)
    assert measure.high == pytest.approx(high, abs=0.5 * spread)
    assert measure.low < coefficient.value(ratings) < measure.high


@pytest.mark.parametrize("coefficient", ALL, ids=NAMES)
def test_order_of_items_and_of_readers_does_not_matter(coefficient):
    ratings = made.random(9)
    turned = ratings.take(np.random.default_rng(0).permutation(len(ratings)))
    turned = turned.of(turned.readers[::-1])
    assert coefficient.value(turned) == pytest.approx(coefficient.value(ratings), abs=1e-12)


@pytest.mark.parametrize("coefficient", ALL, ids=NAMES)
def test_nothing_at_all_is_no_number(coefficient):
    ratings = made.random(9).take(np.empty(0, np.int64))
    measure = coefficient.measure(ratings)
    assert np.isnan(measure.value)
    assert (measure.n, measure.clusters, measure.low) == (0, 0, None)


@pytest.mark.parametrize("coefficient", ALL, ids=NAMES)
def test_one_case_has_a_value_and_no_interval(coefficient):
    ratings = made.random(9).take(np.arange(10))
    measure = coefficient.measure(ratings)
    assert np.isfinite(measure.value)
    assert (measure.low, measure.high, measure.clusters) == (None, None, 1)


def test_items_that_are_cases_have_the_interval_of_cases():
    """The same items as patterns that are counted, and as cases with two items, one unseen."""
    alone = made.random(2, items=200, missing=0.0)
    codes = np.concatenate([alone.codes, np.full_like(alone.codes, MISSING)])
    rows = [[None if one < 0 else str(one + 1) for one in row] for row in codes]
    padded = made.made(rows, list(alone.labels), np.tile(np.arange(200), 2))
    alone = made.made(rows[:200], list(alone.labels))
    one, other = (krippendorff_alpha().measure(each) for each in (alone, padded))
    assert one.value == pytest.approx(other.value, abs=1e-12)
    assert one.clusters == other.clusters == 200
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.01)


def test_classes_are_each_against_the_rest():
    ratings = made.random(3)
    found = by_class(krippendorff_alpha(), ratings)
    assert [one.subject for one in found] == [f"class {k}" for k in "1234"]
    assert found[1].value == krippendorff_alpha().value(ratings.binary("2"))
    found = by_label(positive_agreement, ratings)
    assert found[2].value == positive_agreement("3").value(ratings)
    assert found[2].subject == "class 3"


def test_domains():
    ratings = made.random(3)
    domains = [None, "lung", "breast"] * 20
    found = by_domain(fleiss_kappa(), ratings, domains)
    assert [one.subject for one in found] == ["domain breast", "domain lung"]
    assert found[1].value == fleiss_kappa().value(ratings.take(np.arange(1, 60, 3)))
    with pytest.raises(TableError, match="1 domains for 60 items"):
        by_domain(fleiss_kappa(), ratings, ["lung"])


def test_readers_and_pairs():
    ratings = made.random(3, readers=3)
    pairs = by_pair(cohen_kappa(), ratings)
    assert [one.subject for one in pairs] == [
        "readers R1 and R2",
        "readers R1 and R3",
        "readers R2 and R3",
    ]
    found = by_reader(cohen_kappa(), ratings)
    assert [one.subject for one in found] == ["reader R1", "reader R2", "reader R3"]
    kappas = [one.value for one in pairs]
    assert found[1].value == pytest.approx((kappas[0] + kappas[2]) / 2, abs=1e-12)
    assert of_pairs(cohen_kappa()).value(ratings) == pytest.approx(np.mean(kappas), abs=1e-12)


def test_a_reader_alone_agrees_with_nobody():
    ratings = made.random(3, readers=1)
    for measure in by_reader(cohen_kappa(), ratings):
        assert np.isnan(measure.value)
        assert "of no two readers" in measure.method
    assert by_pair(cohen_kappa(), ratings) == []
