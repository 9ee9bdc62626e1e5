"""Merging a newer export of a source: three versions of each annotation decide.

They are what the source said last, what the store holds now, and what the table says. If the store
still holds what the source said, the table wins; if the table still says what the source said,
the store wins; if both changed, to different things, it is a conflict.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from curatome.annotations.store import fold
from curatome.annotations.store.applying import apply
from curatome.annotations.store.edits import Act, Conflict, Edit, Sync
from curatome.annotations.store.history import history
from curatome.annotations.store.query import select_rows, table_of
from curatome.annotations.store.record import Recorder
from curatome.annotations.store.schema import CLAIM, DETAIL, SHAPE, batches, events, identities

_COLUMNS = (*SHAPE, *CLAIM, *DETAIL)
_LIKENESS = ("image", "kind", "geometry", "labels", "reader")
_CHUNK = 20_000


@dataclass(frozen=True)
class _Known:
    """An annotation that the table may be about.

    `said` and `present` are (event, digest of the columns or None if deleted); `said` is None
    where the source never spoke of it.
    """

    annotation: str
    present: tuple[int, bytes | None]
    said: tuple[int, bytes | None] | None
    foreign: tuple[Any, ...] | None = None
    likeness: bytes = b""


@dataclass
class _Plan:
    """What the merge will do."""

    new: list[int] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    conflicts: list[tuple[str, int | None]] = field(default_factory=list)
    unchanged: int = 0


def merge(
    connection: sa.Connection, table: pa.Table, source: str, act: Act, base: int | None
) -> Sync:
    """See `AnnotationStore.sync_table`.

    Args:
        connection: that is alone in writing.
        table: `tables.ANNOTATIONS`.
        source: what it was taken from.
        act: who merges.
        base: the event that the table's other rows were exported after, or None.
    """
    own = _own(connection, source)
    others = _others(connection, table, own, base)
    plan = _plan(table, own, others)
    conflicts = tuple(
        Conflict(name, row, history(connection, name)[-1]) for name, row in plan.conflicts
    )
    deleted = sum(edit.action == "delete" for edit in plan.edits)
    batch = None
    if plan.new or plan.edits:
        act = Act(act.reader, act.tool, act.guideline, act.reason, source)
        recorder = Recorder(connection, "sync", act)
        recorder.create(table.take(pa.array(plan.new, pa.int64())))
        apply(recorder, plan.edits, act)
        batch = recorder.close()
    edited = len(plan.edits) - deleted
    return Sync(batch, len(plan.new), edited, deleted, plan.unchanged, conflicts)


def _plan(table: pa.Table, own: Mapping[str, _Known], others: Mapping[str, _Known]) -> _Plan:
    plan = _Plan()
    digests, matched = _digests(table, _COLUMNS), _match(table, own, others)
    for row, (known, digest) in enumerate(zip(matched, digests, strict=True)):
        if known is None:
            plan.new.append(row)
            continue
        now, said = known.present, known.said
        if digest == now[1] or (said is not None and digest == said[1]):
            plan.unchanged += 1
        elif said is None or said[0] != now[0]:
            plan.conflicts.append((known.annotation, row))
        else:
            action = "restore" if now[1] is None else "edit"
            values = table.slice(row, 1).to_pylist()[0]
            del values["annotation"]
            plan.edits.append(Edit(known.annotation, action, now[0], values))
    held = {known.annotation for known in matched if known is not None}
    for known in own.values():
        if known.annotation in held or known.present[1] is None:
            continue
        assert known.said is not None
        if known.said[0] == known.present[0]:
            plan.edits.append(Edit(known.annotation, "delete", known.present[0]))
        elif known.said[1] is not None:
            plan.conflicts.append((known.annotation, None))
    return plan


def _match(
    table: pa.Table, own: Mapping[str, _Known], others: Mapping[str, _Known]
) -> list[_Known | None]:
    """Which known annotation every row is about; each at most once."""
    names = table["annotation"].to_pylist()
    matched = [own.get(name) or others.get(name) for name in names]
    images, foreign = table["image"].to_pylist(), table["foreign"].to_pylist()
    numbered = [
        None if number is None else (image, number)
        for image, number in zip(images, foreign, strict=True)
    ]
    oldest_last = [*own.values()][::-1]
    for sign_of, signs in (
        ("foreign", numbered),
        ("likeness", _digests(table, _LIKENESS)),
    ):
        held = {known.annotation for known in matched if known is not None}
        free = defaultdict(list)
        for known in oldest_last:
            if known.annotation not in held:
                free[getattr(known, sign_of)].append(known)
        for row, sign in enumerate(signs):
            if matched[row] is None and sign is not None and free.get(sign):
                matched[row] = free[sign].pop()
    return matched


def _own(connection: sa.Connection, source: str) -> dict[str, _Known]:
    """Annotations that the source spoke of, by id, the oldest first."""
    last = sa.func.max(events.c.seq).label("seq")
    latest = (
        sa.select(events.c.key, last)
        .join(batches, batches.c.batch == events.c.batch)
        .join(identities, identities.c.key == events.c.key)
        .where(batches.c.source == source, ~identities.c.region)
        .group_by(events.c.key)
        .subquery()
    )
    said = _states(connection, latest)
    keys = sa.select(latest.c.key)
    present = fold.latest_at(fold.head(connection), events.c.key.in_(keys))
    spoken = sa.select(latest.c.seq)
    changed = sa.select(present).where(present.c.seq.not_in(spoken)).subquery()
    meanwhile = _states(connection, changed)
    return {
        name: _Known(
            name,
            (meanwhile.get(name) or state)[:2],
            state[:2],
            state[2],
            state[3],
        )
        for name, state in said.items()
    }


def _others(
    connection: sa.Connection, table: pa.Table, own: Mapping[str, _Known], base: int | None
) -> dict[str, _Known]:
    """Annotations of other origin that the table names by id."""
    names = [name for name in table["annotation"].to_pylist() if name not in own]
    found: dict[str, _Known] = {}
    head = fold.head(connection)
    for start in range(0, len(names), _CHUNK):
        some = names[start : start + _CHUNK]
        keys = sa.select(identities.c.key).where(identities.c.annotation.in_(some))
        mine = events.c.key.in_(keys)
        present = _states(connection, fold.latest_at(head, mine))
        said = {} if base is None else _states(connection, fold.latest_at(base, mine))
        for name, state in present.items():
            before = said.get(name)
            found[name] = _Known(name, state[:2], None if before is None else before[:2])
    return found


_State = tuple[int, bytes | None, tuple[Any, ...] | None, bytes]


def _states(connection: sa.Connection, latest: sa.Subquery) -> dict[str, Any]:
    """Of versions: event, digest (None if deleted), image and foreign id, likeness; by id."""
    state = sa.select(events).join(latest, latest.c.seq == events.c.seq).subquery()
    query = select_rows(state).add_columns(state.c.seq, state.c.alive).order_by(state.c.key)
    found: dict[str, Any] = {}
    result = connection.execute(query, execution_options={"yield_per": _CHUNK})
    for some in result.partitions():
        table = table_of(connection, [row[:-2] for row in some], 0)
        names, images, foreign = (
            table[name].to_pylist() for name in ("annotation", "image", "foreign")
        )
        digests, likeness = _digests(table, _COLUMNS), _digests(table, _LIKENESS)
        for place, row in enumerate(some):
            number = None if foreign[place] is None else (images[place], foreign[place])
            found[names[place]] = (
                row[-2],
                digests[place] if row[-1] else None,
                number,
                likeness[place],
            )
    return found


def _digests(table: pa.Table, names: Sequence[str]) -> list[bytes]:
    """A digest of some columns of every row."""
    columns = []
    for name in names:
        column = table[name].cast(pa.int64()) if name == "time" else table[name]
        columns.append(column.to_pylist())
    return [
        hashlib.blake2b(repr(row).encode(), digest_size=16).digest()
        for row in zip(*columns, strict=True)
    ]
