"""What the store keeps, and what it refuses."""

import math
import sqlite3
from dataclasses import replace

import pytest

from curatome.errors import ProjectError
from curatome.findings import Finding, Measure, Place, Severity
from curatome.project import SlideEntry
from curatome.project import store as store_module
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


def test_a_case_goes_with_its_row_unless_another_table_names_it(url):
    store = open_store(url)
    store.save_cases({"old": {"age": 9}})  # as kept before tables were
    store.save_cases({"C1": {"age": 1}, "C2": {"age": 2}, "C3": {}}, "a.csv")
    store.save_cases({"C3": {"age": 3}, "C4": {}}, "b.csv")
    store.save_cases({"C1": {"age": 7}}, "a.csv")
    assert store.cases() == {"C1": {"age": 7}, "C3": {"age": 3}, "C4": {}, "old": {"age": 9}}
    store.save_cases({}, "b.csv")
    assert set(store.cases()) == {"C1", "old"}


def test_a_slide_is_forgotten_with_all_that_was_found_about_it(url):
    store = open_store(url)
    other = replace(ENTRY, slide="1" * 16, path="b")
    about = f"slide {ENTRY.slide}"
    store.save_slide(ENTRY, [finding(subject=about)], {"a": "1"})
    store.save_slide(other, [finding(subject=f"slide {other.slide}")], {"b": "1"})
    store.save_findings(f"build:{ENTRY.slide}", [finding("ACQ007", subject=about)])
    store.save_findings("duplicates", [finding("ACQ005", subject=about), finding("ACQ005")])
    assert store.origins("build:") == [f"build:{ENTRY.slide}"]
    store.forget_slide(ENTRY.slide)
    assert store.slides() == [other]
    assert set(store.files()) == {"b"}
    left = [(f.code, f.subject) for f in store.findings()]
    assert left == [("ACQ002", f"slide {other.slide}"), ("ACQ005", "slide 00ff")]
    assert store.origins() == ["duplicates", f"slide:{other.slide}"]


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


def test_a_locked_store_says_so(tmp_path, url, monkeypatch):
    monkeypatch.setattr(store_module, "_PRAGMAS", ("busy_timeout=1",))
    store = open_store(url)
    with sqlite3.connect(tmp_path / "store.sqlite") as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ProjectError, match=r"store\.sqlite .* is locked\. Close what else"):
            store.save_slide(ENTRY, [])
    store.save_slide(ENTRY, [])


def test_a_full_disk_is_told_and_changes_nothing(url, monkeypatch):
    store = open_store(url)
    store.save_slide(ENTRY, [])
    monkeypatch.setattr(store_module, "_PRAGMAS", ("max_page_count=1",))
    full = open_store(url)
    large = replace(ENTRY, reason="x" * 1_000_000)
    with pytest.raises(ProjectError, match=r"store\.sqlite .* full\. Free some room"):
        full.save_slide(large, [])
    assert store.slides() == [ENTRY]


def test_a_store_that_is_damaged_in_its_middle_is_told(tmp_path, url):
    store = open_store(url)
    for number in range(200):
        store.save_slide(replace(ENTRY, slide=f"{number:016x}"), [])
    store._engine.dispose()
    path = tmp_path / "store.sqlite"
    with path.open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(ProjectError, match=r"store\.sqlite .* malformed\. Put back a copy"):
        open_store(url).slides()


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


def test_measures_replace_those_of_their_origin(url):
    store = open_store(url)
    kappa = Measure("cohen_kappa", "all", 0.5, 0.4, 0.6, n=10, clusters=3, method="cases drawn")
    undefined = Measure("cohen_kappa", "class rare", float("nan"), method="undefined")
    store.save_measures("agree", [kappa, undefined])
    store.save_measures("complete", [Measure("missed", "all", 3.0)])
    back = store.measures("agree")
    assert back[0] == kappa
    assert back[1].subject == "class rare"
    assert math.isnan(back[1].value)
    store.save_measures("agree", [kappa])
    assert [one.name for one in store.measures()] == ["cohen_kappa", "missed"]
