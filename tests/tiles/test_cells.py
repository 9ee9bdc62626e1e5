import math

import numpy as np
import pytest
import shapely
from PIL import Image
from scipy import ndimage
from shapely import affinity

from curatome.phantom import SCANNERS, make_scene, plan_cohort, write_slide
from curatome.phantom.truth import nuclei_table
from curatome.protocol import BuildSettings
from curatome.slides.readers import open_slide
from curatome.tiles.cells import CellSettings, cut_cells, plan_cells
from curatome.tiles.plane import TooCoarse
from curatome.units import Mpp

MPP = Mpp(0.5, 0.5)


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """A region image of noise, 120 x 90 px, and its pixels."""
    pixels = np.random.default_rng(4).integers(0, 200, (90, 120, 3), np.uint8)
    path = tmp_path_factory.mktemp("field") / "field.png"
    Image.fromarray(pixels).save(path)
    return path, pixels


def crops(path, shapes, of=MPP, **settings):
    """Plan, and crops in the plan's order."""
    slide = open_slide(path)
    plan = plan_cells(slide, of, shapes, CellSettings(**settings))
    found = sorted(cut_cells(slide, plan), key=lambda crop: crop.index)
    slide.close()
    assert [crop.index for crop in found] == list(range(len(shapes)))
    return plan, found


# Where the crop lies


def test_a_crop_at_the_image_s_own_scale_is_a_copy(field):
    path, pixels = field
    plan, (crop,) = crops(path, [shapely.Point(60, 40)], side_px=32, mpp=0.5)
    assert np.array_equal(crop.pixels, pixels[24:56, 44:76])
    assert crop.mask is None
    assert plan.corner.tolist() == [[44, 24]]
    assert (plan.inside.tolist(), plan.shown.tolist()) == ([1.0], [1.0])


def test_reducing_averages_exactly(field):
    path, pixels = field
    _, (crop,) = crops(path, [shapely.Point(60, 40)], side_px=16, mpp=1.0)
    blocks = pixels[24:56, 44:76].reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))
    assert np.abs(crop.pixels - blocks).max() <= 0.51


def test_axes_of_their_own_scale(field):
    path, pixels = field
    _, (crop,) = crops(path, [shapely.Point(60, 40)], Mpp(0.5, 0.25), side_px=16, mpp=0.5)
    rows = pixels[24:56, 52:68].reshape(16, 2, 16, 3).mean(axis=1)
    assert np.abs(crop.pixels - rows).max() <= 0.51


def test_the_middle_of_the_bounds_is_the_middle_of_the_crop(field):
    path, _ = field
    places = np.random.default_rng(1).uniform(0, 60, (20, 3))
    shapes = [shapely.box(x, y, x + w, y + 7.3) for x, y, w in places]
    plan, _ = crops(path, shapes, side_px=24, mpp=0.7)
    middle = (plan.corner + 12) * plan.step
    assert np.abs((middle - plan.center) / plan.step).max() <= 0.5 + 1e-9


def test_borders_are_padded_white_and_the_part_inside_is_recorded(field):
    path, pixels = field
    shapes = [shapely.Point(0, 40), shapely.Point(120, 90), shapely.Point(-500, 40)]
    plan, found = crops(path, shapes, side_px=32, mpp=0.5)
    assert plan.inside.tolist() == [0.5, 0.25, 0.0]
    assert (found[0].pixels[:, :16] == 255).all()
    assert np.array_equal(found[0].pixels[:, 16:], pixels[24:56, :16])
    assert np.array_equal(found[1].pixels[:16, :16], pixels[74:, 104:])
    assert (found[1].pixels[16:] == 255).all()
    assert (found[1].pixels[:, 16:] == 255).all()
    assert (found[2].pixels == 255).all()


def test_what_does_not_fit_is_recorded(field):
    path, _ = field
    plan, _ = crops(path, [shapely.box(20, 30, 100, 50)], side_px=40, mpp=0.5)
    assert plan.shown.tolist() == [0.5]


def test_neighbours_and_order_change_nothing(field):
    path, _ = field
    shapes = [shapely.Point(*at) for at in np.random.default_rng(2).uniform(0, 90, (30, 2))]
    _, together = crops(path, shapes, side_px=20, mpp=0.9)
    _, backwards = crops(path, shapes[::-1], side_px=20, mpp=0.9)
    for i, shape in enumerate(shapes):
        _, (alone,) = crops(path, [shape], side_px=20, mpp=0.9)
        assert np.array_equal(alone.pixels, together[i].pixels)
        assert np.array_equal(alone.pixels, backwards[-1 - i].pixels)


def test_enlarging_beyond_the_limit_is_refused(field):
    path, _ = field
    with pytest.raises(TooCoarse, match="2-fold"):
        crops(path, [shapely.Point(50, 50)], side_px=32, mpp=0.25)
    allowed = BuildSettings(max_enlargement=2.0)
    plan, _ = crops(path, [shapely.Point(50, 50)], side_px=32, mpp=0.25, build=allowed)
    assert plan.plane.enlargement == 2.0


def test_no_cells_give_no_crops(field):
    plan, found = crops(field[0], [], mpp=0.5)
    assert (len(plan), found) == (0, [])


# Ground and mask


