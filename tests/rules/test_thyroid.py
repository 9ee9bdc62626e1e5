"""The published thyroid dataset: its leaks, copies and imbalance are found, and ours hold."""

from __future__ import annotations

from collections import defaultdict

import pyarrow as pa
import pytest

from curatome.dataset.leakage import certify
from curatome.dataset.splits import case_counts, divide, tied
from curatome.findings import Severity
from curatome.rules import balance, consistency, leakage
from curatome.rules.rule import Inputs
from tests.rules.datasets import looked, protocol_of
from tests.rules.thyroid import field_of, thyroid_items, thyroid_near


@pytest.fixture(scope="module")
def cells(data):
    folder = data / "cells" / "thyroid"
    items = thyroid_items(folder)
    return items, thyroid_near(folder, items)


def _inputs(items, near=None):
    return Inputs(protocol_of(classes=[]), items=items, near=near)


def test_cells_of_one_field_lie_in_several_published_splits(cells):
    splits = defaultdict(set)
    for cell, split in zip(
        cells[0]["item"].to_pylist(), cells[0]["split"].to_pylist(), strict=True
    ):
        splits[field_of(cell)].add(split)
    leaking = {f"slide {field}" for field, held in splits.items() if len(held) > 1}
    assert len(leaking) == 70  # of 75 fields, counted from the file names

    found = looked(leakage.SLIDE, _inputs(cells[0]))
    assert {one.subject for one in found} == leaking
    assert {one.severity for one in found} == {Severity.ERROR}


def test_byte_identical_pairs_and_their_conflicting_labels(cells):
    """Twelve pairs of field B3_173, all with two sets of labels, five of them across splits."""
    items = cells[0].to_pylist()
    of = defaultdict(list)
    for row in items:
        of[row["hash"]].append(row)
    pairs = [rows for rows in of.values() if len(rows) > 1]
    assert len(pairs) == 12
    assert all(len(rows) == 2 and rows[0]["labels"] != rows[1]["labels"] for rows in pairs)

    differ = looked(consistency.IDENTICAL, _inputs(cells[0]))
    expected = {frozenset(row["item"] for row in rows) for rows in pairs}
    assert {frozenset(one.evidence["items"]) for one in differ} == expected
    across = looked(leakage.IDENTICAL, _inputs(cells[0]))
    crossing = {
        frozenset(r["item"] for r in rows) for rows in pairs if rows[0]["split"] != rows[1]["split"]
    }
    assert len(crossing) == 5
    assert {frozenset(one.evidence["members"]) for one in across} == crossing


def test_imbalance_is_that_of_the_article(cells):
    """IRLbl of Inclusion 11.53 and MeanIR 3.59."""
    found = {one.subject: one for one in looked(balance.MINORITY, _inputs(cells[0]))}
    assert set(found) == {"class Inclusion", "class Glassy", "class Irregular"}
    inclusion = found["class Inclusion"]
    assert inclusion.evidence["irlbl"] == pytest.approx(11.53, abs=0.005)
    assert inclusion.evidence["mean_ir"] == pytest.approx(3.59, abs=0.005)
    assert "11.53" in inclusion.message
    assert "3.59" in inclusion.message


def test_the_published_split_is_refused_and_ours_is_certified(cells):
    items, near = cells
    published = certify(items, near)
    assert not published.holds
    found = {check.kind: check.found for check in published.checks}
    assert found["case"] > 0
    assert found["slide"] > 0
    assert found["identical"] == 5
    assert all(check.examples for check in published.checks if check.found)

    field = dict(zip(items["item"].to_pylist(), items["case"].to_pylist(), strict=True))
    alike = [
        (field[a], field[b])
        for a, b in zip(near["first"].to_pylist(), near["second"].to_pylist(), strict=True)
        if field[a] != field[b]
    ]
    fractions = {"train": 0.7, "val": 0.15, "test": 0.15}
    ours = divide(tied(case_counts(items), pairs=alike), fractions, seed=1)
    own = [ours[case] for case in items["case"].to_pylist()]
    place = items.schema.get_field_index("split")
    divided = items.set_column(place, items.schema.field(place), pa.array(own, pa.string()))
    assert certify(divided, near).holds
    assert [one for rule in leakage.RULES for one in looked(rule, _inputs(divided, near))] == []


def test_what_is_identical_is_not_told_again_as_looking_alike(cells):
    items, near = cells
    content = dict(zip(items["item"].to_pylist(), items["hash"].to_pylist(), strict=True))
    pairs = list(zip(near["first"].to_pylist(), near["second"].to_pylist(), strict=True))
    assert sum(content[a] == content[b] for a, b in pairs) == 12
    others = {name for a, b in pairs if content[a] != content[b] for name in (a, b)}
    for rule in (leakage.NEAR, consistency.NEAR):
        found = looked(rule, _inputs(items, near))
        assert {one.subject.removeprefix("item ") for one in found} <= others
