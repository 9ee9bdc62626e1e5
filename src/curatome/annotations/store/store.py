"""The store's front: every call is one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from curatome.annotations.exhaustive import EXHAUSTIVE
from curatome.annotations.store import content, dialects, fold, history, query
from curatome.annotations.store.applying import apply
from curatome.annotations.store.edits import ACTIONS, Act, Batch, Counts, Edit, Sync, Version
from curatome.annotations.store.fold import Moment
from curatome.annotations.store.grid import Box
from curatome.annotations.store.purging import purge_images
from curatome.annotations.store.record import Recorder
from curatome.annotations.store.schema import batches, events, identities
from curatome.annotations.store.schema import sources as origins
from curatome.annotations.store.syncing import merge
from curatome.errors import AnnotationError

_LOOKUP = 5_000


class AnnotationStore:
    """All annotations of a project, with their history.

    Nothing is ever overwritten: every call that writes appends one batch of events, whole or not
    at all, and it is on disk when the call returns. Several processes may write at once. Any call
    may raise ProjectError: the database cannot be used, or another writer does not end.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> AnnotationStore:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def head(self) -> int:
        """Number of the latest event, 0 before the first."""
        with dialects.reading(self._engine) as connection:
            return fold.head(connection)

    def import_table(self, table: pa.Table, act: Act, regions: pa.Table | None = None) -> Batch:
        """Record new annotations, all of a table or none.

        Args:
            table: `tables.ANNOTATIONS`.
            act: who imports it, and from where.
            regions: exhaustively annotated ones, likewise.

        Raises:
            TableError: it is no such table.
            AnnotationError: an id is there twice or already in the store, or a geometry cannot
                be kept; names annotation and row.
        """
        table = content.conform(table)
        _check_ids(table["annotation"])
        try:
            with dialects.writing(self._engine) as connection:
                recorder = Recorder(connection, "import", act)
                recorder.create(table)
                if regions is not None:
                    recorder.create(content.conform(regions), region=True)
                return recorder.close()
        except sa.exc.IntegrityError as error:
            raise self._taken(table["annotation"]) from error

    def sync_table(self, table: pa.Table, source: str, act: Act, base: int | None = None) -> Sync:
        """Merge a newer export of a source: create, edit and delete what it says otherwise.

        Rows are matched by id, else by image and foreign id, else by equal geometry, labels and
        reader, among what came from the same source before. What a person changed since is never
        overwritten: where the source changed as well, that is a conflict. Merging the same table
        again changes nothing.

        Args:
            table: `tables.ANNOTATIONS`, all that the source holds now.
            source: what it is called, the same at every merge.
            act: who merges it; its own `source` is replaced.
            base: the event up to which the store was exported before the file was edited
                elsewhere; without it, rows with ids of other sources that differ are conflicts.

        Raises:
            TableError: it is no such table.
            AnnotationError: as `import_table`.
        """
        table = content.conform(table)
        _check_ids(table["annotation"])
        with dialects.writing(self._engine) as connection:
            return merge(connection, table, source, act, base)

    def apply(self, edits: Iterable[Edit], act: Act) -> Batch:
        """Record edits, all or none; the batch's `seqs` acknowledge them in their order.

        Args:
            edits: at most one of each annotation.
            act: who edits, with what.

        Raises:
            StaleEdit: somebody changed an annotation after the version that its edit saw.
            AnnotationError: an edit cannot be, such as of an annotation that does not exist.
        """
        edits = list(edits)
        for edit in edits:
            if edit.action not in ACTIONS:
                raise AnnotationError(f"{edit.action} is no action; use {', '.join(ACTIONS)}.")
        with dialects.writing(self._engine) as connection:
            recorder = Recorder(connection, "apply", act)
            apply(recorder, edits, act)
            return recorder.close()

    def undo(self, batch: int, act: Act) -> Batch:
        """Bring everything that a batch changed to what it was before; undo that to redo it.

        Raises:
            StaleEdit: some of it was changed again since.
            AnnotationError: there is no such batch.
        """
        with dialects.writing(self._engine) as connection:
            span = sa.select(batches.c.first, batches.c.last).where(batches.c.batch == batch)
            found = connection.execute(span).one_or_none()
            if found is None:
                raise AnnotationError(f"batch {batch} is not in this store.")
            first, last = found
            keys = sa.select(events.c.key).where(events.c.seq.between(first, last))
            later = (
                sa.select(identities.c.annotation)
                .join(events, events.c.key == identities.c.key)
                .where(events.c.seq > last, events.c.key.in_(keys))
                .distinct()
                .order_by(identities.c.annotation)
            )
            if changed := connection.execute(later).scalars().all():
                raise history.stale(connection, [(name, last) for name in changed])
            recorder = Recorder(connection, "undo", act)
            recorder.put_back(keys, first - 1)
            return recorder.close()

    def revert(self, to: Moment, act: Act) -> Batch:
        """Bring everything to what it was at a moment; what happened since stays in the history.

        Args:
            to: number of an event, 0 for the empty store, or a time.
            act: who reverts, and why.

        Raises:
            AnnotationError: there is no such moment.
        """
        with dialects.writing(self._engine) as connection:
            seq = fold.moment(connection, to)
            recorder = Recorder(connection, "revert", act)
            recorder.put_back(sa.select(events.c.key).where(events.c.seq > seq), seq)
            return recorder.close()

    def current(
        self,
        image: str | None = None,
        box: Box | None = None,
        limit: int | None = None,
        at: Moment | None = None,
    ) -> pa.Table:
        """Living annotations as `tables.ANNOTATIONS`; `seen` tells how fresh the table is.

        Args:
            image: only those on it; `box` needs it.
            box: only those whose bounds meet left, top, right, bottom in level-0 px, so none of
                whole images. The larger come first.
            limit: how many at most.
            at: a moment of the past, instead of now.

        Raises:
            AnnotationError: a box without an image, or no such moment.
        """
        return self._living((image, box, limit, at), region=False)

    def regions(self, image: str | None = None, at: Moment | None = None) -> pa.Table:
        """Exhaustively annotated regions, as `EXHAUSTIVE`.

        They are created, edited, deleted and undone like annotations, by `Edit(region=True)` with
        the classes in `labels`.

        Args:
            image: only those on it.
            at: a moment of the past, instead of now.
        """
        table = self._living((image, None, None, at), region=True)
        names = {"region": "annotation", "classes": "labels"}
        columns = {
            column.name: table[names.get(column.name, column.name)].combine_chunks()
            for column in EXHAUSTIVE.columns
        }
        found = EXHAUSTIVE.from_columns(columns)
        return found.replace_schema_metadata(
            {**found.schema.metadata, query.SEEN: table.schema.metadata[query.SEEN]}
        )

    def changes(self, since: Moment, until: Moment | None = None) -> pa.Table:
        """What differs between two moments, one row per annotation, as `history.CHANGES`.

        Args:
            since: the earlier one.
            until: the later one; None for now.

        Raises:
            AnnotationError: there is no such moment.
        """
        with dialects.reading(self._engine) as connection:
            last = fold.head(connection) if until is None else fold.moment(connection, until)
            return history.changes(connection, fold.moment(connection, since), last)

    def history(self, annotation: str) -> tuple[Version, ...]:
        """Every version of an annotation or region, the oldest first.

        Raises:
            AnnotationError: there is no such annotation.
        """
        with dialects.reading(self._engine) as connection:
            versions = history.history(connection, annotation)
        if not versions:
            raise AnnotationError(f"annotation {annotation} is not in this store.")
        return versions

    def batches(self, limit: int | None = None) -> tuple[Batch, ...]:
        """What was recorded at once, the latest first."""
        with dialects.reading(self._engine) as connection:
            return history.recorded_batches(connection, limit)

    def sources(self, ids: Sequence[str]) -> dict[str, str | None]:
        """Where those of the ids that the store knows came from first: the source, if any."""
        first = sa.select(identities.c.annotation, batches.c.source)
        first = first.join(events, events.c.seq == identities.c.key)
        first = first.join(batches, batches.c.batch == events.c.batch)
        found: dict[str, str | None] = {}
        with dialects.reading(self._engine) as connection:
            if connection.execute(sa.select(identities.c.key).limit(1)).first() is None:
                return {}
            for start in range(0, len(ids), _LOOKUP):
                some = identities.c.annotation.in_(ids[start : start + _LOOKUP])
                found.update((row[0], row[1]) for row in connection.execute(first.where(some)))
        return found

    def remember(self, source: str, options: Mapping[str, Any]) -> None:
        """Keep how a source was read, instead of what was kept before.

        Args:
            source: what it is called.
            options: as JSON can hold them.
        """
        text = json.dumps(dict(options), ensure_ascii=False)
        with dialects.writing(self._engine) as connection:
            connection.execute(origins.delete().where(origins.c.source == source))
            connection.execute(origins.insert().values(source=source, options=text))

    def remembered(self, source: str) -> dict[str, Any]:
        """How a source was read; empty if that is not known."""
        known = sa.select(origins.c.options).where(origins.c.source == source)
        with dialects.reading(self._engine) as connection:
            text = connection.execute(known).scalar()
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    def counts(self) -> Counts:
        """How much it holds."""
        with dialects.reading(self._engine) as connection:
            return query.counts(connection)

    def purge(self, images: Sequence[str]) -> int:
        """Remove everything about images for good, such as those of a case that was withdrawn.

        This alone takes events out of the log; they cannot be had back.

        Returns:
            How many events went.
        """
        with dialects.writing(self._engine) as connection:
            count = purge_images(connection, images)
        dialects.shrink(self._engine)
        return count

    def rebuild(self) -> None:
        """Fold the current state from all events again."""
        with dialects.writing(self._engine) as connection:
            fold.rebuild(connection)

    def _living(
        self,
        which: tuple[str | None, Box | None, int | None, Moment | None],
        region: bool,
    ) -> pa.Table:
        image, box, limit, at = which
        if box is not None and image is None:
            raise AnnotationError("a box lies on an image; say which.")
        with dialects.reading(self._engine) as connection:
            seen = fold.head(connection) if at is None else fold.moment(connection, at)
            if at is None and image is not None and box is not None:
                return query.table_of(
                    connection, query.in_view(connection, image, box, limit), seen
                )
            state = query.living(connection, image, None if at is None else seen, region)
            rows = query.select_rows(state).limit(limit)
            rows = rows.order_by(state.c.key) if box is None else rows.where(query.meets(box))
            return query.table_of(connection, connection.execute(rows), seen)

    def _taken(self, ids: pa.ChunkedArray) -> AnnotationError:
        """The error about the first id that is in the store already."""
        names = ids.to_pylist()
        with dialects.reading(self._engine) as connection:
            for start in range(0, len(names), _LOOKUP):
                some = identities.c.annotation.in_(names[start : start + _LOOKUP])
                query = sa.select(identities.c.annotation).where(some)
                there = set(connection.execute(query).scalars())
                if there:
                    row = next(i for i in range(start, len(names)) if names[i] in there)
                    return AnnotationError(
                        f"annotation {names[row]} (row {row + 1}) is in the store already; "
                        "merge a newer export of the same source instead of importing it."
                    )
        return AnnotationError("an id is in the store already; import again.")


def seen(table: pa.Table) -> int:
    """The event up to which a table tells the state of its store; the `base` of edits of it."""
    return int(table.schema.metadata[query.SEEN])


def _check_ids(ids: pa.ChunkedArray) -> None:
    """Raises AnnotationError: an id is there twice."""
    if pc.count_distinct(ids).as_py() == len(ids):
        return
    rows: dict[str, int] = {}
    for row, name in enumerate(ids.to_pylist(), 1):
        if name in rows:
            raise AnnotationError(
                f"annotation {name} is there twice, in rows {rows[name]} and {row}; "
                "give one of them another id."
            )
        rows[name] = row
