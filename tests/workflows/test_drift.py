"""`curatome drift` on readers whose drift is planted."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.annotations.store import Act, open_annotations
from curatome.errors import AnnotationError
from curatome.phantom.objects import ObjectDesign, make_objects
from curatome.phantom.readers import Drift, Guideline, Reader, Shift
from curatome.phantom.reading import read
from curatome.phantom.reads import Session
from curatome.phantom.reads_drawn import points_of
from curatome.project import SlideEntry, create_project
from curatome.protocol import template
from curatome.workflows.drift import follow_readers

OBJECTS = ObjectDesign(cases=60, slides_per_case=1, objects_per_slide=20)


def project_of(folder, readers, session):
    objects = make_objects(OBJECTS, 7)
    project = create_project(folder, template("detection", "Drift"))
    for number, slide in enumerate(objects.slides):
        from curatome.units import Mpp

        entry = SlideEntry(
            slide,
            slide * 4,
            f"{slide}.svs",
            "ready",
            width=100_000,
            height=100_000,
            mpp=Mpp(0.25, 0.25, "file"),
            declared={"case": f"P{number}"},
        )
        project.store.save_slide(entry, [])
    with open_annotations(project.annotations) as store:
        for reader in readers:
            table = points_of(read(objects, reader, 7, session), np.full(len(objects.slides), 0.25))
            store.import_table(table, Act(reader.name))
    return project


def steady(name: str, **more) -> Reader:
    return Reader.even(name, OBJECTS.classes, miss=0.02, error=0.05, **more)


def test_the_reader_who_drifts_is_found_and_no_other(tmp_path):
    away, toward = OBJECTS.classes[0], OBJECTS.classes[1]
    drifting = steady("dan", drift=Drift(shift=Shift(away, toward, 1.2)))
    readers = [*map(steady, ("ann", "ben", "cyd", "eve")), drifting]
    project = project_of(tmp_path / "p", readers, Session(months=6))
    chart = tmp_path / "charts.svg"
    found = follow_readers(project, chart=chart)
    changes = found.watched.changes.to_pylist()
    assert {row["reader"] for row in changes} == {"dan"}
    assert f"excess of {toward}" in {row["quantity"] for row in changes}
    for row in changes:
        if row["quantity"] == f"excess of {toward}":
            assert row["after"] > row["before"]
    text = chart.read_text()
    assert text.startswith("<?xml")
    assert f"dan: excess of {toward}" in text


def test_a_guideline_that_moves_a_border_is_seen_as_its_change(tmp_path):
    away, toward = OBJECTS.classes[0], OBJECTS.classes[1]
    new = Guideline("2", month=3.0, shift=Shift(away, toward, 3.0))
    session = Session(months=6, guidelines=(Guideline("1"), new))
    project = project_of(tmp_path / "p", [steady("ann")], session)
    found = follow_readers(project)
    change = {m.subject: m for m in found.guidelines}[f"reader ann, share of {toward}, guideline 2"]
    assert change.low > 0


def test_without_times_nothing_can_be_followed(tmp_path):
    project = project_of(tmp_path / "p", [steady("ann")], Session())
    with open_annotations(project.annotations) as store:
        from curatome.annotations.store import Edit

        names = store.current()["annotation"].to_pylist()
        head = store.head()
        store.apply([Edit(name, "edit", head, {"time": None}) for name in names], Act("x"))
    with pytest.raises(AnnotationError, match="no annotation says when"):
        follow_readers(project)
