"""What the store keeps, and what it refuses."""

import sqlite3
from dataclasses import replace

import pytest

from curatome.errors import ProjectError
from curatome.findings import Finding, Place, Severity
from curatome.project import SlideEntry
from curatome.project.store import VERSION, open_store
from curatome.units import Mpp

ENTRY = SlideEntry(
    slide="00ff00ff00ff00ff",
    sha256="00ff" * 16,
    path="slides/a b.svs",
    state="ready",
    width=100,
    height=50,
    file_mpp=(0.25, 0.2501),
    mpp=Mpp(0.25, 0.2501, "file"),
    declared={"case": "C1", "age": 61, "consent": True, "grade": None},
)


def finding(code="ACQ002", severity=Severity.ERROR, subject="slide 00ff", **more):
    return Finding(code, severity, subject, "what is wrong", "what to do", **more)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'store.sqlite'}"


def test_what_is_saved_comes_back_after_reopening(url):
    found = finding(place=Place(1.5, 2, 3, 4), evidence={"mpp": [0.25, None]}, key="k")
    store = open_store(url)
    store.save_slide(ENTRY, [found], {"slides/a b.svs": "10-99"})
    store.save_cases({"C1": {"age": 61, "born": "1960-05-31"}})
    again = open_store(url)
    assert again.slides() == [ENTRY]
    assert again.slide(ENTRY.slide) == ENTRY
    assert again.slide("no such slide") is None
    assert again.files() == {"slides/a b.svs": (ENTRY.slide, "10-99")}
    assert again.cases() == {"C1": {"age": 61, "born": "1960-05-31"}}
    assert again.findings() == [found]
    assert again.findings()[0].fingerprint == found.fingerprint


def test_saving_again_replaces(url):
    store = open_store(url)
    store.save_slide(ENTRY, [finding(), finding("ACQ003")], {"a": "1"})
    store.save_slide(replace(ENTRY, state="held"), [finding("ACQ004")], {"b": "2"})
    assert [entry.state for entry in store.slides()] == ["held"]
    assert [found.code for found in store.findings()] == ["ACQ004"]
    assert set(store.files()) == {"a", "b"}
    store.save_cases({"C1": {"age": 1}, "C2": {"age": 2}})
    store.save_cases({"C1": {"age": 3}})
    assert store.cases() == {"C1": {"age": 3}, "C2": {"age": 2}}


def test_findings_are_replaced_by_origin(url):
    store = open_store(url)
    store.save_findings("table:a.csv", [finding("ACQ013", key="x"), finding("ACQ013", key="y")])
    store.save_findings("build:1", [finding("ACQ007")])
    store.save_findings("table:a.csv", [finding("ACQ013", key="y")])
    assert [(f.code, f.key) for f in store.findings()] == [("ACQ007", ""), ("ACQ013", "y")]
    assert [f.code for f in store.findings("build:")] == ["ACQ007"]
    store.save_findings("build:1", [])
    assert store.findings("build:") == []


def test_findings_come_worst_first_and_each_once(url):
    store = open_store(url)
    note, error = finding("ACQ014", Severity.NOTE), finding("ACQ001", Severity.ERROR)
    warning = finding("ACQ005", Severity.WARNING)
    store.save_findings("one", [note, warning, note])
    store.save_findings("two", [error, warning])
    assert [f.code for f in store.findings()] == ["ACQ001", "ACQ005", "ACQ014"]


def test_slides_are_ordered_by_path(url):
    store = open_store(url)
    for number, path in enumerate(("c", "a", "b")):
        store.save_slide(replace(ENTRY, slide=f"{number:016x}", path=path), [])
    assert [entry.path for entry in store.slides()] == ["a", "b", "c"]


def test_a_store_of_another_version_is_refused(tmp_path, url):
    open_store(url)
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        connection.execute("UPDATE meta SET version = ?", (VERSION + 1,))
    with pytest.raises(ProjectError, match=f"has version {VERSION + 1}; this Curatome knows"):
        open_store(url)


def test_what_is_no_database_is_refused_and_kept(tmp_path, url):
    (tmp_path / "store.sqlite").write_bytes(b"not a database at all, " * 200)
    with pytest.raises(ProjectError, match="is not a usable store"):
        open_store(url)
    assert (tmp_path / "store.sqlite").read_bytes().startswith(b"not a database")


def test_a_change_that_fails_leaves_nothing_behind(url):
    store = open_store(url)
    store.save_slide(ENTRY, [finding()])

    def failing():
        yield finding("ACQ003")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.save_slide(replace(ENTRY, state="held"), failing())
    assert [entry.state for entry in store.slides()] == ["ready"]
    assert [f.code for f in store.findings()] == ["ACQ002"]
