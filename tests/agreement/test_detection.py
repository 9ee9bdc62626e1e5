"""Detection: counts by hand, other libraries' numbers, and misses that the phantom planted."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from curatome.agreement.detection import against_reference, between_readers, hits
from curatome.agreement.matching import NOTHING, match_points, read_table
from curatome.agreement.ratings import ratings
from curatome.errors import TableError
from curatome.phantom.objects import ObjectDesign
from curatome.phantom.readers import Reader
from curatome.phantom.reads_cohort import ReadsDesign, make_reads_cohort

MITOSIS, OTHER = "mitotic figure", "other cell"
# Item by item: what the reference, ann and joe say. Joe did not read the image of the last two.
SAID = [
    (MITOSIS, MITOSIS, MITOSIS),
    (MITOSIS, OTHER, NOTHING),
    (OTHER, OTHER, OTHER),
    (NOTHING, MITOSIS, MITOSIS),
    (OTHER, NOTHING, MITOSIS),
    (MITOSIS, MITOSIS, None),
    (NOTHING, OTHER, None),
]
READERS = ("truth", "ann", "joe")


def table_of(said, cases=None):
    rows = [
        {"item": k, "reader": reader, "label": label, "case": (cases or range(len(said)))[k]}
        for k, row in enumerate(said)
        for reader, label in zip(READERS, row, strict=True)
    ]
    return pa.Table.from_pylist(rows)


def found(measures):
    return {(m.name.removeprefix("detection_"), m.subject): m for m in measures}


def test_counts_by_hand():
    reads = ratings(table_of(SAID))
    ann = hits(reads, "ann", "truth")
    assert (ann.found, ann.added, ann.missed) == (4, 2, 1)
    assert (ann.precision, ann.recall, ann.f1) == pytest.approx((4 / 6, 4 / 5, 8 / 11))
    mitoses = hits(reads, "ann", "truth", MITOSIS)  # one is called another cell, one is added
    assert (mitoses.found, mitoses.added, mitoses.missed) == (2, 1, 1)
    joe = hits(reads, "joe", "truth")  # items that he did not see do not count
    assert (joe.found, joe.added, joe.missed) == (3, 1, 1)


def test_without_objects_nothing_is_defined():
    reads = ratings(table_of([(NOTHING, NOTHING, MITOSIS)]))
    ann = hits(reads, "ann", "truth")
    assert np.isnan([ann.precision, ann.recall, ann.f1]).all()
    assert not [m for m in against_reference(reads, "truth") if m.subject.startswith("reader ann")]


def test_measures_equal_scikit_learn_and_name_what_they_are_of():
    rng = np.random.default_rng(1)
    labels = np.array([MITOSIS, OTHER, NOTHING])
    said = labels[rng.integers(0, 3, (200, 3))].tolist()
    domain = np.array(["lung", "breast"])[rng.integers(0, 2, 200)]
    reads = ratings(table_of(said, rng.integers(0, 20, 200).tolist()))
    made = found(against_reference(reads, "truth", domain=pa.array(domain), replicates=50))
    truth, ann, _ = np.array(said).T
    for name, score in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        assert made[name, "reader ann"].value == pytest.approx(
            score(truth != NOTHING, ann != NOTHING)
        )
        one = made[name, f"reader ann, class {MITOSIS}"]
        assert one.value == pytest.approx(score(truth == MITOSIS, ann == MITOSIS))
        assert (one.clusters, one.n) == (20, ((truth == MITOSIS) | (ann == MITOSIS)).sum())
        lung = domain == "lung"
        both = made[name, f"reader ann, class {OTHER}, domain lung"]
        assert both.value == pytest.approx(score(truth[lung] == OTHER, ann[lung] == OTHER))
        assert both.low < both.value < both.high
    assert len(made) == 2 * 3 * 3 * 3


def test_between_readers_it_does_not_matter_who_is_the_reference():
    reads = ratings(table_of(SAID))
    made = found(between_readers(reads))
    assert made["f1", "readers ann and joe"].value == hits(reads, "joe", "ann").f1 == 6 / 8
    # ann and joe: 3, 1, 1; ann and truth: 4, 2, 1; joe and truth: 3, 1, 1
    assert made["f1", "all"].value == pytest.approx(20 / (20 + 2 + 3 + 2))
    assert f"class {MITOSIS}" in {subject for _, subject in made}


def test_what_is_not_there_is_refused():
    reads = ratings(table_of(SAID))
    with pytest.raises(TableError, match='"eosinophil" is none of'):
        hits(reads, "ann", "truth", "eosinophil")
    with pytest.raises(TableError, match='"zoe" is none of'):
        against_reference(reads, "zoe")
    with pytest.raises(TableError, match="7 items, but 1 values of domain"):
        between_readers(reads, domain=pa.array(["lung"]))


def test_experts_of_midog_who_place_their_boxes_alike(data):
    """Boxes of MIDOG++ moved by up to 5 µm (20 px at 0.25 µm/px) are still the same cells.

    The reference is the file's class; an expert who votes for nothing else than what the file
    says is right about every cell. Every cell that lies 15 µm from others must be found.
    """
    file = json.loads((data / "annotations" / "coco" / "MIDOG++.json").read_text())
    boxes = np.array([a["bbox"] for a in file["annotations"]], float)
    image = np.array([a["image_id"] for a in file["annotations"]])
    first = np.array([a["labels"][0] for a in file["annotations"]])
    final = np.array([a["category_id"] for a in file["annotations"]])
    names = np.array(["", MITOSIS, OTHER])
    x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2 * 0.25).T
    angle = np.random.default_rng(1).uniform(0, 2 * np.pi, len(x))
    both_x, both_y = np.append(x, x + 5 * np.cos(angle)), np.append(y, y + 5 * np.sin(angle))
    reader = np.repeat(["truth", "expert"], len(x))
    label = names[np.append(final, first)]
    items = match_points(both_x, both_y, reader, np.tile(image, 2))
    reads = ratings(read_table(items, reader, label, image=np.tile(image, 2)))
    one = hits(reads, "expert", "truth")
    assert one.found == len(x)  # the planted pairs are one way to match all, so all must be
    classes = hits(reads, "expert", "truth", MITOSIS)
    right = ((first == 1) & (final == 1)).sum()
    # Where cells lie closer than the radius, the nearest way may pair others than were planted.
    crowded = len(x) - (items[: len(x)] == items[len(x) :]).sum()
    assert crowded < 0.02 * len(x)
    assert abs(classes.found - right) <= crowded
    assert classes.found + classes.added == (first == 1).sum()
    assert classes.found + classes.missed == (final == 1).sum()


def test_planted_misses_come_back_after_matching():
    """Marks placed within 1 µm: rates from matched items lie within sampling error of the plan.

    A false mark hides a miss where it lies within the radius of one: with 50 objects and 5 false
    marks per mm², at most 1 of 100 false marks does.
    """
    design = ObjectDesign(cases=200, objects_per_slide=50)
    misses = {"ann": 0.1, "joe": 0.25, "cy": 0.4}
    readers = tuple(
        Reader.even(name, design.classes, miss, 0.05, location_um=1.0, false_per_mm2=5.0)
        for name, miss in misses.items()
    )
    cohort = make_reads_cohort(ReadsDesign(design, readers), seed=7)
    truth, reads = cohort.objects, cohort.reads
    image = np.append(truth["slide"].to_pylist(), reads["slide"].to_pylist())
    reader = np.append(np.repeat("truth", len(truth)), reads["reader"].to_pylist())
    label = np.append(truth["class"].to_pylist(), reads["label"].to_pylist())
    x, y = (np.append(truth[c], reads[c]) for c in ("x_um", "y_um"))
    items = match_points(x, y, reader, image)
    matched = ratings(read_table(items, reader, label, image=image))
    for name, miss in misses.items():
        one = hits(matched, name, "truth")
        error = np.sqrt(miss * (1 - miss) / len(truth))
        assert 1 - one.recall == pytest.approx(miss, abs=3 * error)
        planted = reads.filter(pc.equal(reads["reader"], name))["item"].null_count
        assert 0.99 * planted <= one.added <= planted
