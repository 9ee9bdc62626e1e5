"""Nuclei are as large as their case, its institution, its body site and its grade have them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import shapely

from curatome.phantom import make_scene
from curatome.phantom.cells import CLASSES, EPITHELIAL, LYMPHOCYTE, STROMAL, TUMOR
from curatome.phantom.design import CohortDesign
from curatome.phantom.designed import design_cohort
from curatome.phantom.fabric import GLAND
from curatome.phantom.plan import plan_cohort
from curatome.phantom.sizes import NEOPLASTIC, SizeSpread, class_factors


def column(table, name):
    return table[name].to_numpy(zero_copy_only=False)


def test_grade_enlarges_neoplastic_nuclei_alone_and_lymphocytes_stay_a_ruler():
    plain = class_factors(0.0, 0.0)
    assert np.array_equal(plain, np.ones(len(CLASSES)))
    graded = class_factors(0.0, np.log(1.3))
    assert graded[list(NEOPLASTIC)] == pytest.approx(1.3)
    assert np.delete(graded, list(NEOPLASTIC)) == pytest.approx(1.0)
    large = class_factors(np.log(1.2), 0.0)
    assert large[[EPITHELIAL, STROMAL, TUMOR]] == pytest.approx(1.2)
    assert 1.0 < large[LYMPHOCYTE] < 1.1


def test_planted_spreads_come_back_from_the_cases():
    """Of 4,000 cases: variance within a site and place is the case's own, cut off at 2 sd."""
    # Variance of a standard normal whose tails are moved to ±2 (by quadrature: 0.9205).
    x = np.linspace(-8, 8, 200_001)
    density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    part = float(np.sum(np.clip(x, -2, 2) ** 2 * density) * (x[1] - x[0]))
    assert part == pytest.approx(0.9205, abs=1e-3)
    spread = SizeSpread(site=0.1, place=0.2, case=0.05, grade=0.15)
    cases = design_cohort(CohortDesign(cases=4000, size_spread=spread), seed=7).cases
    size, grade = column(cases, "nuclear_size"), column(cases, "grade")
    group = np.char.add(column(cases, "site").astype(str), column(cases, "body_site").astype(str))
    _, number = np.unique(group, return_inverse=True)
    mean = np.bincount(number, size) / np.bincount(number)
    within = size - mean[number]
    free = len(size) - len(mean)
    bound = 4 * np.sqrt(2 / len(size))
    assert (within**2).sum() / free == pytest.approx(part * 0.05**2, rel=bound)
    assert (grade**2).mean() == pytest.approx(part * 0.15**2, rel=bound)
    assert abs(np.corrcoef(within, grade)[0, 1]) < 4 / np.sqrt(len(size))
    # Sites and places shift whole groups: far more than their sampling error.
    assert mean.std() > 10 * 0.05 / np.sqrt(np.bincount(number).min())


def test_without_spread_all_cases_are_alike():
    cases = design_cohort(CohortDesign(cases=20, size_spread=SizeSpread()), seed=1).cases
    assert not column(cases, "nuclear_size").any()
    assert not column(cases, "grade").any()


def test_a_case_has_one_size_under_both_names_and_its_slides_share_it():
    cohort = design_cohort(CohortDesign(cases=12, aliases=4), seed=3)
    rows = {row["case"]: row for row in cohort.cases.to_pylist()}
    twice = [row for row in rows.values() if row["alias_of"]]
    assert len(twice) == 4
    for row in twice:
        for name in ("nuclear_size", "grade"):
            assert row[name] == rows[row["alias_of"]][name] != 0
    for plan in cohort.plans(400.0):
        own = rows[plan.case.name]
        assert (plan.nuclear_size, plan.grade) == (own["nuclear_size"], own["grade"])


def test_other_draws_stay_when_sizes_are_drawn_otherwise():
    one, other = (
        design_cohort(CohortDesign(cases=30, size_spread=SizeSpread(case=s)), seed=5)
        for s in (0.0, 0.3)
    )
    assert one.slides.equals(other.slides)


def test_nuclei_of_a_slide_have_the_planted_size():
    """The same plan with other sizes: medians of whole nuclei follow, within their error."""
    base = dataclasses.replace(
        plan_cohort(9, 12, 2200.0)[2], lesions=(("tumor", 2, 600.0),), artifacts=()
    )
    scenes = [
        make_scene(dataclasses.replace(base, nuclear_size=size, grade=grade))
        for size, grade in ((0.0, 0.0), (0.0, 0.25), (0.15, 0.0))
    ]

    def median(scene, kind):
        own = scene.nuclei.kind == kind
        assert own.sum() > 200
        return np.median(np.sqrt(scene.nuclei.long * scene.nuclei.short)[own])

    plain, graded, large = scenes
    # A larger body reaches further out of the section, so its profile grows a little less.
    assert 1.15 < median(graded, TUMOR) / median(plain, TUMOR) < 1.35
    assert median(graded, STROMAL) / median(plain, STROMAL) == pytest.approx(1.0, abs=0.05)
    assert 1.05 < median(large, STROMAL) / median(plain, STROMAL) < 1.25
    assert len(graded.nuclei) < len(plain.nuclei)


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_a_spread_is_a_standard_deviation(value):
    with pytest.raises(ValueError, match=r"grade must be a standard deviation"):
        SizeSpread(grade=value)


def test_large_nuclei_stay_in_their_gland():
    """Neighbors push one another aside; before that was held in check, some were pushed out."""
    base = dataclasses.replace(plan_cohort(9, 12, 1300.0)[2], lesions=(), artifacts=())
    scene = make_scene(dataclasses.replace(base, nuclear_size=0.2))
    glands = shapely.union_all(scene.regions.polygons()[scene.regions.kind == GLAND])
    own = scene.nuclei.kind == EPITHELIAL
    assert own.sum() > 60
    assert shapely.contains_xy(glands, scene.nuclei.x[own], scene.nuclei.y[own]).all()
