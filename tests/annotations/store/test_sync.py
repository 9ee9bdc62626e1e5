"""Merging an export again and again, beside people who edit."""

from dataclasses import replace

import pytest

from curatome.annotations.store import Act, Edit
from tests.annotations.store.made import ANNA, BEN, box, by_id, identity, row, table

SOURCE = "qupath/s1.geojson"


def merged(store, rows, **more):
    done = store.sync_table(table(rows), SOURCE, ANNA, **more)
    return (done.created, done.edited, done.deleted, done.unchanged, len(done.conflicts)), done


def test_the_same_export_again_changes_nothing(store):
    rows = [row(n, n * 20) for n in range(5)]
    assert merged(store, rows)[0] == (5, 0, 0, 0, 0)
    before = store.head()
    counted, done = merged(store, rows)
    assert (counted, done.batch, store.head()) == ((0, 0, 0, 5, 0), None, before)


def test_a_newer_export_creates_edits_and_deletes_its_own(store):
    store.import_table(table([row(90)]), Act("Ben", source="elsewhere"))
    merged(store, [row(1), row(2), row(3)])
    changed = [row(1), row(2, labels=["fat"]), row(4, 7)]
    counted, done = merged(store, changed)
    assert counted == (1, 1, 1, 1, 0)
    assert by_id(store.current()) == {one["annotation"]: one for one in [*changed, row(90)]}
    assert done.batch.act == replace(ANNA, source=SOURCE)
    assert merged(store, changed)[0] == (0, 0, 0, 3, 0)
    assert merged(store, [row(1), row(2), row(3)])[0] == (0, 2, 1, 1, 0)  # 3 comes back
    assert [v.action for v in store.history(identity(3))] == ["sync", "delete", "restore"]


def test_rows_are_matched_by_foreign_id_and_then_by_likeness(store):
    merged(store, [row(1, foreign="A"), row(2, 50), row(3, 50), row(4, 90)])
    counted, _ = merged(
        store,
        [
            row(11, 5, foreign="A"),  # moved
            row(12, 50, confidence=0.9),  # the same geometry, labels and reader
            row(13, 50, name="object 3"),
            row(14, 91),  # another object than 4
        ],
    )
    assert counted == (1, 2, 1, 1, 0)
    found = by_id(store.current())
    assert set(found) == {identity(n) for n in (1, 2, 3, 14)}
    assert found[identity(1)] == row(1, 5, foreign="A", name="object 11")
    assert found[identity(2)]["confidence"] == 0.9


def test_what_a_person_changed_since_is_kept_and_reported(store):
    rows = [row(n, n * 20) for n in range(1, 6)]
    merged(store, rows)
    base = store.head()
    store.apply(
        [Edit(identity(n), "relabel", base, {"labels": ["by Ben"]}) for n in (1, 2, 3)]
        + [Edit(identity(4), "delete", base), Edit(identity(5), "delete", base)],
        BEN,
    )
    newer = [rows[0], row(2, 40, labels=["by the file"]), row(4, 80, labels=["x"]), rows[4]]
    counted, done = merged(store, newer)
    assert counted == (0, 0, 0, 2, 3)
    by_row = {conflict.annotation: conflict.row for conflict in done.conflicts}
    assert by_row == {identity(2): 1, identity(3): None, identity(4): 2}
    assert all(conflict.present.batch.act == BEN for conflict in done.conflicts)
    assert by_id(store.current()) == {
        identity(n): row(n, n * 20, labels=["by Ben"]) for n in (1, 2, 3)
    }
    # A person who did what the file says now is of one mind with it.
    assert merged(store, [row(1, 20, labels=["by Ben"])])[0] == (0, 0, 0, 1, 2)


def test_a_file_that_was_exported_from_here_comes_back(store):
    store.import_table(table([row(1), row(2, 50), row(3, 90)]), BEN)
    base = store.head()
    back = [row(1, labels=["stroma"]), row(2, 50), row(3, 91)]
    assert merged(store, back)[0] == (0, 0, 0, 1, 2)
    store.apply([Edit(identity(3), "edit", base, {"geometry": box(95, 0)})], BEN)
    counted, done = merged(store, back, base=base)
    assert counted == (0, 1, 0, 1, 1)
    assert done.conflicts[0].annotation == identity(3)
    assert by_id(store.current())[identity(1)]["labels"] == ["stroma"]


@pytest.mark.parametrize("other", [{"time": None}, {"properties": '{"a":1}'}, {"read": 2}])
def test_any_column_counts(store, other):
    merged(store, [row(1)])
    assert merged(store, [row(1, **other)])[0] == (0, 1, 0, 0, 0)
    assert by_id(store.current()) == {identity(1): row(1, **other)}
