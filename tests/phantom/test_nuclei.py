"""Nuclei are placed, shaped and painted as the truth table says."""

import csv
import dataclasses

import numpy as np
import pyarrow.compute as pc
import pytest
import shapely
from PIL import Image
from scipy.ndimage import find_objects
from scipy.stats import mannwhitneyu

from curatome.phantom import make_scene, paint, plan_cohort
from curatome.phantom.cells import (
    ANAPHASE,
    APOPTOTIC,
    CLASSES,
    EPITHELIAL,
    LOOKALIKES,
    MITOSIS,
    PHASES,
    TRAIT_FREQUENCIES,
    TUMOR,
)
from curatome.phantom.contours import areas_um2, outline, outlines
from curatome.phantom.fabric import KINDS
from curatome.phantom.noise import texture
from curatome.phantom.specimen import draw_nucleus, one_nucleus
from curatome.phantom.traits import (
    CROWDING,
    ENLARGEMENT,
    FREQUENCIES,
    IRREGULAR,
    MARKED,
    OVERLAPPING,
    PHI,
    TRAITS,
    WRINKLED,
)
from curatome.phantom.truth import nuclei_table, outlines_table
from tests.phantom.test_traits import BOUND, z_scores


def scene_of(*lesions, side_um=2600.0):
    plan = plan_cohort(9, 12, side_um)[2]
    size = {"width_um": side_um, "height_um": side_um}
    return make_scene(dataclasses.replace(plan, lesions=lesions, artifacts=(), **size))


@pytest.fixture(scope="module")
def scene():
    return scene_of(("tumor", 4, 600.0), ("in_situ", 4, 200.0), ("adenoma", 2, 300.0))


@pytest.fixture(scope="module")
def table(scene):
    return nuclei_table(scene)


@pytest.fixture(scope="module")
def shapes(scene):
    return outlines(scene.nuclei)


def marks_of(table, kind):
    own = table.filter(pc.field("class") == kind)
    return np.column_stack([own[f"has_{t}"].to_numpy(zero_copy_only=False) for t in TRAITS])


def test_planted_frequencies_and_correlations_are_in_the_truth(table):
    marks = marks_of(table, "tumor").astype(bool)
    assert len(marks) > 4000
    assert np.abs(z_scores(marks, FREQUENCIES, PHI)).max() < BOUND


def test_normal_epithelium_has_few_traits():
    marks = marks_of(nuclei_table(scene_of()), "epithelial").astype(float)
    assert len(marks) > 400
    planted = TRAIT_FREQUENCIES[EPITHELIAL]
    error = np.sqrt(planted * (1 - planted) / len(marks))
    assert np.abs((marks.mean(axis=0) - planted) / error).max() < 4


def test_labels_follow_strengths_and_only_graded_classes_have_them(table):
    graded = pc.is_in(table["class"], pc.cast(["epithelial", "tumor"], "string")).to_numpy()
    for name in TRAITS:
        strength, marked = table[name].to_numpy(), table[f"has_{name}"].to_pylist()
        assert np.array_equal(~np.isnan(strength), graded)
        expected = [bool(s >= MARKED) if g else None for s, g in zip(strength, graded, strict=True)]
        assert marked == expected


def test_phases_belong_to_mitoses(table):
    mitosis = np.array(table["class"]) == "mitosis"
    phase = table["phase"].to_pylist()
    assert mitosis.sum() > 15
    assert {p for p, m in zip(phase, mitosis, strict=True) if m} == set(PHASES[1:])
    assert {p for p, m in zip(phase, mitosis, strict=True) if not m} == {None}


def test_mitoses_have_lookalikes(table):
    counts = {v["values"]: v["counts"] for v in table["class"].value_counts().to_pylist()}
    assert all(counts[kind] > 5 for kind in LOOKALIKES)


def test_outlines_are_valid_and_have_the_area_told(scene, table, shapes):
    assert shapely.is_valid(shapes).all()
    assert shapely.area(shapes) == pytest.approx(table["area_um2"].to_numpy(), rel=1e-9)
    parts = shapely.get_num_geometries(shapes)
    assert (parts[scene.nuclei.phase == ANAPHASE] == 2).all()
    assert parts[scene.nuclei.kind == APOPTOTIC].max() > 1
    single = (scene.nuclei.phase != ANAPHASE) & (scene.nuclei.kind != APOPTOTIC)
    assert (parts[single] == 1).all()


def test_outlines_in_the_table_are_in_pixels(scene, shapes):
    table = outlines_table(scene)
    stored = shapely.from_wkb(table["outline"].to_pylist())
    assert shapely.area(stored) == pytest.approx(shapely.area(shapes) / scene.plan.mpp**2)
    assert outline(scene.nuclei, 7).equals_exact(shapes[7], 1e-9)


