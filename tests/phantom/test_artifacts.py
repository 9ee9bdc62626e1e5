from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import shapely
from scipy.ndimage import laplace

from curatome.phantom import SCANNERS, make_scene, plan_cohort, render
from curatome.phantom.artifacts import KINDS, Request, focus, make_artifacts
from curatome.phantom.artifacts.pen import INKS, ink_density
from curatome.phantom.truth import ARTIFACTS, artifact_rows

ARIA = SCANNERS["aria"]
INKED = ("pen", "pen_circle", "pen_dots", "pen_scribble")
# How far (µm) beyond its outline a kind may change anything.
BESIDE = {"blur_band": 40, "blur_patch": 60, "coverslip": 25, "hemorrhage": 6, "fold": 22}


@pytest.fixture(scope="module")
def bare():
    plan = plan_cohort(9, 12, 330.0)[2]
    return make_scene(dataclasses.replace(plan, lesions=(), artifacts=(), seed=4))


@pytest.fixture(scope="module")
def clean(bare):
    return _picture(bare)


def _picture(scene):
    return render(scene, ARIA, (0, 0, scene.plan.width, scene.plan.height))


def _with(bare, *requests, seed=3, lesions=()):
    plan = dataclasses.replace(bare.plan, artifacts=requests)
    made = make_artifacts(plan, bare.tissue_outline(), np.random.default_rng(seed), lesions)
    return dataclasses.replace(bare, plan=plan, artifacts=made)


def _inside(scene, geometry):
    plan = scene.plan
    x, y = np.meshgrid(np.arange(plan.width) + 0.5, np.arange(plan.height) + 0.5)
    return shapely.contains_xy(geometry, x * plan.mpp, y * plan.mpp)


def _covered(scene):
    return shapely.union_all([artifact.outline for artifact in scene.artifacts])


@pytest.fixture(scope="module", params=sorted(KINDS))
def drawn(request, bare):
    """A kind, a slide with one request for it, and its picture."""
    scene = _with(bare, f"{request.param}@0.7", seed=5)
    return request.param, scene, _picture(scene)


def test_a_pixel_is_the_same_whichever_block_it_is_drawn_in(drawn):
    _, scene, whole = drawn
    parts = np.zeros_like(whole)
    height, width, _ = whole.shape
    for y in range(0, height, 131):
        for x in range(0, width, 217):
            box = (x, y, min(217, width - x), min(131, height - y))
            parts[y : y + 131, x : x + 217] = render(scene, ARIA, box)
    assert np.array_equal(parts, whole)


def test_what_changes_lies_where_the_truth_says(drawn, clean):
    kind, scene, picture = drawn
    changed = (picture != clean).any(axis=2)
    covered = _covered(scene)
    assert changed[_inside(scene, covered)].any()
    near = _inside(scene, covered.buffer(BESIDE.get(kind, 13)))
    assert not changed[~near].any()


@pytest.mark.parametrize("kind", [*INKED, "stitching"])
def test_all_that_is_covered_changes(bare, clean, kind):
    scene = _with(bare, f"{kind}@0.7#c01030")
    inside = _inside(scene, _covered(scene).buffer(-4))
    changed = (_picture(scene) != clean).any(axis=2)
    assert changed[inside].mean() > 0.97


@pytest.mark.parametrize(
    "color", ["#e01020", "#10a040", "#1030b0", "#202020", "#d060c0", "#f0a010"]
)
def test_ink_has_the_color_that_was_asked_for(bare, clean, color):
    scene = _with(bare, f"pen@0.9{color}")
    glass = _covered(scene).buffer(-8).difference(bare.tissue_outline().buffer(8))
    inside = _inside(scene, glass)
    assert inside.sum() > 200
    density = -np.log10(np.maximum(_picture(scene)[inside], 1.0) / clean[inside]).mean(axis=0)
    wanted = ink_density(color)
    assert density @ wanted / np.linalg.norm(density) / np.linalg.norm(wanted) > 0.985
    assert 0.6 < np.linalg.norm(density) / np.linalg.norm(wanted) < 1.4
    assert scene.artifacts[0].color == color


def test_two_inks_stay_two_inks(bare, clean):
    scene = _with(bare, "pen@0.9#c01030", "pen@0.9#1030b0", seed=8)
    red, blue = (artifact.outline.buffer(-8) for artifact in scene.artifacts)
    picture = _picture(scene)
    only_red = _inside(scene, red.difference(blue.buffer(12)))
    only_blue = _inside(scene, blue.difference(red.buffer(12)))
    assert picture[only_red].mean(axis=0).argmax() == 0
    assert picture[only_blue].mean(axis=0).argmax() == 2


def test_inks_by_lot_are_of_all_kinds(bare):
    colors = {
        artifact.color for seed in range(60) for artifact in _with(bare, "pen", seed=seed).artifacts
    }
    assert colors == set(INKS.values())


def test_a_circle_runs_around_the_largest_lesion_and_not_over_it(bare):
    x, y = bare.tissue_outline().centroid.coords[0]
    lesions = (shapely.Point(x, y).buffer(50), shapely.Point(x + 90, y).buffer(12))
    for seed in range(20):
        (circle,) = _with(bare, "pen_circle", seed=seed, lesions=lesions).artifacts
        ring = circle.shape.polygon()
        assert not ring.intersects(lesions[0].buffer(-5))
        assert shapely.Polygon(ring.exterior).contains(lesions[0])


