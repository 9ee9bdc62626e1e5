from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import shapely

from curatome.phantom import make_scene, plan_cohort
from curatome.phantom.fabric import KINDS, LESIONS
from curatome.phantom.plan import DIAGNOSES
from curatome.phantom.truth import region_rows
from curatome.phantom.uptake import CORRELATION_UM


def _scene(lesions, seed=0, **kwargs):
    plan = plan_cohort(4, 12, 1800.0)[0]
    plan = dataclasses.replace(plan, lesions=lesions, artifacts=(), seed=plan.seed + seed)
    return make_scene(plan, **kwargs)


def _polygons(scene, kind):
    return scene.regions.polygons()[scene.regions.kind == KINDS.index(kind)]


def test_there_are_six_classes_of_lesions_and_a_normal_diagnosis():
    assert LESIONS == ("adenoma", "in_situ", "tumor", "mucinous", "spindle", "lymphoma")
    assert DIAGNOSES["normal"] == ()
    assert set(LESIONS) <= {name for lesions in DIAGNOSES.values() for name, _, _ in lesions}
    assert KINDS[:8] == (
        *("stroma", "gland", "fat", "tumor"),
        *("in_situ", "inflammation", "necrosis", "vessel"),
    )


@pytest.mark.parametrize("diagnosis", sorted(DIAGNOSES))
def test_every_diagnosis_is_planted_with_its_truth(diagnosis):
    rows = region_rows(_scene(DIAGNOSES[diagnosis]))
    found = {row["class"] for row in rows}
    assert {name for name, _, _ in DIAGNOSES[diagnosis]} <= found
    assert found & set(LESIONS) <= {name for name, _, _ in DIAGNOSES[diagnosis]}
    for row in rows:
        assert row["area_um2"] > 0
        assert row["correlation_um"] == CORRELATION_UM[KINDS.index(row["class"])]
        assert (row["transition_um"] == 0) == (row["class"] == "stroma")
        if row["class"] in ("in_situ", "gland", "vessel"):
            assert row["transition_um"] < 2


def test_correlation_lengths_can_be_chosen():
    lesions = (("tumor", 1, 300.0),)
    rows = region_rows(_scene(lesions, correlation_um={"tumor": 7.0, "stroma": 33.0}))
    found = {row["class"]: row["correlation_um"] for row in rows}
    assert (found["tumor"], found["stroma"]) == (7.0, 33.0)
    assert found["fat"] == CORRELATION_UM[KINDS.index("fat")]
    with pytest.raises(ValueError, match="bone"):
        _scene(lesions, correlation_um={"bone": 4.0})
    with pytest.raises(ValueError, match="48"):
        _scene(lesions, correlation_um={"tumor": 60.0})


def test_ducts_are_round_and_invasive_fronts_are_not():
    """Perimeter² / (4π area) is 1 for a circle."""
    rough = {"in_situ": [], "tumor": []}
    for seed in range(6):
        scene = _scene((("tumor", 2, 330.0), ("in_situ", 3, 140.0)), seed)
        for kind, values in rough.items():
            shapes = [p for p in _polygons(scene, kind) if p.area > 20_000]
            values += [p.length**2 / (4 * np.pi * p.area) for p in shapes]
    assert max(rough["in_situ"]) < 1.6
    assert np.median(rough["tumor"]) > 1.5 * np.median(rough["in_situ"])


def test_no_two_outlines_are_alike():
    shapes = []
    for seed in range(4):
        for polygon in _polygons(_scene((("lymphoma", 2, 300.0),), seed), "lymphoma"):
            moved = shapely.affinity.translate(polygon, -polygon.centroid.x, -polygon.centroid.y)
            size = 1 / np.sqrt(moved.area)
            shapes.append(shapely.affinity.scale(moved, size, size, origin=(0, 0)))
    assert all(shape.is_valid for shape in shapes)
    for i, one in enumerate(shapes):
        for other in shapes[:i]:
            assert one.intersection(other).area / one.union(other).area < 0.95


def test_a_tumor_buds_and_a_duct_does_not():
    small = {"tumor": 0, "in_situ": 0}
    for seed in range(3):
        scene = _scene((("tumor", 1, 350.0), ("in_situ", 3, 140.0)), seed)
        for kind in small:
            shapes = _polygons(scene, kind)
            largest = max(shapes, key=shapely.area)
            near = [p for p in shapes if p.area < 4000 and p.distance(largest) < 300]
            small[kind] += len(near)
            assert all(not p.intersects(largest) for p in near)
    assert small["tumor"] > 5
    assert small["in_situ"] == 0
