from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import shapely
from scipy.ndimage import binary_erosion

from curatome.phantom import SCANNERS, SITES, make_scene, plan_cohort, render
from curatome.phantom.nuclei import CLASSES, LYMPHOCYTE
from curatome.phantom.optics import kernel


@pytest.fixture(scope="module")
def scene():
    plan = plan_cohort(9, 12, 900.0)[2]
    lesions = (("tumor", 1, 300.0), ("inflammation", 1, 160.0))
    return make_scene(dataclasses.replace(plan, lesions=lesions, artifacts=("fold",)))


@pytest.fixture(scope="module")
def picture(scene):
    plan = scene.plan
    return render(scene, SCANNERS[plan.scanner], (0, 0, plan.width, plan.height))


def _inside(scene, geometry, erode_px=0):
    mpp, plan = scene.plan.mpp, scene.plan
    x, y = np.meshgrid(np.arange(plan.width) + 0.5, np.arange(plan.height) + 0.5)
    mask = shapely.contains_xy(geometry, x * mpp, y * mpp)
    return binary_erosion(mask, iterations=erode_px) if erode_px else mask


def _disks(scene, kind, scale):
    """Pixels within `scale` half short axes of the centers of one class of nuclei."""
    nuclei, plan = scene.nuclei, scene.plan
    chosen = nuclei.kind == kind
    centers = shapely.points(nuclei.x[chosen], nuclei.y[chosen])
    area = shapely.union_all(shapely.buffer(centers, scale * nuclei.short[chosen] / 2))
    return _inside(scene, area) if chosen.any() else np.zeros((plan.height, plan.width), bool)


@pytest.mark.parametrize("blocks", [(97, 61), (256, 1000), (1000, 3)])
def test_pixels_do_not_depend_on_the_blocks(scene, picture, blocks):
    scanner = SCANNERS[scene.plan.scanner]
    x0, y0, width, height = 310, 240, 500, 330
    tall, wide = blocks
    for y in range(y0, y0 + height, tall):
        for x in range(x0, x0 + width, wide):
            block = render(scene, scanner, (x, y, min(wide, x0 + width - x), 2))
            expected = picture[y : y + 2, x : x + block.shape[1]]
            assert np.array_equal(block, expected)


def test_clean_glass_is_the_same_alone_and_beside_tissue(scene, picture):
    scanner = SCANNERS[scene.plan.scanner]
    assert np.array_equal(render(scene, scanner, (0, 0, 9, 7)), picture[:7, :9])


def test_glass_is_bright_and_tissue_is_not(scene, picture):
    outline = scene.tissue_outline()
    far = ~_inside(scene, outline.buffer(6))
    assert picture[far].min() > 225
    assert picture[far].mean(axis=0).min() > 235
    tissue = _inside(scene, outline)
    assert picture[tissue].mean() < 215
    assert picture[tissue][:, 1].mean() < picture[tissue][:, 0].mean() - 20  # pink, not gray


def test_lamp_is_uneven_but_only_a_little(scene, picture):
    far = ~_inside(scene, scene.tissue_outline().buffer(6))
    columns = [picture[:, a : a + 60][far[:, a : a + 60]].mean() for a in range(0, 1700, 60)]
    assert 0.3 < max(columns) - min(columns) < 6


@pytest.mark.parametrize("kind", ["epithelial", "tumor", "lymphocyte", "stromal"])
def test_nuclei_are_darker_and_bluer_than_stroma(scene, picture, kind):
    fold = scene.artifacts[0].outline.buffer(5)
    clear = ~_inside(scene, fold)
    nuclei = _disks(scene, CLASSES.index(kind), 0.6) & clear
    everything = _inside(scene, shapely.buffer(_all_centers(scene), 9))
    taken = shapely.union_all(scene.regions.polygons()).buffer(3)
    stroma = _inside(scene, scene.tissue_outline().buffer(-20).difference(taken))
    stroma &= ~everything & clear
    inside, outside = picture[nuclei].mean(axis=0), picture[stroma].mean(axis=0)
    assert inside[0] < outside[0] - 60  # red is what hematoxylin takes away
    assert inside[2] - inside[0] > outside[2] - outside[0] + 20


def _all_centers(scene):
    return shapely.multipoints(np.stack([scene.nuclei.x, scene.nuclei.y], axis=1))


