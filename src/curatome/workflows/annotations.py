"""`curatome import` and `sync`: annotations of other tools into the project's store."""

from __future__ import annotations

import difflib
import tempfile
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curatome.annotations.exhaustive import Region, as_annotations
from curatome.annotations.formats import (
    Doubt,
    all_formats,
    format_named,
)
from curatome.annotations.guideline import since
from curatome.annotations.store import Act, AnnotationStore, Sync
from curatome.errors import AnnotationError
from curatome.jobs import Limits, Task, run_tasks
from curatome.project import Project, SlideEntry
from curatome.workflows.annotation_check import annotation_store, frame_of
from curatome.workflows.annotation_files import (
    About,
    FileRead,
    Unknown,
    read_file,
    table_of,
)
from curatome.workflows.annotation_guard import AnnotationGuard
from curatome.workflows.annotation_options import Wishes, filled, joined, kept, put
from curatome.workflows.slides import find_entries
from curatome.workflows.watch import Silent, Watcher

LIMITS = Limits(silence_seconds=900, memory_bytes=16 << 30)
"""A file of millions of cells takes minutes and gigabytes; a broken one must not take all."""

_READ = f"{read_file.__module__}:{read_file.__name__}"


@dataclass(frozen=True)
class FileResult:
    """What became of one file.

    Attributes:
        path: the file.
        read: what it says; None if it could not be read.
        images: annotations per image; slides of the project by their file name.
        labels: annotations per class.
        unknown: classes that the protocol does not define.
        similar: for some of these, a class of the protocol with nearly that name.
        absent: images that are not in the project.
        guessed: it was taken to be about the project's only slide, for nothing says otherwise.
        error: why nothing of it was recorded, or empty.
        passed_over: it lies in a folder and is of no known format.
        batch: number of the batch it became; None if nothing was recorded.
        sync: what merging it did.
        again: options of its import that were taken again, as on the command line.
        regions: exhaustively annotated ones that it declares and the project did not know.
        left_out: what is said about annotations of withdrawn cases, a line for each case.
    """

    path: Path
    read: FileRead | None = None
    images: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    similar: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    guessed: bool = False
    error: str = ""
    passed_over: bool = False
    batch: int | None = None
    sync: Sync | None = None
    again: tuple[str, ...] = ()
    regions: int = 0
    left_out: tuple[str, ...] = ()

    @property
    def waits(self) -> tuple[Doubt, ...]:
        """What a person must decide before it is recorded."""
        recorded = self.batch is not None or self.sync is not None
        return () if self.read is None or recorded or self.error else self.read.doubts


def import_files(
    project: Project,
    paths: Sequence[Path],
    wishes: Wishes | None = None,
    *,
    merge: bool = False,
    workers: int = 1,
    watcher: Watcher | None = None,
) -> tuple[FileResult, ...]:
    """Record the annotations of files, each file whole or not at all.

    Args:
        project: the project.
        paths: files, or folders of them.
        wishes: what a person says about them.
        merge: bring what came from these files before up to date, instead of refusing it.
        workers: how many files are read at the same time.
        watcher: is told the course.

    Returns:
        What became of each file, by path.

    Raises:
        AnnotationError: there is no file, or a wish cannot be.
        ProjectError: the store or the named slide cannot be used.
    """
    wishes, watcher = wishes or Wishes(), watcher or Silent()
    since(project.protocol.guideline, wishes.guideline)  # refuses a version that never was
    files = list(_files(paths, wishes.format))
    entries = project.store.slides()
    told: dict[Path, tuple[Wishes, tuple[str, ...]]] = dict.fromkeys(files, (wishes, ()))
    if merge:
        with annotation_store(project) as store:
            told = {p: joined(wishes, store.remembered(project.relative(p))) for p in files}
    with tempfile.TemporaryDirectory(prefix="curatome-") as scratch:
        only = entries[0] if len(entries) == 1 else None
        guessed = {
            path
            for path in files
            if only is not None and not told[path][0].image and slide_about(path, entries) is None
        }
        guard = AnnotationGuard(project, [entry.slide for entry in entries])
        refused = {path: guard.about(path) for path in guessed}
        wanted = {path: own for path, (own, _) in told.items() if not refused.get(path)}
        tasks = _tasks(project, wanted, entries, Path(scratch))
        watcher.start("reading annotations", len(tasks), "files")
        outcomes = {}
        for outcome in run_tasks(tasks, workers, LIMITS):
            outcomes[outcome.task.key] = outcome
            watcher.advance(1)
        watcher.finish()
        watcher.start("recording", len(tasks), "files")
        results = [FileResult(path, error=why) for path, why in refused.items() if why]
        with annotation_store(project) as store:
            desk = _Desk(project, store, {entry.slide: entry.name for entry in entries})
            for task in tasks:
                outcome, path = outcomes[task.key], Path(task.key)
                if outcome.failure is not None:
                    results.append(FileResult(path, error=str(outcome.failure)))
                elif isinstance(outcome.value, Unknown):
                    named = path in paths
                    why = outcome.value.message if named else ""
                    results.append(FileResult(path, error=why, passed_over=not named))
                else:
                    table = table_of(task.arguments[-1])
                    own, again = told[path]
                    made = desk.record(path, outcome.value, table, own, merge=merge)
                    sure = path not in guessed or bool(made.absent)
                    results.append(replace(made, again=again, guessed=not sure))
                watcher.advance(1)
        watcher.finish()
    order = {path: number for number, path in enumerate(files)}
    return tuple(sorted(results, key=lambda one: order[one.path]))


