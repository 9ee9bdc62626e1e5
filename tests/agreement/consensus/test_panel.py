"""The protocol step by step."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest

from curatome.agreement.consensus.panel import Panel, decide_by_panel, open_reads
from curatome.agreement.ratings import ratings
from curatome.annotations.formats.base import Frames, Options
from curatome.annotations.formats.coco import FORMAT, classes_of, votes
from curatome.errors import ProtocolError, TableError

PANEL = Panel("ann", "joe", "eve")
# What each item got: ann, joe, eve, model.
READS = {
    "agreed": ("mitosis", "mitosis", None, None),
    "judged": ("mitosis", "other", "other", "mitosis"),
    "third label": ("mitosis", "other", "debris", None),
    "differ": ("mitosis", "other", None, "mitosis"),
    "one read": ("mitosis", None, None, None),
    "candidate": (None, None, None, "mitosis"),
    "overruled": ("other", "other", "mitosis", "mitosis"),
}


def table(reads=READS):
    rows = [
        {"item": item, "reader": reader, "label": label}
        for item, labels in reads.items()
        for reader, label in zip(("ann", "joe", "eve", "model"), labels, strict=True)
    ]
    return ratings(pa.Table.from_pylist(rows))


def test_two_agree_or_the_third_decides_and_the_model_has_no_vote():
    rows = {row["item"]: row for row in decide_by_panel(table(), PANEL).table().to_pylist()}
    assert {item: row["label"] for item, row in rows.items()} == {
        "agreed": "mitosis", "judged": "other", "third label": "debris", "differ": None,
        "one read": None, "candidate": None, "overruled": "other",
    }  # fmt: skip
    assert {item: row["decided_by"] for item, row in rows.items()} == {
        "agreed": "two readers", "judged": "judge", "third label": "judge",
        "differ": "waits for the judge", "one read": "waits for a read",
        "candidate": "waits for a read", "overruled": "two readers",
    }  # fmt: skip
    assert rows["judged"]["dissenters"] == ["ann"]
    assert rows["judged"]["posterior"] == pytest.approx(2 / 3)
    assert rows["third label"]["dissenters"] == ["ann", "joe"]
    # Where two agree the judge is not asked, and does not count.
    assert rows["overruled"]["readers"] == rows["overruled"]["agreeing"] == 2
    assert rows["agreed"]["posterior"] == 1


def test_open_reads_are_what_the_protocol_asks_for_next():
    found = open_reads(table(), PANEL, "model").to_pylist()
    assert {(row["item"], row["reader"], row["reason"]) for row in found} == {
        ("one read", "joe", "blinded read"),
        ("candidate", "ann", "candidate"),
        ("candidate", "joe", "candidate"),
        ("differ", "eve", "judgement"),
    }
    assert len(found) == 4


def test_doing_what_is_asked_decides_everything():
    reads = {item: list(labels) for item, labels in READS.items()}
    place = {"ann": 0, "joe": 1, "eve": 2}
    rounds = 0
    while (todo := open_reads(table(reads), PANEL, "model")).num_rows:
        for row in todo.to_pylist():
            # ann sees mitoses, joe does not, eve agrees with ann.
            reads[row["item"]][place[row["reader"]]] = (
                "other" if row["reader"] == "joe" else "mitosis"
            )
        rounds += 1
    assert rounds == 2
    labels = dict(zip(reads, decide_by_panel(table(reads), PANEL).codes, strict=True))
    assert min(labels.values()) >= 0
    assert table().labels[labels["candidate"]] == "mitosis"


def test_a_judge_who_has_not_begun_is_asked():
    reads = {"x": ("a", "b", None, None)}
    some = table(reads).of(["ann", "joe"])
    assert open_reads(some, PANEL).to_pylist() == [
        {"item": "x", "reader": "eve", "reason": "judgement"}
    ]
    with pytest.raises(TableError, match='"eve" is none of ann, joe'):
        decide_by_panel(some, PANEL)


def test_a_panel_is_three_people():
    with pytest.raises(ProtocolError, match=r"three different people\. Got ann, joe and ann"):
        Panel("ann", "joe", "ann")


def test_the_panel_of_midog_comes_to_its_final_classes(data):
    """Two experts, a third where they differ: all 26,286 boxes, and nobody is left to ask."""
    path = data / "annotations" / "coco" / "MIDOG++.json"
    boxes = FORMAT.read(path, Frames(), Options()).table
    found = ratings(votes(boxes, classes_of(path)))
    panel = Panel("expert 1", "expert 2", "expert 3")
    decided = decide_by_panel(found, panel).table()
    final = dict(zip(boxes["annotation"].to_pylist(), boxes["labels"].to_pylist(), strict=True))
    assert decided.num_rows == len(final) == 26286
    assert all(final[row["item"]] == [row["label"]] for row in decided.to_pylist())
    by = Counter(decided["decided_by"].to_pylist())
    assert set(by) == {"two readers", "judge"}
    assert by["two readers"] / 26286 == pytest.approx(0.790, abs=0.0005)
    assert open_reads(found, panel).num_rows == 0
