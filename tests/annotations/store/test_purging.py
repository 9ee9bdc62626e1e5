"""Images whose patient withdrew: nothing of their annotations is left, all else is as it was."""

from __future__ import annotations

import pytest

from curatome.annotations.store import Act, Edit, open_annotations
from curatome.errors import AnnotationError
from tests.annotations.store.made import ANNA, BEN, box, identity, row, table

SECRET = "a very particular remark"


def test_every_event_goes_and_others_stay(store):
    store.import_table(table([row(3, image="s2")]), ANNA)
    store.import_table(table([row(1), row(2)]), ANNA)
    store.apply([Edit(identity(1), "relabel", store.head(), {"labels": ["other"]})], BEN)
    before, head = store.current("s2").to_pylist(), store.head()
    assert store.purge(["s1"]) == 3
    assert store.current().to_pylist() == before
    with pytest.raises(AnnotationError, match="not in this store"):
        store.history(identity(1))
    store.rebuild()
    assert store.current().to_pylist() == before
    assert store.purge(["s1"]) == 0
    assert store.head() == head  # numbers are never given twice
    store.import_table(table([row(4)]), ANNA)
    assert store.head() == head + 1


def test_what_moved_away_goes_as_well(store):
    store.import_table(table([row(1)]), ANNA)
    store.apply([Edit(identity(1), "edit", store.head(), {"image": "s2"})], ANNA)
    assert store.purge(["s1"]) == 2
    assert not len(store.current())


def test_regions_go(store):
    values = {"image": "s1", "kind": "box", "geometry": box(0, 0), "labels": ["tumor"]}
    store.apply([Edit(identity(1), "create", None, values, region=True)], ANNA)
    assert len(store.regions()) == 1
    store.purge(["s1"])
    assert not len(store.regions())


def test_no_byte_is_left_in_the_files(tmp_path):
    with open_annotations(tmp_path / "a.sqlite") as store:
        gone = table([row(1, properties=f'{{"note": "{SECRET}"}}')])
        store.import_table(gone, Act("joe", "x", "1", f"about {SECRET}", "s1.geojson"))
        store.import_table(table([row(2, image="s2")]), ANNA)
        store.purge(["s1"])
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert SECRET.encode() not in content
    assert b"s1.geojson" not in content
