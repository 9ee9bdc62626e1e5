"""The one exception to an append-only log: everything about some images goes, as if never there."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from curatome.annotations.store.schema import (
    batches,
    claims,
    current,
    details,
    events,
    identities,
    images,
    shapes,
)

_AT_ONCE = 500


def purge_images(connection: sa.Connection, names: Sequence[str]) -> int:
    """Remove every event of annotations and regions that ever lay on some images.

    Batches that held nothing else lose what they say of their source and reason.

    Args:
        connection: in a transaction that writes.
        names: of the images.

    Returns:
        How many events went.
    """
    numbers = sa.select(images.c.number).where(images.c.image.in_(list(names)))
    there = sa.select(claims.c.claim).where(claims.c.image.in_(numbers))
    found = sa.select(events.c.key).where(events.c.claim.in_(there)).distinct()
    keys = list(connection.execute(found).scalars())
    count = 0
    for start in range(0, len(keys), _AT_ONCE):
        count += _purge(connection, keys[start : start + _AT_ONCE])
    connection.execute(images.delete().where(images.c.image.in_(list(names))))
    held = sa.select(events.c.batch).distinct()
    emptied = batches.update().where(batches.c.batch.not_in(held))
    connection.execute(emptied.values(source=None, reason="withdrawn"))
    return count


def _purge(connection: sa.Connection, keys: Sequence[int]) -> int:
    mine = events.c.key.in_(keys)
    parts = sa.select(events.c.shape, events.c.claim, events.c.detail).where(mine)
    rows = connection.execute(parts).all()
    connection.execute(current.delete().where(current.c.key.in_(keys)))
    connection.execute(events.delete().where(mine))
    for table, column in ((shapes, "shape"), (claims, "claim"), (details, "detail")):
        ids = sorted({getattr(row, column) for row in rows})
        for start in range(0, len(ids), _AT_ONCE):
            some = table.c[column].in_(ids[start : start + _AT_ONCE])
            connection.execute(table.delete().where(some))
    connection.execute(identities.delete().where(identities.c.key.in_(keys)))
    return len(rows)
