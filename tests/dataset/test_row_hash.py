"""Hashes of rows, confirmed by hashlib on bytes that the test lays out itself."""

from __future__ import annotations

import datetime
import hashlib
import struct

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.dataset.row_hash import DIGEST, hash_column, row_hashes
from curatome.errors import TableError

SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("number", pa.float64()),
        ("short", pa.float32()),
        ("whole", pa.int32()),
        ("flag", pa.bool_()),
        ("labels", pa.list_(pa.string())),
        ("wkb", pa.binary()),
        ("time", pa.timestamp("us", "UTC")),
    ]
)


def laid_out(row: dict) -> bytes:
    """The bytes of a row, as the module's docstring says."""

    def text(value: str | bytes) -> bytes:
        raw = value.encode() if isinstance(value, str) else value
        return struct.pack("<I", len(raw)) + raw

    def moment(one: datetime.datetime) -> bytes:
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        return struct.pack("<q", (one - epoch) // datetime.timedelta(microseconds=1))

    ways = {
        "text": text,
        "wkb": text,
        "number": lambda one: struct.pack("<d", one),
        "short": lambda one: struct.pack("<f", one),
        "whole": lambda one: struct.pack("<i", one),
        "flag": lambda one: bytes([one]),
        "labels": lambda one: struct.pack("<I", len(one)) + b"".join(map(text, one)),
        "time": moment,
    }
    parts = [b"\0" if row[n] is None else b"\1" + ways[n](row[n]) for n in SCHEMA.names]
    return b"".join(parts)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | st.text(max_size=200),
            "number": st.none() | st.floats(),
            "short": st.none() | st.floats(width=32),
            "whole": st.none() | st.integers(-(2**31), 2**31 - 1),
            "flag": st.none() | st.booleans(),
            "labels": st.none() | st.lists(st.text(max_size=9), max_size=4),
            "wkb": st.none() | st.binary(max_size=300),
            "time": st.none()
            | st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1)).map(
                lambda t: t.replace(tzinfo=datetime.UTC)
            ),
        }
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=150)
@given(ROWS, st.integers(0, 5))
def test_hashes_are_those_of_the_bytes(rows, skip):
    table = pa.Table.from_pylist(rows, SCHEMA)
    found = row_hashes(table.slice(skip))  # slices share buffers with what they were cut from
    expected = [hashlib.blake2b(laid_out(row), digest_size=16).digest() for row in rows[skip:]]
    assert [one.tobytes() for one in found] == expected


def test_dictionaries_and_chunks_are_the_same_rows():
    table = pa.table({"a": ["x", None, "y", "x"], "b": [1, 2, 3, 4]})
    other = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    other = other.set_column(0, "a", other["a"].dictionary_encode())
    assert (row_hashes(table) == row_hashes(other)).all()


def test_neighboring_texts_do_not_run_together():
    one = pa.table({"a": ["ab"], "b": ["c"]})
    other = pa.table({"a": ["a"], "b": ["bc"]})
    assert (row_hashes(one) != row_hashes(other)).any()


def test_a_column_of_hashes():
    found = row_hashes(pa.table({"a": ["x", "y"]}))
    assert hash_column(found).to_pylist() == [one.tobytes() for one in found]
    assert found.shape == (2, DIGEST)
    assert row_hashes(pa.table({"a": pa.array([], pa.string())})).shape == (0, DIGEST)


def test_a_column_that_cannot_be_hashed_is_named():
    with pytest.raises(TableError, match="column a: struct"):
        row_hashes(pa.table({"a": [{"b": 1}]}))