@pytest.mark.parametrize("site", sorted(SITES))
def test_stain_vectors_come_back_from_the_pixels(scene, site):
    """In dark nuclei and in collagen, the main direction of optical density is the site's."""
    plan = dataclasses.replace(scene.plan, site=site, artifacts=())
    own = dataclasses.replace(scene, plan=plan, artifacts=())
    scanner = dataclasses.replace(SCANNERS["cirrus"], mpp=0.499, blur_um=0.1, sharpen=0.0, noise=0)
    image = render(own, scanner, (0, 0, plan.width, plan.height)).astype(float)
    white = 255 * np.array(scanner.white) * 0.995
    density = -np.log10(np.clip(image, 1, None) / white)
    mask = _inside(own, own.tissue_outline().buffer(-20)) & (density.sum(axis=2) > 0.35)
    values = density[mask]
    # Macenko et al. (ISBI 2009): the extreme directions within the plane of the two stains.
    _, _, axes = np.linalg.svd(values - 0, full_matrices=False)
    plane = axes[:2] * np.sign(axes[:2].sum(axis=1, keepdims=True))
    angle = np.arctan2(values @ plane[1], values @ plane[0])
    found = [
        np.cos(a) * plane[0] + np.sin(a) * plane[1] for a in np.quantile(angle, [0.005, 0.995])
    ]
    found.sort(key=lambda v: -v[0])
    truth = SITES[site].hematoxylin, SITES[site].eosin
    # No nucleus is free of eosin and no collagen free of hematoxylin: 12° is what remains.
    for vector, expected in zip(found, truth, strict=True):
        assert np.degrees(np.arccos(min(1.0, vector @ np.array(expected)))) < 12


def test_a_fold_is_darker_than_the_tissue_beside_it(scene, picture):
    fold = scene.artifacts[0]
    assert fold.kind == "fold"
    beside = fold.outline.buffer(40).difference(fold.outline.buffer(4))
    beside = beside.intersection(scene.tissue_outline())
    inside = _inside(scene, fold.outline.buffer(-4))
    assert picture[inside].mean() < picture[_inside(scene, beside)].mean() - 25


def test_a_pen_mark_covers_glass_in_its_color():
    plan = dataclasses.replace(plan_cohort(9, 12, 900.0)[2], artifacts=("pen",))
    scene = make_scene(plan)
    pen = scene.artifacts[0]
    picture = render(scene, SCANNERS[plan.scanner], (0, 0, plan.width, plan.height))
    on_glass = pen.outline.buffer(-6).difference(scene.tissue_outline().buffer(6))
    color = picture[_inside(scene, on_glass)].mean(axis=0)
    assert color.min() < 130
    ink = np.array([int(pen.color[k : k + 2], 16) for k in (1, 3, 5)])
    assert np.corrcoef(color, ink)[0, 1] > 0.9 or np.ptp(ink) < 5 > np.ptp(color) / 5


def test_scanners_differ_in_sharpness(scene):
    """The slide's finest detail, relative to its contrast, follows the scanner's optics."""
    box = (500, 500, 500, 400)
    sharp = dataclasses.replace(SCANNERS["aria"], noise=0)
    soft = dataclasses.replace(sharp, blur_um=1.2, sharpen=0.0)
    steps = [
        np.abs(np.diff(render(scene, s, box).astype(int), axis=1)).mean() for s in (sharp, soft)
    ]
    assert steps[0] > 1.4 * steps[1]
    assert kernel(sharp).sum() == pytest.approx(1, abs=1e-5)


def test_the_same_place_looks_alike_at_two_scales(scene):
    fine = dataclasses.replace(SCANNERS["aria"], mpp=0.25, noise=0, sharpen=0, blur_um=0.4)
    coarse = dataclasses.replace(fine, mpp=0.5)
    a = render(scene, fine, (1200, 1200, 800, 600)).astype(float)
    b = render(scene, coarse, (600, 600, 400, 300)).astype(float)
    reduced = a.reshape(300, 2, 400, 2, 3).mean(axis=(1, 3))
    assert np.abs(reduced.mean(axis=(0, 1)) - b.mean(axis=(0, 1))).max() < 2.5
    assert np.corrcoef(reduced[..., 0].ravel(), b[..., 0].ravel())[0, 1] > 0.97


def test_an_empty_block_is_refused(scene):
    with pytest.raises(ValueError, match="0 × 5"):
        render(scene, SCANNERS["aria"], (0, 0, 0, 5))


def test_lymphocytes_are_small_and_round(scene):
    chosen = scene.nuclei.kind == LYMPHOCYTE
    assert chosen.sum() > 50
    assert (scene.nuclei.short / scene.nuclei.long)[chosen].min() > 0.45
    assert np.median(scene.nuclei.long[chosen]) == pytest.approx(8.6, abs=0.5)
