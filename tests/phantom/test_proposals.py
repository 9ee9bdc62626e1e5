"""Readers who see what a model proposes, and whole cohorts of reads."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest

from curatome.phantom.objects import ObjectDesign, make_objects
from curatome.phantom.readers import Reader
from curatome.phantom.reading import read
from curatome.phantom.reads import Session
from curatome.phantom.reads_cohort import ReadsDesign, make_reads_cohort
from tests.phantom.statistics import bound, share_z
from tests.phantom.test_reads import columns, joined

DESIGN = ObjectDesign(cases=200, objects_per_slide=100)
CLASSES = DESIGN.classes
MODEL = Reader.even("model", CLASSES, 0.3, 0.3, false_per_mm2=20.0, location_um=2.0)
READER = Reader.even("ada", CLASSES, 0.1, 0.1, anchoring=0.6, overlooking=0.4)


@pytest.fixture(scope="module")
def objects():
    return make_objects(DESIGN, 2)


@pytest.fixture(scope="module")
def proposals(objects):
    return read(objects, MODEL, 2)


@pytest.fixture(scope="module")
def half():
    return tuple((np.arange(200) % 2 == 0).tolist())


@pytest.fixture(scope="module")
def seen(objects, proposals, half):
    reads = read(objects, READER, 2, Session(shown=half), proposals)
    return reads, joined(reads), joined(proposals), np.asarray(half)[objects.slide]


def test_wrong_proposals_are_accepted_with_the_anchoring_weight(seen):
    """A shown wrong label is given with w + (1 - w)(1 - miss) × (its share among own labels)."""
    _, own, model, shown = seen
    wrong = (model["label"] != None) & (model["label"] != model["class"])  # noqa: E711 - an array
    same = own["label"] == model["label"]
    unled = 0.9 * 0.1 / 3
    z = [
        share_z(same[wrong & shown], 0.6 + 0.4 * unled),
        share_z(same[wrong & ~shown], unled),
        share_z(own["led"][wrong & shown].astype(bool), 0.6),
    ]
    assert np.abs(z).max() < bound(3)
    assert not own["led"][~shown].any()


def test_what_is_not_proposed_is_overlooked_as_planted(seen):
    _, own, model, shown = seen
    absent, missed = model["label"] == None, own["missed"].astype(bool)  # noqa: E711 - an array
    z = [
        share_z(missed[absent & shown], 0.4 + 0.6 * 0.1),
        share_z(missed[absent & ~shown], 0.1),
        share_z(missed[~absent & shown], 0.4 * 0.1),
    ]
    assert np.abs(z).max() < bound(3)


def test_false_proposals_are_accepted_with_the_anchoring_weight(seen, proposals, half):
    reads = seen[0]
    false = proposals.marks.item < 0
    offered = np.asarray(half)[proposals.marks.slide[false]]
    taken = np.isin(proposals.marks.x[false], reads.marks.x[reads.marks.item < 0])
    assert abs(share_z(taken[offered], 0.6)) < bound(1)
    assert not taken[~offered].any()


def test_a_proposal_that_is_taken_over_keeps_its_place(seen, proposals):
    marks = reads_by_item(seen[0])
    model = reads_by_item(proposals)
    led = [item for item, (_, _, led) in marks.items() if led]
    assert len(led) > 1000
    assert all(marks[item][:2] == model[item][:2] for item in led)
    assert not any(marks[i][:2] == model[i][:2] for i in marks if i in model and not marks[i][2])


def reads_by_item(reads):
    m = reads.marks
    rows = zip(m.item.tolist(), m.x.tolist(), m.y.tolist(), m.led.tolist(), strict=True)
    return {item: (x, y, led) for item, x, y, led in rows if item >= 0}


def test_reads_say_whether_proposals_were_shown(seen, half):
    table = seen[0].table()
    slides = dict(zip(seen[0].objects.slides, half, strict=True))
    assert table["saw_proposal"].to_pylist() == [slides[s] for s in table["slide"].to_pylist()]
    assert table.num_rows == len(seen[0].marks.item)


def test_readers_who_are_not_anchored_read_as_without_proposals(objects, proposals):
    free = replace(READER, anchoring=0.0, overlooking=0.0)
    led, alone = read(objects, free, 2, Session(), proposals), read(objects, free, 2)
    assert np.array_equal(led.judged.label, alone.judged.label)
    assert np.array_equal(led.marks.x, alone.marks.x)


def _design(cases=40, **others):
    objects = ObjectDesign(cases=cases, case_share=0.3)
    readers = tuple(
        Reader.even(f"R{k}", CLASSES, 0.1, 0.1, miss_slope=1.5, label_slope=1.0, false_per_mm2=2.0)
        for k in range(5)
    )
    return ReadsDesign(objects, readers, **others)


def test_a_cohort_holds_every_reader_and_repeat():
    design = _design(8, sessions=(Session(), Session(2, 6.0)), model=MODEL, shown_share=0.5)
    cohort = make_reads_cohort(design, 1)
    assert cohort.objects.num_rows == 200
    pairs = set(
        zip(
            cohort.reads["reader"].to_pylist(),
            cohort.reads["number"].to_pylist(),
            strict=True,
        )
    )
    assert pairs == {("model", 1)} | {(f"R{k}", n) for k in range(5) for n in (1, 2)}
    assert pc.sum(pc.is_valid(cohort.judgements["class"])).as_py() == 11 * 200
    shown = columns(cohort.reads.filter(pc.not_equal(cohort.reads["reader"], "model")))
    by_slide = {s: set(shown["saw_proposal"][shown["slide"] == s]) for s in set(shown["slide"])}
    assert all(len(found) == 1 for found in by_slide.values())
    assert 1 < sum(found == {True} for found in by_slide.values()) < 7
    again = make_reads_cohort(design, 1)
    assert again.reads.equals(cohort.reads)
    assert again.judgements.equals(cohort.judgements)


@pytest.mark.acceptance
def test_a_thousand_cohorts_take_seconds_and_err_as_sampling_does():
    """Over 1,000 cohorts the miss rate scatters about the planted one; cases make it wider."""
    design, shares = _design(), []
    begin = time.process_time()
    for seed in range(1000):
        truth = make_reads_cohort(design, seed).judgements
        own = truth.filter(pc.and_(pc.equal(truth["reader"], "R0"), pc.is_valid(truth["class"])))
        shares.append(pc.mean(pc.cast(own["missed"], "float64")).as_py())
    assert time.process_time() - begin < 60
    shares = np.array(shares)
    assert abs(shares.mean() - 0.1) < bound(1) * shares.std() / np.sqrt(1000)
    independent = np.sqrt(0.1 * 0.9 / 1000)
    assert 1.3 * independent < shares.std() < 3 * independent
