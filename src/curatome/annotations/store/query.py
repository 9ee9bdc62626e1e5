"""Reading the state of the store at one moment."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from curatome.annotations.store import content, fold
from curatome.annotations.store.edits import Counts
from curatome.annotations.store.grid import LEVELS, Box, level_range, spanned
from curatome.annotations.store.schema import (
    CLAIM,
    DETAIL,
    SHAPE,
    batches,
    claims,
    current,
    details,
    events,
    identities,
    images,
    shapes,
)
from curatome.tables import ANNOTATIONS

SEEN = b"curatome.seen"
"""Key of a table's metadata: the event up to which it tells the state of the store."""

_NAMES = tuple(column.name for column in ANNOTATIONS.columns)
_FETCHED = ("annotation", *SHAPE, *DETAIL)
_FETCH = 20_000
_LOOKUP = 5_000
_EDGES = ("left", "top", "right", "bottom")

Columns = sa.FromClause
Edge = float | sa.ColumnElement[float]


def select_rows(state: Columns) -> sa.Select[Any]:
    """What `table_of` makes a table of.

    Args:
        state: versions, with `key`, `shape`, `claim` and `detail`.
    """
    columns = {**shapes.c, **details.c, "annotation": identities.c.annotation}
    return (
        sa.select(*(columns[name] for name in _FETCHED), state.c.claim)
        .select_from(state)
        .join(identities, identities.c.key == state.c.key)
        .join(shapes, shapes.c.shape == state.c.shape)
        .join(details, details.c.detail == state.c.detail)
    )


def table_of(connection: sa.Connection, rows: Iterable[Sequence[Any]], seen: int) -> pa.Table:
    """Versions as `tables.ANNOTATIONS`, with the event up to which they tell the state.

    Args:
        connection: that read the rows.
        rows: of `select_rows`.
        seen: number of the event.
    """
    rows = iter(rows)
    schema = ANNOTATIONS.schema
    parts = []
    while some := [*islice(rows, _FETCH)]:
        arrays = content.decoded((*_FETCHED, "claim"), some)
        # Few claims are shared by many annotations, so each is fetched and decoded once.
        distinct, which = np.unique(arrays["claim"].to_numpy(), return_inverse=True)
        for name, column in _claims(connection, distinct.tolist()).items():
            arrays[name] = column.take(pa.array(which))
        parts.append(pa.Table.from_arrays([arrays[name] for name in _NAMES], schema=schema))
    table = pa.concat_tables(parts) if parts else schema.empty_table()
    return table.replace_schema_metadata({**schema.metadata, SEEN: str(seen).encode()})


def _claims(connection: sa.Connection, numbers: Sequence[int]) -> dict[str, pa.Array]:
    """The columns of `CLAIM`, in the order of the numbers, which ascend."""
    found: list[Sequence[Any]] = []
    columns = {**claims.c, "image": images.c.image}
    query = (
        sa.select(*(columns[name] for name in CLAIM))
        .outerjoin(images, images.c.number == claims.c.image)
        .order_by(claims.c.claim)
    )
    for start in range(0, len(numbers), _LOOKUP):
        some = claims.c.claim.in_(numbers[start : start + _LOOKUP])
        found += connection.execute(query.where(some))
    return content.decoded(CLAIM, found)


def living(
    connection: sa.Connection,
    image: str | None,
    at: int | None,
    region: bool = False,
) -> sa.Subquery:
    """Versions that live now or lived after an event, of one image or of all."""
    if at is None:
        state = sa.select(current).where(current.c.region == region)
        if image is not None:
            state = state.where(current.c.image == _number(connection, image))
        return state.subquery()
    latest = fold.latest_at(at)
    state = (
        sa.select(events)
        .join(latest, latest.c.seq == events.c.seq)
        .join(identities, identities.c.key == events.c.key)
        .where(events.c.alive, identities.c.region == region)
    )
    if image is not None:
        state = state.join(claims, claims.c.claim == events.c.claim)
        state = state.where(claims.c.image == _number(connection, image))
    return state.subquery()


def meets(box: tuple[Edge, Edge, Edge, Edge]) -> sa.ColumnElement[bool]:
    """Whether the bounds of a row of `shapes` and a box have a point in common."""
    left, top, right, bottom = box
    return sa.and_(
        shapes.c.left <= right,
        shapes.c.right >= left,
        shapes.c.top <= bottom,
        shapes.c.bottom >= top,
    )


