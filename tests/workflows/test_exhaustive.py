"""Regions in which an unmarked place means that nothing is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import shapely

from curatome.annotations.store import Act
from curatome.errors import AnnotationError
from curatome.project import Project, SlideEntry, create_project
from curatome.tables import ANNOTATIONS
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.annotation_export import Selection, export_annotations
from curatome.workflows.annotations import import_files
from curatome.workflows.exhaustive import declare_exhaustive

TEXT = """\
[dataset]
title = "t"
[[classes]]
name = "mitosis"
[[classes]]
name = "look-alike"
[[scales]]
name = "A"
mpp = 0.5
side_px = 256
"""
BOX = shapely.box(10, 20, 110, 220)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = create_project(tmp_path / "p", TEXT)
    common = {
        "image": "S1", "cannot_judge": False, "read": 1, "basis": "drawn", "parents": [],
        "properties": "{}",
    }  # fmt: skip
    rows = [
        {**common, "annotation": "roi", "kind": "box", "geometry": BOX.wkb, "labels": ["ROI"]},
        {
            **common, "annotation": "dot", "kind": "point",
            "geometry": shapely.Point(50, 50).wkb, "labels": ["ROI", "mitosis"],
        },
    ]  # fmt: skip
    with annotation_store(made) as store:
        store.import_table(ANNOTATIONS.from_rows(rows), Act())
    return made


def regions(project: Project) -> list[dict[str, object]]:
    with annotation_store(project) as store:
        return store.regions().to_pylist()


def test_drawn_areas_become_regions_once(project: Project) -> None:
    batch = declare_exhaustive(project, ["mitosis", "look-alike"], drawn_as="ROI", reader="joe")
    assert batch is not None
    (region,) = regions(project)
    assert region["image"] == "S1"
    assert shapely.from_wkb(region["geometry"]).equals(BOX)
    assert region["classes"] == ["mitosis", "look-alike"]
    assert (region["reader"], region["guideline"]) == ("joe", "1")
    assert declare_exhaustive(project, ["look-alike", "mitosis"], drawn_as="ROI") is None
    with annotation_store(project) as store:
        assert store.counts().annotations == 2
        store.undo(batch.batch, Act())
    assert regions(project) == []


def test_other_classes_are_another_promise(project: Project) -> None:
    declare_exhaustive(project, ["mitosis"], drawn_as="ROI")
    declare_exhaustive(project, ["look-alike"], drawn_as="ROI")
    assert [region["classes"] for region in regions(project)] == [["mitosis"], ["look-alike"]]


def test_what_cannot_be_is_refused(project: Project) -> None:
    with pytest.raises(AnnotationError, match='"mitoses" is no class of the protocol'):
        declare_exhaustive(project, ["mitoses"], drawn_as="ROI")
    with pytest.raises(AnnotationError, match='nothing is annotated as "Roi"'):
        declare_exhaustive(project, ["mitosis"], drawn_as="Roi")
    assert regions(project) == []


@pytest.fixture
def declared(project: Project) -> Project:
    """The project with a region for both classes, and a slide without any annotation."""
    entry = SlideEntry("0123456789abcdef", "0" * 64, "empty.svs", "ready", width=500, height=400)
    project.store.save_slide(entry, [])
    declare_exhaustive(project, ["mitosis", "look-alike"], drawn_as="ROI", reader="ann")
    declare_exhaustive(project, ["mitosis"], slides=["empty.svs"])
    return project


def told(project: Project) -> list[dict[str, object]]:
    with annotation_store(project) as store:
        return sorted(store.regions().to_pylist(), key=lambda row: str(row["image"]))


@pytest.mark.parametrize("name", ["qupath", "coco", "geoparquet"])
def test_regions_travel_with_exports_and_come_back(
    declared: Project, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out" if name == "qupath" else tmp_path / f"out.{name}"
    result = export_annotations(declared, out, name)
    assert result.regions == 2
    assert [loss for loss in result.losses if loss.field == "exhaustive"] == []
    other = create_project(tmp_path / "other", TEXT)
    for entry in declared.store.slides():
        other.store.save_slide(entry, [])
    seen = SlideEntry("S1", "1" * 64, "S1.svs", "ready", width=500, height=400)
    other.store.save_slide(seen, [])
    results = import_files(other, [out])
    assert [one.error for one in results] == [""] * len(results)
    assert sum(one.regions for one in results) == 2
    assert told(other) == told(declared)
    with annotation_store(other) as store:
        assert sorted(store.current()["kind"].to_pylist()) == ["box", "point"]
    # Once more, as a sync: nothing is declared twice.
    assert [one.regions for one in import_files(other, [out], merge=True)] == [0] * len(results)
    assert told(other) == told(declared)


def test_formats_that_cannot_carry_regions_say_so(declared: Project, tmp_path: Path) -> None:
    result = export_annotations(declared, tmp_path / "a.csv", "csv")
    lost = [loss for loss in result.losses if loss.field == "exhaustive"]
    assert {loss.annotation for loss in lost} == {row["region"] for row in told(declared)}
    assert result.regions == 0


def test_an_export_of_one_class_promises_no_other(declared: Project, tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    export_annotations(declared, out, "coco", Selection(labels=("mitosis",)))
    found = json.loads(out.read_text())
    assert [one["classes"] for one in found["curatome"]["exhaustive"]] == [["mitosis"]] * 2
    # The slide without annotation is in the file: it was looked at, and nothing is there.
    assert {one["file_name"] for one in found["images"]} == {"S1", "empty.svs"}
    assert {one["name"] for one in found["categories"]} >= {"mitosis"}


def test_a_broken_region_is_refused_with_its_place(declared: Project, tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    export_annotations(declared, out, "coco")
    value = json.loads(out.read_text())
    value["curatome"]["exhaustive"][1]["kind"] = "blob"
    out.write_text(json.dumps(value))
    (one,) = import_files(create_project(tmp_path / "other", TEXT), [out])
    assert "a.json, region 2" in one.error
