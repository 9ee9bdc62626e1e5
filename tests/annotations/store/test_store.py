"""What the store keeps, gives back, undoes and refuses."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
import shapely
import sqlalchemy as sa

from curatome.annotations.store import (
    Act,
    Edit,
    StaleEdit,
    content,
    dialects,
    open_annotations,
    seen,
)
from curatome.errors import AnnotationError, TableError
from curatome.tables import ANNOTATIONS
from tests.annotations.store.made import ANNA, BEN, box, by_id, identity, row, table

ODD = [
    row(1),
    row(2, kind="whole", geometry=None, labels=[], image=None, reader=None, time=None),
    row(3, kind="mask", mask=b"\x89PNG\x00", nucleus=box(1, 1, 2, 2), labels=["a, b", 'c"d', "µ"]),
    row(4, -3.5, 1e6, parents=[identity(1), identity(2)], confidence=None, foreign="17", read=2),
    row(5, kind="point", geometry=shapely.to_wkb(shapely.Point(5, 5)), cannot_judge=True),
    row(
        6, properties='{"Area µm²": 3.25}', name=None, guideline=None, tool=None, labels=["a", "a"]
    ),
]


def test_what_is_imported_comes_back_after_reopening(where):
    with open_annotations(where) as store:
        batch = store.import_table(table(ODD), ANNA)
        assert [*batch.seqs] == [1, 2, 3, 4, 5, 6]
    with open_annotations(where) as store:
        found = store.current()
        assert found.schema.equals(ANNOTATIONS.schema)
        assert by_id(found) == {one["annotation"]: one for one in ODD}
        assert seen(found) == store.head() == 6
        (kept,) = store.batches()
        assert kept == batch
        assert store.current("s1").num_rows == 5
        assert store.current("no such image").num_rows == 0


def test_a_geometry_is_stored_once_however_often_the_rest_changes(store):
    store.import_table(table([row(1)]), ANNA)
    for label in ("stroma", "tumor"):
        store.apply([Edit(identity(1), "relabel", store.head(), {"labels": [label]})], BEN)
    store.apply([Edit(identity(1), "delete", store.head())], BEN)
    store.apply([Edit(identity(1), "restore", store.head())], BEN)
    store.apply([Edit(identity(1), "edit", store.head(), {"geometry": box(0, 0)})], BEN)
    store.revert(1, BEN)
    with store._engine.connect() as connection:
        shapes = connection.exec_driver_sql("SELECT count(*) FROM annotation_shapes").scalar()
    assert shapes == 1
    assert len(store.history(identity(1))) == 7


@pytest.mark.parametrize("bulk", [False, True])
def test_a_bad_table_is_refused_whole_with_the_row(store, monkeypatch, bulk):
    if bulk:  # as a large table: machine code, and an index that is built anew
        monkeypatch.setattr(content, "MANY", 0)
        monkeypatch.setattr(dialects, "_BULK", 0)
    rows = [row(1), row(2), row(3)]
    bad = {
        "row 3.*no WKB": {"geometry": b"\x01\x02"},
        "row 3.*empty": {"geometry": shapely.to_wkb(shapely.Polygon())},
        "row 3.*finite": {"geometry": shapely.to_wkb(shapely.Point(float("inf"), 1))},
        "row 3.*2³¹": {"geometry": shapely.to_wkb(shapely.Point(3e9, 1))},
        "rows 1 and 3": {"annotation": identity(1)},
    }
    for said, fault in bad.items():
        with pytest.raises(AnnotationError, match=said):
            store.import_table(table([*rows[:2], {**rows[2], **fault}]), ANNA)
    with pytest.raises(TableError, match="reader is missing"):
        store.import_table(table(rows).drop_columns(["reader"]), ANNA)
    assert store.head() == 0
    assert store.current().num_rows == 0
    store.import_table(table(rows), ANNA)
    with pytest.raises(AnnotationError, match=f"{identity(3)} .row 2. is in the store already"):
        store.import_table(table([row(number) for number in (9, 3, 10, 11)]), ANNA)
    assert store.head() == 3
    with store._engine.connect() as connection:
        indexes = sa.inspect(connection).get_indexes("annotation_identities")
    assert [(one["column_names"], bool(one["unique"])) for one in indexes] == [
        (["annotation"], True)
    ]


def test_edits_change_what_they_say_and_nothing_else(store):
    store.import_table(table([row(1), row(2), row(3)]), ANNA)
    base = seen(store.current())
    batch = store.apply(
        [
            Edit(identity(2), "relabel", base, {"labels": ["stroma", "fat"], "confidence": None}),
            Edit(identity(1), "delete", base),
            Edit(identity(3), "edit", base, {"geometry": box(50, 60), "reader": "Ben"}),
            Edit(
                identity(4), "create", None, {"image": "s2", "kind": "box", "geometry": box(1, 2)}
            ),
        ],
        BEN,
    )
    assert [*batch.seqs] == [4, 5, 6, 7]
    found = by_id(store.current())
    assert identity(1) not in found
    assert found[identity(2)] == row(2, labels=["stroma", "fat"], confidence=None)
    assert found[identity(3)] == row(3, 50, 60, reader="Ben")
    new = found[identity(4)]
    assert (new["reader"], new["tool"], new["guideline"]) == ("Ben", "studio", "1.1")
    assert (new["basis"], new["labels"], new["time"]) == ("drawn", [], batch.time)
    assert len(store.current("s1", (45, 55, 51, 61))) == 1


def test_a_stale_edit_is_refused_with_both_versions_and_nothing_of_its_batch_is_kept(store):
    store.import_table(table([row(1), row(2)]), ANNA)
    store.apply([Edit(identity(1), "relabel", 2, {"labels": ["stroma"]})], BEN)
    with pytest.raises(StaleEdit, match=r"by Anna.*tumor.*by Ben.*stroma") as refused:
        store.apply([Edit(identity(2), "delete", 2), Edit(identity(1), "delete", 2)], ANNA)
    (stale,) = refused.value.stale
    assert (stale.seen.row["labels"], stale.present.row["labels"]) == (["tumor"], ["stroma"])
    assert stale.present.seq == 3
    assert store.head() == 3
    with pytest.raises(StaleEdit, match="you saw no version"):
        store.apply([Edit(identity(1), "create", None, row(1))], ANNA)
    store.apply([Edit(identity(2), "delete", 2), Edit(identity(1), "delete", 3)], ANNA)
    with pytest.raises(StaleEdit, match="deleted"):
        store.apply([Edit(identity(1), "relabel", 3, {"labels": ["fat"]})], ANNA)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (Edit(identity(9), "edit", 1, {"labels": []}), "not in this store"),
        (Edit(identity(1), "paint", 1), "paint is no action"),
        (Edit(identity(1), "edit", 99, {"labels": []}), "still to come"),
        (Edit(identity(1), "edit", 1, {"colour": "red"}), "no column colour"),
        (Edit(identity(1), "edit", 1, {"labels": "red"}), "labels of annotation"),
        (Edit(identity(1), "edit", 1, {"kind": None}), "kind must have a value"),
        (Edit(identity(1), "edit", 1, {"geometry": b"no"}), "no WKB"),
        (Edit(identity(1), "restore", 1), "nothing to restore"),
        (Edit(identity(2), "create", None, {"image": "s1"}), "kind must have a value"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(store, edit, said):
    store.import_table(table([row(1)]), ANNA)
    with pytest.raises(AnnotationError, match=said):
        store.apply([Edit(identity(8), "create", None, row(8) | {"annotation": 1}), edit][1:], BEN)
    assert store.head() == 1
    assert store.history(identity(1))[-1].seq == 1


def test_one_batch_edits_an_annotation_once(store):
    store.import_table(table([row(1)]), ANNA)
    edit = Edit(identity(1), "relabel", 1, {"labels": []})
    with pytest.raises(AnnotationError, match="twice in one batch"):
        store.apply([edit, edit], BEN)


def test_undo_takes_back_and_undoing_that_does_again(store):
    store.import_table(table([row(1), row(2)]), ANNA)
    batch = store.apply(
        [
            Edit(identity(1), "relabel", 2, {"labels": ["fat"]}),
            Edit(identity(2), "delete", 2),
            Edit(identity(3), "create", None, {"kind": "whole", "image": "s1"}),
        ],
        BEN,
    )
    after = by_id(store.current())
    undone = store.undo(batch.batch, ANNA)
    assert by_id(store.current()) == {identity(n): row(n) for n in (1, 2)}
    with pytest.raises(StaleEdit):
        store.undo(batch.batch, ANNA)
    store.undo(undone.batch, ANNA)
    assert by_id(store.current()) == after
    with pytest.raises(AnnotationError, match="batch 77"):
        store.undo(77, ANNA)
    assert [one.action for one in store.batches(3)] == ["undo", "undo", "apply"]


def test_undo_of_what_somebody_changed_since_is_refused(store):
    first = store.import_table(table([row(1), row(2)]), ANNA)
    store.apply([Edit(identity(2), "relabel", 2, {"labels": []})], BEN)
    with pytest.raises(StaleEdit, match=identity(2)):
        store.undo(first.batch, ANNA)
    assert store.current().num_rows == 2


def test_any_moment_can_be_seen_compared_and_reverted_to(store):
    store.import_table(table([row(1), row(2, 100, 100)]), ANNA)
    early = store.batches()[0].time
    store.apply([Edit(identity(1), "edit", 2, {"geometry": box(5, 5), "labels": ["fat"]})], BEN)
    store.apply([Edit(identity(2), "delete", 3)], BEN)
    assert by_id(store.current(at=2)) == {identity(1): row(1), identity(2): row(2, 100, 100)}
    assert store.current("s1", (99, 99, 200, 200), at=2)["annotation"].to_pylist() == [identity(2)]
    assert store.current("s1", (99, 99, 200, 200)).num_rows == 0
    changes = {one["annotation"]: one for one in store.changes(2).to_pylist()}
    one, two = changes[identity(1)], changes[identity(2)]
    assert (one["action"], one["changed"]) == ("changed", ["geometry", "labels"])
    assert (one["before"], one["after"]) == (row(1), row(1, 5, 5, labels=["fat"]))
    assert (two["action"], two["before"], two["after"]) == ("deleted", row(2, 100, 100), None)
    assert [c["action"] for c in store.changes(0, 2).to_pylist()] == ["created", "created"]
    assert store.changes(early).num_rows == (2 if store.batches()[1].time > early else 0)
    store.revert(early if store.batches()[1].time > early else 2, ANNA)
    assert by_id(store.current()) == {identity(1): row(1), identity(2): row(2, 100, 100)}
    assert store.changes(2).num_rows == 0
    assert [c["action"] for c in store.changes(4).to_pylist()] == ["changed", "restored"]
    store.revert(0, ANNA)
    assert store.current().num_rows == 0
    store.revert(4, ANNA)
    assert by_id(store.current()) == {identity(1): row(1, 5, 5, labels=["fat"])}


def test_moments_that_are_none(store):
    with pytest.raises(AnnotationError, match="event 3 is none"):
        store.current(at=3)
    with pytest.raises(AnnotationError, match="time zone"):
        store.revert(datetime(2024, 1, 1), ANNA)
    assert store.current(at=datetime(1999, 1, 1, tzinfo=UTC)).num_rows == 0
    assert store.current(at=datetime.now(UTC) + timedelta(days=1)).num_rows == 0


def test_the_history_of_an_annotation_tells_who_did_what_and_why(store):
    store.import_table(table([row(1)]), Act("Anna", source="a.geojson"))
    store.apply([Edit(identity(1), "repair", 1, {"geometry": box(1, 1)})], BEN)
    store.apply([Edit(identity(1), "delete", 2)], ANNA)
    first, second, third = store.history(identity(1))
    assert (first.action, first.base, first.batch.act.source) == ("import", None, "a.geojson")
    assert (second.action, second.base, second.changed) == ("repair", 1, ("geometry",))
    assert second.batch.act == BEN
    assert (third.action, third.base, third.row) == ("delete", 2, None)
    with pytest.raises(AnnotationError, match="not in this store"):
        store.history("nobody")


def test_counts(store):
    store.import_table(table(ODD), ANNA)
    store.apply([Edit(identity(1), "delete", 6)], BEN)
    counts = store.counts()
    assert (counts.annotations, counts.deleted, counts.regions) == (5, 1, 0)
    assert (counts.events, counts.batches) == (7, 2)
    assert counts.images == {None: 1, "s1": 4}
    assert counts.kinds == {"whole": 1, "mask": 1, "box": 2, "point": 1}
    assert counts.labels == {"a, b": 1, 'c"d': 1, "µ": 1, "tumor": 2, "a": 1}
    assert counts.readers == {None: 1, "Anna": 4}


def test_exhaustive_regions_have_the_same_history(store):
    store.import_table(table([row(1)]), ANNA)
    values = {"image": "s1", "kind": "box", "geometry": box(0, 0, 500, 500), "labels": ["mitosis"]}
    made = store.apply([Edit("r1", "create", None, values, region=True)], BEN)
    (region,) = store.regions("s1").to_pylist()
    assert (region["region"], region["classes"], region["reader"]) == ("r1", ["mitosis"], "Ben")
    assert (region["guideline"], region["time"]) == ("1.1", made.time)
    assert store.current("s1")["annotation"].to_pylist() == [identity(1)]
    assert store.current("s1", (0, 0, 900, 900)).num_rows == 1
    assert store.counts().regions == 1
    store.apply([Edit("r1", "edit", made.last, {"labels": ["mitosis", "apoptosis"]})], BEN)
    with pytest.raises(StaleEdit):
        store.apply([Edit("r1", "delete", made.last)], ANNA)
    assert store.regions("s1", at=2)["classes"].to_pylist() == [["mitosis"]]
    assert store.regions("s1")["classes"].to_pylist() == [["mitosis", "apoptosis"]]
    store.revert(1, ANNA)
    assert store.regions().num_rows == 0
    assert [version.action for version in store.history("r1")] == ["create", "edit", "revert"]


def test_an_empty_table_is_an_import_too(store):
    batch = store.import_table(ANNOTATIONS.schema.empty_table(), ANNA)
    assert [*batch.seqs] == []
    assert len(store.batches()) == 1


def test_more_than_one_chunk_of_chunked_columns(store):
    rows = [row(n, n % 300 * 20, n // 300 * 20, foreign=str(n)) for n in range(23_000)]
    parts = [table(rows[:7]), table(rows[7:20_100]), table(rows[20_100:])]
    store.import_table(pa.concat_tables(parts), ANNA)
    assert by_id(store.current()) == {one["annotation"]: one for one in rows}
    view = store.current("s1", (1000, 200, 1100, 300))
    assert sorted(view["foreign"].to_pylist(), key=int) == [
        str(n) for n in range(23_000) if 990 <= n % 300 * 20 <= 1100 and 190 <= n // 300 * 20 <= 300
    ]
    assert store.current("s1", (0, 0, 1e9, 1e9), limit=500).num_rows == 500