def test_overlapping_nuclei_overlap_and_others_do_not(scene, shapes):
    marked = scene.nuclei.strength[:, OVERLAPPING] >= MARKED
    tumor = scene.nuclei.kind == TUMOR
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    touched = np.bincount(one[one != other], minlength=len(shapes)) > 0
    assert touched[marked].mean() > 0.995
    assert touched[tumor & ~marked].mean() < 0.03


def test_crowded_nuclei_have_nearer_neighbors(scene, shapes):
    """Mean gap to the second to fourth neighbor: the first may be one that overlaps."""
    tumor = np.flatnonzero(scene.nuclei.kind == TUMOR)
    tree = shapely.STRtree(shapes)
    one, other = tree.query(shapes[tumor], predicate="dwithin", distance=8.0)
    gap = shapely.distance(shapes[tumor][one], shapes[other])
    gaps = np.full((len(tumor), 5), 8.0)
    order = np.lexsort((gap, one))
    one, gap = one[order], gap[order]
    rank = np.arange(len(one)) - np.searchsorted(one, one)
    gaps[one[rank < 5], rank[rank < 5]] = gap[rank < 5]
    mean = gaps[:, 2:].mean(axis=1)
    crowded = scene.nuclei.strength[tumor, CROWDING] >= MARKED
    higher = mannwhitneyu(mean[~crowded], mean[crowded]).statistic
    assert higher / (crowded.sum() * (~crowded).sum()) > 0.80
    assert np.median(mean[crowded]) < np.median(mean[~crowded]) - 0.8


def test_elongation_enlargement_and_unevenness_are_in_the_shape(scene, shapes):
    nuclei, tumor = scene.nuclei, scene.nuclei.kind == TUMOR
    strength = nuclei.strength[tumor]
    ratio = (nuclei.short / nuclei.long)[tumor]
    marked = strength >= MARKED
    assert np.corrcoef(ratio, strength[:, 0])[0, 1] < -0.95
    assert np.quantile(ratio[marked[:, 0]], 0.99) < np.quantile(ratio[~marked[:, 0]], 0.1)
    area = areas_um2(nuclei)[tumor]
    enlarged = marked[:, ENLARGEMENT]
    assert np.median(area[enlarged]) > 1.4 * np.median(area[~enlarged])
    hull = shapely.area(shapely.convex_hull(shapes[tumor]))
    solidity = area / hull
    for trait in (IRREGULAR, WRINKLED):
        strong, weak = (
            strength[:, trait] > 0.8,
            strength[:, [IRREGULAR, WRINKLED]].max(axis=1) < 0.2,
        )
        assert np.median(solidity[strong]) < np.median(solidity[weak]) - 0.008


@pytest.fixture
def alone(monkeypatch):
    """Nuclei are painted without the cells around them."""
    monkeypatch.setattr(paint, "_AROUND", np.zeros_like(paint._AROUND))


def painted(nuclei, mpp):
    """Pixels that nuclei hide at least half of: eosin was 100 everywhere before."""
    side = round(40.0 / mpp)
    grid = ((0.5 - side / 2) * mpp, (0.5 - side / 2) * mpp, mpp)
    dyes = np.zeros((3, side, side), np.float32)
    dyes[1] = 100.0
    paint.paint_nuclei(texture(1), nuclei, grid, dyes)
    x, y = np.meshgrid(*[(np.arange(side) + 0.5 - side / 2) * mpp] * 2)
    return dyes[1] < 50.0, x, y


@pytest.mark.parametrize(
    ("kind", "phase"),
    [(k, "") for k in CLASSES if k != "mitosis"] + [("mitosis", p) for p in PHASES[1:]],
)
@pytest.mark.parametrize("seed", range(4))
def test_the_outline_is_what_is_painted(alone, kind, phase, seed):
    nucleus = one_nucleus(kind, {}, phase, seed).chosen(np.array([0]))
    mask, x, y = painted(nucleus, 0.1)
    truth = shapely.contains_xy(outline(nucleus, 0), x, y)
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


@pytest.mark.parametrize("trait", TRAITS)
def test_the_outline_is_what_is_painted_with_traits(alone, trait):
    nucleus = one_nucleus("tumor", {trait: 1.0}, seed=2).chosen(np.array([0]))
    mask, x, y = painted(nucleus, 0.25)
    truth = shapely.contains_xy(outline(nucleus, 0), x, y)
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


@pytest.mark.parametrize("trait", TRAITS)
def test_a_trait_shows_the_more_the_stronger_it_is(trait):
    def change(strength, seed):
        plain = draw_nucleus("tumor", {}, seed=seed).astype(float)
        drawn = draw_nucleus("tumor", {trait: strength}, seed=seed)
        return np.abs(drawn - plain)[24:72, 24:72].mean()

    subtle, strong = (np.mean([change(s, seed) for seed in range(4)]) for s in (0.25, 1.0))
    assert subtle < 0.5 * strong
    assert strong > 1.0


