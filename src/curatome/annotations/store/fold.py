"""The state at a moment: the latest event of every annotation; `current` keeps the present one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from curatome.annotations.store.schema import batches, claims, current, events, identities, shapes
from curatome.errors import AnnotationError

Moment = int | datetime
"""A moment of the store's history: after the event of that number, or at that time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(time: datetime) -> int:
    """A time as the store writes it."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def datetime_of(time: int) -> datetime:
    """A time as the store wrote it."""
    return _EPOCH + timedelta(microseconds=time)


def head(connection: sa.Connection) -> int:
    """Number of the latest event, 0 before the first.

    A batch keeps the numbers of events that were purged, so that none is given twice.
    """
    numbers = (
        connection.execute(sa.select(sa.func.max(column))).scalar() or 0
        for column in (events.c.seq, batches.c.last)
    )
    return max(numbers)


def moment(connection: sa.Connection, at: Moment) -> int:
    """The number of the last event that was recorded by then.

    Raises:
        AnnotationError: a time without time zone, or an event that is still to come.
    """
    latest = head(connection)
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise AnnotationError(f"{at} says no time zone; write it as UTC, {at}+00:00.")
        done = sa.select(sa.func.max(batches.c.last)).where(batches.c.time <= microseconds(at))
        return connection.execute(done).scalar() or 0
    if not 0 <= at <= latest:
        raise AnnotationError(f"event {at} is none of this store, which has {latest} events.")
    return at


def latest_at(seq: int, *where: sa.ColumnElement[bool]) -> sa.Subquery:
    """The state after an event: `key` and `seq` of the latest version of every annotation.

    Args:
        seq: of the event.
        where: conditions on `events`, to fold some annotations only.
    """
    last = sa.func.max(events.c.seq).label("seq")
    query = sa.select(events.c.key, last).where(events.c.seq <= seq, *where)
    return query.group_by(events.c.key).subquery()


def refresh(connection: sa.Connection, first: int, last: int) -> None:
    """Bring `current` up to date after the events of one batch, the latest of their annotations."""
    recorded = events.c.seq.between(first, last)
    renewed = sa.select(events.c.key).where(recorded, events.c.base.is_not(None))
    connection.execute(current.delete().where(current.c.key.in_(renewed)))
    _keep(connection, recorded)


def rebuild(connection: sa.Connection) -> None:
    """Fold all events again."""
    connection.execute(current.delete())
    latest = latest_at(head(connection))
    _keep(connection, events.c.seq.in_(sa.select(latest.c.seq)))


def _keep(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Put the living annotations of some events into `current`; a whole image has no cell."""
    rows = (
        sa.select(
            events.c.key,
            events.c.seq,
            identities.c.region,
            claims.c.image,
            shapes.c.cell,
            events.c.shape,
            events.c.claim,
            events.c.detail,
        )
        .join(identities, identities.c.key == events.c.key)
        .join(shapes, shapes.c.shape == events.c.shape)
        .join(claims, claims.c.claim == events.c.claim)
        .where(which, events.c.alive)
    )
    connection.execute(current.insert().from_select([column.name for column in current.c], rows))
