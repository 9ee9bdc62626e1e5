"""Krippendorff's α against its paper, the package `krippendorff` and pairs counted one by one."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest

from curatome.agreement.coefficients import krippendorff_alpha
from curatome.agreement.coefficients.krippendorff import KINDS
from curatome.errors import TableError
from tests.agreement.coefficients import made


def oracle(ratings, kind, values):
    table = np.where(ratings.codes.T < 0, np.nan, np.asarray(values, float)[ratings.codes.T])
    return krippendorff.alpha(table, value_domain=values, level_of_measurement=kind)


@pytest.mark.parametrize(
    ("kind", "printed"),
    [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)],
)
def test_the_paper(kind, printed):
    assert round(krippendorff_alpha(kind).value(made.KRIPPENDORFF), 3) == printed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(5))
def test_the_package(kind, seed):
    ratings = made.random(seed, missing=0.1 + 0.1 * seed)
    found = krippendorff_alpha(kind).value(ratings)
    assert found == pytest.approx(oracle(ratings, kind, [1.0, 2.0, 3.0, 4.0]), abs=1e-9)


def test_values_of_labels():
    ratings = made.random(7)
    values = [0.0, 1.0, 10.0, 100.0]
    for kind in ("interval", "ratio"):
        found = krippendorff_alpha(kind, values).value(ratings)
        assert found == pytest.approx(oracle(ratings, kind, values), abs=1e-9)


def test_two_observers_two_values_of_the_paper():
    """Section A: articles 1 to 10, α = 0.095."""
    meg = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    owen = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    ratings = made.made(list(zip(meg, owen, strict=True)), [0, 1])
    assert round(krippendorff_alpha().value(ratings), 3) == 0.095


def test_ordinal_is_nominal_with_two_labels():
    ratings = made.random(3, labels=2)
    nominal, ordinal = (krippendorff_alpha(kind).value(ratings) for kind in ("nominal", "ordinal"))
    assert nominal == pytest.approx(ordinal, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_defined_is_no_number_and_says_why(kind):
    for ratings in (made.constant(), made.apart()):
        measure = krippendorff_alpha(kind).measure(ratings)
        assert np.isnan(measure.value)
        assert measure.low is None
        assert "undefined: no item was judged by two readers, or only one" in measure.method


def test_what_cannot_be_is_refused():
    with pytest.raises(TableError, match='kind "metric" is none of nominal'):
        krippendorff_alpha("metric")
    with pytest.raises(TableError, match="takes no values"):
        krippendorff_alpha("ordinal", [1.0, 2.0])
    words = made.made([["low", "high"]], ["low", "high"])
    with pytest.raises(TableError, match="low, high are not all numbers"):
        krippendorff_alpha("interval").value(words)
    with pytest.raises(TableError, match="3 values for 2 labels"):
        krippendorff_alpha("interval", [1.0, 2.0, 3.0]).value(words)
    with pytest.raises(TableError, match=r"from 0 up. Got -1.0"):
        krippendorff_alpha("ratio", [-1.0, 2.0]).value(words)