def test_a_specimen_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match=r"stromal are not graded\. Got glassy"):
        one_nucleus("stromal", {"glassy": 1.0})


@pytest.mark.parametrize(
    ("lesion", "kind", "side_um"),
    [
        *(("tumor", "tumor", 1500.0), ("in_situ", "tumor", 1500.0), ("adenoma", "tumor", 1500.0)),
        *(("mucinous", "tumor", 2600.0), ("spindle", "spindle", 1500.0)),
        *(("lymphoma", "lymphoma", 1500.0), ("inflammation", "lymphocyte", 1500.0)),
        *(("necrosis", "debris", 1500.0),),
    ],
)
def test_lesions_are_made_of_their_own_cells(lesion, kind, side_um):
    scene = scene_of((lesion, 3, side_um / 6), side_um=side_um)
    regions, nuclei = scene.regions, scene.nuclei
    own = regions.polygons()[regions.kind == KINDS.index(lesion)]
    inside = shapely.contains_xy(shapely.union_all(own).buffer(-30), nuclei.x, nuclei.y)
    counts = np.bincount(nuclei.kind[inside], minlength=len(CLASSES))
    assert counts.sum() > 20
    assert counts.argmax() == CLASSES.index(kind)


def test_density_falls_through_the_transition():
    scene = scene_of(("lymphoma", 2, 350.0), side_um=2000.0)
    regions, nuclei = scene.regions, scene.nuclei
    own = np.flatnonzero(regions.kind == KINDS.index("lymphoma"))[0]
    shape, width = shapely.make_valid(regions.polygons()[own]), regions.transition[own]
    assert width > 4
    lymphoma = nuclei.kind == CLASSES.index("lymphoma")

    def density(zone):
        return shapely.contains_xy(zone, nuclei.x[lymphoma], nuclei.y[lymphoma]).sum() / zone.area

    edge = density(shape.difference(shape.buffer(-0.5 * width)))
    assert edge < 0.75 * density(shape.buffer(-1.2 * width))


def test_mitoses_are_dark():
    picture = draw_nucleus("mitosis", {}, "metaphase", seed=1)
    plain = draw_nucleus("tumor", {}, seed=1)
    middle = np.s_[44:52, 44:52]
    assert picture[middle].mean() < plain[middle].mean() - 15
    assert CLASSES[MITOSIS] == "mitosis"


def shape_statistics(labels, mpp):
    """Median diameter (µm), its coefficient of variation and median axis ratio of label images."""
    found = []
    for index, box in enumerate(find_objects(labels), start=1):
        if box is None or min(box[0].start, box[1].start) == 0:
            continue
        y, x = np.nonzero(labels[box] == index)
        if len(y) >= 30 and box[0].stop < labels.shape[0] and box[1].stop < labels.shape[1]:
            low, high = np.linalg.eigvalsh(np.cov(np.stack([x, y])))
            found.append((2 * mpp * np.sqrt(len(y) / np.pi), np.sqrt(low / high)))
    if len(found) < 15:
        return None
    diameter, ratio = np.array(found).T
    return np.median(diameter), diameter.std() / diameter.mean(), np.median(ratio)


def test_sizes_and_shapes_lie_within_those_of_real_nuclei(data, scene, shapes):
    """Against the purple images of DSB 2018, whose scale is unknown: 20x to 40x, here 0.4 µm/px."""
    folder = data / "nuclei" / "dsb2018-brightfield"
    images = [r for r in csv.DictReader((folder / "images.csv").open()) if "purple" in r["kind"]]
    labels = [np.asarray(Image.open(folder / "masks" / f"{r['image']}.png")) for r in images]
    real = np.array([s for s in (shape_statistics(m, 0.4) for m in labels) if s])
    low, high = np.quantile(real, [0.05, 0.95], axis=0)
    nuclei, tiles = scene.nuclei, []
    wide = scene.regions.radii.mean(axis=1) > 150  # not the buds
    for index in np.flatnonzero(wide & (scene.regions.kind == KINDS.index("tumor"))):
        x0, y0 = scene.regions.center[index] - 75.0
        own = (nuclei.x > x0) & (nuclei.x < x0 + 150) & (nuclei.y > y0) & (nuclei.y < y0 + 150)
        x, y = np.meshgrid(*[np.arange(375) * 0.4 + 0.2] * 2)
        image = np.zeros((375, 375), int)
        for number, shape in enumerate(shapes[own], start=1):
            image[shapely.contains_xy(shape, x + x0, y + y0)] = number
        tiles.append(shape_statistics(image, 0.4))
    phantom = np.mean(tiles, axis=0)
    assert len(real) > 40
    assert (low <= phantom).all()
    assert (phantom <= high).all()
