from __future__ import annotations

import numpy as np
import pytest
import shapely

from curatome.rules.clean import GLASS, MIXED
from curatome.rules.clean.mixture import mixture
from tests.rules.clean.pictures import given, stained
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
