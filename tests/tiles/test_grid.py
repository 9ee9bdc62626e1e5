import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.protocol import CPIA_SCALES, BuildSettings, Scale
from curatome.slides.readers.base import Level
from curatome.slides.tissue import TissueMask
from curatome.tiles import grid
from curatome.tiles.grid import plan_tiles, positions, unit_pixels, unit_tiles
from curatome.tiles.record import choose_planes
from curatome.units import Mpp


def full_mask(width, height, step=32):
    return TissueMask(np.ones((-(-height // step), -(-width // step)), bool), step, step, {})


def plan(size, scales=CPIA_SCALES, mpp=0.4942, mask=None, **settings):
    build = BuildSettings(**settings)
    levels = (Level(*size, 1.0, 1.0),)
    planes, too_coarse = choose_planes(levels, Mpp(mpp, mpp), tuple(scales), build)
    assert not too_coarse
    return plan_tiles(scales, planes, mask or full_mask(*size), build)


@pytest.mark.parametrize(
    ("extent", "side", "stride", "drop", "pad"),
    [
        (1000.0, 100, 100, 10, 10),
        (1000.4, 100, 100, 10, 11),
        (999.9, 100, 100, 9, 10),
        (99.0, 100, 100, 0, 1),
        (1000.0, 100, 50, 19, 19),
        (1001.0, 100, 50, 19, 20),
        (95.0, 10, 30, 3, 4),  # 0, 30, 60 and, half off the slide, 90
        (85.0, 10, 30, 3, 3),  # the next one would begin beyond the slide
        (3839.9999999, 3840, 3840, 1, 1),  # but for the last bits of a division
    ],
)
def test_number_of_tiles_along_an_axis(extent, side, stride, drop, pad):
    assert len(positions(extent, side, stride, "drop")) == drop
    assert len(positions(extent, side, stride, "pad")) == pad


@given(extent=st.floats(1, 5000), side=st.integers(8, 600), stride=st.integers(1, 800))
@settings(deadline=None)
def test_dropped_tiles_lie_inside_and_padded_ones_cover(extent, side, stride):
    dropped, padded = (positions(extent, side, stride, edge) for edge in ("drop", "pad"))
    assert (dropped + side <= extent + 1e-3).all()
    assert len(dropped) == 0 or dropped[-1] + stride + side > extent
    assert (padded < extent + 1e-3).all()
    assert set(dropped.tolist()) <= set(padded.tolist())
    if stride <= side:
        assert padded[-1] + side >= extent - 1e-3


def test_cpia_scales_nest_and_count():
    tiles = plan((3840 * 2 + 700, 3840 + 5))
    assert {name: len(t) for name, t in tiles.items()} == {
        "XL": 2 * 1,
        "L": 8 * 4,
        "M": 21 * 10,
        "S": 87 * 40,
    }
    outer, inner = tiles["M"], tiles["S"]
    for x, y, parent in zip(inner.x, inner.y, inner.parent, strict=True):
        within = (x // 384, y // 384)
        if within[0] < 21 and within[1] < 10:
            assert (outer.x[parent], outer.y[parent]) == (within[0] * 384, within[1] * 384)
        else:
            assert parent == -1


def test_a_parent_that_is_left_out_is_no_parent():
    # Tissue only in one corner: the XL tile holds too little of it, its L tile enough.
    mask = np.zeros((120, 120), bool)
    mask[:30, :30] = True
    scales = [Scale(name="XL", mpp=0.5, side_px=3840), Scale(name="L", mpp=0.5, side_px=960,
              parent="XL", min_tissue=0.5)]  # fmt: skip
    tiles = plan((3840, 3840), scales, 0.5, TissueMask(mask, 32.0, 32.0, {}))
    assert (len(tiles["XL"]), len(tiles["L"])) == (0, 1)
    assert tiles["L"].parent.tolist() == [-1]
    assert tiles["L"].tissue.tolist() == [1.0]


def test_tissue_counts_against_the_whole_tile_and_inside_against_the_slide():
    scales = [Scale(name="A", mpp=0.5, side_px=100, min_tissue=0)]
    tiles = plan((250, 100), scales, 0.5, full_mask(250, 100, 10), edge="pad")["A"]
    assert tiles.x.tolist() == [0, 100, 200]
    assert tiles.inside.tolist() == [1.0, 1.0, 0.5]
    assert tiles.tissue.tolist() == pytest.approx([1.0, 1.0, 0.5])


def test_every_tile_is_in_one_unit_and_units_are_about_equal(monkeypatch):
    monkeypatch.setattr(grid, "UNIT_PIXELS", 40 << 20)
    tiles = plan((30_000, 20_000))
    counts, pixels = unit_tiles(tiles), unit_pixels(tiles)
    assert counts.sum() == sum(len(t) for t in tiles.values())
    assert 12 <= len(counts) <= 16  # 48 blocks, 35 of them whole, three to a unit
    assert pixels.max() <= 4 * ((40 << 20) + 3840**2)
    for t in tiles.values():
        assert (np.diff(t.unit) >= 0).all()
        assert (np.diff(t.block) >= 0).all()
        same = np.diff(t.block) == 0
        assert (np.diff(t.y)[same] >= 0).all()


def test_scales_of_different_mpp_have_units_of_their_own():
    scales = [Scale(name="A", mpp=0.5, side_px=256), Scale(name="B", mpp=1.0, side_px=256)]
    tiles = plan((6000, 5000), scales, 0.5)
    assert set(tiles["A"].unit.tolist()).isdisjoint(tiles["B"].unit.tolist())
    assert set(tiles["A"].block.tolist()).isdisjoint(tiles["B"].block.tolist())


def test_parents_across_mpp():
    scales = [
        Scale(name="B", mpp=1.0, side_px=512),
        Scale(name="A", mpp=0.5, side_px=256, parent="B"),
    ]
    tiles = plan((4096, 4096), scales, 0.5)
    a, b = tiles["A"], tiles["B"]
    assert (a.parent >= 0).all()
    np.testing.assert_array_equal(b.x[a.parent] * 2, a.x // 1024 * 1024)
    np.testing.assert_array_equal(b.y[a.parent] * 2, a.y // 1024 * 1024)


@pytest.mark.parametrize("edge", ["drop", "pad"])
def test_children_at_the_border_have_the_last_of_overlapping_parents(edge):
    scales = [
        Scale(name="P", mpp=0.5, side_px=400, stride_px=200),
        Scale(name="C", mpp=0.5, side_px=100, parent="P"),
    ]
    tiles = plan((1000, 1000), scales, 0.5, edge=edge)
    outer, inner = tiles["P"], tiles["C"]
    assert len(inner) == 100
    assert (inner.parent >= 0).all()
    for place in ("x", "y"):
        start, end = getattr(outer, place)[inner.parent], getattr(inner, place)
        assert (start <= end).all()
        assert (end + 100 <= start + 400).all()


def test_no_padded_tile_is_all_padding():
    scales = [Scale(name="A", mpp=0.5, side_px=960, min_tissue=0)]
    for width, wanted in ((960, 1), (961, 2)):
        tiles = plan((width, 960), scales, 0.5, edge="pad")["A"]
        assert len(tiles) == wanted
    sliver = plan((1921, 1920), [Scale(name="A", mpp=1.001, side_px=960, min_tissue=0)], 0.5,
                  edge="pad")["A"]  # fmt: skip
    assert len(sliver) == 1  # 959.5 x 959.04 px
