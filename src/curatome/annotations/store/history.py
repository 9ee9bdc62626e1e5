"""What happened to annotations, and what lies between two moments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from curatome.annotations.store import fold
from curatome.annotations.store.edits import Act, Batch, Stale, StaleEdit, Version
from curatome.annotations.store.query import select_rows, table_of
from curatome.annotations.store.schema import batches, events, identities
from curatome.tables import ANNOTATIONS

_ROW = pa.struct([field.with_metadata(None) for field in ANNOTATIONS.schema])
CHANGES = pa.schema(
    [
        pa.field("annotation", pa.string(), nullable=False),
        pa.field("region", pa.bool_(), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("changed", pa.list_(pa.field("item", pa.string(), False)), nullable=False),
        pa.field("before", _ROW),
        pa.field("after", _ROW),
    ]
)
"""What `changes` gives: `action` is created, restored, changed or deleted; `changed` names the
columns that differ; `before` and `after` hold the columns of `ANNOTATIONS`, or nothing."""

_BATCH = tuple(
    batches.c[name]
    for name in (
        *("batch", "action", "first", "last", "time"),
        *("reader", "tool", "guideline", "reason", "source"),
    )
)
_SHOWN = 100
"""Stale annotations that an error tells about."""


def history(connection: sa.Connection, annotation: str) -> tuple[Version, ...]:
    """Every version of an annotation, the oldest first; empty if there is no such annotation."""
    key = sa.select(identities.c.key).where(identities.c.annotation == annotation)
    own = sa.select(events).where(events.c.key == key.scalar_subquery()).subquery()
    rows = _rows(connection, own)
    recorded = connection.execute(
        sa.select(own.c.seq, own.c.base, own.c.action, own.c.alive, *_BATCH)
        .join(batches, batches.c.batch == own.c.batch)
        .order_by(own.c.seq)
    )
    versions: list[Version] = []
    before: Mapping[str, Any] | None = None
    for (seq, base, action, alive, *batch), row in zip(recorded, rows, strict=True):
        after = row if alive else None
        changed = _differences(before, after)
        versions.append(Version(seq, base, action, _batch(batch), changed, after))
        before = after
    return tuple(versions)


def recorded_batches(connection: sa.Connection, limit: int | None) -> tuple[Batch, ...]:
    """Batches, the latest first."""
    query = sa.select(*_BATCH).order_by(batches.c.batch.desc()).limit(limit)
    return tuple(_batch(row) for row in connection.execute(query))


def stale(connection: sa.Connection, edited: Iterable[tuple[str, int | None]]) -> StaleEdit:
    """The error about annotations that are newer than an editor has seen them.

    Args:
        connection: that reads.
        edited: annotation, and the event up to which the editor knows it.
    """
    found = []
    for annotation, base in [*edited][:_SHOWN]:
        versions = history(connection, annotation)
        seen = [version for version in versions if base is not None and version.seq <= base]
        found.append(Stale(annotation, seen[-1] if seen else None, versions[-1]))
    return StaleEdit(found)


def changes(connection: sa.Connection, since: int, until: int) -> pa.Table:
    """Annotations and regions that differ between two events, as `CHANGES`."""
    touched = events.c.key.in_(
        sa.select(events.c.key).where(events.c.seq > since, events.c.seq <= until)
    )
    earlier, later = fold.latest_at(since, touched), fold.latest_at(until, touched)
    sides = []
    for latest in (earlier, later):
        state = sa.select(events).join(latest, latest.c.seq == events.c.seq).subquery()
        alive = connection.execute(sa.select(state.c.key, state.c.alive).order_by(state.c.key))
        sides.append([*zip(alive, _rows(connection, state, state.c.key), strict=True)])
    before = {key: row if alive else None for (key, alive), row in sides[0]}
    regions = _regions(connection, later)
    found = []
    for (key, alive), row in sides[1]:
        was, now = before.get(key), row if alive else None
        if (changed := _differences(was, now)) or (was is None) != (now is None):
            action = _action(was, now, key in before)
            found.append((row["annotation"], regions[key], action, list(changed), was, now))
    columns = [*zip(*found, strict=True)] if found else [()] * len(CHANGES)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, CHANGES, strict=True)]
    return pa.Table.from_arrays(arrays, schema=CHANGES)


def _rows(
    connection: sa.Connection, state: sa.Subquery, order: sa.ColumnElement[Any] | None = None
) -> list[dict[str, Any]]:
    query = select_rows(state).order_by(state.c.seq if order is None else order)
    rows: list[dict[str, Any]] = table_of(connection, connection.execute(query), 0).to_pylist()
    return rows


def _regions(connection: sa.Connection, latest: sa.Subquery) -> dict[int, bool]:
    query = sa.select(identities.c.key, identities.c.region)
    rows = connection.execute(query.join(latest, latest.c.key == identities.c.key))
    return {row[0]: row[1] for row in rows}


def _action(was: object, now: object, known: bool) -> str:
    if now is None:
        return "deleted"
    if was is None:
        return "restored" if known else "created"
    return "changed"


def _differences(was: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> tuple[str, ...]:
    if was is None or now is None:
        return ()
    return tuple(name for name in now if now[name] != was[name])


def _batch(row: Sequence[Any]) -> Batch:
    number, action, first, last, time, *act = row
    return Batch(number, action, first, last, fold.datetime_of(time), Act(*act))
