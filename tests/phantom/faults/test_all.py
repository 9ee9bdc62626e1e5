"""What holds for every fault: nothing at 0, more with strength, and a record that is complete."""

from __future__ import annotations

import datetime
import json
from itertools import pairwise

import pyarrow.compute as pc
import pytest

from curatome.phantom.faults import CHANGES, FAULTS, Tables
from curatome.phantom.faults.tables import KEYS, SPECS

FAMILIES = {
    "leakage", "duplicates", "guideline", "coordinates", "vocabulary", "balance", "labels",
    "completeness", "outlines",
}  # fmt: skip

every = pytest.mark.parametrize("name", FAULTS)


def rows(tables):
    """Every row of both tables by table and identity."""
    out = {}
    for name, key in KEYS.items():
        for row in getattr(tables, name).to_pylist():
            assert (name, row[key]) not in out
            out[name, row[key]] = row
    return out


def differences(before, after):
    """What a comparison of the tables finds: (table, row, change, column)."""
    old, new = rows(before), rows(after)
    found = {(*key, "removed", None) for key in old.keys() - new.keys()}
    found |= {(*key, "added", None) for key in new.keys() - old.keys()}
    for key in old.keys() & new.keys():
        found |= {(*key, "changed", c) for c in old[key] if old[key][c] != new[key][c]}
    return found


def recorded(planted):
    return [(r["table"], r["row"], r["change"], r["column"]) for r in planted.changes.to_pylist()]


def test_every_family_of_rules_has_a_fault():
    assert {fault.family for fault in FAULTS.values()} == FAMILIES
    assert all(name == fault.name and fault.strength for name, fault in FAULTS.items())


@every
def test_strength_zero_leaves_the_tables_as_they_are(clean, name):
    planted = FAULTS[name].plant(clean, 0.0, 1)
    assert planted.tables.annotations.equals(clean.annotations)
    assert planted.tables.images.equals(clean.images)
    assert planted.changes.num_rows == 0
    assert planted.changes.schema.equals(CHANGES.schema)


@every
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_the_record_lists_exactly_what_a_comparison_finds(clean, name, strength):
    planted = FAULTS[name].plant(clean, strength, 1)
    found = recorded(planted)
    assert len(found) == len(set(found)) > 0
    assert set(found) == differences(clean, planted.tables)
    for table, spec in SPECS.items():
        assert getattr(planted.tables, table).schema.equals(spec.schema)
    assert set(planted.changes["fault"].to_pylist()) == {name}


@every
def test_the_record_holds_the_values_before_and_after(clean, name):
    planted = FAULTS[name].plant(clean, 0.3, 1)
    old, new = rows(clean), rows(planted.tables)
    for row in planted.changes.to_pylist():
        key = row["table"], row["row"]
        if row["change"] == "changed":
            assert row["before"] == _text(old[key][row["column"]])
            assert row["after"] == _text(new[key][row["column"]])
        assert (row["source"] is not None) == (row["change"] == "added")
        if row["source"] is not None:
            assert (row["table"], row["source"]) in old


def _text(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return value if isinstance(value, str) else json.dumps(value)


@every
def test_more_strength_plants_all_that_less_does_and_more(clean, name):
    sets = [set(recorded(FAULTS[name].plant(clean, s, 1))) for s in (0.1, 0.3, 0.6, 1.0)]
    hit = [{(table, row) for table, row, _, _ in one} for one in sets]
    assert all(less < more for less, more in pairwise(hit))


@every
def test_the_seed_decides(clean, name):
    one, two, other = (FAULTS[name].plant(clean, 0.3, seed) for seed in (1, 1, 2))
    assert one.changes.equals(two.changes)
    assert one.tables.annotations.equals(two.tables.annotations)
    assert one.tables.images.equals(two.tables.images)
    assert not one.changes.equals(other.changes)


@every
def test_the_tables_that_were_given_stay_as_they_were(clean, name):
    before = Tables(clean.annotations.slice(0), clean.images.slice(0))
    FAULTS[name].plant(clean, 1.0, 1)
    assert clean.annotations.equals(before.annotations)
    assert clean.images.equals(before.images)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_other_strengths_are_refused(clean, strength):
    with pytest.raises(ValueError, match="strength of leak_case must lie between 0 and 1"):
        FAULTS["leak_case"].plant(clean, strength, 1)


def test_a_fault_that_nothing_can_have_is_refused(clean):
    polygons = clean.annotations.filter(pc.equal(clean.annotations["kind"], "polygon"))
    with pytest.raises(ValueError, match="nothing in the tables can have this fault"):
        FAULTS["box_size_as_corner"].plant(Tables(polygons, clean.images), 0.5, 1)
    with pytest.raises(ValueError, match="nothing in the tables can have this fault"):
        FAULTS["confused_label"].plant(clean, 0.5, 1, alike={"nerve": "vessel"})


def test_faults_may_follow_one_another(clean):
    tables, changes = clean, []
    for fault in FAULTS.values():
        planted = fault.plant(tables, 0.1, 3)
        assert set(recorded(planted)) == differences(tables, planted.tables)
        tables, changes = planted.tables, [*changes, planted.changes]
    assert all(change.num_rows for change in changes)
