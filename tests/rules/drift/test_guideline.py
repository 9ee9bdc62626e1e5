"""DRF001, DRF002, DRF005: stale annotations, old names and mixed ones."""

from __future__ import annotations

import pytest

from curatome.errors import AnnotationError
from curatome.rules.drift import MIXED, OLD_NAME, STALE
from tests.rules.made import CHANGED, annotation, found, inputs


def rows(*kinds):
    return [
        annotation(f"a{k}", labels=labels, guideline=guideline)
        for k, (labels, guideline) in enumerate(kinds)
    ]


def test_redefined_classes_are_stale() -> None:
    made = rows((["mitosis"], "1.0"), (["mitosis"], None), (["mitosis"], "2.0"), (["tumor"], "1.0"))
    findings = found(STALE, inputs(made, CHANGED), "s1")
    assert {one.evidence["guideline"]: one.evidence["annotations"] for one in findings} == {
        "1.0": ["a0"],
        None: ["a1"],
    }
    assert "redefined: a dark nucleus alone is no mitosis" in findings[0].message
    assert "curatome guideline queue" in findings[0].remedy
    assert all(one.subject == "image s1" for one in findings)


def test_nothing_is_stale_under_the_present_guideline() -> None:
    assert found(STALE, inputs(rows((["mitosis"], "2.0"), (["tumor"], "1.0")), CHANGED)) == []
    assert found(STALE, inputs(rows((["mitosis"], "1")))) == []


def test_versions_that_never_were_are_left_to_others() -> None:
    given = inputs(rows((["mitosis"], "0.9")), CHANGED)
    with pytest.raises(AnnotationError):
        list(STALE.look(inputs(rows((["mitosis"], "0.9")), CHANGED)) and _strict(given))
    assert found(STALE, given) == found(OLD_NAME, given) == []


def _strict(given):
    from curatome.annotations.guideline import stale

    return stale(given.annotations, given.protocol.guideline)


def test_names_that_were_not_migrated() -> None:
    made = rows((["tumour"], "1.0"), (["tumour", "necrosis"], "1.0"), (["tumor"], "1.0"))
    findings = found(OLD_NAME, inputs(made, CHANGED), "s1")
    assert {(one.evidence["before"], one.evidence["after"]) for one in findings} == {
        ("tumour", "tumor"),
        ("tumour, necrosis", "tumor, necrosis"),
    }
    assert found(OLD_NAME, inputs(rows((["tumor"], "1.0"), (["tumour"], "2.0")), CHANGED)) == []


def test_old_names_under_the_new_guideline() -> None:
    made = rows((["tumour"], "2.0"), (["tumour"], "1.0"), (["tumor"], "2.0"), ([], "2.0"))
    (finding,) = found(MIXED, inputs(made, CHANGED), "s1")
    assert finding.evidence["annotations"] == ["a0"]
    assert finding.evidence["readers"] == ["ada"]
    assert found(MIXED, inputs(made[1:], CHANGED), "s1") == []


def test_a_name_that_was_added_again() -> None:
    again = CHANGED.replace('version = "2.0"\n[[', 'version = "3.0"\n[[', 1) + (
        '[[guideline.changelog]]\nversion = "3.0"\ndate = 2025-06-01\n'
        'change = "two kinds"\nadded = ["tumour"]\n'
    )
    assert found(MIXED, inputs(rows((["tumour"], "3.0")), again)) == []
