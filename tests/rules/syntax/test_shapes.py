"""SYN001 to SYN014 as rules: one example that fails and one that passes for each."""

from __future__ import annotations

import struct

import pytest
import shapely
from shapely import MultiPolygon, Point, Polygon, box

from curatome.annotations.check import CODES
from curatome.annotations.repair import REPAIRABLE
from curatome.rules.registry import rule_of
from tests.rules.made import annotation, found, inputs

SQUARE = box(100, 100, 200, 200)
AWAY = box(300, 300, 310, 310).exterior.coords
HOLE = box(120, 120, 140, 140).exterior.coords


def open_ring():
    points = [(0.0, 0.0), (90.0, 0.0), (90.0, 90.0), (0.0, 90.0)]
    body = struct.pack("<BIII", 1, 3, 1, len(points))
    return body + b"".join(struct.pack("<dd", *point) for point in points)


BAD = {
    "SYN001": [annotation("a", Point(5, 5))],
    "SYN002": [annotation("a", box(1e8, 0, 2e8, 5))],
    "SYN003": [annotation("a", SQUARE, geometry=open_ring())],
    "SYN004": [annotation("a", Polygon([(0, 0), (90, 90), (90, 0), (0, 80)]))],
    "SYN005": [annotation("a", Polygon(SQUARE.exterior.coords, [AWAY]))],
    "SYN006": [annotation("a", Polygon([(0, 0), (50, 50), (90, 90)]))],
    "SYN007": [annotation("a", box(20_000, 100, 20_100, 200))],
    "SYN008": [annotation("a", box(9_950, 100, 10_050, 200))],
    "SYN009": [annotation("a", Polygon([(0, 0), (90, 0), (400, 0), (90, 0), (90, 90), (0, 90)]))],
    "SYN010": [annotation("a", box(100, 100, 500, 100.2))],
    "SYN011": [annotation("a", Polygon([(0, 0), (0, 0), (90, 0), (90, 90), (0, 90)]))],
    "SYN012": [annotation("a", Polygon(list(SQUARE.exterior.coords)[::-1], [list(HOLE)[::-1]]))],
    "SYN013": [annotation("a", SQUARE), annotation("b", SQUARE, labels=["stroma"])],
    "SYN014": [annotation("a", SQUARE), annotation("b", box(100, 100, 200, 201))],
}  # fmt: skip
GOOD = [
    annotation("a", SQUARE),
    annotation("b", box(300, 300, 400, 420)),
    annotation("c", Polygon(SQUARE.exterior.coords, [list(HOLE)[::-1]]), reader="ben"),
    annotation("d", MultiPolygon([box(500, 500, 520, 520), box(600, 600, 640, 640)]),
               kind="multipolygon"),
    annotation("e", Point(700, 700), kind="point"),
]  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_what_fails(code) -> None:
    findings = found(rule_of(code), inputs(BAD[code]), "s1")
    assert findings, code
    assert {one.code for one in findings} == {code}
    assert findings[0].evidence["image"] == "s1"
    assert findings[0].severity == rule_of(code).severity


@pytest.mark.parametrize("code", CODES)
def test_what_passes(code) -> None:
    assert found(rule_of(code), inputs(GOOD), "s1") == []


def test_what_can_be_mended_says_so() -> None:
    assert {code for code in CODES if rule_of(code).fixable} == REPAIRABLE
    for code in REPAIRABLE:
        assert "curatome check --fix" in rule_of(code).fix


def test_another_table_is_looked_at_again() -> None:
    rule = rule_of("SYN006")
    assert found(rule, inputs(BAD["SYN006"]), "s1")
    assert found(rule, inputs(GOOD), "s1") == []
    assert shapely.is_valid(SQUARE)