def slide_about(path: Path, entries: Sequence[SlideEntry]) -> SlideEntry | None:
    """The slide that a file is about by its own name: the longest that the name begins with.

    `S1.geojson`, `S1_joe.xml` and `S1.svs.ndpa` are about S1.svs, `S12.xml` is not.
    """
    fitting = []
    for entry in entries:
        stem = Path(entry.name).stem
        rest = path.name[len(stem) :]
        if path.name.startswith(stem) and not rest[:1].isalnum():
            fitting.append((len(stem), entry))
    longest = max((length for length, _ in fitting), default=0)
    best = [entry for length, entry in fitting if length == longest]
    return best[0] if len(best) == 1 else None


def _files(paths: Sequence[Path], name: str) -> Iterator[Path]:
    """Files, and what lies in folders, each once; folders that are one set stay whole."""
    formats = all_formats() if name == "auto" else (format_named(name),)
    seen = set()
    for path in paths:
        if not path.exists():
            raise AnnotationError(f"{path} does not exist. Name a file or folder of annotations.")
        whole = path.is_file() or any(one.recognize(path, b"") is not None for one in formats)
        for one in [path] if whole else _inside(path):
            if one not in seen:
                seen.add(one)
                yield one
    if not seen:
        raise AnnotationError(f"{', '.join(map(str, paths))}: there is no file.")


def _inside(folder: Path) -> list[Path]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    hidden = [any(part.startswith(".") for part in p.relative_to(folder).parts) for p in found]
    return sorted(path for path, hides in zip(found, hidden, strict=True) if not hides)


def _tasks(
    project: Project,
    wanted: Mapping[Path, Wishes],
    entries: Sequence[SlideEntry],
    scratch: Path,
) -> list[Task]:
    frames = tuple(frame_of(entry) for entry in entries)
    tasks = []
    for number, (path, wishes) in enumerate(wanted.items()):
        named = find_entries(project, [wishes.image])[0] if wishes.image else None
        entry = named or slide_about(path, entries) or (entries[0] if len(entries) == 1 else None)
        about = About(frames)
        if entry is not None:
            local = project.absolute(entry.path)
            about = About(frames, frame_of(entry), local if local.is_file() else None)
        out = scratch / f"{number}.arrow"
        tasks.append(Task(str(path), _READ, (path, wishes.format, about, wishes.options, out)))
    return tasks


