"""Regions in which an unmarked place means that nothing is there."""

from __future__ import annotations

from pathlib import Path

import pytest
import shapely

from curatome.annotations.store import Act
from curatome.errors import AnnotationError
from curatome.project import Project, create_project
from curatome.tables import ANNOTATIONS
from curatome.workflows.annotation_check import annotation_store
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
