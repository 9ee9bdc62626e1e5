"""Planted faults of syntax and drift: recall against strength, and what a clean cohort gives.

Seeds above 1,000 were not used to tune anything.
"""

from __future__ import annotations

import pytest

from curatome.findings import Severity
from curatome.phantom.faults import FAULTS, CleanDesign, make_tables
from curatome.phantom.objects import ObjectDesign
from curatome.rules.registry import family_rules, rule_of
from tests.rules.made import CHANGED, image_by_image, phantom_inputs

SEEDS = (1001, 1002, 1003)
LARGE = CleanDesign(ObjectDesign(cases=40, slides_per_case=2, objects_per_slide=20))


@pytest.fixture(scope="module", params=SEEDS)
def clean(request):
    return make_tables(LARGE, request.param), request.param


def test_a_clean_cohort_gives_nothing_above_notes(clean) -> None:
    given = phantom_inputs(clean[0])
    for family in ("SYN", "DRF", "ACQ", "CHK"):
        for rule in family_rules(family):
            if not {"near", "pixels"} & set(rule.needs):
                loud = [f for f in image_by_image(rule, given) if f.severity > Severity.NOTE]
                assert loud == [], rule.code


def scores(found, planted):
    """Recall and precision."""
    return len(found & planted) / len(planted), len(found & planted) / max(len(found), 1)


def slides_of(planted, tables):
    """Slides whose annotations were changed."""
    image = dict(
        zip(
            *(tables.annotations[name].to_pylist() for name in ("annotation", "image")), strict=True
        )
    )
    return {f"image {image[row]}" for row in planted.changes["row"].to_pylist()}


def is_promised(before, after):
    """Other case or separators, or a letter inside a word of five letters or more."""
    plain = ["".join(c for c in word.casefold() if c.isalnum()) for word in (before, after)]
    if plain[0] == plain[1]:
        return True
    pair = zip(before.split(), after.split(), strict=True)
    ((was, now),) = [words for words in pair if words[0] != words[1]]
    return len(was) >= 5 and not was.startswith(now) and not now.startswith(was)


@pytest.mark.parametrize("strength", [0.05, 0.4, 0.9])
@pytest.mark.parametrize(
    ("fault", "code"),
    [("wrong_level", "SYN023"), ("box_corner_as_size", "SYN024")],
)
def test_coordinates_of_some_slides(clean, fault, code, strength) -> None:
    tables, seed = clean
    planted = FAULTS[fault].plant(tables, strength, seed)
    found = {one.subject for one in image_by_image(rule_of(code), phantom_inputs(planted.tables))}
    recall, precision = scores(found, slides_of(planted, tables))
    assert recall >= 0.95
    assert precision >= 0.9


@pytest.mark.parametrize("column", ["scanner", "site"])
@pytest.mark.parametrize("strength", [0.05, 0.1])
def test_values_that_are_written_otherwise(clean, column, strength) -> None:
    tables, seed = clean
    planted = FAULTS[f"{column}_spelling"].plant(tables, strength, seed)
    findings = image_by_image(rule_of("SYN022"), phantom_inputs(planted.tables))
    found = {one.evidence["value"] for one in findings}
    wrong = {row["after"]: row["before"] for row in planted.changes.to_pylist()}
    promised = {after for after, before in wrong.items() if is_promised(before, after)}
    assert scores(found, promised)[0] >= 0.95
    assert scores(found, set(wrong))[1] >= 0.9
    assert promised


@pytest.mark.parametrize("strength", [0.02, 0.1])
def test_classes_that_are_written_otherwise(clean, strength) -> None:
    tables, seed = clean
    planted = FAULTS["label_spelling"].plant(tables, strength, seed)
    wrong = {value[2:-2] for value in planted.changes["after"].to_pylist()}
    free = image_by_image(rule_of("SYN022"), phantom_inputs(planted.tables))
    assert scores({one.evidence["value"] for one in free}, wrong)[0] >= 0.95
    assert scores({one.evidence["value"] for one in free}, wrong)[1] >= 0.9
    names = ("tumor", "lymphocyte", "stromal", "mitosis")
    classes = "".join(f'[[classes]]\nname = "{name}"\n' for name in names)
    known = image_by_image(rule_of("SYN020"), phantom_inputs(planted.tables, CHANGED + classes))
    assert {one.evidence["class"] for one in known} == wrong


@pytest.mark.parametrize("strength", [0.02, 0.5, 1.0])
def test_annotations_that_nobody_looked_at_again(clean, strength) -> None:
    tables, seed = clean
    planted = FAULTS["stale_guideline"].plant(tables, strength, seed)
    mitoses = {
        row["annotation"] for row in tables.annotations.to_pylist() if row["labels"] == ["mitosis"]
    }
    stale = set(planted.changes["row"].to_pylist()) & mitoses
    findings = image_by_image(rule_of("DRF001"), phantom_inputs(planted.tables))
    assert {name for one in findings for name in one.evidence["annotations"]} == stale