def test_white_ground_and_mask_follow_the_outline(field):
    path, pixels = field
    ring = shapely.Polygon(
        [(50, 30), (70, 30), (70, 50), (50, 50)], [[(56, 36), (62, 36), (62, 44), (56, 44)]]
    )
    _, (crop,) = crops(path, [ring], side_px=32, mpp=0.5, ground="white")
    expected = np.zeros((32, 32), bool)
    expected[6:26, 6:26] = True
    expected[12:20, 12:18] = False
    assert np.array_equal(crop.mask, expected)
    assert (crop.pixels[~expected] == 255).all()
    assert np.array_equal(crop.pixels[expected], pixels[24:56, 44:76][expected])
    _, (context,) = crops(path, [ring], side_px=32, mpp=0.5)
    assert np.array_equal(context.pixels, pixels[24:56, 44:76])
    assert np.array_equal(context.mask, expected)


def test_shapes_that_cannot_be_cut_are_named(field):
    with pytest.raises(ValueError, match=r"shape 1 is a point, .*white"):
        crops(field[0], [shapely.box(1, 1, 5, 5), shapely.Point(3, 3)], ground="white")
    with pytest.raises(ValueError, match="shape 0 is a LineString without area"):
        crops(field[0], [shapely.LineString([(0, 0), (5, 5)])])
    with pytest.raises(ValueError, match="shape 0 is empty"):
        crops(field[0], [shapely.Polygon()])


# The same tissue under three scanners


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """One scene scanned at 0.499, 0.5032 and 0.2522 µm/px, and its nuclei."""
    folder = tmp_path_factory.mktemp("scanned")
    scene = make_scene(plan_cohort(5, 4, 500.0)[0])
    for name, scanner in SCANNERS.items():
        write_slide(folder / f"{name}.svs", scene, scanner)
    nuclei = nuclei_table(scene).to_pylist()
    width, height = scene.plan.width_um, scene.plan.height_um
    at = np.array([(n["x_um"], n["y_um"]) for n in nuclei])
    near = shapely.STRtree(shapely.points(at))
    pairs = near.query(shapely.points(at), predicate="dwithin", distance=14.0)[0]
    alone = np.bincount(pairs, minlength=len(nuclei)) == 1
    chosen = [
        n
        for n, single in zip(nuclei, alone, strict=True)
        if single and 20 < n["x_um"] < width - 20 and 20 < n["y_um"] < height - 20
    ]
    return folder, chosen[:60]


def outline(nucleus, mpp):
    """The nucleus as an ellipse in level-0 pixels."""
    circle = shapely.Point(0, 0).buffer(0.5, quad_segs=32)
    scaled = affinity.scale(circle, nucleus["long_um"], nucleus["short_um"], origin=(0, 0))
    turned = affinity.rotate(scaled, nucleus["angle"], origin=(0, 0), use_radians=True)
    moved = affinity.translate(turned, nucleus["x_um"], nucleus["y_um"])
    return affinity.scale(moved, 1 / mpp, 1 / mpp, origin=(0, 0))


def long_axis(mask, mpp):
    """Length of the long axis of a filled ellipse by its second moments, µm."""
    y, x = np.nonzero(mask)
    return 4 * math.sqrt(np.linalg.eigvalsh(np.cov(np.stack([x, y])))[-1]) * mpp


def dark(pixels):
    """The dark thing in the middle of a crop, halfway between its red and that around it."""
    red = pixels[..., 0].astype(float)
    side = len(red)
    middle = red[side // 2 - 2 : side // 2 + 2, side // 2 - 2 : side // 2 + 2].mean()
    parts, _ = ndimage.label(red < (middle + np.percentile(red, 80)) / 2)
    return parts == parts[side // 2, side // 2] if parts[side // 2, side // 2] else None


def test_nuclei_are_in_the_middle_and_as_long_under_every_scanner(scanned):
    folder, nuclei = scanned
    assert len(nuclei) > 20
    drawn, seen = {}, {}
    for name, scanner in SCANNERS.items():
        shapes = [outline(n, scanner.mpp) for n in nuclei]
        mpp = Mpp(scanner.mpp, scanner.mpp)
        plan, found = crops(folder / f"{name}.svs", shapes, mpp, side_px=48, mpp=0.51)
        assert plan.plane.mpp_x * 48 == pytest.approx(CellSettings(side_px=48, mpp=0.51).side_um)
        inside = np.array([c.pixels[c.mask].mean(axis=0) for c in found])
        around = np.array([c.pixels[~c.mask].mean(axis=0) for c in found])
        assert (inside[:, 0] < around[:, 0] - 15).mean() > 0.95  # darker
        bluer = (inside[:, 2] - inside[:, 0]) - (around[:, 2] - around[:, 0])
        assert (bluer > 0).mean() > 0.9  # and bluer than what is around them
        drawn[name] = np.array([long_axis(c.mask, 0.51) for c in found])
        masks = [dark(c.pixels) for c in found]
        seen[name] = np.array([np.nan if m is None else long_axis(m, 0.51) for m in masks])
    truth = np.array([n["long_um"] for n in nuclei])
    for lengths in drawn.values():
        assert np.abs(lengths / truth - 1).max() < 0.08
        assert lengths.mean() == pytest.approx(truth.mean(), rel=0.01)
    for name in ("boreal", "cirrus"):
        ratio = seen[name] / seen["aria"]
        assert np.nanmedian(ratio) == pytest.approx(1, abs=0.03)
