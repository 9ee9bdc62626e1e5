"""Region images: which scale they get, and pixels against an independent reading."""

import math
from itertools import pairwise

import numpy as np
import pytest

from curatome.tiles.rois import (
    FIELDS_UM,
    KnownScale,
    borders,
    central_square,
    cut_regions,
    grid_squares,
    scale_of_field,
    sort_image,
    squares_of,
)
from tests.oracle import exact_tile


def picture(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_fields_of_view_are_those_of_cpia_s_slides():
    assert {name: round(um, 4) for name, um in FIELDS_UM.items()} == {
        "L": 474.432,
        "M": 189.7728,
        "S": 47.4432,
    }
    assert [(name, round(um, 2)) for name, um in borders()] == [
        ("L", 300.06),
        ("M", 94.89),
        ("S", 0.0),
    ]


@pytest.mark.parametrize("pair", [("L", "M"), ("M", "S")])
def test_a_border_lies_midway_on_a_logarithmic_scale_and_belongs_to_the_larger(pair):
    larger, smaller = pair
    border = dict(borders())[larger]
    assert math.isclose(FIELDS_UM[larger] / border, border / FIELDS_UM[smaller])
    assert scale_of_field(border) == larger
    assert scale_of_field(math.nextafter(border, 0)) == smaller
    assert scale_of_field(math.nextafter(border, 1e9)) == larger


@pytest.mark.parametrize("um", [5, 47.4, 94, 96, 189.8, 299, 301, 474, 1897, 5000])
def test_the_nearest_field_of_view_wins(um):
    nearest = min(FIELDS_UM, key=lambda name: abs(math.log(um / FIELDS_UM[name])))
    assert scale_of_field(um) == nearest


def test_the_short_edge_decides_and_the_reason_is_told():
    found = sort_image(1000, 200, KnownScale(0.5, "table"))
    assert found.scale == "M"
    assert found.reason == "field of view 100 µm at 0.5 µm/px (table)"


def test_mpp_goes_before_a_declared_scale_and_nothing_gives_nothing():
    both = KnownScale(0.5, "registry", "S", "said so")
    assert sort_image(700, 460, both).scale == "M"
    assert sort_image(700, 460, KnownScale(declared="S", why="said so")).reason == (
        "declared: said so"
    )
    assert sort_image(700, 460, KnownScale()) is None


@pytest.mark.parametrize(
    ("size", "wanted"), [((700, 460), (120, 0, 460)), ((5, 8), (0, 1, 5)), ((7, 7), (0, 0, 7))]
)
def test_the_central_square_is_the_largest_in_the_middle(size, wanted):
    square = central_square(*size)
    assert (square.x, square.y, square.side) == wanted


def test_a_grid_fits_without_overlap_in_the_middle():
    squares = grid_squares(1000, 450, 200.5)
    assert [(s.column, s.row) for s in squares] == [(c, r) for r in range(2) for c in range(4)]
    assert squares[0].x == pytest.approx((1000 - 4 * 200.5) / 2)
    assert squares[0].y == pytest.approx((450 - 2 * 200.5) / 2)
    assert squares[-1].x + 200.5 == pytest.approx(1000 - squares[0].x)
    for one, other in pairwise(squares):
        if one.row == other.row:
            assert other.x == pytest.approx(one.x + 200.5)


def test_a_grid_of_squares_larger_than_the_image_is_its_central_square():
    assert grid_squares(300, 200, 999.0) == [central_square(300, 200)]


def test_tiling_cuts_the_field_of_view_of_the_scale():
    squares = squares_of(2000, 2000, "tile", "L", 0.5)
    assert [square.side for square in squares] == pytest.approx([474.432 / 0.5] * 4)
    assert squares_of(2000, 1000, "tile", "L", None) == [central_square(2000, 1000)]


@pytest.mark.parametrize("size", [(1024, 1024), (701, 460), (384, 500), (385, 385), (96, 130)])
def test_pixels_are_area_means_or_interpolated_as_numpy_computes_them(size):
    pixels = picture(*size)
    ((square, found),) = cut_regions(pixels, [central_square(*size)])
    step = square.side / 384
    wanted, inside = exact_tile(pixels.astype(float), square.x, square.y, (step, step), 384)
    assert inside.all()
    assert np.abs(found - wanted).max() <= 0.51
    if square.side == 384:
        np.testing.assert_array_equal(found, pixels[58:442, 0:384])


def test_pixels_of_a_grid_at_broken_places():
    pixels = picture(1100, 700)
    for square, found in cut_regions(pixels, grid_squares(1100, 700, 333.3)):
        step = square.side / 384
        wanted, _ = exact_tile(pixels.astype(float), square.x, square.y, (step, step), 384)
        assert np.abs(found - wanted).max() <= 0.51


def test_enlargement_is_told():
    assert central_square(96, 96).enlargement == 4.0
    assert central_square(384, 999).enlargement == 1.0
    assert central_square(1024, 1024).enlargement == 1.0
