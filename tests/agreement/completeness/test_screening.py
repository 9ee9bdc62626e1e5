"""Completeness of screening by hand and on fields with a known density."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.agreement.completeness import screening
from curatome.errors import TableError


def named(measures):
    return {one.name: one for one in measures}


def test_by_hand():
    # Slide a: 12 objects on 2 of 6 mm², so 24 more. Slide b: all seen. Slide c: nobody looked;
    # 17 objects on 5 mm² elsewhere, so 3.4 on 1 mm².
    found = named(
        screening(["a", "a", "b"], [8, 4, 5], [1.0, 1.0, 3.0], {"a": 6.0, "b": 3.0, "c": 1.0})
    )
    assert found["screened_area"].value == pytest.approx(5 / 10)
    assert found["screening_completeness"].value == pytest.approx(17 / (17 + 24 + 3.4))
    assert found["screening_completeness"].n == 17
    assert "as rich" in found["screening_completeness"].method


def test_all_seen_is_complete():
    found = named(screening(["a"], [8], [2.0], {"a": 2.0}))["screening_completeness"]
    assert (found.value, found.low, found.high) == (1, 1, 1)


def test_unequal_fields_widen_the_interval():
    even = named(screening(["a"] * 4, [5, 5, 5, 5], [1.0] * 4, {"a": 20.0}))
    uneven = named(screening(["a"] * 4, [20, 0, 0, 0], [1.0] * 4, {"a": 20.0}))
    wide = [m["screening_completeness"].high - m["screening_completeness"].low
            for m in (even, uneven)]  # fmt: skip
    assert wide[1] > 1.5 * wide[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tissue_mm2": {"a": 1.0, "b": 3.0}}, "2 mm² were looked at, of 1 mm²"),
        ({"tissue_mm2": {"a": 4.0}}, "slide b: its area"),
        ({"looked_mm2": [1.0, 0.0, 3.0]}, "field 2: its area must be positive"),
        ({"counts": [1, 2]}, "one value per field"),
    ],
)
def test_what_cannot_be_is_refused(change, message):
    given = {
        "slides": ["a", "a", "b"],
        "counts": [8, 4, 5],
        "looked_mm2": [1.0, 1.0, 3.0],
        "tissue_mm2": {"a": 6.0, "b": 3.0},
    }
    with pytest.raises(TableError, match=message):
        screening(**{**given, **change})


@pytest.mark.acceptance
@pytest.mark.parametrize("spread", [0.0, 0.8])
def test_covers_the_share_seen(spread):
    """30 slides of 20 fields, 8 of them looked at; densities of fields vary by `spread`."""
    hits = 0
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        mean = 4 * rng.gamma(2, 0.5, (30, 1)) * np.ones((30, 20))
        if spread:
            mean = mean * rng.gamma(1 / spread**2, spread**2, (30, 20))
        counts = rng.poisson(mean)
        looked = counts[:, :8]
        slides = [f"s{k:02}" for k in range(30) for _ in range(8)]
        found = named(
            screening(slides, looked.ravel(), np.ones(240), dict.fromkeys(set(slides), 20.0))
        )["screening_completeness"]
        hits += found.low <= looked.sum() / counts.sum() <= found.high
    assert 930 <= hits <= 970
