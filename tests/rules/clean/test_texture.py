from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from curatome.phantom.noise import tones
from curatome.rules.clean.texture import Correlogram, correlogram


def fields(scale, count=20, side=300):
    """Gaussian-filtered noise: ρ(h) = exp(-h² / 4 s²)."""
    rng = np.random.default_rng(5)
    noise = rng.standard_normal((count, side, side))
    return [gaussian_filter(one, scale, mode="wrap").astype(np.float32) for one in noise]


@pytest.mark.parametrize("scale", [3, 6])
def test_length_and_range_of_a_field_of_known_correlation(scale):
    """ρ = 1 / e at 2 s; the integral over the plane is 4 π s²."""
    whole = np.ones((300, 300), bool)
    found = correlogram([(one, whole) for one in fields(scale)])
    assert found.length == pytest.approx(2 * scale, rel=0.05)
    assert found.integral_range == pytest.approx(4 * np.pi * scale**2, rel=0.15)


def test_the_mean_over_an_area_varies_as_the_integral_range_says():
    """var of means over 75 px squares = variance · A / area (Lantuéjoul 1991)."""
    held = fields(3)
    found = correlogram([(one, np.ones(one.shape, bool)) for one in held])
    means = np.stack(held).reshape(20, 4, 75, 4, 75).mean(axis=(2, 4))
    assert means.var() == pytest.approx(found.variance * found.integral_range / 75**2, rel=0.25)


@pytest.mark.parametrize("tone", [0, 1])
def test_the_phantoms_tone_has_its_length(tone):
    """Exponential correlation of 8 and 16 texels."""
    field = tones()[tone]
    found = correlogram([(field, np.ones(field.shape, bool))])
    assert found.length == pytest.approx(8 * 2**tone, rel=0.1)


def test_only_what_the_mask_holds_counts():
    (field,) = fields(3, 1)
    mask = np.zeros(field.shape, bool)
    mask[40:200, 60:260] = True
    wild = np.where(mask, field, np.nan)
    cut = field[40:200, 60:260]
    one, other = correlogram([(wild, mask)]), correlogram([(cut, np.ones(cut.shape, bool))])
    shared = min(len(one.rho), len(other.rho))
    assert one.rho[:shared] == pytest.approx(other.rho[:shared], abs=1e-6)


def test_nothing_to_see():
    flat = np.full((20, 20), 0.3, np.float32)
    assert correlogram([]) is None
    assert correlogram([(flat, np.ones(flat.shape, bool))]) is None
    assert correlogram([(flat, np.zeros(flat.shape, bool))]) is None


def test_a_correlation_that_does_not_fall_has_no_length():
    assert np.isnan(Correlogram(np.arange(3.0), np.array([1, 0.9, 0.8]), 1.0).length)
