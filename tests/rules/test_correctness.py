"""COR: wrong labels, open disagreements and readers out of line, by hand and planted."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import shapely
from shapely import affinity

from curatome.findings import Severity
from curatome.phantom.faults import CleanDesign, make_tables
from curatome.phantom.objects import ObjectDesign
from curatome.rules import correctness
from curatome.rules.rule import Inputs
from tests.rules.datasets import (
    annotations_of,
    looked,
    loud,
    phantom_inputs,
    protocol_of,
    slides_of,
)
from tests.rules.painted import painted

DISK = shapely.Point(100, 100).buffer(20)
EVEN = ObjectDesign(
    cases=15,
    slides_per_case=1,
    objects_per_slide=16,
    classes=("tumor", "lymphocyte"),
    frequencies=(0.5, 0.5),
)


def _marks(*rows):
    slides = slides_of([{"slide": "s"}])
    return Inputs(protocol_of(), slides=slides, annotations=annotations_of(rows))


def test_two_readers_who_differ_and_nobody_decided():
    ann = {"shape": DISK, "labels": ["tumor"], "annotation": "a"}
    joe = {"shape": affinity.translate(DISK, 4), "labels": ["mitosis"], "reader": "joe"}
    (found,) = looked(correctness.UNRESOLVED, _marks(ann, joe))
    assert found.subject == "annotation a"
    assert found.evidence["labels"] == [["tumor"], ["mitosis"]]
    assert (found.place.x, found.place.width) == (80.0, 40.0)
    assert "one object: joe says mitosis; ann says tumor. Nobody" in found.message
    decided = {"shape": DISK, "labels": ["tumor"], "basis": "adjudicated", "reader": "mia"}
    assert looked(correctness.UNRESOLVED, _marks(ann, joe, decided)) == []
    elsewhere = decided | {"shape": affinity.translate(DISK, 300)}
    assert len(looked(correctness.UNRESOLVED, _marks(ann, joe, elsewhere))) == 1
    assert looked(correctness.UNRESOLVED, _marks(ann, joe, elsewhere | {"parents": ["a"]})) == []


@pytest.mark.parametrize(
    "joe",
    [
        {"labels": ["tumor"], "reader": "joe"},
        {"labels": ["mitosis"], "reader": "joe", "shape": affinity.translate(DISK, 30)},
        {"labels": ["mitosis"], "reader": "joe", "basis": "proposed"},
        {"labels": ["mitosis"], "read": 2},
        {"labels": [], "cannot_judge": True, "reader": "joe"},
    ],
    ids=["agrees", "another object", "a model", "a second read", "cannot judge"],
)
def test_what_is_no_disagreement(joe):
    assert looked(correctness.UNRESOLVED, _marks({"shape": DISK}, {"shape": DISK, **joe})) == []


def test_a_disagreement_about_a_whole_image():
    rows = [{"labels": ["tumor"]}, {"labels": ["stromal"], "reader": "joe"}]
    (found,) = looked(correctness.UNRESOLVED, _marks(*rows))
    assert found.place is None


def _panel(right, seed, cases=60, items=5):
    """Whole images of each case, called by readers who are right with a probability."""
    rng = np.random.default_rng(seed)
    rows, slides = [], []
    for case in range(cases):
        for item in range(items):
            name, truth = f"s{case}_{item}", rng.integers(3)
            slides.append({"slide": name, "case": f"c{case}"})
            for reader, share in right.items():
                said = truth if rng.random() < share else (truth + rng.integers(1, 3)) % 3
                rows.append({"image": name, "labels": ["abc"[said]], "reader": reader})
    return Inputs(protocol_of(), slides=slides_of(slides), annotations=annotations_of(rows))


def test_readers_in_line_are_left_alone():
    for seed in range(1001, 1011):
        for inputs in (
            _panel({"ann": 0.85, "joe": 0.85, "mia": 0.85}, seed),
            _panel({"ann": 0.9, "joe": 0.6, "mia": 0.9}, seed, cases=5),
            _panel({"ann": 0.9, "joe": 0.4}, seed),
        ):
            assert looked(correctness.READER, inputs) == []


def test_agreement_of_a_reader_by_hand():
    """Three readers: a a b, a b b, a and nothing else. Pairs with the first: 1 of 2, 0 of 2."""
    names = (("ann", "joe", "mia"), ("a", "a", "b"), ("a", "b", "b"), ("a", None, None))
    rows = [
        {"image": f"s{k}", "labels": [label], "reader": reader}
        for k, labels in enumerate(names[1:])
        for reader, label in zip(names[0], labels, strict=True)
        if label
    ]
    inputs = Inputs(
        protocol_of(),
        slides=slides_of([{"slide": f"s{k}"} for k in range(3)]),
        annotations=annotations_of(rows),
    )
    said = correctness.ratings_of(correctness.marks(inputs), inputs.slides)
    parts = correctness._agreement(said, 0)
    assert parts[:2].tolist() == [[1, 2, 0, 1], [0, 2, 1, 1]]


def test_of_many_readers_only_a_few_are_named():
    rows = [{"shape": DISK, "labels": ["tumor"], "reader": f"r{k}"} for k in range(4)]
    rows += [{"shape": DISK, "labels": ["mitosis"], "reader": name} for name in ("ann", "joe")]
    (found,) = looked(correctness.UNRESOLVED, _marks(*rows))
    assert "one object: 4 of 6 say tumor; ann, joe say mitosis. Nobody" in found.message


def test_of_two_words_about_one_whole_image_the_first_counts():
    """CON004 tells of them; the rules about readers must not fail over them."""
    rows = [
        {"image": "s0", "labels": [label], "reader": reader}
        for reader, label in (("ann", "a"), ("ann", "b"), ("joe", "b"))
    ]
    inputs = Inputs(
        protocol_of(), slides=slides_of([{"slide": "s0"}]), annotations=annotations_of(rows)
    )
    said = correctness.ratings_of(correctness.marks(inputs), inputs.slides)
    assert [said.labels[code] for code in said.codes[0]] == ["a", "b"]


def test_a_note_says_what_is_missing_without_the_extra(monkeypatch):
    clean = make_tables(CleanDesign(objects=EVEN), 1001)
    monkeypatch.setitem(sys.modules, "sklearn.model_selection", None)
    inputs = phantom_inputs(clean, pixels=painted(clean, 1001))
    (found,) = looked(correctness.SUSPECT, inputs)
    assert found.severity is Severity.NOTE
    assert "curatome[labels]" in found.message


@pytest.mark.parametrize("cases", [5, 15])
def test_a_clean_dataset_gives_nothing(cases):
    objects = ObjectDesign(cases=cases, slides_per_case=1, objects_per_slide=16)
    for seed in (1001, 1002):
        clean = make_tables(CleanDesign(objects=objects), seed)
        inputs = phantom_inputs(clean, pixels=painted(clean, seed))
        assert loud(correctness.RULES, inputs) == []
