"""Leaks that were planted are found and named, and a clean dataset is certified."""

from __future__ import annotations

import pyarrow as pa
import pytest

from curatome.dataset.leakage import KINDS, certify, crossings
from curatome.errors import TableError
from curatome.phantom.faults import FAULTS, CleanDesign, make_tables

CLEAN = make_tables(CleanDesign(), seed=3)
NO_PAIRS = pa.table({"first": pa.array([], pa.string()), "second": pa.array([], pa.string())})


def items_of(images: pa.Table) -> pa.Table:
    return images.rename_columns(
        ["item" if name == "image" else name for name in images.column_names]
    )


def near_of(planted) -> pa.Table:
    """What a search for near-duplicates finds: the copies and what they were made from."""
    rows = [row for row in planted.changes.to_pylist() if row["how"] == "near"]
    return pa.table(
        {
            "first": pa.array([row["row"] for row in rows], pa.string()),
            "second": pa.array([row["source"] for row in rows], pa.string()),
        }
    )


def test_a_clean_dataset_is_certified():
    items = items_of(CLEAN.images)
    certificate = certify(items, NO_PAIRS)
    assert certificate.holds
    assert [check.kind for check in certificate.checks] == list(KINDS)
    assert certificate.checks[0].compared == len(set(items["case"].to_pylist()))
    assert sum(certificate.splits.values()) == len(items)


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("leak_case", "case"),
        ("leak_slide", "slide"),
        ("leak_image", "identical"),
        ("leak_overlap", "overlap"),
        ("leak_near", "near-duplicate"),
    ],
)
def test_planted_leaks_are_found_and_named(fault, kind, strength):
    planted = FAULTS[fault].plant(CLEAN, strength, seed=7)
    items = items_of(planted.tables.images)
    found = crossings(items, near_of(planted)).to_pylist()
    changed = set(planted.changes["row"].to_pylist()) | set(planted.changes["source"].to_pylist())
    mine = [row for row in found if row["kind"] == kind]
    rows = items.to_pylist()
    split = {row["item"]: row["split"] for row in rows}
    if kind in ("case", "slide"):
        parts: dict[str, set[str]] = {}
        for row in rows:
            parts.setdefault(row[kind], set()).add(row["split"])
        assert {row["subject"] for row in mine} == {k for k, v in parts.items() if len(v) > 1}
        assert {row["subject"] for row in mine} == {
            row[kind] for row in rows if row["item"] in changed
        }
    elif kind == "identical":
        source = {row["turned_hash"] for row in rows if row["item"] in changed}
        assert {row["subject"] for row in mine} == source
    else:
        pairs = {frozenset((row["subject"], row["other"])) for row in mine}
        planted_pairs = {
            frozenset((row["row"], row["source"])) for row in planted.changes.to_pylist()
        }
        assert planted_pairs <= pairs
        assert all(split[row["subject"]] != split[row["other"]] for row in mine)
    assert mine
    certificate = certify(items, near_of(planted))
    assert not certificate.holds
    assert {c.kind: c.found for c in certificate.checks}[kind] == len(mine)


def test_alike_by_way_of_a_third():
    """The first stands for all that have its hash: what lies behind it crosses as well."""
    items = pa.table(
        {
            "item": ["a", "b", "c", "d"],
            "split": ["train", "train", "test", "test"],
            "case": ["A", "B", "C", "D"],
            "slide": ["A", "B", "C", "D"],
        }
    )
    near = pa.table({"first": ["a", "b"], "second": ["b", "c"]})
    rows = [r for r in crossings(items, near).to_pylist() if r["kind"] == "near-duplicate"]
    assert [(r["subject"], r["other"], r["split"]) for r in rows] == [("c", "a", "test")]


def test_half_a_tile_overlaps_its_neighbor_too():
    """Boxes that only touch do not overlap."""
    items = pa.table(
        {
            "item": ["a", "b", "c"],
            "split": ["train", "test", "test"],
            "case": ["P"] * 3,
            "slide": ["S"] * 3,
            "x": [0.0, 100.0, 50.0],
            "y": [0.0] * 3,
            "width": [100.0] * 3,
            "height": [100.0] * 3,
        }
    )
    rows = [row for row in crossings(items).to_pylist() if row["kind"] == "overlap"]
    assert [(row["subject"], row["other"]) for row in rows] == [("a", "c")]
    case = crossings(items).to_pylist()[0]
    assert (case["kind"], case["split"], case["other_split"], case["items"]) == (
        "case",
        "test",
        "train",
        1,
    )


def test_what_was_not_looked_for_is_not_certified():
    items = items_of(CLEAN.images)
    without = certify(items)
    assert not without.holds
    assert without.checks[-1].reason == "near-duplicates were not searched"
    bare = certify(items.drop_columns(["hash", "turned_hash"]), NO_PAIRS)
    assert not bare.holds
    unknown = items.set_column(2, "case", pa.array([None] * len(items), pa.string()))
    assert "items have no case" in certify(unknown, NO_PAIRS).checks[0].reason


def test_the_digest_follows_the_division_and_not_the_order():
    items = items_of(CLEAN.images)
    digest = certify(items, NO_PAIRS).digest
    assert certify(items.take(list(range(len(items)))[::-1]), NO_PAIRS).digest == digest
    moved = items.to_pylist()
    moved[0]["split"] = "test" if moved[0]["split"] != "test" else "val"
    assert certify(pa.Table.from_pylist(moved), NO_PAIRS).digest != digest
    assert certify(items).digest != digest


def test_items_without_split_take_no_part():
    items = items_of(CLEAN.images).to_pylist()
    for row in items:
        row["split"] = None if row["split"] == "val" else row["split"]
    assert set(certify(pa.Table.from_pylist(items), NO_PAIRS).splits) == {"train", "test"}


def test_a_missing_column_is_named():
    with pytest.raises(TableError, match="no column slide"):
        crossings(items_of(CLEAN.images).drop_columns(["slide"]))
