"""Opening a store, and making a new one."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from curatome.annotations.store import dialects
from curatome.annotations.store.schema import META, VERSION, sources, versions
from curatome.annotations.store.store import AnnotationStore
from curatome.errors import ProjectError


def open_annotations(where: str | Path | sa.URL) -> AnnotationStore:
    """The store in a file or at a database URL, made if it is new.

    Args:
        where: a path, `sqlite:///annotations.db`, or `postgresql+psycopg://host/database`.

    Raises:
        ProjectError: it cannot be opened, was written by another version, or holds other data.
    """
    engine = dialects.connect(where)
    name = engine.url.render_as_string()
    try:
        with dialects.reading(engine) as connection:
            tables = set(sa.inspect(connection).get_table_names())
        if versions.name not in tables:
            if tables and engine.dialect.name == "sqlite":
                raise ProjectError(f"{name} is another program's database; name another file.")
            _make(engine)
        elif sources.name not in tables:
            with dialects.writing(engine) as connection:
                sources.create(connection, checkfirst=True)
        with dialects.reading(engine) as connection:
            found = connection.execute(sa.select(versions.c.version)).scalar()
    except ProjectError:
        engine.dispose()
        raise
    if found != VERSION:
        engine.dispose()
        raise ProjectError(
            f"{name} has version {found}; this Curatome knows version {VERSION}. "
            "Use the Curatome that wrote it."
        )
    return AnnotationStore(engine)


def _make(engine: Engine) -> None:
    """Make the tables, unless another process was faster."""
    with dialects.writing(engine) as connection:
        if not sa.inspect(connection).has_table(versions.name):
            META.create_all(connection)
            connection.execute(versions.insert().values(version=VERSION))
