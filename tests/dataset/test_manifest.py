"""Manifests: written as they come, found by id, and refused where ids are not unique."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curatome.dataset import manifest as module
from curatome.dataset.asking import asked
from curatome.dataset.manifest import Manifest, write_manifest
from curatome.dataset.row_hash import row_hashes
from curatome.errors import TableError, VersionError
from curatome.tables import ITEMS


def items(count: int) -> pa.Table:
    return ITEMS.from_rows(
        [
            {
                "item": f"tile {k}",
                "kind": "tile",
                "case": f"P{k % 7}",
                "labels": ["tumor"] if k % 3 else [],
                "x": float(k),
            }
            for k in range(count)
        ]
    )


def test_rows_come_back_in_order_with_their_hashes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_GROUP", 100)
    table = items(1234)
    count = write_manifest(table.to_batches(max_chunksize=37), tmp_path / "m.parquet")
    found = Manifest(tmp_path / "m.parquet")
    assert count == len(found) == 1234
    back = pa.Table.from_batches(list(found.batches()))
    assert back.select(table.column_names).cast(table.schema).equals(table)
    assert (found.hashes() == row_hashes(table)).all()


def test_any_row_is_found_by_its_id(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_GROUP", 100)
    write_manifest(items(1000).to_batches(), tmp_path / "m.parquet")
    found = Manifest(tmp_path / "m.parquet")
    for k in (0, 99, 100, 555, 999):
        assert found.row(f"tile {k}")["x"] == k
    with pytest.raises(VersionError, match='no item "tile 1000"'):
        found.row("tile 1000")


def test_ids_with_one_key_are_told_apart(tmp_path, monkeypatch):
    """As if the 64-bit keys of all ids were the same."""
    monkeypatch.setattr(module, "_keys", lambda column: np.zeros(len(column), np.uint64))
    write_manifest(items(20).to_batches(), tmp_path / "m.parquet")
    assert Manifest(tmp_path / "m.parquet").row("tile 13")["x"] == 13


def test_an_id_twice_is_refused_and_nothing_is_left(tmp_path):
    table = pa.concat_tables([items(10), items(3).slice(2)])
    with pytest.raises(TableError, match='item "tile 2" is there 2 times'):
        write_manifest(table.to_batches(), tmp_path / "m.parquet")
    assert not list(tmp_path.iterdir())


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(TableError, match="column hash is missing"):
        write_manifest(items(2).drop_columns(["hash"]).to_batches(), tmp_path / "m.parquet")


def test_queries(tmp_path):
    write_manifest(items(100).to_batches(), tmp_path / "m.parquet")
    sql = "SELECT label, count(*) FROM (SELECT unnest(labels) AS label FROM items) GROUP BY label"
    with asked(tmp_path / "m.parquet") as connection:
        assert connection.sql(sql).fetchall() == [("tumor", 66)]


def test_an_empty_table(tmp_path):
    assert write_manifest([], tmp_path / "m.parquet") == 0
    assert Manifest(tmp_path / "m.parquet").hashes().shape == (0, 16)
