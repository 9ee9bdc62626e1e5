"""The project's store: slides, files, cases, findings and measures, through SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from curatome.errors import ProjectError
from curatome.findings import Finding, Measure
from curatome.project.kept import (
    SlideEntry,
    entry_of,
    finding_of,
    measure_of,
    plain_entry,
    plain_finding,
    plain_measure,
)

VERSION = 1

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000")

_meta = sa.MetaData()
_versions = sa.Table("meta", _meta, sa.Column("version", sa.Integer, primary_key=True))
_slides = sa.Table(
    "slides",
    _meta,
    sa.Column("slide", sa.String(16), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("entry", sa.JSON, nullable=False),
)
_files = sa.Table(
    "files",
    _meta,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("slide", sa.String(16), nullable=False, index=True),
    sa.Column("stamp", sa.Text, nullable=False),
)
_cases = sa.Table(
    "cases",
    _meta,
    sa.Column("case", sa.Text, primary_key=True),
    sa.Column("fields", sa.JSON, nullable=False),
)
_case_tables = sa.Table(
    "case_tables",
    _meta,
    sa.Column("table", sa.Text, primary_key=True),
    sa.Column("case", sa.Text, primary_key=True),
)
_findings = sa.Table(
    "findings",
    _meta,
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.String(16), primary_key=True),
    sa.Column("content", sa.JSON, nullable=False),
)
_measures = sa.Table(
    "measures",
    _meta,
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("content", sa.JSON, nullable=False),
)


class Store:
    """What is known about a project. Every call is one transaction.

    Raises:
        ProjectError: by every call, if the database is locked, damaged, or has no room.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with _told(self._engine), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _changing(self) -> Iterator[sa.Connection]:
        with _told(self._engine), self._engine.begin() as connection:
            yield connection

    def slides(self) -> list[SlideEntry]:
        """All registered slides, by path."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(_slides.c.entry).order_by(_slides.c.path))
            return [entry_of(row.entry) for row in rows]

    def slide(self, slide: str) -> SlideEntry | None:
        """One slide by its id."""
        with self._reading() as connection:
            query = sa.select(_slides.c.entry).where(_slides.c.slide == slide)
            row = connection.execute(query).one_or_none()
            return None if row is None else entry_of(row.entry)

    def save_slide(
        self, entry: SlideEntry, findings: Iterable[Finding], files: Mapping[str, str] | None = None
    ) -> None:
        """Keep a slide, what was found about it, and the files it was seen under.

        Args:
            entry: the slide; replaces what was known.
            findings: replace the slide's earlier ones.
            files: path to stamp (size and time of change) of each file.
        """
        with self._changing() as connection:
            _upsert(
                connection,
                _slides,
                {
                    "slide": entry.slide,
                    "sha256": entry.sha256,
                    "path": entry.path,
                    "state": entry.state,
                    "entry": plain_entry(entry),
                },
            )
            for path, stamp in (files or {}).items():
                _upsert(connection, _files, {"path": path, "slide": entry.slide, "stamp": stamp})
            _replace_findings(connection, f"slide:{entry.slide}", findings)

    def forget_slide(self, slide: str) -> None:
        """Remove a slide, the files it was seen under, and what any stage found about it."""
        with self._changing() as connection:
            connection.execute(_slides.delete().where(_slides.c.slide == slide))
            connection.execute(_files.delete().where(_files.c.slide == slide))
            subject = _findings.c.content["subject"].as_string()
            connection.execute(_findings.delete().where(subject == f"slide {slide}"))

    def files(self) -> dict[str, tuple[str, str]]:
        """Every path a slide was seen under, with the slide and the file's stamp."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(_files).order_by(_files.c.path))
            return {row.path: (row.slide, row.stamp) for row in rows}

    def cases(self) -> dict[str, dict[str, Any]]:
        """The declared fields of every case."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(_cases).order_by(_cases.c.case))
            return {row.case: row.fields for row in rows}

    def save_cases(self, cases: Mapping[str, Mapping[str, Any]], table: str | None = None) -> None:
        """Keep cases; each replaces what was known of it.

        Args:
            cases: fields of each case.
            table: the table they are the rows of. A case that this table named before and does
                not name any more is removed, unless another table names it.
        """
        with self._changing() as connection:
            for case, fields in cases.items():
                _upsert(connection, _cases, {"case": case, "fields": dict(fields)})
            if table is not None:
                _remove_unnamed(connection, table, cases)

    def forget_case(self, case: str) -> None:
        """Remove a case and its fields."""
        with self._changing() as connection:
            connection.execute(_cases.delete().where(_cases.c.case == case))
            connection.execute(_case_tables.delete().where(_case_tables.c.case == case))

    def shrink(self) -> None:
        """Give back the room of what was removed, so that no byte of it is left in the files."""
        if self._engine.dialect.name != "sqlite":
            return  # the server's own VACUUM does so in its time
        with _told(self._engine):
            driver = self._engine.raw_connection()
            try:
                driver.cursor().execute("VACUUM")
                driver.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                driver.close()

    def findings(self, prefix: str = "") -> list[Finding]:
        """Findings of all origins that begin with `prefix`, worst first, each once."""
        with self._reading() as connection:
            query = sa.select(_findings).where(_findings.c.origin.startswith(prefix))
            rows = connection.execute(query.order_by(_findings.c.origin))
            found = {row.fingerprint: finding_of(row.content) for row in rows}
        return sorted(found.values(), key=lambda f: (-f.severity, f.code, f.subject, f.key))

    def origins(self, prefix: str = "") -> list[str]:
        """The origins of findings that begin with `prefix`."""
        with self._reading() as connection:
            query = sa.select(_findings.c.origin).where(_findings.c.origin.startswith(prefix))
            return list(connection.execute(query.distinct().order_by(_findings.c.origin)).scalars())

    def save_findings(self, origin: str, findings: Iterable[Finding]) -> None:
        """Replace what an origin (a stage's name, `build:KEY`) has found before."""
        with self._changing() as connection:
            _replace_findings(connection, origin, findings)

    def measures(self, prefix: str = "") -> list[Measure]:
        """Measures of all origins that begin with `prefix`, by origin, name and subject."""
        with self._reading() as connection:
            query = sa.select(_measures.c.content).where(_measures.c.origin.startswith(prefix))
            keys = (_measures.c.origin, _measures.c.name, _measures.c.subject)
            rows = connection.execute(query.order_by(*keys))
            return [measure_of(row.content) for row in rows]

    def save_measures(self, origin: str, measures: Iterable[Measure]) -> None:
        """Replace what an origin (a command's name, `agree`) has measured before."""
        with self._changing() as connection:
            connection.execute(_measures.delete().where(_measures.c.origin == origin))
            unique = {(one.name, one.subject): one for one in measures}
            for (name, subject), one in unique.items():
                key = {"origin": origin, "name": name, "subject": subject}
                values = {**key, "content": plain_measure(one)}
                connection.execute(_measures.insert().values(**values))


def open_store(url: str | sa.URL) -> Store:
    """The store at a database URL, made if it is new.

    Raises:
        ProjectError: it was written by another version, is no database, or cannot be used now.
    """
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _harden)
    with _told(engine):
        _meta.create_all(engine)
        with engine.begin() as connection:
            found = connection.execute(sa.select(_versions.c.version)).scalar()
            if found is None:
                connection.execute(_versions.insert().values(version=VERSION))
    if found not in (None, VERSION):
        raise ProjectError(
            f"{engine.url.database} has version {found}; this Curatome knows version {VERSION}. "
            "Use the Curatome that wrote it."
        )
    return Store(engine)


