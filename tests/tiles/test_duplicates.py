import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from curatome.tiles.duplicates import drawn_twice, same_pixels, turned_hash
from curatome.units import Mpp

MPP = Mpp(0.5, 0.5)


def disk(x, y, r=10):
    return shapely.Point(x, y).buffer(r)


def groups(shapes, found):
    """Sets of shapes, as their coordinates, that are one cell."""
    names = [shapely.to_wkb(shapely.normalize(shape)) for shape in shapes]
    out = {}
    for i, stands in enumerate(found):
        out.setdefault(names[i] if stands < 0 else names[stands], []).append(names[i])
    return {first: sorted(rest) for first, rest in out.items()}


def test_a_shifted_outline_is_the_same_cell_and_a_neighbour_is_not():
    shapes = [disk(50, 50), disk(52, 51), disk(72, 50), disk(200, 50)]
    found = drawn_twice(shapes, MPP)
    assert sorted(found.tolist()) in ([-1, -1, -1, 0], [-1, -1, -1, 1])
    assert found[2] == found[3] == -1


def test_another_outline_of_the_same_cell():
    ragged = shapely.Polygon([(41, 43), (50, 40), (60, 44), (59, 57), (48, 60), (40, 55)])
    assert (drawn_twice([disk(50, 50), ragged], MPP) >= 0).sum() == 1
    assert (drawn_twice([disk(50, 50), shapely.box(40, 40, 60, 60)], MPP) >= 0).sum() == 1


def test_the_threshold_is_the_overlap():
    a, b = shapely.box(0, 0, 10, 10), shapely.box(5, 0, 15, 10)  # 50 of 150
    assert (drawn_twice([a, b], MPP, iou=1 / 3) >= 0).any()
    assert (drawn_twice([a, b], MPP, iou=0.34) < 0).all()


def test_points_are_compared_in_micrometers():
    a, b = shapely.Point(10, 10), shapely.Point(16, 10)  # 3 µm at 0.5 µm/px
    assert (drawn_twice([a, b], MPP) >= 0).any()
    assert (drawn_twice([a, b], Mpp(0.51, 0.5)) < 0).all()
    assert (drawn_twice([a, b], Mpp(0.25, 0.5), distance_um=1.5) >= 0).any()


def test_a_point_in_a_concave_cell_belongs_to_it():
    horseshoe = shapely.Polygon(
        [(0, 0), (30, 0), (30, 30), (24, 30), (24, 6), (6, 6), (6, 30), (0, 30)]
    )
    assert (drawn_twice([horseshoe, shapely.Point(15, 15)], MPP, distance_um=0.1) >= 0).any()


def test_a_chain_of_neighbours_does_not_become_one_cell():
    chain = [shapely.box(4 * i, 0, 4 * i + 12, 12) for i in range(9)]  # each overlaps the next
    found = drawn_twice(chain, MPP)
    assert (found < 0).sum() >= 3
    for i, stands in enumerate(found):
        if stands >= 0:
            common = chain[i].intersection(chain[stands]).area
            assert common / chain[i].union(chain[stands]).area >= 0.5


def test_outlines_that_cross_themselves_are_compared():
    bow = shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    assert (drawn_twice([bow, bow], MPP) >= 0).sum() == 1


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_the_order_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 60, (14, 2))
    shapes = [disk(x, y) if rng.random() < 0.7 else shapely.Point(x, y) for x, y in places]
    mixed = [shapes[i] for i in rng.permutation(len(shapes))]
    assert groups(shapes, drawn_twice(shapes, MPP)) == groups(mixed, drawn_twice(mixed, MPP))


def test_nothing_and_nonsense():
    assert drawn_twice([], MPP).tolist() == []
    assert drawn_twice([disk(1, 1)], MPP).tolist() == [-1]
    with pytest.raises(ValueError, match="iou must be above 0"):
        drawn_twice([], MPP, iou=0)


def test_turned_copies_have_one_hash_and_others_do_not():
    rng = np.random.default_rng(3)
    crop, other = rng.integers(0, 255, (2, 20, 20, 3), np.uint8)
    turned = [np.rot90(side, k) for side in (crop, crop[::-1]) for k in range(4)]
    assert len({turned_hash(one) for one in turned}) == 1
    assert turned_hash(other) != turned_hash(crop)
    changed = crop.copy()
    changed[3, 4, 1] ^= 1
    assert turned_hash(changed) != turned_hash(crop)
    hashes = [turned_hash(one) for one in (other, turned[5], crop, other)]
    assert same_pixels(hashes).tolist() == [-1, -1, 1, 0]


def test_a_shift_by_pixels_is_the_same_outline_whatever_the_scale():
    cell = affinity.scale(disk(0, 0, 12), 1, 0.6)
    shifted = affinity.translate(cell, 2, 1)
    for mpp in (0.1, 0.25, 1.0):
        assert (drawn_twice([cell, shifted], Mpp(mpp, mpp)) >= 0).sum() == 1
