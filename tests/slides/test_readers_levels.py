import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curatome.slides.readers.base import Level
from curatome.slides.readers.levels import nearest_finer, over_white, place_level, span


@pytest.mark.parametrize(
    ("full", "size", "downsample"),
    [
        ((4443, 3567), (2221, 1783), (2.0, 2.0)),  # TCGA: the ratio of the sizes is 2.0005
        ((300, 250), (75, 62), (4.0, 4.0)),
        ((300, 250), (37, 31), (8.0, 8.0)),
        ((301, 201), (151, 101), (2.0, 2.0)),  # rounded up
        ((46000, 32914), (2875, 2057), (16.0, 16.0)),  # Aperio CMU-1, one axis rounded
        ((1000, 1000), (3, 3), (256.0, 256.0)),  # 250 to 333 explain it: the power of two
        ((1000, 800), (300, 240), (1000 / 300, 800 / 240)),  # no whole number
        ((1000, 800), (500, 300), (2.0, 800 / 300)),  # whole along one axis only
        ((640, 480), (640, 480), (1.0, 1.0)),
        ((5, 3), (1, 1), (4.0, 4.0)),
    ],
)
def test_a_level_has_the_whole_downsample_that_explains_its_size(full, size, downsample):
    level = place_level(full, size)
    assert (level.width, level.height) == size
    assert (level.downsample_x, level.downsample_y) == pytest.approx(downsample, abs=1e-12)


@given(
    st.integers(500, 200_000),
    st.integers(500, 200_000),
    st.sampled_from([2, 3, 4, 5, 8, 10, 16]),
    st.booleans(),
)
def test_halving_by_a_whole_number_is_undone(width, height, n, up):
    size = (-(-width // n), -(-height // n)) if up else (width // n, height // n)
    found = place_level((width, height), size)
    # Small levels may be explained by several numbers; each must reproduce the size.
    assert found.downsample_x == found.downsample_y
    k = int(found.downsample_x)
    assert {width // k, -(-width // k)} & {size[0]}
    if min(size) > 450 or n in (2, 4, 8, 16):
        assert k == n


def test_over_white_known_values():
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 255, 51]]], np.uint8)
    assert over_white(rgba).tolist() == [[[10, 20, 30], [255, 255, 255], [204, 224, 255]]]
    # Premultiplied: the color is what opacity left of it, 0.2 of 100 is 20.
    ahead = np.array([[[0, 20, 51, 51]]], np.uint8)
    assert over_white(ahead, premultiplied=True).tolist() == [[[204, 224, 255]]]


@pytest.mark.parametrize(
    ("low", "high", "step", "size", "expected"),
    [
        (0, 10, 1, 100, (0, 10)),
        (9.5, 10.5, 1, 100, (9, 11)),
        (-5, 5, 1, 100, (0, 5)),
        (95, 105, 1, 100, (95, 100)),
        (200, 300, 1, 100, (100, 100)),
        (-9, -1, 1, 100, (0, 0)),
        (4.0, 12.0, 4, 100, (1, 3)),
        (0.1 * 3 * 10, 6, 1, 100, (3, 6)),  # 3.0000000000000004 is not a pixel less
        (1, 2.9999999999999996, 1, 100, (1, 3)),
        (5, 9, 4, 100, (1, 3)),
    ],
)
def test_span_covers_a_stretch(low, high, step, size, expected):
    assert span(low, high, step, size) == expected


def test_a_level_is_what_it_says():
    assert place_level((100, 100), (50, 50)) == Level(50, 50, 2.0, 2.0)


def test_the_nearest_finer_level_minds_both_axes():
    levels = (Level(100, 100, 1.0, 1.0), Level(25, 12, 4.0, 8.33))
    assert nearest_finer(levels, 8.0, 8.0) == (0, 1.0)
    assert nearest_finer(levels, 4.0, 8.33) == (1, 1.0)
    assert nearest_finer(levels, 0.5, 0.5) == (0, 1.0)


SHRINKS = (1.0, 2.0, 4.0, 8.0)


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        (1.98, (0, 1.0)),  # half size would be too coarse
        (2.0, (0, 2.0)),  # a block mean, as it is
        (2.5, (0, 1.0)),  # neither whole nor many
        (6.0, (1, 1.0)),  # the coarser level, whatever the ratio
        (3.99, (0, 1.0)),
        (4.0, (1, 1.0)),  # a stored level goes first
        (16.0, (1, 2.0)),  # two block means of the stored level
        (64.0, (1, 4.0)),  # four of whatever the decoder leaves
        (33.0, (1, 2.0)),  # a quarter size would leave two to average
    ],
)
def test_reduced_decoding_serves_where_it_gives_what_averaging_gives(step, wanted):
    levels = (
        Level(800, 800, 1.0, 1.0, SHRINKS, (1.0, 2.0)),
        Level(200, 200, 4.0, 4.0, SHRINKS, (1.0, 2.0)),
    )
    index, shrink = nearest_finer(levels, step, step)
    at = levels[index].downsample_x * shrink
    assert (index, shrink) == wanted, at
