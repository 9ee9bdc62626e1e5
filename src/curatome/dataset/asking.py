"""Questions in SQL to tables and to Parquet files, answered by DuckDB in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

_MEMORY = "2GB"
_THREADS = 2


@contextmanager
def asked(items: pa.Table | Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that knows a table, or a Parquet file, as `items`."""
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'; SET threads = {_THREADS}")
        if isinstance(items, Path):
            connection.read_parquet(str(items)).create_view("items")
        else:
            connection.register("items", items)
        yield connection
