"""ACQ020: scales that the size of nuclei contradicts."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from curatome.rules.acquisition.scale import SCALE, size_ratios
from tests.rules.made import annotation, found, inputs, slide

SEEDS = range(1001, 1009)


def cohort(seed, wrong=(), factor=2.0, slides=16):
    """Lymphocytes of 7 µm and tumor nuclei of 12 on slides of 0.25 µm/px, some told otherwise."""
    rng = np.random.default_rng(seed)
    made, of = [], []
    for number in range(slides):
        case = np.exp(rng.normal(0, 0.08))
        told = 0.25 * (factor if number in wrong else 1.0)
        of.append(slide(f"s{number}", mpp_x=told, mpp_y=told))
        for label, size in (("lymphocyte", 7.0), ("tumor", 12.0)):
            for k in range(12):
                radius = size * case * np.exp(rng.normal(0, 0.2)) / 2 / 0.25
                shape = shapely.Point(500 + 100 * k, 700).buffer(radius, quad_segs=16)
                row = annotation(f"{number}-{label}-{k}", shape, labels=[label])
                made.append({**row, "image": f"s{number}"})
    return inputs(made, of=of)


@pytest.mark.parametrize("seed", SEEDS)
def test_right_scales(seed) -> None:
    assert found(SCALE, cohort(seed)) == []


def test_regions_vary_too_much_to_tell() -> None:
    rng = np.random.default_rng(1001)
    rows, of = [], []
    for number in range(12):
        of.append(slide(f"s{number}"))
        for k in range(8):
            side = 100 * np.exp(rng.normal(number % 2, 1.0))
            row = annotation(f"{number}-{k}", shapely.box(0, 0, side, side), labels=["region"])
            rows.append({**row, "image": f"s{number}"})
    assert found(SCALE, inputs(rows, of=of)) == []


def test_by_hand() -> None:
    sizes = np.repeat([8.0, 8.0, 8.0, 8.0, 8.0, 16.0], 5)
    slides = np.repeat(np.arange(6), 5)
    kinds = np.zeros(30, np.int64)
    found_ratios = size_ratios(sizes, slides, kinds)
    assert found_ratios[5] == (pytest.approx(2.0), 5)
    assert found_ratios[0] == (pytest.approx(1.0), 5)
    assert size_ratios(sizes[:25], slides[:25], kinds[:25]) == {}
