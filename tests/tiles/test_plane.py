import pytest

from curatome.protocol import BuildSettings
from curatome.slides.readers.base import Level
from curatome.tiles.plane import TooCoarse, choose_plane
from curatome.units import Mpp

PYRAMID = (Level(40000, 30000, 1, 1), Level(10000, 7500, 4, 4), Level(2500, 1875, 16, 16))
EXACT = BuildSettings()


@pytest.mark.parametrize(
    ("target", "level"),
    [(0.25, 0), (0.26, 0), (0.4942, 0), (0.999, 0), (1.0, 1), (2.0, 1), (3.9, 1), (4.0, 2), (8, 2)],
)
def test_reads_the_nearest_finer_level(target, level):
    plane = choose_plane(PYRAMID, Mpp(0.25, 0.25), target, EXACT)
    assert plane.level == level
    assert plane.enlargement == 1.0
    assert plane.mpp_x == pytest.approx(target, abs=1e-12)


def test_both_axes_have_their_own_step():
    plane = choose_plane(PYRAMID, Mpp(0.25, 0.2525), 0.5, EXACT)
    assert (plane.step_x, plane.step_y) == pytest.approx((2.0, 0.5 / 0.2525))
    assert (plane.extent_x, plane.extent_y) == pytest.approx((20000, 15150))
    assert (plane.mpp_x, plane.mpp_y) == (0.5, 0.5)


def test_the_coarser_axis_decides_the_level():
    # At level 1 the pixels are 1.0 by 1.01 µm: too coarse for 1.0 on the second axis.
    assert choose_plane(PYRAMID, Mpp(0.25, 0.2525), 1.0, EXACT).level == 0


def test_slight_enlarging_is_recorded_and_more_is_refused():
    plane = choose_plane(PYRAMID, Mpp(0.499, 0.499), 0.4942, EXACT)
    assert plane.enlargement == pytest.approx(0.499 / 0.4942)
    with pytest.raises(TooCoarse, match=r"0\.6 µm/px .* 1\.21-fold"):
        choose_plane(PYRAMID, Mpp(0.6, 0.6), 0.4942, EXACT)
    allowed = BuildSettings(max_enlargement=1.25)
    assert choose_plane(PYRAMID, Mpp(0.6, 0.6), 0.4942, allowed).level == 0


def test_tolerance_keeps_native_pixels_and_their_true_mpp():
    settings = BuildSettings(mpp_tolerance=0.02)
    plane = choose_plane(PYRAMID, Mpp(0.2525, 0.2525), 0.5, settings)  # 1 % off at half size
    assert (plane.level, plane.step_x, plane.mpp_x) == (0, 2.0, 0.505)
    coarse = choose_plane(PYRAMID, Mpp(0.2525, 0.2525), 1.0, settings)
    assert (coarse.level, coarse.step_x, coarse.mpp_x) == (1, 4.0, 1.01)
    beyond = choose_plane(PYRAMID, Mpp(0.26, 0.26), 0.5, settings)  # 4 % off: exact
    assert beyond.mpp_x == 0.5


def test_no_tolerance_means_exact_even_when_nearly_equal():
    plane = choose_plane(PYRAMID, Mpp(0.2499, 0.2499), 0.25, EXACT)
    assert plane.mpp_x == 0.25
    assert plane.step_x == pytest.approx(0.25 / 0.2499)
