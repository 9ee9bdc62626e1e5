"""Findings that are accepted, by the protocol or on an annotation."""

from __future__ import annotations

import json

import pytest

from curatome.findings import Finding, Severity
from curatome.rules.suppressions import MEMBER, Accepted, of_annotations, of_protocol, sift
from tests.rules.made import annotation, annotations, inputs

EDGE = Finding(
    "SYN008", Severity.WARNING, "annotation a", "m.", evidence={"annotation": "a", "image": "s1"}
)
OTHER = Finding(
    "SYN008", Severity.WARNING, "annotation b", "m.", evidence={"annotation": "b", "image": "s2"}
)


def names(image):
    return image, f"{image}.svs"


def sifted(*suppressions, judged=lambda _: True):
    return sift([EDGE, OTHER], suppressions, judged, names)


@pytest.mark.parametrize(
    ("suppression", "accepts"),
    [
        (Accepted("SYN008", "r", "w"), [EDGE, OTHER]),
        (Accepted("SYN", "r", "w"), [EDGE, OTHER]),
        (Accepted("SYN008", "r", "w", image="s1"), [EDGE]),
        (Accepted("SYN008", "r", "w", image="s2.svs"), [OTHER]),
        (Accepted("SYN008", "r", "w", annotation="b"), [OTHER]),
    ],
)
def test_what_is_accepted(suppression, accepts) -> None:
    result = sifted(suppression)
    assert [one for one, _ in result.accepted] == accepts
    assert list(result.findings) == [one for one in (EDGE, OTHER) if one not in accepts]


@pytest.mark.parametrize(
    "suppression",
    [
        Accepted("SYN009", "r", "w"),
        Accepted("DRF", "r", "w"),
        Accepted("SYN008", "r", "w", image="s3"),
        Accepted("SYN008", "r", "w", annotation="c"),
        Accepted("SYN008", "r", "w", image="s1", annotation="b"),
    ],
)
def test_what_nothing_needs_is_a_finding(suppression) -> None:
    result = sifted(suppression)
    assert result.accepted == ()
    assert [one.code for one in result.findings] == ["SYN008", "SYN008", "CHK001"]
    assert "(r)" in result.findings[-1].message


def test_what_was_not_looked_for_is_not_unused() -> None:
    result = sifted(Accepted("SYN009", "r", "w"), judged=lambda word: word != "SYN009")
    assert result.findings == (EDGE, OTHER)


def test_every_suppression_that_fits_is_used() -> None:
    result = sifted(Accepted("SYN008", "all", "w"), Accepted("SYN008", "this", "v", image="s1"))
    assert result.findings == ()
    assert {by.reason for _, by in result.accepted} == {"all"}


def test_those_of_the_protocol() -> None:
    text = '[[check.suppress]]\ncode = "SYN008"\nreason = "r"\nimage = "a.svs"\n'
    (one,) = of_protocol(inputs(protocol=text).protocol)
    assert (one.code, one.reason, one.image, one.annotation) == ("SYN008", "r", "a.svs", "")
    assert "number 1" in one.where


def test_those_on_annotations() -> None:
    table = annotations(
        annotation("a", properties=json.dumps({MEMBER: {"CLN001": "torn", "SYN008": " "}})),
        annotation("b", properties=json.dumps({MEMBER: ["CLN001"]})),
        annotation("c", properties=json.dumps({"area": 3})),
        annotation("d"),
    )
    accepted, problems = of_annotations(table)
    assert accepted == [Accepted("CLN001", "torn", "annotation a", annotation="a")]
    assert [(one.code, one.subject) for one in problems] == [
        ("CHK004", "annotation a"),
        ("CHK004", "annotation b"),
    ]
    assert "no reason for SYN008" in problems[0].message
