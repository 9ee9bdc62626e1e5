"""Edits against the versions they saw: recorded, or refused as stale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from curatome.annotations.store import content, fold
from curatome.annotations.store.edits import Act, Edit
from curatome.annotations.store.history import stale
from curatome.annotations.store.record import Numbers, Recorder
from curatome.annotations.store.schema import (
    CLAIM,
    DETAIL,
    SHAPE,
    claims,
    details,
    events,
    identities,
    images,
    shapes,
)
from curatome.errors import AnnotationError

_CHUNK = 2_000
"""Edits that are checked at once."""

_GROUPS = ((SHAPE, shapes), (CLAIM, claims), (DETAIL, details))
_FIELDS = frozenset((*SHAPE, *CLAIM, *DETAIL))


@dataclass(frozen=True)
class _Present:
    """The latest version of an annotation; `pointers` are its shape, claim and detail."""

    key: int
    seq: int
    alive: bool
    pointers: tuple[int, int, int]


def apply(recorder: Recorder, edits: Iterable[Edit], act: Act) -> None:
    """Append edits, one event each.

    Raises:
        StaleEdit: an annotation has a later version than its edit saw.
        AnnotationError: an edit cannot be, such as of an annotation that does not exist.
    """
    edits = iter(edits)
    while some := [*islice(edits, _CHUNK)]:
        present = _present(recorder.connection, [edit.annotation for edit in some])
        _check(recorder, some, present)
        _append(recorder, some, present, act)


def _check(recorder: Recorder, edits: Sequence[Edit], present: Mapping[str, _Present]) -> None:
    behind, once = [], set()
    for edit in edits:
        now = present.get(edit.annotation)
        if edit.annotation in once or (now is not None and now.seq >= recorder.first):
            raise AnnotationError(
                f"annotation {edit.annotation} is edited twice in one batch; join the two edits."
            )
        once.add(edit.annotation)
        if now is not None and (edit.base is None or edit.base < now.seq):
            behind.append((edit.annotation, edit.base))
        elif problem := _problem(edit, now, recorder.first):
            raise AnnotationError(f"annotation {edit.annotation} {problem}")
    if behind:
        raise stale(recorder.connection, behind)


def _problem(edit: Edit, now: _Present | None, first: int) -> str | None:
    """Why an edit cannot be, or None."""
    if unknown := sorted(set(edit.values) - _FIELDS):
        return f"has no column {unknown[0]}; see tables.ANNOTATIONS."
    if edit.base is not None and edit.base >= first:
        return f"cannot have been seen at event {edit.base}, which is still to come."
    if now is None:
        return None if edit.base is None else "is not in this store; create it first."
    if now.alive and edit.action == "restore":
        return "is not deleted, so there is nothing to restore."
    if not now.alive and edit.action != "restore":
        return f"was deleted with event {now.seq}; restore it first."
    return None


def _append(
    recorder: Recorder, edits: Sequence[Edit], present: Mapping[str, _Present], act: Act
) -> None:
    seqs = recorder.take(len(edits))
    before = [present.get(edit.annotation) for edit in edits]
    new = [index for index, was in enumerate(before) if was is None]
    for region in (False, True):
        some = [index for index in new if edits[index].region == region]
        recorder.name(seqs[some], [edits[index].annotation for index in some], region)
    keys = [seq if was is None else was.key for seq, was in zip(seqs, before, strict=True)]
    bases = [None if was is None else was.seq for was in before]
    values = [
        edit.values if was is not None else {**_defaults(recorder, act), **edit.values}
        for edit, was in zip(edits, before, strict=True)
    ]
    names = [edit.annotation for edit in edits]
    pointers = []
    for group in range(len(_GROUPS)):
        old = [None if was is None else was.pointers[group] for was in before]
        pointers.append(_renew(recorder, group, (names, values, old), seqs))
    actions = [edit.action for edit in edits]
    alive = [action != "delete" for action in actions]
    shape, claim, detail = pointers
    what = (actions, bases, alive)
    recorder.append(seqs, np.array(keys, np.int64), what, (shape, claim, detail))


def _renew(
    recorder: Recorder,
    group: int,
    edited: tuple[Sequence[str], Sequence[Mapping[str, Any]], Sequence[int | None]],
    seqs: Numbers,
) -> Numbers:
    """Which row of one group of columns each edited annotation has; new ones are appended."""
    columns, _ = _GROUPS[group]
    names, values, old = edited
    touched = [
        index
        for index, (changes, pointer) in enumerate(zip(values, old, strict=True))
        if pointer is None or not changes.keys().isdisjoint(columns)
    ]
    pointers = np.array([seq if was is None else was for seq, was in zip(seqs, old, strict=True)])
    known = _contents(recorder.connection, group, {old[index] for index in touched} - {None})
    was = [known.get(old[index], {}) for index in touched]
    mixed = [{**row, **values[index]} for row, index in zip(was, touched, strict=True)]
    about = [names[index] for index in touched]
    arrays = {
        column: content.typed(column, [row.get(column) for row in mixed], about)
        for column in columns
    }
    now = pa.Table.from_pydict(arrays).to_pylist()
    differ = [place for place, row in enumerate(now) if row != was[place]]
    if differ:
        kept = pa.array(differ)
        ids = seqs[[touched[place] for place in differ]]
        try:
            made = recorder.contents({name: rows.take(kept) for name, rows in arrays.items()}, ids)
        except content.BadGeometry as bad:
            raise AnnotationError(f"annotation {about[differ[bad.row]]}: {bad.said}.") from bad
        pointers[[touched[place] for place in differ]] = made[group]
    return pointers


def _contents(
    connection: sa.Connection, group: int, pointers: set[int | None]
) -> dict[int | None, dict[str, Any]]:
    """Columns of one group, by the number that the row is known by."""
    if not pointers:
        return {}
    columns, table = _GROUPS[group]
    own = next(iter(table.primary_key))
    known = {**table.c, "image": images.c.image}
    query = sa.select(own, *(known[name] for name in columns)).where(own.in_(pointers))
    if table is claims:
        query = query.outerjoin(images, images.c.number == claims.c.image)
    rows = connection.execute(query).all()
    arrays = content.decoded(columns, [row[1:] for row in rows])
    decoded = pa.Table.from_pydict(arrays).to_pylist()
    return {row[0]: values for row, values in zip(rows, decoded, strict=True)}


def _present(connection: sa.Connection, names: Sequence[str]) -> dict[str, _Present]:
    later = events.alias("later")
    latest = sa.select(sa.func.max(later.c.seq)).where(later.c.key == identities.c.key)
    query = (
        sa.select(
            identities.c.annotation,
            *(events.c[name] for name in ("key", "seq", "alive", "shape", "claim", "detail")),
        )
        .select_from(identities)
        .join(events, events.c.seq == latest.scalar_subquery())
        .where(identities.c.annotation.in_(names))
    )
    return {
        name: _Present(key, seq, bool(alive), (shape, claim, detail))
        for name, key, seq, alive, shape, claim, detail in connection.execute(query)
    }


def _defaults(recorder: Recorder, act: Act) -> dict[str, Any]:
    """What a new annotation has where its edit says nothing."""
    return {
        "labels": [],
        "cannot_judge": False,
        "reader": act.reader,
        "read": 1,
        "guideline": act.guideline,
        "time": fold.datetime_of(recorder.time),
        "tool": act.tool,
        "basis": "drawn",
        "parents": [],
        "properties": "{}",
    }
