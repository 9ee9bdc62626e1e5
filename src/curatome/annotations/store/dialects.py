"""What SQLite and PostgreSQL do differently: opening, locking, and writing in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from curatome.errors import AnnotationError, ProjectError

WAIT_S = 60
"""How long a writer waits for the others."""

_PRAGMAS = (
    f"busy_timeout={WAIT_S * 1000}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "cache_size=-131072",  # KiB
    "journal_size_limit=67108864",  # what a large import leaves of its write-ahead log
)
_TOGETHER = 50
"""Rows of a statement."""
_BULK = 50_000
"""Rows from which on an index is rather built anew."""
_LOCK = 0x43757261  # any number that all writers share
_READING = {"isolation_level": "REPEATABLE READ"}


def connect(where: str | Path | sa.URL) -> Engine:
    """The engine for a file's path or a database's URL.

    Raises:
        ProjectError: it is no URL that can be used.
    """
    text = str(where)
    try:
        url = sa.make_url(where if isinstance(where, sa.URL) else text) if _is_url(where) else None
    except sa.exc.ArgumentError as error:
        raise ProjectError(f"{text} is no database URL; write sqlite:///FILE.") from error
    if url is None:
        url = sa.URL.create("sqlite", database=str(Path(text).expanduser()))
    try:
        engine = sa.create_engine(url)
    except (sa.exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise ProjectError(
            f"{url.drivername} cannot be used: {error}. "
            "For PostgreSQL, pip install 'psycopg[binary]' and write postgresql+psycopg://…"
        ) from error
    if engine.dialect.name not in ("sqlite", "postgresql"):
        raise ProjectError(f"{engine.dialect.name} is not supported; use SQLite or PostgreSQL.")
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _harden)
        sa.event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[sa.Connection]:
    """A connection that sees the store at one moment, whatever others write meanwhile.

    Raises:
        ProjectError: the database cannot be used.
    """
    options: dict[str, Any] = {} if _sqlite(engine) else _READING
    with explained(engine), engine.connect().execution_options(**options) as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[sa.Connection]:
    """A transaction that is alone in writing and is on disk when the block ends.

    Raises:
        ProjectError: the database cannot be used, or another writer does not end.
    """
    with (
        explained(engine),
        engine.connect().execution_options(curatome_writes=True) as connection,
        connection.begin(),
    ):
        if not _sqlite(connection):
            connection.execute(sa.text(f"SET LOCAL lock_timeout = '{WAIT_S}s'"))
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        yield connection


def insert(connection: sa.Connection, table: sa.Table, rows: Iterable[Sequence[Any]]) -> None:
    """Append rows that hold the table's columns in their order, as fast as the driver can."""
    driver = connection.connection.driver_connection
    assert driver is not None
    if _sqlite(connection):
        _insert_many(connection, table, rows)
        return
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    with driver.cursor() as cursor:
        _through(connection, _copy, cursor, f"COPY {table.name} ({names}) FROM STDIN", rows)


@contextmanager
def unindexed(connection: sa.Connection, index: sa.Index, rows: int) -> Iterator[None]:
    """While very many rows are appended, do without an index: SQLite sorts faster than it seeks.

    Args:
        connection: that writes.
        index: it is whole again when the block ends.
        rows: how many will be appended.

    Raises:
        sqlalchemy.exc.IntegrityError: at the end, if the index is unique and the rows are not.
    """
    assert index.table is not None
    there = sa.select(sa.func.count()).select_from(index.table)
    if not _sqlite(connection) or rows < _BULK or rows < connection.execute(there).scalar_one():
        yield
        return
    index.drop(connection, checkfirst=True)
    yield
    index.create(connection)


def shrink(engine: Engine) -> None:
    """Give back the room of what was deleted, so that no byte of it is left in the files.

    Raises:
        ProjectError: the database cannot be used.
    """
    if not _sqlite(engine):
        return  # the server's own VACUUM does so in its time
    with explained(engine):
        driver = engine.raw_connection()
        try:
            driver.cursor().execute("VACUUM")
            driver.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            driver.close()


@contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """Turns what a driver raises into an error that says what to do."""
    name = engine.url.render_as_string()
    try:
        yield
    except sa.exc.IntegrityError:
        raise
    except sa.exc.DataError as error:
        raise AnnotationError(f"{name} cannot hold a value: {error.orig}.") from error
    except sa.exc.DBAPIError as error:
        said = str(error.orig).strip().partition("\n")[0].rstrip(".")
        raise ProjectError(f"{name} cannot be used: {said}. {_remedy(said)}") from error


def _remedy(said: str) -> str:
    remedies = {
        "locked": "Another program holds it; end that program, or try again when it has finished.",
        "lock timeout": "Another program writes into it; try again when it has finished.",
        "not a database": "It is no annotation store; name another file.",
        "malformed": "It is damaged: put back a copy from your backup.",
        "unable to open": "See whether its folder exists and may be written to.",
        "readonly": "It may not be written to; see its permissions.",
        "full": "The disk is full: make room, then repeat. Nothing was recorded.",
    }
    known = (remedy for word, remedy in remedies.items() if word in said)
    return next(known, "See whether the server runs and the address is right.")


def _is_url(where: str | Path | sa.URL) -> bool:
    return isinstance(where, sa.URL) or "://" in str(where)


def _sqlite(place: Engine | sa.Connection) -> bool:
    return place.dialect.name == "sqlite"


def _harden(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where _begin says so
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("curatome_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _insert_many(connection: sa.Connection, table: sa.Table, rows: Iterable[Sequence[Any]]) -> None:
    """Many rows by each statement, which takes two thirds of the time of one by one."""
    driver = connection.connection.driver_connection
    assert driver is not None
    width = len(table.columns)
    values = [*chain.from_iterable(rows)]
    once = len(values) - len(values) % (width * _TOGETHER)
    one = f"({', '.join('?' * width)})"
    for together, some in ((_TOGETHER, values[:once]), (1, values[once:])):
        statement = f"INSERT INTO {table.name} VALUES {', '.join([one] * together)}"
        grouped = zip(*[iter(some)] * (width * together), strict=True)
        _through(connection, driver.executemany, statement, grouped)


def _copy(cursor: Any, statement: str, rows: Iterable[Sequence[Any]]) -> None:
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _through(connection: sa.Connection, call: Any, *arguments: Any) -> None:
    """Call the driver; its errors become SQLAlchemy's."""
    driver = connection.dialect.dbapi
    assert driver is not None
    try:
        call(*arguments)
    except driver.Error as error:
        raise sa.exc.DBAPIError.instance("", None, error, driver.Error) from error
