"""SYN023 and SYN024: wrong level, unit, axes and boxes, one slide at a time."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from curatome.rules.syntax.coordinates import BOX, FRAME
from tests.rules.made import annotation, found, inputs, slide


def scattered(count, size=(10_000, 8_000), side=40.0, seed=0):
    """Squares all over an image."""
    rng = np.random.default_rng(seed)
    x, y = (rng.uniform(0, length - side, count) for length in size)
    return shapely.box(x, y, x + side, y + side)


def rows(shapes, image="s1", **more):
    return [annotation(f"{image}-{k}", one, image=image, **more) for k, one in enumerate(shapes)]


def test_all_over_the_image_is_right() -> None:
    assert found(FRAME, inputs(rows(scattered(30)))) == []


def test_a_few_in_a_corner_are_no_proof() -> None:
    assert found(FRAME, inputs(rows(scattered(30, (1_500, 1_000))))) == []
    assert found(FRAME, inputs(rows(scattered(9, (2_400, 1_900))))) == []
    assert found(FRAME, inputs(rows(scattered(2, (600, 500))))) == []


@pytest.mark.parametrize("downsample", [4.0, 16.0])
def test_pixels_of_a_lower_level(downsample) -> None:
    small = shapely.transform(scattered(30), lambda points: points / downsample)
    (finding,) = found(FRAME, inputs(rows(small)))
    assert finding.subject == "image s1"
    assert finding.evidence["about"] in ("level", "unit")


def test_swapped_axes() -> None:
    of = [slide(width=12_000, height=4_000)]
    turned = shapely.transform(scattered(30, (12_000, 4_000)), lambda points: points[:, ::-1])
    (finding,) = found(FRAME, inputs(rows(turned), of=of))
    assert finding.evidence["about"] == "axes"
    assert "x and y are swapped" in finding.message


def test_micrometers_show_in_many_slides_together() -> None:
    of = [slide(f"s{k}", mpp_x=0.5, mpp_y=0.5) for k in range(8)]
    made = [
        row
        for k in range(8)
        for row in rows(
            shapely.transform(scattered(20, seed=k), lambda points: points * 0.5), f"s{k}"
        )
    ]
    findings = found(FRAME, inputs(made, of=of))
    assert {one.subject for one in findings} == {f"image s{k}" for k in range(8)}
    assert {one.evidence["about"] for one in findings} == {"unit"}


def test_boxes_read_from_corners() -> None:
    left, top, right, bottom = shapely.bounds(scattered(10)).T
    wrong = shapely.box(left, top, left + right, top + bottom)
    (finding,) = found(BOX, inputs(rows(wrong, kind="box")))
    assert finding.evidence["assumed"] == "x1y1x2y2"
    assert finding.evidence["shapes"] == 10


def test_boxes_that_are_right_and_polygons_that_are_no_boxes() -> None:
    assert found(BOX, inputs(rows(scattered(10), kind="box"))) == []
    left, top, right, bottom = shapely.bounds(scattered(10)).T
    wide = shapely.box(left, top, left + right, top + bottom)
    assert found(BOX, inputs(rows(wide))) == []


def test_images_of_unknown_size_are_left_alone() -> None:
    small = shapely.transform(scattered(30), lambda points: points / 4)
    of = [slide(width=None, height=None)]
    assert found(FRAME, inputs(rows(small), of=of)) == []
    assert found(FRAME, inputs(rows(small, image="other"))) == []
