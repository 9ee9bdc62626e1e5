"""The demo: what its two readers draw, and the whole of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from curatome.annotations.formats import Frames, Options, format_named
from curatome.phantom import make_scene
from curatome.phantom.cohort import plan_cohort
from curatome.phantom.contours import outlines
from curatome.project import open_project
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.demo import run_demo
from curatome.workflows.demo_reads import CLASSES, read_slide

PLAN = replace(plan_cohort(1, 12, 2500.0)[2], width_um=800.0, height_um=800.0)


def read(path):
    """Shapes in µm, classes, and regions of a file."""
    found = format_named("qupath").read(path, Frames(), Options())
    shapes = shapely.from_wkb(np.array(found.table["geometry"].to_pylist(), object))
    names = [labels[0] for labels in found.table["labels"].to_pylist()]
    return shapely.transform(shapes, lambda xy: xy * PLAN.mpp), names, found.regions


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reads")
    assert read_slide(folder, PLAN, 2) > 100
    return {name: folder / name / f"{PLAN.name}.geojson" for name in ("ada", "ben")}


def test_ada_draws_the_nuclei_that_are_there(files) -> None:
    shapes, names, (region,) = read(files["ada"])
    assert set(names) <= set(CLASSES)
    field = shapely.transform(shapely.from_wkb(region["geometry"]), lambda xy: xy * PLAN.mpp)
    truth = outlines(make_scene(PLAN).nuclei)
    truth = truth[shapely.covers(field, shapely.centroid(truth))]
    held = shapely.STRtree(shapely.centroid(truth)).query(shapes, predicate="contains")
    assert len(np.unique(held[0])) == len(shapes)
    assert 0.92 <= len(shapes) / len(truth) <= 1
    assert np.median(shapely.area(shapes)) == pytest.approx(np.median(shapely.area(truth)), rel=0.1)


def test_ben_draws_loosely_misses_more_and_spells_otherwise(files) -> None:
    ada, names, _ = read(files["ada"])
    ben, written, _ = read(files["ben"])
    assert len(ben) < len(ada)
    left, right = shapely.STRtree(shapely.centroid(ada)).query(ben, predicate="contains")
    assert np.median(shapely.area(ben[left]) / shapely.area(ada[right])) > 1.3
    assert "stromal" in names
    assert "stroma" in written
    assert "stromal" not in written


def test_the_same_again(files, tmp_path) -> None:
    read_slide(tmp_path, PLAN, 2)
    for name, path in files.items():
        assert (tmp_path / name / path.name).read_bytes() == path.read_bytes()


@pytest.mark.acceptance
def test_the_whole_demo_and_once_more(tmp_path) -> None:
    first = run_demo(tmp_path / "demo", 2, slides=4)
    codes = {one.code for one in first.checked.findings}
    assert {"CLN001", "COR002", "SYN020"} <= codes
    assert first.report.exists()
    with annotation_store(open_project(first.project)) as store:
        assert len(store.current()) == first.outlines
    again = run_demo(tmp_path / "demo", 2, slides=4)
    assert (again.build.made, again.outlines) == (0, first.outlines)
    assert again.checked.looked == 0
    assert [one.message for one in again.checked.findings] == [
        one.message for one in first.checked.findings
    ]
