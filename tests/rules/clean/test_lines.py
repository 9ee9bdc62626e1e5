from __future__ import annotations

import numpy as np
import pytest
import shapely

from curatome.phantom.readers import Habit
from curatome.rules.clean import LOOSE, SHIFTED, TIGHT
from tests.rules.clean.pictures import circles, disks, given, planted
from tests.rules.datasets import looked, loud, rates

CENTERS = [(40.0, 40.0), (110.0, 50.0), (60.0, 115.0), (150.0, 110.0)]
ALL = (LOOSE, TIGHT, SHIFTED)


def drawn(radius=12.0, shift=(0.0, 0.0), mpp=0.25, known=True):
    """Four disks of 12 px; the first one's outline is drawn otherwise."""
    shapes = circles(CENTERS)
    shapes[0] = circles([np.add(CENTERS[0], shift)], radius)[0]
    return given(disks(CENTERS), shapes, ["tumor"] * 4, mpp, known)


def codes(inputs):
    return [(one.code, one.evidence["annotation"]) for one in loud(ALL, inputs)]


def test_outlines_on_their_edges_are_good():
    assert not codes(drawn())


def test_a_loose_outline_says_how_far_it_runs_outside():
    (found,) = looked(LOOSE, drawn(16.0))
    assert found.subject == "annotation a0"
    assert "The outline of tumor a0 runs 1.0 µm (4 px) outside the edge" in found.message
    assert found.evidence["offset_px"] == pytest.approx(4, abs=0.5)
    assert found.evidence["offset_um"] == pytest.approx(1, abs=0.13)
    assert found.evidence["points"] == 48
    assert (found.place.x, found.place.width) == (pytest.approx(24), pytest.approx(32))
    assert codes(drawn(16.0)) == [("CLN001", "a0")]


def test_without_a_scale_lengths_are_pixels():
    (found,) = looked(LOOSE, drawn(16.0, mpp=1.0, known=False))
    assert "runs 4 px outside the edge" in found.message
    assert "offset_um" not in found.evidence


def test_a_small_outline_is_too_small():
    (found,) = looked(TIGHT, drawn(8.5))
    assert "runs 0.9 µm (4 px) inside the edge" in found.message or "(3 px)" in found.message
    assert found.evidence["offset_px"] == pytest.approx(-3.5, abs=0.6)
    assert codes(drawn(8.5)) == [("CLN002", "a0")]


def test_a_line_through_an_object_cuts_it():
    shapes = circles(CENTERS)
    shapes[0] = shapely.intersection(shapes[0], shapely.box(0, 0, 43, 200))
    inputs = given(disks(CENTERS), shapes, ["tumor"] * 4, 0.25)
    (found,) = looked(TIGHT, inputs)
    assert "cuts through the object" in found.message


@pytest.mark.parametrize(
    ("shift", "words"),
    [((5, 0), "right"), ((-5, 0), "left"), ((0, 5), "below"), ((0, -5), "above")],
)
def test_a_shifted_outline_says_where_it_lies(shift, words):
    (found,) = looked(SHIFTED, drawn(shift=shift))
    assert found.message.endswith(f"µm (5 px) {words}.")
    assert found.evidence["shift_x_px"] == pytest.approx(shift[0], abs=1.0)
    assert found.evidence["shift_y_px"] == pytest.approx(shift[1], abs=1.0)
    assert codes(drawn(shift=shift)) == [("CLN003", "a0")]


def test_regions_are_not_judged_by_their_edges():
    assert not codes(drawn(16.0, mpp=5.0))  # 160 µm across


@pytest.mark.parametrize("strength", [0.5, 1.0, 1.5])
def test_recall_rises_with_the_margin(strength):
    inputs, hit = planted(1001, Habit(margin_um=strength))
    found = {one.evidence["annotation"] for one in looked(LOOSE, inputs)}
    recall, precision = rates(found, hit)
    assert recall >= {0.5: 0.0, 1.0: 0.75, 1.5: 0.95}[strength]
    assert recall <= {0.5: 0.6, 1.0: 1.0, 1.5: 1.0}[strength]
    assert precision >= 0.9 or not found


@pytest.mark.parametrize("seed", [1001, 1002])
def test_a_careful_reader_has_no_findings(seed):
    inputs, _ = planted(seed)
    assert not loud(ALL, inputs)
