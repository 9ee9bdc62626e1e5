"""Stain separation of images mixed from known amounts."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.phantom import make_scene, plan_cohort, render
from curatome.phantom.render import stain_vectors
from curatome.stain import (
    H_DAB,
    HE,
    compose,
    macenko,
    optical_density,
    separate,
    unit_vectors,
)


def mixed(vectors, seed=1):
    """Amounts (N, 3) of two stains, some pixels with nearly one alone, and their image."""
    rng = np.random.default_rng(seed)
    amounts = rng.gamma(2.0, 0.2, (40_000, 3)) * (1, 1, 0)
    amounts[:4000, 1] *= 0.02
    amounts[4000:8000, 0] *= 0.02
    return amounts, compose(amounts, vectors)


def degrees(a, b):
    return np.degrees(np.arccos(np.clip(a @ b, -1, 1)))


def test_density_by_hand():
    density = optical_density(np.array([[255, 26, 0]], np.uint8))
    assert density[0] == pytest.approx([0, -np.log10(26 / 255), np.log10(255)], abs=1e-6)
    bright = optical_density(np.array([240, 240, 240], np.uint8), white=(240, 250, 230))
    assert bright == pytest.approx([0, np.log10(250 / 240), np.log10(230 / 240)], abs=1e-6)


@pytest.mark.parametrize("vectors", [HE, H_DAB])
def test_amounts_come_back(vectors):
    amounts = np.random.default_rng(2).uniform(0, 0.6, (5000, 3)) * (1, 1, 0)
    found = separate(compose(amounts, vectors), vectors)
    # Rounding to gray levels: at most half a level of the darkest channel, about 30.
    np.testing.assert_allclose(found, amounts, atol=0.03)


def test_third_vector_is_at_right_angles():
    assert HE[2] @ HE[0] == pytest.approx(0, abs=1e-12)
    assert HE[2] @ HE[1] == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(np.linalg.norm(HE, axis=1), 1)


@pytest.mark.parametrize(
    "stains", [((0.60, 0.71, 0.36), (0.15, 0.84, 0.52)), ((0.55, 0.74, 0.39), (0.20, 0.80, 0.56))]
)
def test_macenko_finds_the_vectors(stains):
    vectors = unit_vectors(*stains)
    _, rgb = mixed(vectors)
    found = macenko(rgb)
    assert degrees(found[0], vectors[0]) < 3
    assert degrees(found[1], vectors[1]) < 3


def test_macenko_finds_the_stains_of_the_phantom_better_than_fixed_vectors():
    plan = plan_cohort(1, 2, 800.0)[0]
    scene = make_scene(plan)
    side = int(500 / plan.mpp)
    rgb = render(scene, plan.optics, (side // 3, side // 3, side, side))
    found, true = macenko(rgb), stain_vectors(scene)
    true = true[:2] / np.linalg.norm(true[:2], axis=1, keepdims=True)
    for k in range(2):
        assert degrees(found[k], true[k]) < degrees(HE[k], true[k]) + 3
    assert degrees(found[1], true[1]) < degrees(HE[1], true[1])


def test_glass_has_no_stains():
    assert macenko(np.full((50, 50, 3), 250, np.uint8)) is None


def test_stains_that_cannot_be_told_apart_are_refused():
    with pytest.raises(ValueError, match="different"):
        unit_vectors((1, 0, 0), (2, 0, 0))
    with pytest.raises(ValueError, match="one plane"):
        unit_vectors((1, 0, 0), (0, 1, 0), (1, 1, 0))
    with pytest.raises(ValueError, match="two or three"):
        unit_vectors((1, 0, 0))