_REMEDIES = {
    "locked": "Close what else has it open, a backup or a viewer of databases, and try again.",
    "full": "Free some room on its disk and try again; nothing was changed by halves.",
    "I/O": "Check its disk and the room on it, and try again.",
    "readonly": "Make it and its folder writable.",
    "unable to open": "See that its folder is there and can be written to.",
}
_DAMAGED = (
    "Put back a copy of it from a backup, or move it away and register slides and tables anew "
    "with `curatome add`; what was built is kept."
)


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    """What a database says, as a sentence that names its file and what to do."""
    try:
        yield
    except sa.exc.DatabaseError as error:
        if isinstance(error, sa.exc.IntegrityError | sa.exc.ProgrammingError):
            raise  # the statement is at fault
        said = str(error.orig)
        remedy = next((told for word, told in _REMEDIES.items() if word in said), _DAMAGED)
        raise ProjectError(
            f"{engine.url.database} is not a usable store: {said}. {remedy}"
        ) from error


def _harden(connection: Any, _record: Any) -> None:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _upsert(connection: sa.Connection, table: sa.Table, values: Mapping[str, Any]) -> None:
    keys = [column.name for column in table.primary_key]
    connection.execute(
        table.delete().where(sa.and_(*(table.c[key] == values[key] for key in keys)))
    )
    connection.execute(table.insert().values(**values))


def _remove_unnamed(connection: sa.Connection, table: str, cases: Iterable[str]) -> None:
    of_table = _case_tables.c.table == table
    before = set(connection.execute(sa.select(_case_tables.c.case).where(of_table)).scalars())
    connection.execute(_case_tables.delete().where(of_table))
    for case in cases:
        connection.execute(_case_tables.insert().values(table=table, case=case))
    elsewhere = set(connection.execute(sa.select(_case_tables.c.case)).scalars())
    for case in before - elsewhere:
        connection.execute(_cases.delete().where(_cases.c.case == case))


def _replace_findings(connection: sa.Connection, origin: str, findings: Iterable[Finding]) -> None:
    connection.execute(_findings.delete().where(_findings.c.origin == origin))
    unique = {finding.fingerprint: finding for finding in findings}
    for fingerprint, finding in unique.items():
        content = plain_finding(finding)
        connection.execute(
            _findings.insert().values(origin=origin, fingerprint=fingerprint, content=content)
        )
