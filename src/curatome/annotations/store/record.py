"""Appending to the log: one batch, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import repeat

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sqlalchemy as sa

from curatome.annotations.store import content, dialects, fold
from curatome.annotations.store.edits import Act, Batch
from curatome.annotations.store.schema import (
    CLAIM,
    DETAIL,
    SHAPE,
    batches,
    claims,
    details,
    events,
    identities,
    identity_names,
    images,
    shapes,
)
from curatome.errors import AnnotationError

CHUNK = 20_000
"""Annotations that are encoded at once."""

Numbers = npt.NDArray[np.int64]
Columns = Mapping[str, pa.Array]


class Recorder:
    """Writes one batch within a transaction that nobody else writes beside.

    Every annotation may have one event of it.
    """

    def __init__(self, connection: sa.Connection, action: str, act: Act) -> None:
        self.connection = connection
        self.first = self._next = fold.head(connection) + 1
        latest = connection.execute(
            sa.select(sa.func.max(batches.c.batch), sa.func.max(batches.c.time))
        ).one()
        now = fold.microseconds(datetime.now(UTC))
        self.batch = (latest[0] or 0) + 1
        self.time = max(now, latest[1] or 0)  # a clock that was set back does not mix the order
        self._action, self._act = action, act
        self._images: dict[str, int] = {}

    def take(self, count: int) -> Numbers:
        """The numbers of the next events."""
        seqs = np.arange(self._next, self._next + count)
        self._next += count
        return seqs

    def create(self, table: pa.Table, region: bool = False) -> None:
        """Append new annotations, the whole table.

        Their events follow the order in which they lie on their images.

        Args:
            table: `tables.ANNOTATIONS`.
            region: they are exhaustively annotated regions.

        Raises:
            AnnotationError: a geometry cannot be kept; names annotation and row.
            sqlalchemy.exc.IntegrityError: an id is there already.
        """
        table = table.combine_chunks()
        edges = _bounds(table)
        # What is looked at together lies together on disk.
        order = content.nearby(table["image"], edges)
        with dialects.unindexed(self.connection, identity_names, len(table)):
            for start in range(0, len(table), CHUNK):
                some = order[start : start + CHUNK]
                taken = table.take(pa.array(some))
                rows = {name: taken[name].combine_chunks() for name in taken.column_names}
                seqs = self.take(len(some))
                self.name(seqs, rows["annotation"].to_pylist(), region)
                pointers = self.contents(rows, seqs, edges[some])
                what = (repeat(self._action), repeat(None), repeat(True))
                self.append(seqs, seqs, what, pointers)

    def name(self, keys: Numbers, names: Sequence[str], region: bool) -> None:
        """Make new annotations known."""
        rows = zip(keys.tolist(), names, repeat(region), strict=False)
        dialects.insert(self.connection, identities, rows)

    def contents(
        self, rows: Columns, ids: Numbers, edges: content.Bounds | None = None
    ) -> tuple[Numbers, Numbers, Numbers]:
        """Append what versions consist of; which shape, claim and detail each row has.

        Args:
            rows: columns of `ANNOTATIONS`; a group that lacks its first column is left out.
            ids: (N,) event that brings each row.
            edges: (N, 4) bounds of the geometries, if they are known.

        Raises:
            BadGeometry: a geometry cannot be kept.
        """
        claim = detail = ids
        if SHAPE[0] in rows:
            edges = content.bounds(rows["geometry"]) if edges is None else edges
            dialects.insert(self.connection, shapes, content.shape_rows(rows, ids, edges))
        if CLAIM[0] in rows:
            made, claim = content.claim_rows(rows, ids, self._numbers)
            dialects.insert(self.connection, claims, made)
        if DETAIL[0] in rows:
            made, detail = content.detail_rows(rows, ids)
            dialects.insert(self.connection, details, made)
        return ids, claim, detail

    def append(
        self,
        seqs: Numbers,
        keys: Numbers,
        what: tuple[Iterable[str], Iterable[int | None], Iterable[bool]],
        pointers: tuple[Numbers, Numbers, Numbers],
    ) -> None:
        """Append events.

        Args:
            seqs: (N,) their numbers, by `take`.
            keys: (N,) of their annotations.
            what: action of each, version it replaces, and whether the annotation lives after it.
            pointers: shape, claim and detail after each.
        """
        actions, bases, alive = what
        seqs, keys, *contents = (values.tolist() for values in (seqs, keys, *pointers))
        numbers = (seqs, keys, actions, bases, repeat(self.batch), alive, *contents)
        dialects.insert(self.connection, events, zip(*numbers, strict=False))

    def put_back(self, keys: sa.Select[tuple[int]], at: int) -> None:
        """Bring annotations to what they were after an event; those that did not exist are deleted.

        Args:
            keys: which annotations.
            at: number of the event.
        """
        some = events.c.key.in_(keys)
        latest, earlier = fold.latest_at(self.first - 1, some), fold.latest_at(at, some)
        now, then = events.alias("now"), events.alias("then")
        alive = sa.func.coalesce(then.c.alive, sa.false())
        pointers = ("shape", "claim", "detail")
        other = sa.or_(*(now.c[name] != then.c[name] for name in pointers))
        rows = (
            sa.select(
                self._next - 1 + sa.func.row_number().over(order_by=now.c.key),
                now.c.key,
                sa.literal(self._action),
                now.c.seq,
                sa.literal(self.batch),
                alive,
                *(sa.func.coalesce(then.c[name], now.c[name]) for name in pointers),
            )
            .select_from(latest)
            .join(now, now.c.seq == latest.c.seq)
            .outerjoin(earlier, earlier.c.key == latest.c.key)
            .outerjoin(then, then.c.seq == earlier.c.seq)
            .where(sa.or_(now.c.alive != alive, sa.and_(alive, other)))
        )
        names = [column.name for column in events.c]
        self.connection.execute(events.insert().from_select(names, rows))
        self._next = fold.head(self.connection) + 1

    def close(self) -> Batch:
        """Write the batch itself, and bring the current state up to date."""
        last = self._next - 1
        act = self._act
        self.connection.execute(
            batches.insert().values(
                batch=self.batch,
                action=self._action,
                first=self.first,
                last=last,
                time=self.time,
                **vars(act),
            )
        )
        fold.refresh(self.connection, self.first, last)
        time = fold.datetime_of(self.time)
        return Batch(self.batch, self._action, self.first, last, time, act)

    def _numbers(self, names: Sequence[str]) -> dict[str, int]:
        """The numbers of images; new ones get the next."""
        missing = [name for name in names if name not in self._images]
        if missing:
            known = sa.select(images.c.image, images.c.number).where(images.c.image.in_(missing))
            self._images.update({row[0]: row[1] for row in self.connection.execute(known)})
            count = self.connection.execute(sa.select(sa.func.max(images.c.number))).scalar() or 0
            new = [name for name in missing if name not in self._images]
            numbered = [*enumerate(new, count + 1)]
            dialects.insert(self.connection, images, numbered)
            self._images.update({name: number for number, name in numbered})
        return self._images


def _bounds(table: pa.Table) -> content.Bounds:
    """(N, 4) bounds of all geometries of a table.

    Raises:
        AnnotationError: one cannot be kept; names annotation and row.
    """
    found = np.empty((len(table), 4))
    for start in range(0, len(table), CHUNK):
        some = table["geometry"].slice(start, CHUNK).combine_chunks()
        try:
            found[start : start + CHUNK] = content.bounds(some)
        except content.BadGeometry as bad:
            row = start + bad.row
            name = table["annotation"][row].as_py()
            raise AnnotationError(f"annotation {name} (row {row + 1}): {bad.said}.") from bad
    return found
