"""`curatome check` at the command line."""

from __future__ import annotations

import json
import re

import pytest
from sarif_kit.validate import validation_errors

from tests.workflows.made_checks import BEYOND, CROSSED, project, row


@pytest.fixture
def dirty(tmp_path, monkeypatch):
    """A project with an outline that crosses itself, and one that leaves its image."""
    made = project(tmp_path / "p", [row("a"), row("b", BEYOND), row("c", CROSSED, "s2")])
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def sound(tmp_path, monkeypatch):
    made = project(tmp_path / "p", [row("a")])
    monkeypatch.chdir(made.root)
    return made


def test_findings_are_grouped_by_slide(dirty, run) -> None:
    result = run("check", "--select", "SYN")
    assert result.code == 1
    lines = result.out.splitlines()
    assert lines[0].split() == ["s1.svs", "case", "case", "s1"]
    assert "warning" in lines[1]
    assert "SYN008" in lines[1]
    assert "annotation b at (9,900, 100): polygon reaches 100.0 px beyond" in lines[1]
    assert "→ `curatome check --fix` cuts it at the edge" in lines[2]
    assert "2 findings: 1 error, 1 warning in 2 slides; 2 can be fixed with --fix." in result.out


def test_a_clean_project(sound, run) -> None:
    result = run("check", "--select", "SYN,CHK")
    assert (result.code, "Nothing found." in result.out) == (0, True)


def test_notes_do_not_fail(tmp_path, monkeypatch, run) -> None:
    import shapely

    repeated = shapely.Polygon([(0, 0), (0, 0), (90, 0), (90, 90), (0, 90)])
    monkeypatch.chdir(project(tmp_path / "p", [row("a", repeated)]).root)
    result = run("check", "--select", "SYN")
    assert result.code == 0
    assert "1 finding: 1 note in 1 slide" in result.out


def test_selecting_and_ignoring(dirty, run) -> None:
    assert run("check", "--select", "SYN", "--ignore", "SYN004,SYN008").code == 0
    assert run("check", "--select", "SYN008", "--select", "DRF").code == 1
    result = run("check", "--select", "SYN999")
    assert result.code == 2
    assert 'no rule "SYN999"' in result.err


def test_fix(dirty, run) -> None:
    result = run("check", "--select", "SYN", "--fix")
    assert result.code == 0
    assert "2 annotations mended" in result.out
    assert "curatome annotations undo 2" in result.out
    assert run("annotations", "undo", "2").code == 0
    assert run("check", "--select", "SYN").code == 1


def test_json(dirty, run) -> None:
    result = run("check", "--select", "SYN", "--json")
    assert result.code == 1
    held = result.json
    assert held["counts"] == {"SYN008": 1, "SYN004": 1}
    assert held["severities"] == {"error": 1, "warning": 1}
    first = held["findings"][0]
    assert (first["code"], first["name"], first["annotation"]) == ("SYN008", "s1.svs", "b")
    assert first["place"]["x"] == 9900
    assert result.err == ""


def test_sarif_keeps_to_its_schema(tmp_path, monkeypatch, run) -> None:
    """To OASIS's schema of 2.1.0, also where a path is not ASCII or there is no image."""
    text = '[[check.suppress]]\ncode = "SYN008"\nreason = "cells at the edge"\n'
    rows = [row("b", BEYOND), row("c", CROSSED, "s2"), row("d", CROSSED, "gelöscht 7")]
    made = project(tmp_path / "p", [*rows, row("e", CROSSED, None)], text)
    monkeypatch.chdir(made.root)
    log = run("check", "--format", "sarif").json
    assert len(log["runs"][0]["results"]) >= 6
    assert validation_errors(log) == []
    log["runs"][0]["results"][0]["level"] = "severe"
    assert len(validation_errors(log)) == 1


def test_sarif_tells_rules_places_and_what_is_accepted(tmp_path, monkeypatch, run) -> None:
    text = '[[check.suppress]]\ncode = "SYN008"\nreason = "cells at the edge"\n'
    made = project(tmp_path / "p", [row("b", BEYOND), row("c", CROSSED, "s2")], text)
    monkeypatch.chdir(made.root)
    log = run("check", "--select", "SYN", "--format", "sarif").json
    (once,) = log["runs"]
    driver = once["tool"]["driver"]
    assert driver["name"] == "curatome"
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(ids) == len(set(ids))
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
    assert len(once["results"]) == 2
    for result in once["results"]:
        assert result["message"]["text"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert ids[result["ruleIndex"]] == result["ruleId"]
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"].startswith("slides/s")
        assert len(result["partialFingerprints"]["curatome/v1"]) == 16
    (accepted,) = [one for one in once["results"] if "suppressions" in one]
    assert accepted["ruleId"] == "SYN008"
    assert accepted["suppressions"] == [{"kind": "external", "justification": "cells at the edge"}]


def test_html_needs_nothing_else(dirty, run) -> None:
    result = run("check", "--select", "SYN", "--format", "html")
    assert result.code == 1
    page = (dirty.root / "report" / "check.html").read_text()
    for text in ("s1.svs", "SYN008", "reaches 100.0 px beyond", "self crossing"):
        assert text in page
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*', page) == []
    # Both rules are explained at the end, each with its picture.
    assert page.count("<img src=") == 2
    for code in ("SYN004", "SYN008"):
        assert f'href="#{code}"' in page
        assert f'<article class="rule" id="{code}">' in page


def test_a_file_instead_of_the_terminal(dirty, run, tmp_path) -> None:
    for name, start in (("json", "{"), ("sarif", "{"), ("text", "s1.svs"), ("html", "<!doctype")):
        path = tmp_path / f"found.{name}"
        assert run("check", "--select", "SYN", "-f", name, "-o", path).code == 1
        assert path.read_text().startswith(start)
    assert json.loads((tmp_path / "found.json").read_text())["fixable"] == 2


def test_long_lists_are_cut_short(tmp_path, monkeypatch, run) -> None:
    import shapely

    rows = [row(f"a{k}", shapely.box(9_990, 50 * k, 10_010, 50 * k + 20)) for k in range(9)]
    monkeypatch.chdir(project(tmp_path / "p", rows).root)
    result = run("check", "--select", "SYN008")
    assert "… and 4 more of SYN008" in result.out
    assert "4 more are not listed; `curatome check --all` does." in result.out
    assert "more of" not in run("check", "--select", "SYN008", "--all").out
    # `status` lists a few of them as well, and no more.
    assert len(run("status").out.splitlines()) < 30


def test_what_was_not_looked_for_is_told(sound, run) -> None:
    result = run("check", "--select", "LEK001,SYN")
    assert "without items; `curatome build` makes them: LEK001" in result.out


def test_watching_only_prints(sound, run) -> None:
    result = run("check", "--watch", "--json")
    assert result.code == 2
    assert "--watch prints text" in result.err
