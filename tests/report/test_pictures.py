from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from curatome.report import pictures
from tests.report.samples import card, jpeg


def area(path: str) -> float:
    """Area within the rings of a path, holes and all, each by itself."""
    total = 0.0
    for ring in re.findall(r"M([^l]+)l([^z]+)z", path):
        start = np.array([[int(v) for v in ring[0].split()]])
        steps = np.array([int(v) for v in ring[1].split()]).reshape(-1, 2)
        x, y = np.vstack([start, start + np.cumsum(steps, axis=0)]).T
        total += abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    return total


def test_points_on_a_straight_line_are_left_out():
    ring = ((0, 0), (50, 0), (100, 0), (100, 60), (100, 100), (0, 100), (0, 0))
    path = pictures.outline_path([ring], 1.0, 100)
    numbers = re.findall(r"-?\d+", path)
    assert len(numbers) == 8
    assert area(path) == 10_000


def test_a_coarser_outline_keeps_the_shape():
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    ring = tuple(zip(1000 + 800 * np.cos(angle), 1000 + 800 * np.sin(angle), strict=True))
    path = pictures.outline_path([ring], 1.0, 60)
    assert len(re.findall(r"-?\d+", path)) <= 2 * 60
    assert area(path) == pytest.approx(np.pi * 800**2, rel=0.03)


def test_a_staircase_gets_simpler_though_all_its_steps_are_equal():
    stairs = [(i // 2, (i + 1) // 2) for i in range(400)]
    path = pictures.outline_path([(*stairs, (200, 0))], 1.0, 100)
    assert len(re.findall(r"-?\d+", path)) <= 2 * 100
    assert area(path) == pytest.approx(200 * 200 / 2, rel=0.03)


@pytest.mark.parametrize("ring", [(), ((1, 1),), ((1, 1), (2, 2)), ((5, 5),) * 9])
def test_a_ring_without_area_is_not_drawn(ring):
    assert pictures.outline_path([ring], 1.0, 100) == ""


def test_small_cohorts_keep_their_thumbnails():
    slides = [card(i) for i in range(12)]
    assert pictures.thumbnail_side(slides) is None
    assert pictures.shrink(slides[0].thumbnail, None) == slides[0].thumbnail


def test_large_cohorts_shrink_theirs_evenly():
    slides = [card(0, thumbnail=b"x" * 50_000)] * 3000
    side = pictures.thumbnail_side(slides)
    assert side == 160
    small = pictures.shrink(jpeg(600, 300), side)
    assert Image.open(io.BytesIO(small)).size == (160, 80)


def test_what_is_no_picture_is_left_out():
    assert pictures.shrink(b"", None) is None
    assert pictures.shrink(b"<svg/>", 100) is None


def test_boxes_of_one_size_share_it():
    boxes = [(0.0, 0.0, 100.0, 100.0), (100.0, 50.0, 100.0, 100.0), (0.0, 0.0, 40.0, 100.0)]
    assert pictures.grid_runs(boxes, 10.0) == [[10, 10, 0, 0, 10, 5], [4, 10, 0, 0]]


def test_coarse_grids_are_served_first_and_none_is_cut():
    box = (0.0, 0.0, 1.0, 1.0)
    slides = [card(i, tile_boxes={"20x": (box,) * 8, "5x": (box,) * 2}) for i in range(3)]
    kept = pictures.affordable_grids(slides, ["5x", "20x"], budget=15)
    assert kept == {(0, "5x"), (1, "5x"), (2, "5x"), (0, "20x")}
