"""Percent agreement by hand."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.agreement.coefficients import percent_agreement
from tests.agreement.coefficients import made


def test_two_readers():
    rows = [["a", "a"], ["a", "b"], ["b", "b"], ["a", None], [None, None]]
    assert percent_agreement().value(made.made(rows, ["a", "b"])) == pytest.approx(2 / 3)


def test_three_readers_are_three_pairs():
    rows = [["a", "a", "b"], ["a", "a", "a"], ["a", "b", None]]
    assert percent_agreement().value(made.made(rows, ["a", "b"])) == pytest.approx((1 / 3 + 1) / 3)


def test_gwets_example():
    """raw_4raters of irrCAC: pa = 0.81818."""
    assert round(percent_agreement().value(made.KRIPPENDORFF), 5) == 0.81818


def test_neighbors_agree_half_with_linear_weights():
    rows = [[1, 2], [2, 2], [1, 3]]
    ratings = made.made(rows, [1, 2, 3])
    assert percent_agreement("linear").value(ratings) == pytest.approx((0.5 + 1 + 0) / 3)
    assert percent_agreement("quadratic").value(ratings) == pytest.approx((0.75 + 1 + 0) / 3)
    # Gwet's ordinal: 1 - C(2, 2) / C(3, 2) for neighbors.
    assert percent_agreement("ordinal").value(ratings) == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_all_say_the_same():
    assert percent_agreement().value(made.constant()) == 1.0


def test_no_pairs():
    measure = percent_agreement().measure(made.apart())
    assert np.isnan(measure.value)
    assert measure.n == 0
    assert measure.method.endswith("undefined: no item was judged by two readers")
