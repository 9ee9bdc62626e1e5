from __future__ import annotations

import numpy as np
import pytest
import shapely
from scipy.stats import kstest

from curatome.phantom import make_scene, plan_cohort, truth_tables
from curatome.phantom.objects import OBJECTS, ObjectDesign, make_objects, objects_of
from tests.phantom.statistics import bound, share_z

LARGE = ObjectDesign(cases=400, slides_per_case=2, objects_per_slide=50)


def test_the_same_seed_gives_the_same_table():
    design = ObjectDesign(unevenness=0.5, case_spread=0.2, case_share=0.3, unscreened=0.25)
    one, two, other = (make_objects(design, seed).table() for seed in (1, 1, 2))
    assert one.equals(two)
    assert not one.equals(other)
    assert one.schema.equals(OBJECTS.schema)


def test_planted_class_frequencies_are_recovered():
    objects = make_objects(LARGE, 1)
    found = objects.table()["class"].to_numpy(zero_copy_only=False)
    z = [
        share_z(found == name, p) for name, p in zip(LARGE.classes, LARGE.frequencies, strict=True)
    ]
    assert np.abs(z).max() < bound(4)


def test_cases_differ_in_their_classes_as_planted():
    """The one-way intraclass correlation of an indicator is the planted one."""
    design = ObjectDesign(cases=3000, objects_per_slide=20, case_spread=0.15)
    for seed in (1, 2):
        tumor = (make_objects(design, seed).kind == 0).reshape(3000, 20)
        between = 20 * tumor.mean(axis=1).var(ddof=1)
        within = tumor.var(axis=1, ddof=1).mean()
        found = (between - within) / (between + 19 * within)
        draws = np.array([_icc(tumor[c]) for c in _resampled(3000, 200)])
        assert abs(found - 0.15) < bound(2) * draws.std()


def _resampled(count, times):
    return np.random.default_rng(0).integers(0, count, (times, count))


def _icc(table):
    between, within = table.shape[1] * table.mean(axis=1).var(ddof=1), table.var(1, ddof=1).mean()
    return (between - within) / (between + (table.shape[1] - 1) * within)


def test_extreme_spread_makes_cases_of_one_class():
    objects = make_objects(ObjectDesign(case_spread=0.999, objects_per_slide=30), 1)
    kinds = objects.kind.reshape(40, 30)
    assert np.mean([len(np.unique(k)) == 1 for k in kinds]) > 0.9
    assert len(np.unique(kinds)) > 1


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_difficulty_is_standard_normal_and_shared_within_cases(share):
    design = ObjectDesign(cases=2000, objects_per_slide=10, case_share=share)
    objects = make_objects(design, 3)
    for latent in (objects.difficulty, objects.ambiguity):
        table = latent.reshape(2000, 10)
        assert kstest(table[:, 0], "norm").pvalue > 0.001
        draws = np.array([_icc(table[c]) for c in _resampled(2000, 200)])
        assert abs(_icc(table) - share) < bound(4) * draws.std()
    r = np.corrcoef(objects.difficulty[::10], objects.ambiguity[::10])[0, 1]
    assert abs(r) < bound(2) / np.sqrt(2000)


def test_slides_differ_in_their_number_of_objects_as_planted():
    design = ObjectDesign(cases=4000, objects_per_slide=25, unevenness=0.6)
    counts = np.bincount(make_objects(design, 1).slide, minlength=4000)
    variance = 25 + (0.6 * 25) ** 2
    assert abs(counts.mean() - 25) < 4 * np.sqrt(variance / 4000)
    assert counts.var() == pytest.approx(variance, rel=0.12)


def test_objects_right_of_the_searched_field_were_not_screened():
    objects = make_objects(ObjectDesign(unscreened=0.3), 1)
    assert np.array_equal(objects.screened, objects.x < 700)
    assert 0.6 < objects.screened.mean() < 0.8
    assert (objects.size_um == [700, 1000]).all()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"frequencies": (0.5, 0.5)}, "one share for each"),
        ({"frequencies": (0.5, 0.25, 0.2, 0.1)}, "add up to 1"),
        ({"case_spread": 1.0}, "between 0 and 1"),
        ({"case_share": -0.1}, "between 0 and 1"),
    ],
)
def test_impossible_designs_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        ObjectDesign(**wrong)


@pytest.fixture(scope="module")
def truth():
    plans = plan_cohort(seed=5, slides=2, side_um=500.0)
    return truth_tables([make_scene(p) for p in plans], {p.name: p.name for p in plans})


def test_nuclei_of_a_scene_become_objects_row_by_row(truth):
    nuclei = truth["nuclei"]
    objects = objects_of(truth["slides"], nuclei, seed=1)
    table = objects.table()
    for name in ("slide", "class", "x_um", "y_um"):
        assert table[name].to_pylist() == nuclei[name].to_pylist()
    assert objects.difficulty.std() == pytest.approx(1, abs=0.1)
    assert np.corrcoef(objects.difficulty, objects.diameter)[0, 1] < -0.3
    assert (objects.size_um > 0).all()


def test_regions_of_a_scene_become_objects_at_their_middle(truth):
    regions, slides = truth["regions"], truth["slides"]
    objects = objects_of(slides, regions, seed=1, size_share=0.0)
    mpp = dict(zip(slides["slide"].to_pylist(), slides["mpp"].to_pylist(), strict=True))
    for k, row in enumerate(regions.to_pylist()):
        middle = shapely.from_wkb(row["polygon"]).centroid
        scale = mpp[row["slide"]]
        assert (objects.x[k], objects.y[k]) == pytest.approx((middle.x * scale, middle.y * scale))
        assert objects.diameter[k] ** 2 * np.pi / 4 == pytest.approx(row["area_um2"])
