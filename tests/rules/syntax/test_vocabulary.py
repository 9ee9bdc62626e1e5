"""SYN022: scanners, sites, diagnoses, classes and readers under several names."""

from __future__ import annotations

import dataclasses

from curatome.rules.syntax.vocabulary import VOCABULARY
from tests.rules.made import annotation, found, inputs, slide


def scanners(*names):
    return [slide(f"s{k}", scanner=name) for k, name in enumerate(names)]


def test_a_misspelled_scanner() -> None:
    of = scanners(*["Hamamatsu XR"] * 5, "Hamammatsu XR", *["GT450"] * 3, "AT2", None)
    (finding,) = found(VOCABULARY, inputs(of=of))
    assert finding.subject == "scanner Hamammatsu XR"
    assert "(1 slide) is probably" in finding.message
    assert finding.evidence["meant"] == "Hamamatsu XR"
    assert finding.evidence["first"] == ["s5"]


def test_different_scanners() -> None:
    of = scanners("Hamamatsu XR", "Hamamatsu S360", "Leica GT450", "Aperio AT2", "Aperio AT3")
    assert found(VOCABULARY, inputs(of=of)) == []


def test_diagnoses_of_cases() -> None:
    cases = {f"c{k}": {"diagnosis": "in situ", "age": 50} for k in range(4)}
    given = inputs(cases={**cases, "c9": {"diagnosis": "In-Situ"}})
    (finding,) = found(VOCABULARY, given)
    assert finding.subject == "diagnosis In-Situ"
    declared = '[cohort.fields.diagnosis]\ntype = "category"\nvalues = ["in situ", "In-Situ"]\n'
    told = inputs(protocol=declared, cases=given.cases)
    assert found(VOCABULARY, told) == []


def test_classes_only_where_the_protocol_has_none() -> None:
    rows = [annotation(f"a{k}") for k in range(12)] + [annotation("b", labels=["tumour"])]
    (finding,) = found(VOCABULARY, inputs(rows))
    assert (finding.subject, finding.evidence["first"]) == ("class tumour", ["b"])
    assert found(VOCABULARY, inputs(rows, '[[classes]]\nname = "tumor"\n')) == []


def test_readers_by_case_only() -> None:
    rows = [annotation("a", reader="Ada L"), annotation("b", reader="ada l")]
    rows += [annotation(f"c{k}", reader="Jonas") for k in range(20)]
    rows += [annotation("d", reader="Jonnas"), annotation("e", reader=None)]
    (finding,) = found(VOCABULARY, inputs(rows))
    assert finding.evidence["column"] == "reader"
    assert {finding.evidence["value"], finding.evidence["meant"]} == {"Ada L", "ada l"}


def test_of_nothing() -> None:
    given = dataclasses.replace(inputs(), slides=inputs().slides.slice(0, 0))
    assert found(VOCABULARY, given) == []
