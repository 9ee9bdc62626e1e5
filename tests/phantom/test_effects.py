from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from curatome.phantom.effects import NAMES, Effects, Spread, rescanned, turned
from curatome.phantom.optics import REFERENCE, SCANNERS

HEMATOXYLIN, EOSIN = np.array(REFERENCE.hematoxylin), np.array(REFERENCE.eosin)


def _angle(a, b):
    return math.degrees(math.acos(min(1.0, a @ b / np.linalg.norm(a) / np.linalg.norm(b))))


@pytest.mark.parametrize("name", sorted(SCANNERS))
def test_no_effects_change_nothing(name):
    assert rescanned(SCANNERS[name], Effects()) == SCANNERS[name]
    assert turned(HEMATOXYLIN, EOSIN, 0, 0) == pytest.approx(HEMATOXYLIN)


@given(st.floats(-12, 12), st.floats(-7, 7))
def test_turns_are_the_degrees_they_say(toward, aside):
    found = turned(HEMATOXYLIN, EOSIN, toward, aside)
    assert np.linalg.norm(found) == pytest.approx(1)
    assert _angle(found, HEMATOXYLIN) == pytest.approx(math.hypot(toward, aside), abs=1e-5)


@given(st.floats(-12, 12))
def test_a_turn_toward_the_other_dye_stays_in_their_plane(toward):
    found = turned(HEMATOXYLIN, EOSIN, toward, 0)
    assert _angle(found, EOSIN) == pytest.approx(_angle(HEMATOXYLIN, EOSIN) - toward, abs=1e-5)
    assert np.cross(HEMATOXYLIN, EOSIN) @ found == pytest.approx(0, abs=1e-9)


def test_a_turn_never_makes_a_dye_shine():
    assert turned(EOSIN, HEMATOXYLIN, -40, 0).min() > 0


def test_effects_on_the_scan_are_factors():
    effects = Effects(blur=math.log(2), sharpen=math.log(0.5), warmth=0.02, scale=0.01)
    before, after = SCANNERS["boreal"], rescanned(SCANNERS["boreal"], effects)
    assert after.blur_um == pytest.approx(2 * before.blur_um)
    assert after.sharpen == pytest.approx(before.sharpen / 2)
    assert after.mpp == pytest.approx(before.mpp * math.exp(0.01))
    warmth = (after.white[0] / after.white[2]) / (before.white[0] / before.white[2])
    assert math.log(warmth) == pytest.approx(0.02)
    assert after.white[1] == before.white[1]


def test_drawn_effects_have_the_planted_deviations():
    spread = Spread(1.0, 0.2, 0.3, 0.4, 0.5, 0.06, 0.007)
    drawn = spread.draw(np.random.default_rng(8), 4000)
    expected = [1.0] * 4 + [0.2, 0.2, 0.3, 0.4, 0.5, 0.06, 0.007]
    assert drawn.shape == (4000, len(NAMES))
    statistic = (drawn**2).sum(axis=0) / np.square(expected)
    # Two sides of eleven tests at 1 % in all.
    low, high = chi2.ppf([0.005 / 11, 1 - 0.005 / 11], 4000)
    assert ((statistic > low) & (statistic < high)).all()
    correlation = np.corrcoef(drawn.T)[np.triu_indices(11, 1)]
    assert np.abs(correlation).max() < 4.2 / math.sqrt(4000)


def test_no_spread_draws_zeros():
    assert not Spread().draw(np.random.default_rng(0), 5).any()


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Spread)])
def test_impossible_deviations_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be .* Got"):
        Spread(**{name: value})
