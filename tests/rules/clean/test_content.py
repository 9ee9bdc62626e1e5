from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import shapely

from curatome.phantom import fabric, make_scene, render
from curatome.phantom.design import CohortDesign
from curatome.phantom.designed import design_cohort
from curatome.rules.clean import GLASS, MIXED
from curatome.rules.clean.mixture import mixture
from tests.rules.clean.pictures import Field, given, stained
from tests.rules.datasets import looked

MPP = 2.0


def two_tissues(seed=0):
    """A blue half and a pink one, 2 µm/px."""
    left = np.arange(200)[None, :] < 100
    blue = np.broadcast_to(np.where(left, 0.8, 0.2), (200, 200))
    return stained(blue, np.full((200, 200), 0.4), seed, noise=0.05)


def on_glass():
    """Tissue in the left half of 800 µm."""
    left = np.arange(400)[None, :] < 200
    stain = np.broadcast_to(np.where(left, 0.4, 0.0), (400, 400))
    return stained(stain, stain, noise=0.004)


def test_a_region_over_two_tissues_is_mixed_and_one_within_is_not():
    rgb = two_tissues()
    over, within = shapely.box(40, 60, 140, 140), shapely.box(10, 40, 90, 160)
    (found,) = looked(MIXED, given(rgb, [over, within], ["tumor", "tumor"], MPP))
    assert found.evidence["annotation"] == "a0"
    assert found.evidence["foreign"] == pytest.approx(0.4, abs=0.1)
    assert "in one piece" in found.message


def test_one_tissue_is_never_mixed():
    rgb = stained(np.full((200, 200), 0.5), np.full((200, 200), 0.4), noise=0.1)
    regions = [shapely.box(40, 40, 160, 160), shapely.Point(100, 100).buffer(60)]
    assert not looked(MIXED, given(rgb, regions, ["tumor", "tumor"], MPP))


def test_a_region_of_few_blocks_is_not_judged():
    rgb = two_tissues()
    mask = np.zeros((200, 200), bool)
    mask[90:110, 90:110] = True
    assert mixture(rgb, mask, 12) is None


def test_glass_in_a_region_is_told_with_its_part():
    rgb = on_glass()
    loose, good = shapely.box(20, 40, 300, 160), shapely.box(20, 200, 180, 320)
    (found,) = looked(GLASS, given(rgb, [loose, good], ["tumor", "tumor"], MPP))
    assert found.evidence["annotation"] == "a0"
    assert found.evidence["part"] == pytest.approx(100 / 280, abs=0.05)
    assert found.message.endswith("of tumor a0 is glass.")


def test_small_objects_and_images_without_a_scale_are_left_out():
    rgb = on_glass()
    cell = shapely.Point(250, 100).buffer(10)
    loose = shapely.box(20, 40, 300, 160)
    assert not looked(GLASS, given(rgb, [cell], ["tumor"], MPP))
    assert not looked(GLASS, given(rgb, [loose], ["tumor"], MPP, known=False))


def slide(seed):
    """A slide of the phantom with a tumor, and the tumor's outline, µm."""
    design = CohortDesign(cases=1, slides_per_case=(1.0,), biopsies=0.0)
    plan = design_cohort(design, seed).plans(1600.0)[0]
    plan = dataclasses.replace(plan, lesions=(("tumor", 1, 520.0),), artifacts=())
    scene = make_scene(plan)
    tumors = scene.regions.polygons()[scene.regions.kind == fabric.KINDS.index("tumor")]
    rgb = render(scene, plan.optics, (0, 0, plan.width, plan.height))
    largest = shapely.make_valid(max(tumors, key=lambda one: one.area))
    return Field(scene, rgb, np.array([largest], object), ["tumor"])


@pytest.mark.acceptance
def test_promise_of_mixed_content():
    """Regions of which 40 % is the tissue beside, against the tumors themselves; fresh seeds."""
    bad, good = [], []
    for seed in range(1001, 1013):
        held = slide(seed)
        tumor = held.shapes[0]
        tissue = held.scene.tissue_outline().buffer(-20)
        good.append(bool(looked(MIXED, held.inputs([tumor.buffer(-5)]))))
        for angle in (0.5, 2.5, 4.5):
            moved = beside(tumor, tissue, angle)
            if moved is not None:
                bad.append(bool(looked(MIXED, held.inputs([moved]))))
    assert len(bad) >= 20
    hit, wrong = sum(bad), sum(good)
    assert hit / len(bad) >= 0.95
    assert hit / (hit + wrong) >= 0.9


def beside(tumor, tissue, angle):
    """The tumor's outline moved until 40 % of it is other tissue; None where glass is met."""
    way = np.array([np.cos(angle), np.sin(angle)])
    for step in np.arange(5.0, 400.0, 5.0):
        moved = shapely.transform(tumor, lambda xy, by=step * way: xy + by)
        if not tissue.contains(moved):
            return None
        if tumor.intersection(moved).area <= 0.6 * tumor.area:
            return moved
    return None
