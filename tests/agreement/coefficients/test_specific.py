"""Positive and negative agreement by their printed formula and by counting pairs."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from curatome.agreement.coefficients import negative_agreement, positive_agreement
from curatome.errors import TableError
from tests.agreement.coefficients import made


def test_two_readers():
    """Cicchetti & Feinstein: 2a / (2a + b + c) and 2d / (2d + b + c)."""
    a, b, c, d = 40, 9, 6, 45
    rows = [["+", "+"]] * a + [["+", "-"]] * b + [["-", "+"]] * c + [["-", "-"]] * d
    ratings = made.made(rows, ["-", "+"])
    assert positive_agreement("+").value(ratings) == pytest.approx(2 * a / (2 * a + b + c))
    assert negative_agreement("+").value(ratings) == pytest.approx(2 * d / (2 * d + b + c))


@pytest.mark.parametrize("seed", range(3))
def test_many_readers_are_ordered_pairs(seed):
    ratings = made.random(seed)
    for label in range(4):
        given = same = left = alike = 0
        for row in ratings.codes:
            for one, other in permutations(row[row >= 0], 2):
                given += one == label
                same += one == label == other
                left += one != label
                alike += label not in (one, other)
        name = str(label + 1)
        assert positive_agreement(name).value(ratings) == pytest.approx(same / given, abs=1e-12)
        assert negative_agreement(name).value(ratings) == pytest.approx(alike / left, abs=1e-12)


def test_a_label_that_nobody_gave():
    ratings = made.constant()
    assert positive_agreement("1").value(ratings) == 1.0
    assert np.isnan(negative_agreement("1").value(ratings))
    measure = positive_agreement("2").measure(ratings)
    assert np.isnan(measure.value)
    assert "undefined: nobody called an item of several readers 2" in measure.method
    with pytest.raises(TableError, match='"3" is none of 1, 2'):
        positive_agreement("3").value(ratings)
