"""`agree`, `consensus` and `complete` on readers whose misses and errors are known."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow.compute as pc
import pytest
import shapely

from curatome.agreement.consensus.panel import Panel
from curatome.agreement.consensus.ties import TieRule
from curatome.annotations.store import Act, Edit, open_annotations
from curatome.errors import AnnotationError, ProtocolError
from curatome.phantom.objects import make_objects
from curatome.project import create_project
from curatome.protocol import template
from curatome.workflows.agree import measure_agreement
from curatome.workflows.complete import estimate_completeness
from curatome.workflows.consensus import Rule, decide
from curatome.workflows.reads import Matching, project_reads
from tests.workflows.made_reads import MISS, OBJECTS, reading_project

TRUE = len(make_objects(OBJECTS, 1))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return reading_project(tmp_path_factory.mktemp("reads") / "p", repeats=True)


@pytest.fixture
def fresh(tmp_path):
    return reading_project(tmp_path / "p")


def measures(found) -> dict[tuple[str, str], object]:
    return {(one.name, one.subject): one for one in found.measures}


def test_objects_are_matched_into_nearly_as_many_items_as_there_are(project):
    reads = project_reads(project)
    found = reads.table["item"].to_pylist()
    # All three miss 0.3 % of the objects; neighbors within 7.5 µm are rare.
    assert len(set(found)) == pytest.approx(TRUE, abs=0.02 * TRUE)
    assert reads.readers == ["ada", "ben", "cyd"]
    assert set(pc.unique(reads.table["case"]).to_pylist()) == {f"P{k}" for k in range(10)}


def test_agreement_follows_from_what_was_planted(project):
    found = measures(measure_agreement(project, by="site"))
    # Two readers who miss a and b find (1-a)(1-b) of the objects together.
    for one, other in (("ada", "ben"), ("ada", "cyd"), ("ben", "cyd")):
        a, b = 1 - MISS[one], 1 - MISS[other]
        f1 = found["detection_f1", f"readers {one} and {other}"]
        assert f1.value == pytest.approx(2 * a * b / (a + b), abs=0.04)
        assert f1.low < f1.value < f1.high
        assert f1.clusters == 10
    right = [1 - miss / 2 for miss in MISS.values()]
    agree = found["percent_agreement", "all"].value
    assert min(right) ** 2 - 0.05 < agree < max(right) ** 2 + 0.05
    assert ("krippendorff_alpha", "domain site 0") in found
    assert found["intra_reader_percent_agreement", "reader ada"].value > agree - 0.2


def test_measures_are_kept(project):
    found = measure_agreement(project)
    kept = project.store.measures("agree")
    assert {(m.name, m.subject) for m in kept} == {(m.name, m.subject) for m in found.measures}


def test_completeness_counts_what_all_missed(project):
    found = measures(estimate_completeness(project, by_class=False))
    seen = found["objects", "all"].n
    missed = 1 - (0.1 * 0.2 * 0.15)
    assert found["completeness", "all"].low <= missed + 0.01
    assert found["objects", "all"].low <= TRUE + 2
    assert found["objects", "all"].high >= TRUE - 2
    for name, miss in MISS.items():
        assert found["completeness", f"reader {name}"].value == pytest.approx(1 - miss, abs=0.04)
    assert seen <= TRUE


def test_a_consensus_is_recorded_once_and_can_be_undone(fresh):
    with open_annotations(fresh.annotations) as store:
        before = len(store.current())
    found = decide(fresh, Rule("dawid-skene"), write=True)
    assert found.batch is not None
    with open_annotations(fresh.annotations) as store:
        table = store.current()
        decided = table.filter(pc.equal(table["basis"], "adjudicated")).to_pylist()
        assert len(table) == before + len(decided)
        reads = {row["annotation"]: row for row in table.to_pylist()}
        for row in decided[:50]:
            parents = [reads[name] for name in row["parents"]]
            assert 1 <= len(parents) <= 3
            x = [shapely.from_wkb(one["geometry"]).x for one in parents]
            assert min(x) <= shapely.from_wkb(row["geometry"]).x <= max(x)
            assert row["reader"] == "consensus"
    again = decide(fresh, Rule("dawid-skene"), write=True)
    with open_annotations(fresh.annotations) as store:
        table = store.current()
        assert len(table) == before + len(decided)
        store.undo(again.batch.batch, Act("ann"))
        first = store.current()
        mine = pc.equal(first["basis"], "adjudicated")
        assert set(first.filter(mine)["annotation"].to_pylist()) == {
            row["annotation"] for row in decided
        }


def test_the_consensus_beats_every_reader(fresh):
    """Against the truth, which the phantom knows by place."""
    objects = make_objects(OBJECTS, 1)
    decide(fresh, Rule("dawid-skene"), write=True)
    with open_annotations(fresh.annotations) as store:
        table = store.current().to_pylist()
    truth = {
        (objects.slides[s], round(x, 0), round(y, 0)): objects.classes[k]
        for s, x, y, k in zip(objects.slide, objects.x, objects.y, objects.kind, strict=True)
    }

    def right(rows) -> float:
        hits = 0
        for (slide, x, y), label in truth.items():
            near = [
                row
                for row in rows.get(slide, ())
                if abs(row["x"] - x) < 4 and abs(row["y"] - y) < 4
            ]
            hits += any(row["labels"] == [label] for row in near)
        return hits / len(truth)

    def by_slide(reader) -> dict:
        found: dict[str, list[dict]] = {}
        for row in table:
            if row["reader"] == reader and row["read"] == 1:
                point = shapely.from_wkb(row["geometry"])
                place = {"x": point.x * 0.25, "y": point.y * 0.25}
                found.setdefault(row["image"], []).append(row | place)
        return found

    best = max(right(by_slide(name)) for name in MISS)
    assert right(by_slide("consensus")) > best + 0.02


def test_a_reference_makes_completeness_count_only_what_is_real(fresh):
    decide(fresh, Rule("majority", TieRule("first")), write=True)
    found = estimate_completeness(fresh, by_class=False)
    assert found.confirmed
    assert found.objects < len(set(project_reads(fresh).table["item"].to_pylist()))


def test_a_panel_needs_its_members(fresh):
    with pytest.raises(ProtocolError, match="--panel ANN,BEN,CYD"):
        decide(fresh, Rule("panel"))
    found = decide(fresh, Rule("panel", panel=Panel("ada", "ben", "cyd")))
    assert found.unresolved == 0


def test_one_reader_is_not_enough(tmp_path):
    project = create_project(tmp_path / "p", template("detection", "One"))
    with pytest.raises(AnnotationError, match="no annotations with a reader"):
        measure_agreement(project)
    values = {"image": "S", "kind": "whole", "labels": ["tumor"], "reader": "ann"}
    with open_annotations(project.annotations) as store:
        store.apply([Edit("a", "create", None, values)], Act("ann"))
    for call in (measure_agreement, decide):
        with pytest.raises(AnnotationError, match="only ann has annotated"):
            call(project)
    with pytest.raises(AnnotationError, match="two readers read"):
        estimate_completeness(project)


def test_labels_of_whole_images_are_compared(tmp_path):
    project = create_project(tmp_path / "p", template("classification", "Images"))
    said = {"ann": "ttnnt", "ben": "ttnnn", "cyd": "tntnt"}
    edits = []
    for reader, letters in said.items():
        for number, letter in enumerate(letters):
            label = {"t": "tumor", "n": "normal"}[letter]
            values = {"image": f"S{number}", "kind": "whole", "labels": [label], "reader": reader}
            edits.append(Edit(f"{reader}{number}", "create", None, values))
    with open_annotations(project.annotations) as store:
        store.apply(edits, Act("x"))
    found = measures(measure_agreement(project))
    # Of 15 pairs, 4 + 3 + 2 agree (ann-ben 4, ann-cyd 3, ben-cyd 2), by hand.
    assert found["percent_agreement", "all"].value == pytest.approx(9 / 15)
    decided = decide(project, write=True)
    labels = dict(
        zip(decided.table["item"].to_pylist(), decided.table["label"].to_pylist(), strict=True)
    )
    assert labels == {
        "image S0": "tumor",
        "image S1": "tumor",
        "image S2": "normal",
        "image S3": "normal",
        "image S4": "tumor",
    }


def test_an_unknown_scale_asks_for_another_criterion(fresh):
    entry = fresh.store.slides()[0]
    fresh.store.save_slide(replace(entry, mpp=None), [])
    with pytest.raises(AnnotationError, match=r"has no µm per pixel.*--match iou"):
        measure_agreement(fresh)
    with pytest.raises(AnnotationError, match='nobody called "zoe"'):
        measure_agreement(fresh, Matching("distance"), ["zoe"])


def test_commands_print_json(project, capfd, monkeypatch):
    from curatome.cli import main

    for command, member in (
        ("agree", "measures"),
        ("complete", "measures"),
        ("consensus", "table"),
    ):
        monkeypatch.setattr("sys.argv", ["curatome", command, "--json", "-p", str(project.root)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert ended.value.code in (0, 1)
        assert json.loads(capfd.readouterr().out)[member]
