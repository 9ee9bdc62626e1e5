"""What earlier checks have found, so that only what has changed is looked at again.

One SQLite file; it may be deleted at any time. A result is kept by rule and place (an image, or
the whole dataset) under a key of all that it depends on, so that a killed check goes on where it
was.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from curatome.project.kept import finding_of, plain_finding
from curatome.rules.engine import Looked

_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS results (
    rule TEXT, place TEXT, key TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (rule, place));
CREATE TABLE IF NOT EXISTS marks (
    place TEXT PRIMARY KEY, key TEXT NOT NULL, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, content TEXT NOT NULL);
"""


class Cache:
    """Results and facts of earlier checks; a context manager."""

    def __init__(self, path: Path) -> None:
        try:
            self._base = _opened(path)
        except sqlite3.DatabaseError:
            # Damaged, or of another version: nothing is lost but time.
            for name in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
                name.unlink(missing_ok=True)
            self._base = _opened(path)

    def __enter__(self) -> Cache:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        self._base.close()

    def keys(self) -> dict[tuple[str, str], str]:
        """The key of every result, by rule and place."""
        found = self._base.execute("SELECT rule, place, key FROM results")
        return {(rule, place): key for rule, place, key in found}

    def result(self, rule: str, place: str) -> Looked:
        """What a rule found in a place.

        Raises:
            KeyError: nothing is kept.
        """
        row = self._base.execute(
            "SELECT content FROM results WHERE rule = ? AND place = ?", (rule, place)
        ).fetchone()
        if row is None:
            raise KeyError((rule, place))
        held = json.loads(zlib.decompress(row[0]))
        return Looked(tuple(finding_of(one) for one in held["findings"]), held["more"])

    def keep(self, place: str, results: Collection[tuple[str, str, Looked]]) -> None:
        """Keep what rules found in a place, whole or not at all.

        Args:
            place: an image, or empty for the dataset.
            results: rule, key, and what it found.
        """
        rows = []
        for rule, key, looked in results:
            held = {"more": looked.more, "findings": [plain_finding(f) for f in looked.findings]}
            text = json.dumps(held, ensure_ascii=False, default=str)
            rows.append((rule, place, key, zlib.compress(text.encode(), 1)))
        with self._base:
            self._base.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", rows)

    def forget(self, places: Collection[str]) -> None:
        """Let go of what was found in places that are no more."""
        rows = [(place,) for place in places]
        with self._base:
            self._base.executemany("DELETE FROM results WHERE place = ?", rows)
            self._base.executemany("DELETE FROM marks WHERE place = ?", rows)

    def marks_keys(self) -> dict[str, str]:
        """The key of all marks that are kept, by place."""
        return dict(self._base.execute("SELECT place, key FROM marks").fetchall())

    def marks(self, place: str) -> pa.Table:
        """The marks of a place.

        Raises:
            KeyError: none are kept.
        """
        row = self._base.execute("SELECT content FROM marks WHERE place = ?", (place,)).fetchone()
        if row is None:
            raise KeyError(place)
        return pa.ipc.open_stream(row[0]).read_all()

    def keep_marks(self, place: str, key: str, table: pa.Table) -> None:
        """Keep the marks of a place."""
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_table(table)
        with self._base:
            self._base.execute(
                "INSERT OR REPLACE INTO marks VALUES (?, ?, ?)",
                (place, key, sink.getvalue().to_pybytes()),
            )

    def fact(self, name: str) -> Any:
        """What is known under a name, of JSON's types; None if nothing is."""
        row = self._base.execute("SELECT content FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def keep_fact(self, name: str, value: Any) -> None:
        """Keep something under a name."""
        with self._base:
            self._base.execute(
                "INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value))
            )


def _opened(path: Path) -> sqlite3.Connection:
    base = sqlite3.connect(path, timeout=10)
    try:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("PRAGMA synchronous=NORMAL")
        version = base.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError("another version")
        base.executescript(_TABLES)
        base.execute(f"PRAGMA user_version={_VERSION}")
    except sqlite3.DatabaseError:
        base.close()
        raise
    return base
