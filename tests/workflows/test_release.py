"""Releases: refused while a gate fails, complete, checked by others' tools, and without names."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import shapely
import tomlkit

from curatome.annotations.store import Act, Edit, open_annotations
from curatome.errors import ReleaseError
from curatome.findings import Measure
from curatome.project import open_project
from curatome.tiles.shards import read_member
from curatome.workflows.create_version import create_version
from curatome.workflows.release import SUMS, Wishes, release

ACT = Act("Dr. Jane Roe", "QuPath")


@pytest.fixture
def project(whole, copy):
    """Three slides of three cases, annotated by one reader, with a gate on completeness."""
    project = copy(whole)
    for number, entry in enumerate(project.store.slides()):
        declared = {**entry.declared, "case": f"P{number}", "site": "Bonn"}
        project.store.save_slide(replace(entry, declared=declared), [])
    project.store.save_cases(
        {"P0": {"diagnosis": "nevus", "birth_date": "1950-01-31", "ssn": "078-05-1120"}}
    )
    set_toml(project, license="CC-BY-4.0", question="Where is the tumor?")
    project = open_project(project.root)
    slide = project.store.slides()[0].slide
    values = {
        "image": slide,
        "kind": "polygon",
        "geometry": shapely.to_wkb(shapely.box(500, 400, 900, 800)),
        "labels": ["tumor"],
        "reader": "Dr. Jane Roe",
        "properties": '{"path": "/home/roe/John Doe.svs"}',
        "name": "John Doe",
    }
    with open_annotations(project.annotations) as store:
        store.apply([Edit("a1", "create", None, values)], ACT)
    return project


def set_toml(project, **values) -> None:
    path = project.root / "curatome.toml"
    content = tomlkit.parse(path.read_text())
    for name, value in values.items():
        if name in ("license", "question"):
            content["dataset"][name] = value
        else:
            content[name] = value
    path.write_text(tomlkit.dumps(content))


def test_a_release_is_complete_and_its_sums_are_right(project, tmp_path):
    create_version(project, "first")
    found = release(project, tmp_path / "out")
    assert found.out == tmp_path / "out"
    assert all(gate.passed for gate in found.gates)
    lines = (tmp_path / "out" / SUMS).read_text().splitlines()
    sums = dict(line.split("  ")[::-1] for line in lines)
    files = {
        str(path.relative_to(tmp_path / "out")): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file() and path.name != SUMS
    }
    assert sums == files
    rows = pq.read_table(tmp_path / "out" / "items.parquet").to_pylist()
    for row in rows[::50]:
        place = (row["shard"], row["offset"], row["length"])
        there = read_member(tmp_path / "out" / place[0], *place[1:])
        assert there == read_member(project.root / place[0], *place[1:])


def test_nobody_is_named(project, tmp_path):
    create_version(project, "first")
    release(project, tmp_path / "out")
    found = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    for table in ("annotations", "cases", "slides", "exhaustive"):
        found += str(pq.read_table(tmp_path / "out" / f"{table}.parquet").to_pylist()).encode()
    for name in (b"Roe", b"John Doe", b"078-05-1120", b"1950-01-31", str(project.root).encode()):
        assert name not in found
    annotations = pq.read_table(tmp_path / "out" / "annotations.parquet").to_pylist()
    assert [row["reader"] for row in annotations] == ["reader 01"]
    cases = {
        r["case"]: r["fields"] for r in pq.read_table(tmp_path / "out/cases.parquet").to_pylist()
    }
    assert json.loads(cases["P0"]) == {"diagnosis": "nevus"}


def test_croissant_is_valid_and_gives_back_the_rows(project, tmp_path):
    mlcroissant = pytest.importorskip("mlcroissant")
    create_version(project, "first")
    release(project, tmp_path / "out")
    dataset = mlcroissant.Dataset(jsonld=str(tmp_path / "out" / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert dataset.metadata.ctx.conforms_to.value == "http://mlcommons.org/croissant/1.1"
    rows = pq.read_table(tmp_path / "out" / "items.parquet").to_pylist()
    records = list(dataset.records("items"))
    assert len(records) == len(rows)
    for row, record in zip(rows[:30], records[:30], strict=True):
        assert record["items/item"].decode() == row["item"]
        assert record["items/x"] == row["x"]
        assert [one.decode() for one in record["items/labels"]] == row["labels"]


def test_a_failed_gate_stops_it_and_a_waiver_is_printed(project, tmp_path):
    set_toml(project, gates=[{"measure": "completeness", "min": 0.9, "subject": "all"}])
    project = open_project(project.root)
    project.store.save_measures("complete", [Measure("completeness", "all", 0.8, 0.7, 0.86)])
    create_version(project, "first")
    found = release(project, tmp_path / "out")
    assert found.out is None
    assert not (tmp_path / "out").exists()
    (failed,) = [gate for gate in found.gates if not gate.passed]
    assert failed.gate == "completeness of all"
    assert failed.found == "0.8 [0.7, 0.86]"
    reason = "a second read is planned for May"
    found = release(project, tmp_path / "out", Wishes(waivers={"completeness of all": reason}))
    for page in ("README.md", "DATASHEET.md", "croissant.json", "gates.json"):
        assert reason in (tmp_path / "out" / page).read_text()


def test_what_is_not_measured_does_not_pass(project, tmp_path):
    set_toml(project, gates=[{"measure": "semantic_accuracy", "min": 0.9}])
    project = open_project(project.root)
    create_version(project, "first")
    found = release(project, tmp_path / "out")
    (failed,) = [gate for gate in found.gates if not gate.passed]
    assert (failed.gate, failed.found) == ("semantic_accuracy", "not measured")


def test_waivers_need_a_reason_and_a_gate_that_failed(project, tmp_path):
    set_toml(project, license="")
    project = open_project(project.root)
    create_version(project, "first")
    with pytest.raises(ReleaseError, match='no failed gate "leaks"'):
        release(project, tmp_path / "out", Wishes(waivers={"leaks": "it is fine by us"}))
    with pytest.raises(ReleaseError, match="must say why"):
        release(project, tmp_path / "out", Wishes(waivers={"license": "later"}))


def test_stale_annotations_stop_it(project, tmp_path):
    with open_annotations(project.annotations) as store:
        head = store.head()
        store.apply([Edit("a1", "edit", head, {"guideline": "1"})], ACT)
    changes = [
        {"version": "1", "date": "2024-01-01", "change": "first"},
        {"version": "2", "date": "2024-02-01", "change": "no necrosis", "redefined": ["tumor"]},
    ]
    for one in changes:
        one["date"] = tomlkit.date(one["date"])
    set_toml(project, guideline={"version": "2", "changelog": changes})
    project = open_project(project.root)
    create_version(project, "first")
    found = release(project, tmp_path / "out")
    assert found.out is None
    (failed,) = [gate for gate in found.gates if not gate.passed]
    assert failed.gate == "stale annotations"
    assert failed.found.startswith("1 ")


def test_a_shard_that_changed_is_not_released(project, tmp_path):
    create_version(project, "first")
    shard = next(project.build.rglob("*.tar"))
    data = bytearray(shard.read_bytes())
    data[700] ^= 1
    shard.write_bytes(data)
    with pytest.raises(ReleaseError, match="was changed after the version was made"):
        release(project, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_kept(project, tmp_path):
    create_version(project, "first")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    with pytest.raises(ReleaseError, match="is there already"):
        release(project, tmp_path / "out")
    assert (tmp_path / "out" / "mine.txt").read_text() == "x"


def test_the_sample_shows_every_class_and_split(project, tmp_path):
    create_version(project, "first")
    release(project, tmp_path / "out")
    items = pq.read_table(tmp_path / "out" / "items.parquet").to_pylist()
    kinds = {((row["labels"] or [""])[0], row["split"]) for row in items}
    import csv

    with (tmp_path / "out" / "sample" / "sample.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["labels"], row["split"]) for row in rows} == kinds
    again = tmp_path / "again"
    release(project, again)
    one, other = (folder / "sample" / "overview.jpg" for folder in (tmp_path / "out", again))
    assert one.read_bytes() == other.read_bytes()