@pytest.mark.parametrize("kind", ["fold", "blur_band", "blur_patch"])
def test_strength_grades_the_blur(bare, kind):
    size = (bare.plan.height, bare.plan.width)
    grid = (ARIA.mpp / 2, ARIA.mpp / 2, ARIA.mpp)
    peaks = []
    for strength in (0.1, 0.5, 1.0):
        scene = _with(bare, f"{kind}@{strength}")
        sigma = focus(scene, grid, size)
        peaks.append(float(sigma.max()))
        assert peaks[-1] == pytest.approx(scene.artifacts[0].blur_um, rel=0.02)
    assert peaks == sorted(peaks)
    assert peaks[2] > 2 * peaks[0]


def test_a_band_is_out_of_focus_and_half_so_on_its_outline(bare, clean):
    scene = _with(bare, "blur_band@0.6")
    band = scene.artifacts[0]
    detail = [np.abs(laplace(p[..., 1].astype(float))) for p in (_picture(scene), clean)]
    core = _inside(scene, band.outline.buffer(-4).intersection(bare.tissue_outline()))
    assert detail[0][core].mean() < 0.5 * detail[1][core].mean()
    size = (bare.plan.height, bare.plan.width)
    sigma = focus(scene, (ARIA.mpp / 2, ARIA.mpp / 2, ARIA.mpp), size)
    ring = _inside(scene, band.outline.boundary.buffer(0.6)) & (sigma > 0)
    assert np.median(sigma[ring]) == pytest.approx(band.blur_um / 2, rel=0.1)


def test_a_stronger_fold_is_darker(bare, clean):
    levels = []
    for strength in (0.1, 0.5, 1.0):
        scene = _with(bare, f"fold@{strength}")
        inside = _inside(scene, scene.artifacts[0].outline.buffer(-3))
        levels.append(_picture(scene)[inside].mean() - clean[inside].mean())
    assert levels == sorted(levels, reverse=True)
    assert levels[0] < -10
    assert levels[2] < levels[0] - 25


def test_through_a_tear_one_sees_glass(bare):
    scene = _with(bare, "tear@0.8")
    inside = _inside(scene, scene.artifacts[0].outline.buffer(-12))
    assert inside.sum() > 100
    assert np.median(_picture(scene)[inside]) > 230


def test_a_bubble_has_a_dark_rim_and_a_bright_middle(bare, clean):
    scene = _with(bare, "bubble@0.8", seed=2)
    outline = scene.artifacts[0].shape.polygon()
    share = _picture(scene) / np.maximum(clean, 1.0)
    rim = _inside(scene, outline.buffer(-1).difference(outline.buffer(-3)))
    middle = _inside(scene, outline.buffer(-22))
    assert share[rim].mean() < 0.35
    assert 0.85 < share[middle].mean() < 1.25


def test_more_strength_is_more_dust(bare):
    counts = [
        np.mean([len(_with(bare, f"dust@{s}", seed=k).artifacts) for k in range(12)])
        for s in (0.0, 1.0)
    ]
    assert counts[1] > counts[0] + 0.5


def test_a_misplaced_lane_shows_what_belongs_beside_it(bare, clean):
    scene = _with(bare, "stitching@0.6", seed=1)
    picture, (height, width) = _picture(scene), clean.shape[:2]
    for lane in scene.artifacts:
        left, right = (round(lane.bounds[k] / ARIA.mpp) for k in (0, 2))
        dx, dy = lane.shift
        assert dy != 0
        rows = slice(max(0, -dy), min(height, height - dy))
        columns = slice(max(left, -dx), min(right, width - dx))
        belongs = clean[rows.start + dy : rows.stop + dy, columns.start + dx : columns.stop + dx]
        expected = np.clip(belongs * lane.gain + 0.5, 0, 255).astype(np.uint8)
        assert np.array_equal(picture[rows, columns], expected)


def test_one_artifact_does_not_move_another(bare):
    alone = _with(bare, "fold@0.4").artifacts[0]
    beside = next(a for a in _with(bare, "fold@0.4", "dust", "pen").artifacts if a.kind == "fold")
    assert alone.outline.equals(beside.outline)


def test_the_same_request_twice_comes_twice(bare):
    folds = _with(bare, "fold", "fold").artifacts
    assert len(folds) == 2
    assert not folds[0].outline.equals(folds[1].outline)


def test_requests_are_read():
    assert Request.parsed("pen") == Request("pen", 0.5, "")
    assert Request.parsed("pen@0.8#C01030") == Request("pen", 0.8, "#c01030")
    assert Request.parsed("blur_band@1") == Request("blur_band", 1.0, "")
    assert Request.parsed("dust@0") == Request("dust", 0.0, "")


@pytest.mark.parametrize("text", ["", "pen@2", "pen@-1", "pen#12", "fold 0.3", "PEN", "pen@0..5"])
def test_what_is_no_request_is_refused(text):
    with pytest.raises(ValueError, match="Got"):
        Request.parsed(text)


def test_an_unknown_kind_is_refused(bare):
    with pytest.raises(ValueError, match="Got 'coffee'"):
        _with(bare, "coffee")


def test_truth_holds_every_artifact(bare):
    scene = _with(bare, *KINDS)
    table = ARTIFACTS.from_rows(artifact_rows(scene))
    assert set(table["kind"].to_pylist()) == set(KINDS)
    for row, artifact in zip(table.to_pylist(), scene.artifacts, strict=True):
        outline = shapely.from_wkb(row["polygon"])
        assert outline.area * bare.plan.mpp**2 == pytest.approx(artifact.outline.area)
        assert (row["color"] is not None) == (row["kind"] in (*INKED, "fiber"))
        assert (row["kind"] == "stitching") == (row["shift_y"] != 0)
        assert row["strength"] == 0.5
