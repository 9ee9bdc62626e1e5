"""Classes, readers, guidelines and images that are not there."""

from __future__ import annotations

from curatome.rules.syntax.fields import MISSING, NO_IMAGE, UNKNOWN
from tests.rules.made import CHANGED, annotation, found, inputs, slides

CLASSES = '[[classes]]\nname = "tumor"\n[[classes]]\nname = "stroma"\n'


def test_an_unknown_class() -> None:
    rows = [annotation(f"a{k}", labels=["tumro"]) for k in range(3)]
    rows += [annotation("b", labels=["tumor", "stroma"]), annotation("c", labels=[])]
    (finding,) = found(UNKNOWN, inputs(rows, CLASSES))
    assert finding.subject == "class tumro"
    assert 'Did the reader mean "tumor"?' in finding.message
    assert finding.evidence["annotations"] == 3
    assert finding.evidence["first"] == ["a0", "a1", "a2"]
    assert finding.evidence["images"] == 1


def test_known_classes_and_those_that_the_guideline_has_retired() -> None:
    rows = [annotation("a"), annotation("b", labels=["stroma"]), annotation("c", labels=["tumour"])]
    assert found(UNKNOWN, inputs(rows, CLASSES + CHANGED)) == []
    (finding,) = found(UNKNOWN, inputs(rows, CLASSES))
    assert finding.subject == "class tumour"


def test_without_defined_classes_all_are_known() -> None:
    assert found(UNKNOWN, inputs([annotation("a", labels=["anything"])])) == []


def test_missing_readers_and_guidelines() -> None:
    rows = [
        annotation("a"),
        annotation("b", reader=None),
        annotation("c", reader=None, guideline=None),
        annotation("d", reader=None, basis="proposed", guideline="1"),
        annotation("e", guideline="7"),
    ]
    by_field = {one.evidence["field"]: one for one in found(MISSING, inputs(rows))[:2]}
    assert by_field["reader"].evidence["first"] == ["b", "c"]
    assert by_field["guideline"].evidence["first"] == ["c"]
    never = found(MISSING, inputs(rows))[-1]
    assert 'guideline "7"' in never.message
    assert never.evidence["first"] == ["e"]
    assert found(MISSING, inputs([annotation("a"), annotation("f")])) == []


def test_versions_of_the_changelog_are_known() -> None:
    rows = [annotation("a", guideline="1.0"), annotation("b", guideline="2.0")]
    assert found(MISSING, inputs(rows, CHANGED)) == []


def test_an_image_that_is_not_there() -> None:
    rows = [annotation("a", image="gone"), annotation("b", image="gone")]
    given = inputs(rows)
    (finding,) = found(NO_IMAGE, type(given)(given.protocol, slides(), given.annotations))
    assert finding.subject == "image gone"
    assert finding.evidence["annotations"] == 2
    assert found(NO_IMAGE, inputs([annotation("a")])) == []
