"""A new guideline: what it writes into curatome.toml, renames and makes stale; all reversible."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from curatome.annotations.store import Act
from curatome.errors import ProtocolError
from curatome.project import Project, create_project
from curatome.tables import ANNOTATIONS
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.guideline import bump, bumped, change_of, ledger, migrate

TEXT = """\
[dataset]
title = "t"

# what we look for
[[classes]]
name = "tumour"
definition = "as the pathologist says"

[[classes]]
name = "front"
parent = "tumour"

[[classes]]
name = "stroma"

[[scales]]
name = "A"
mpp = 0.5
side_px = 256
"""
LABELS = {"A": ["tumour"], "B": ["stroma"], "C": ["front", "tumour"], "D": []}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = create_project(tmp_path / "p", TEXT)
    rows = [
        {
            "annotation": name, "image": "S1", "kind": "whole", "labels": labels,
            "cannot_judge": False, "reader": "joe", "read": 1, "guideline": "1",
            "basis": "drawn", "parents": [], "properties": "{}",
        }
        for name, labels in LABELS.items()
    ]  # fmt: skip
    with annotation_store(made) as store:
        store.import_table(ANNOTATIONS.from_rows(rows), Act("joe"))
    return made


def labels(project: Project) -> dict[str, list[str]]:
    with annotation_store(project) as store:
        rows = store.current().to_pylist()
    return {row["annotation"]: row["labels"] for row in rows}


CHANGE = change_of(
    version="2",
    date=date(2026, 1, 2),
    change="As the WHO has it.",
    renamed={"tumour": "carcinoma"},
    split={"stroma": ("fibrous", "loose")},
    added=("mitosis",),
)


def test_a_new_version_keeps_comments_and_definitions(project: Project) -> None:
    after = bump(project, CHANGE)
    text = (after.root / "curatome.toml").read_text()
    assert '# what we look for\n[[classes]]\nname = "carcinoma"\ndefinition = "as the' in text
    assert after.protocol.guideline.version == "2"
    assert [one.version for one in after.protocol.guideline.changelog] == ["1", "2"]
    assert after.protocol.guideline.changelog[1] == CHANGE
    names = [one.name for one in after.protocol.classes]
    assert names == ["carcinoma", "front", "mitosis", "fibrous", "loose"]
    assert after.protocol.classes[1].parent == "carcinoma"


def test_a_dry_run_writes_nothing(project: Project) -> None:
    text, protocol = bumped(project, CHANGE)
    assert (project.root / "curatome.toml").read_text() == TEXT != text
    found = ledger(project, protocol)
    assert {row["annotation"] for row in found.renames.to_pylist()} == {"A", "C"}
    assert {(r["annotation"], r["label"]) for r in found.stale.to_pylist()} == {("B", "stroma")}


def test_a_migration_renames_and_is_taken_back(project: Project) -> None:
    after = bump(project, CHANGE)
    batch = migrate(after, "ann")
    assert batch is not None
    assert labels(after) == {**LABELS, "A": ["carcinoma"], "C": ["front", "carcinoma"]}
    assert migrate(after) is None
    with annotation_store(after) as store:
        assert store.history("A")[-1].batch.act.reader == "ann"
        store.undo(batch.batch, Act())
    assert labels(after) == LABELS


def test_a_merge_into_a_class_that_is_there(project: Project) -> None:
    change = change_of(
        version="2", date=date(2026, 1, 2), change="One class.", renamed={"front": "tumour"}
    )
    after = bump(project, change)
    assert [one.name for one in after.protocol.classes] == ["tumour", "stroma"]
    migrate(after)
    assert labels(after)["C"] == ["tumour"]


def test_a_third_version_follows_the_second(project: Project) -> None:
    second = bump(project, CHANGE)
    third = change_of(
        version="3", date=date(2026, 1, 3), change="Back.", renamed={"carcinoma": "tumor"}
    )
    after = bump(second, third)
    assert [one.version for one in after.protocol.guideline.changelog] == ["1", "2", "3"]
    migrate(after)
    assert labels(after)["A"] == ["tumor"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"version": "1"}, 'version "1" is there twice'),
        ({"version": "2", "renamed": {"a": "a"}}, 'class "a" is renamed to itself'),
        ({"version": "2", "split": {"a": ("b",)}}, "at least 2"),
        ({"version": "2", "date": date(2020, 1, 1)}, None),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    project: Project, values: dict[str, object], message: str | None
) -> None:
    values = {"date": date(2026, 1, 2), "change": "x", **values}
    if message is None:  # the first change's day is the first version's as well
        assert bump(project, change_of(**values)).protocol.guideline.version == "2"
        return
    with pytest.raises(ProtocolError, match=message):
        bump(project, change_of(**values))
    assert (project.root / "curatome.toml").read_text() == TEXT
