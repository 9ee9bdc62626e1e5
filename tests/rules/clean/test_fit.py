from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.rules.clean.fit import fit_field
from curatome.rules.clean.scores import displacement, doubt, looseness, tightness
from tests.rules.clean.pictures import circles, disks

CENTERS = [(40.0, 40.0), (110.0, 50.0), (60.0, 115.0), (150.0, 110.0)]


@pytest.fixture(scope="module")
def rgb():
    return disks(CENTERS)


@settings(max_examples=25, deadline=None)
@given(margin=st.floats(-3, 5))
def test_the_offset_is_how_far_the_line_was_moved(rgb, margin):
    fit = fit_field(rgb, circles(CENTERS, 12 + margin))
    assert fit.offset == pytest.approx(np.full(4, margin), abs=0.5)
    assert np.hypot(*fit.shift.T).max() < 0.5
    assert fit.misfit.max() < 0.6
    assert fit.seen.min() > 0.95


@settings(max_examples=25, deadline=None)
@given(right=st.floats(-4, 4), down=st.floats(-4, 4))
def test_the_shift_is_how_far_it_lies_beside_and_no_offset(rgb, right, down):
    fit = fit_field(rgb, circles(np.add(CENTERS, (right, down))))
    assert fit.shift == pytest.approx(np.tile([right, down], (4, 1)), abs=1.0)
    assert np.abs(fit.offset).max() < 1.0


def test_a_line_on_the_edge_has_all_of_the_drop_and_others_do_not(rgb):
    good, wide = (fit_field(rgb, circles(CENTERS, r)) for r in (12, 16))
    assert good.at_line == pytest.approx(good.at_edge, abs=0.1)
    assert good.at_line.min() > 0.6
    assert wide.at_line.max() < 0.1
    assert wide.at_edge == pytest.approx(good.at_edge, abs=0.15)
    assert wide.inner.min() > 0.8
    assert good.inner.max() < 0.4


def test_an_ellipse_round_a_disk_misfits(rgb):
    flat = np.array([shapely.affinity.scale(one, 1.3, 0.77) for one in circles(CENTERS)])
    fit = fit_field(rgb, flat)
    assert fit.misfit.min() > 1.5
    assert np.abs(fit.offset).max() < 1.2


def test_a_half_disk_goes_on_beyond_its_line(rgb):
    halves = np.array(
        [
            shapely.intersection(one, shapely.box(0, 0, x, 200))
            for one, (x, _) in zip(circles(CENTERS), CENTERS, strict=True)
        ]
    )
    assert fit_field(rgb, halves).beyond.min() > 0.7
    assert fit_field(rgb, circles(CENTERS)).beyond.max() < 0.3


def test_each_score_rises_with_its_own_fault_alone(rgb):
    good = fit_field(rgb, circles(CENTERS))
    wide = fit_field(rgb, circles(CENTERS, 15))
    small = fit_field(rgb, circles(CENTERS, 9))
    beside = fit_field(rgb, circles(np.add(CENTERS, (5, 0))))
    for score, fault in ((looseness, wide), (tightness, small), (displacement, beside)):
        assert score(fault).min() > 0.8
        assert score(good).max() < 0.2
    assert looseness(small).max() < 0.5
    assert tightness(wide).max() < 0.5
    assert doubt(fault).min() > doubt(good).max()


def test_neighbors_hide_the_edge_but_do_not_make_one():
    """Two disks side by side, widened so that their outlines overlap by 4 px."""
    centers = [(60.0, 80.0), (86.0, 80.0)]
    fit = fit_field(disks(centers), circles(centers, 15))
    assert fit.seen.max() < 0.95
    assert fit.offset == pytest.approx([3, 3], abs=0.7)


def test_a_field_without_contrast_gives_nothing():
    assert fit_field(np.full((60, 60, 3), 180, np.uint8), circles([(30, 30)])) is None