def in_view(
    connection: sa.Connection, image: str, box: Box, limit: int | None
) -> Iterator[Sequence[Any]]:
    """Rows of `select_rows` of the present annotations whose bounds meet a box.

    Args:
        connection: that reads.
        image: that is looked at.
        box: left, top, right, bottom in level-0 px.
        limit: how many at most; the larger shapes come first, by the levels of the grid.
    """
    number = _number(connection, image)
    edges = dict(zip(_EDGES, box, strict=True))
    taken = connection.execute(_TAKEN, {"image": number}).one()
    left = sys.maxsize if limit is None else limit
    for level in reversed(range(LEVELS)):
        first, last = taken[2 * level : 2 * level + 2]
        span = None if first is None else spanned(box, level, (first, last))
        if span is None or not left:
            continue
        values = {**edges, **vars(span), "image": number, "limit": left}
        rows = connection.execute(_IN_VIEW, values).all()
        left -= len(rows)
        yield from rows


def _taken() -> sa.Select[Any]:
    """The lowest and the highest cell of every level that hold something of an image."""
    edges: list[sa.ScalarSelect[Any]] = []
    for level in range(LEVELS):
        there = current.c.cell.between(*level_range(level))
        for edge in (sa.func.min, sa.func.max):
            query = sa.select(edge(current.c.cell))
            query = query.where(current.c.image == sa.bindparam("image"), there)
            edges.append(query.scalar_subquery())
    return sa.select(*edges)


def _in_view() -> sa.Select[Any]:
    """Rows of one level of the grid that meet a box, with the parts of a `Span` as parameters."""
    start = sa.select(sa.bindparam("start", type_=sa.BigInteger).label("low"))
    rows = start.cte("rows", recursive=True)
    following = rows.c.low + sa.bindparam("step", type_=sa.BigInteger)
    rows = rows.union_all(
        sa.select(following).where(rows.c.low < sa.bindparam("last", type_=sa.BigInteger))
    )
    high = rows.c.low + sa.bindparam("width", type_=sa.BigInteger)
    near = (
        sa.select(current)
        .join(rows, current.c.cell.between(rows.c.low, high))
        .where(current.c.image == sa.bindparam("image"), current.c.region == sa.false())
        .subquery()
    )
    left, top, right, bottom = (sa.bindparam(edge, type_=sa.Double) for edge in _EDGES)
    return select_rows(near).where(meets((left, top, right, bottom))).limit(sa.bindparam("limit"))


_TAKEN, _IN_VIEW = _taken(), _in_view()


def counts(connection: sa.Connection) -> Counts:
    """How much the store holds."""
    per_claim = (
        sa.select(current.c.claim, sa.func.count().label("number"))
        .where(~current.c.region)
        .group_by(current.c.claim)
        .subquery()
    )
    said = connection.execute(
        sa.select(
            images.c.image, claims.c.reader, claims.c.kind, claims.c.labels, per_claim.c.number
        )
        .join(claims, claims.c.claim == per_claim.c.claim)
        .outerjoin(images, images.c.number == claims.c.image)
    ).all()
    totals = (Counter[str | None](), Counter[str | None](), Counter[str](), Counter[str]())
    for image, reader, kind, labels, number in said:
        totals[0][image] += number
        totals[1][reader] += number
        totals[3][kind] += number
        for label in set(content.decoded(["labels"], [(labels,)])["labels"][0].as_py()):
            totals[2][label] += number
    alive = sum(totals[0].values())
    return Counts(
        annotations=alive,
        deleted=_count(connection, identities, ~identities.c.region) - alive,
        regions=_count(connection, current, current.c.region),
        events=_count(connection, events, sa.true()),
        batches=_count(connection, batches, sa.true()),
        images=dict(totals[0]),
        kinds=dict(totals[3]),
        labels=dict(totals[2]),
        readers=dict(totals[1]),
    )


def _count(connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(which)
    return connection.execute(query).scalar_one()


def _number(connection: sa.Connection, image: str) -> int:
    """An image's number, or one that no image has."""
    number = connection.execute(sa.select(images.c.number).where(images.c.image == image)).scalar()
    return -1 if number is None else number