class _Desk:
    """Where tables are completed and recorded; what is the same for every file lies here."""

    def __init__(
        self,
        project: Project,
        store: AnnotationStore,
        names: Mapping[str, str],
    ) -> None:
        self._project = project
        self._store = store
        self._names = names
        self._classes = {one.name for one in project.protocol.classes}
        self._done = {batch.act.source for batch in store.batches()}
        self._guard = AnnotationGuard(project, names)

    def record(
        self, path: Path, read: FileRead, table: pa.Table, wishes: Wishes, *, merge: bool
    ) -> FileResult:
        """Record one file's table, unless something stands against it."""
        guideline = wishes.guideline or self._project.protocol.guideline.version
        table = filled(table, read.title, wishes, guideline)
        table, said = self._guard.rest(table)
        result = replace(self._told(path, read, table), left_out=said)
        source = self._project.relative(path)
        table, known = self._own_ids(table, source, merge, wishes.new_ids)
        open_doubts = [one for one in read.doubts if one.about not in wishes.agreed]
        waits = bool(open_doubts) and not wishes.yes
        against = "" if waits else self._against(table, source, merge, known)
        if against or waits or wishes.dry_run:
            return replace(result, error=against)
        act = Act(wishes.reader, f"import of {read.title}", guideline, "", source)
        regions = self._new_regions(read)
        result = replace(result, regions=len(regions))
        declared = as_annotations(regions) if regions else None
        try:
            if merge:
                result = replace(result, sync=self._store.sync_table(table, source, act))
                if declared is not None:
                    self._store.import_table(table.schema.empty_table(), act, declared)
            else:
                batch = self._store.import_table(table, act, declared)
                result = replace(result, batch=batch.batch)
        except AnnotationError as error:
            return replace(result, error=str(error))
        self._done.add(source)
        self._store.remember(source, kept(wishes, read.doubts))
        self._project.store.save_findings(f"annotations:{source}", read.findings)
        return result

    def _new_regions(self, read: FileRead) -> list[Region]:
        """Exhaustive regions of a file that the project does not know yet."""
        if not read.regions:
            return []
        known = self._store.sources([one["region"] for one in read.regions])
        there = {_saying(one) for one in self._store.regions().to_pylist()}
        return [
            one
            for one in read.regions
            if one["region"] not in known
            and _saying(one) not in there
            and self._guard.allows(one["image"])
        ]

    def _own_ids(
        self, table: pa.Table, source: str, merge: bool, new_ids: bool
    ) -> tuple[pa.Table, Mapping[str, str | None]]:
        """The table with other ids for what the project knows from elsewhere, always the same.

        Returns:
            The table, and where those of its annotations came from that the project knows.
        """
        ids = table.column("annotation").to_pylist()
        known = self._store.sources(ids)
        elsewhere = [one for one, origin in known.items() if origin != source]
        others = {one: str(uuid.uuid5(uuid.NAMESPACE_URL, f"{source}#{one}")) for one in elsewhere}
        if not others or not (merge or new_ids):
            return table, known
        there = self._store.sources([*others.values()])
        if merge:
            # As `import --new-ids` gave them when the file came first.
            others = {one: other for one, other in others.items() if other in there}
        table = put(table, "annotation", pa.array([others.get(one, one) for one in ids]))
        foreign = table.column("foreign").to_pylist()
        kept = [one if one in others else was for one, was in zip(ids, foreign, strict=True)]
        return put(table, "foreign", pa.array(kept, pa.string())), there

    def _told(self, path: Path, read: FileRead, table: pa.Table) -> FileResult:
        images = {
            pair["values"]: pair["counts"]
            for pair in pc.value_counts(table.column("image").combine_chunks()).to_pylist()
            if pair["values"] is not None
        }
        flat = pc.list_flatten(table.column("labels"))
        labels = Counter(
            {pair["values"]: pair["counts"] for pair in pc.value_counts(flat).to_pylist()}
        )
        unknown = sorted(set(labels) - self._classes) if self._classes else []
        close = {name: _similar(name, self._classes) for name in unknown}
        return FileResult(
            path,
            read,
            {self._names.get(image, image): count for image, count in images.items()},
            dict(labels.most_common()),
            tuple(unknown),
            {name: known for name, known in close.items() if known is not None},
            tuple(sorted(set(images) - set(self._names))),
        )

    def _against(
        self, table: pa.Table, source: str, merge: bool, known: Mapping[str, str | None]
    ) -> str:
        """Why a table cannot be recorded, or nothing."""
        if source in self._done and not merge:
            return (
                "was imported before. `curatome sync` brings what came from it up to date; "
                "`curatome annotations log` shows when."
            )
        if known and not merge:
            where = next((one for one in known.values() if one), "the project")
            return (
                f"{len(known):,} of its annotations are in the project already, from {where}. "
                "`curatome sync` merges an export of them; --new-ids records them as others."
            )
        nowhere = table.column("image").null_count
        if nowhere:
            return (
                f"does not say which image {nowhere:,} of its annotations lie on, and its name "
                "is no slide's. Say it with --image SLIDE."
            )
        return ""


def _saying(region: Region) -> tuple[Any, ...]:
    """Where a region lies and for which classes."""
    return region["image"], region["geometry"], tuple(sorted(region["classes"]))


def _similar(name: str, classes: Collection[str]) -> str | None:
    """A class that differs in case, blanks or a letter or two."""
    folded = {one.casefold().replace("_", " "): one for one in classes}
    close = difflib.get_close_matches(name.casefold().replace("_", " "), folded, 1, 0.8)
    return folded[close[0]] if close else None
