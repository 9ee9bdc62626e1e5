"""`curatome add`: register slides and what is declared about them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from curatome.errors import ProjectError, SlideError, StorageError, UnsupportedSlide
from curatome.findings import Finding
from curatome.jobs import Failure, Limits, Outcome, Task, progress, run_tasks, stage
from curatome.location import Location, located
from curatome.project import Project, SlideEntry
from curatome.protocol import FieldValue
from curatome.slides.files import SlideFiles, slide_id
from curatome.slides.inventory import probe, refused, same_content, unfetched, unreadable
from curatome.slides.opening import FETCH, local_slide
from curatome.slides.readers import SlideFacts
from curatome.slides.scale import resolve_mpp
from curatome.slides.sheets import SlideRow, match_rows, read_case_table, read_slide_table
from curatome.slides.stamp import slide_stamps
from curatome.units import Mpp
from curatome.workflows.forget import forget_gone
from curatome.workflows.slide_guard import SlideGuard
from curatome.workflows.watch import Silent, Watcher

_SEARCH_SECONDS = 3600.0  # to search folders, which may lie on a slow share


@dataclass(frozen=True)
class Seen:
    """What a child found out about one slide.

    Attributes:
        sha256: content hash.
        facts: what the file says about itself, or None if it cannot be used.
        problem: why not, in words.
        unsupported: the slide is sound, but of a kind that is not standardized.
    """

    sha256: str
    facts: SlideFacts | None = None
    problem: str = ""
    unsupported: bool = False


@dataclass(frozen=True)
class AddResult:
    """What `add` did.

    Attributes:
        added: slides that are new.
        known: slides that were registered before.
        slides: all slides that the paths stand for, by path.
        findings: everything found about these slides and the tables.
        left_out: what is said about slides of withdrawn cases, a line for each case.
    """

    added: int
    known: int
    slides: tuple[SlideEntry, ...]
    findings: tuple[Finding, ...]
    left_out: tuple[str, ...] = ()


def look_at(files: SlideFiles) -> Seen:
    """Hash a slide's files and probe it. Run in a supervised child.

    Raises:
        OSError: a file cannot be read.
        StorageError: it lies in a store that does not give it.
    """
    with local_slide(files) as here:
        assert isinstance(here.path, Path)
        stage("hash")
        sha256 = here.sha256(lambda size: progress(bytes=size))
        try:
            return Seen(sha256, probe(here.path, stage))
        except UnsupportedSlide as error:
            return Seen(sha256, problem=str(error), unsupported=True)
        except SlideError as error:
            return Seen(sha256, problem=str(error))


def add_slides(
    project: Project,
    paths: Sequence[str | Path],
    slide_table: Path | None = None,
    case_table: Path | None = None,
    *,
    workers: int = 1,
    watcher: Watcher | None = None,
) -> AddResult:
    """Register files, folders, globs and URLs of these, and keep what tables declare.

    Slides whose file has not changed since it was last registered are not read again. What was
    found about files that are gone is cleared; a case that its table names no more is removed.

    Args:
        project: the project.
        paths: what to register; may be empty if there is a table.
        slide_table: CSV of slides.
        case_table: CSV of cases.
        workers: how many children read slides at the same time.
        watcher: is told the course.

    Raises:
        ProjectError: a path stands for no slide, or another process is changing the project.
        TableError: a table cannot be used; nothing is registered then.
    """
    cohort = project.protocol.cohort
    rows = read_slide_table(slide_table, cohort.declared("slides")) if slide_table else []
    cases = read_case_table(case_table, cohort.declared("cases")) if case_table else []
    with project.locked():
        forget_gone(project, paths)
    found = _find(paths) if paths else []
    known = [project.location(path) for path in project.store.files()]
    matches, unmatched = match_rows(rows, [*known, *(files.path for files in found)])
    declared = {project.relative(path): row for path, row in matches.items()}
    with project.locked():
        before = {entry.slide for entry in project.store.slides()}
        guard = SlideGuard(project)
        touched = _register(project, found, declared, (workers, watcher or Silent(), guard))
        touched |= _declare(project, declared)
        if case_table:
            named = {row.case: _plain(row.values) for row in cases if guard.allows(row.case)}
            project.store.save_cases(named, project.relative(case_table))
        if slide_table:
            project.store.save_findings(f"table:{slide_table.name}", unmatched)
        _save_duplicates(project)
        said = guard.finish()
    slides = tuple(entry for entry in project.store.slides() if entry.slide in touched)
    subjects = {f"slide {entry.slide}" for entry in slides}
    subjects |= {f"file {project.relative(files.path)}" for files in found}
    subjects |= {finding.subject for finding in unmatched}
    return AddResult(
        added=len(touched - before),
        known=len(touched & before),
        slides=slides,
        findings=tuple(f for f in project.store.findings() if f.subject in subjects),
        left_out=said,
    )


def judge(entry: SlideEntry) -> tuple[SlideEntry, list[Finding]]:
    """A readable slide with its scale resolved, and what was found about the scale."""
    mpp, findings = resolve_mpp(
        entry.file_mpp,
        Mpp(*entry.table_mpp, "table") if entry.table_mpp else None,
        Mpp(*entry.user_mpp, "user") if entry.user_mpp else None,
        subject=f"slide {entry.slide}",
        name=entry.name,
        objective_power=entry.objective_power,
    )
    if mpp is None:
        return replace(entry, mpp=None, state="held", reason=findings[0].message), findings
    return replace(entry, mpp=mpp, state="ready", reason=""), findings


def _find(paths: Sequence[str | Path]) -> list[SlideFiles]:
    # DICOM series are grouped by what their headers say, so even this happens in a child.
    task = Task("find", "curatome.slides.files:find_slides", ([str(path) for path in paths],))
    for outcome in run_tasks([task], limits=Limits(silence_seconds=_SEARCH_SECONDS)):
        if outcome.failure is not None:
            raise ProjectError(str(outcome.failure))
        return [replace(files, path=_absolute(files.path)) for files in outcome.value]
    return []


def _absolute(path: Location) -> Location:
    """One name for each file, however it was written; links are not followed."""
    if isinstance(path, str):
        return path
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links


def _register(
    project: Project,
    found: Sequence[SlideFiles],
    declared: Mapping[str, SlideRow],
    means: tuple[int, Watcher, SlideGuard],
) -> set[str]:
    """Read what is new or changed; the ids of all slides found that are registered."""
    workers, watcher, guard = means
    files = project.store.files()
    touched: set[str] = set()
    tasks: dict[str, SlideFiles] = {}
    stamps: dict[str, str] = {}
    now = slide_stamps(slide.path for slide in found)
    for slide in found:
        path = project.relative(slide.path)
        stamps[path] = now.get(slide.path) or ""
        if files.get(path, ("", ""))[1] == stamps[path] and _still_known(project, path, files):
            touched.add(files[path][0])
        else:
            tasks[path] = slide
    if not tasks:
        return touched
    work = [Task(path, "curatome.workflows.add:look_at", (slide,)) for path, slide in tasks.items()]
    watcher.start("reading slides", len(work), "slides")
    replaced = set()
    for outcome in run_tasks(work, workers, Limits()):
        path = outcome.task.key
        seen = outcome.value or _after_failure(tasks[path], outcome)
        if seen is not None:
            entry, findings = _entry(project, path, seen, declared.get(path))
            if guard.leaves_out(entry):
                watcher.advance(1)
                continue
            project.store.save_slide(entry, findings, {path: stamps[path]})
            project.store.save_findings(f"file:{path}", ())
            touched.add(entry.slide)
            if path in files and files[path][0] != entry.slide:
                replaced.add(files[path][0])
        else:
            finding = _unhashed(path, tasks[path], outcome.failure)
            project.store.save_findings(f"file:{path}", [finding])
        watcher.advance(1)
    for slide_before in replaced:
        _after_replacement(project, slide_before)
    watcher.finish()
    return touched


def _still_known(project: Project, path: str, files: Mapping[str, tuple[str, str]]) -> bool:
    """Whether a file need not be read again; its slide is moved here if it is nowhere else.

    What could not be used is looked at again: the disk may have been at fault, not the file.
    """
    entry = project.store.slide(files[path][0])
    if entry is None or entry.state not in ("ready", "held"):
        return False
    if _stamp(project, entry.path) != files.get(entry.path, ("", ""))[1]:
        findings = project.store.findings(f"slide:{entry.slide}")
        project.store.save_slide(replace(entry, path=path), findings)
    return True


def _after_failure(files: SlideFiles, outcome: Outcome) -> Seen | None:
    """What is left to say when the child died or ran out of time or memory."""
    if outcome.failure is not None and outcome.failure.stage.startswith(FETCH):
        return None
    try:
        with local_slide(files) as here:
            return Seen(here.sha256(), problem=str(outcome.failure))
    except (OSError, StorageError):
        return None


def _unhashed(path: str, slide: SlideFiles, failure: Failure | None) -> Finding:
    if isinstance(slide.path, str):
        return unfetched(f"file {path}", path, failure.message if failure else "")
    return unreadable(f"file {path}", path.rpartition("/")[2], str(failure))


def _entry(
    project: Project, path: str, seen: Seen, row: SlideRow | None
) -> tuple[SlideEntry, list[Finding]]:
    slide = slide_id(seen.sha256)
    before = project.store.slide(slide)
    entry = before or SlideEntry(slide, seen.sha256, path, "unreadable")
    entry = _with_row(replace(entry, path=_place(project, before, path)), row)
    subject, name = f"slide {slide}", entry.name
    if seen.facts is None:
        entry = replace(entry, mpp=None, reason=seen.problem)
        if seen.unsupported:
            return replace(entry, state="refused"), [
                refused(subject, name, UnsupportedSlide(seen.problem))
            ]
        return replace(entry, state="unreadable"), [unreadable(subject, name, seen.problem)]
    facts = seen.facts
    return judge(
        replace(
            entry,
            format=facts.format,
            width=facts.width,
            height=facts.height,
            objective_power=facts.objective_power,
            file_scanner=facts.scanner,
            file_mpp=facts.mpp,
        )
    )


def _after_replacement(project: Project, slide: str) -> None:
    """Another slide lies where this one lay: it has moved, or there is no such slide any more."""
    entry = project.store.slide(slide)
    places = [path for path, (held, _) in project.store.files().items() if held == slide]
    elsewhere = [path for path in places if _stamp(project, path) is not None]
    if entry is not None and elsewhere:
        findings = project.store.findings(f"slide:{slide}")
        project.store.save_slide(replace(entry, path=elsewhere[0]), findings)
    else:
        project.store.forget_slide(slide)


def _place(project: Project, before: SlideEntry | None, path: str) -> str:
    """A copy under another name does not move a slide that is still where it was."""
    if before is None:
        return path
    _, stamp = project.store.files().get(before.path, ("", ""))
    return before.path if _stamp(project, before.path) == stamp else path


def _stamp(project: Project, path: str) -> str | None:
    """A file's stamp now; None if it is not there, or its store cannot be asked."""
    place = project.location(path)
    return slide_stamps([place]).get(place)


def _declare(project: Project, declared: Mapping[str, SlideRow]) -> set[str]:
    """Give registered slides what the table says; the ids of those that have a row."""
    files = project.store.files()
    touched = set()
    for path, row in declared.items():
        entry = project.store.slide(files[path][0]) if path in files else None
        if entry is None:
            continue
        touched.add(entry.slide)
        changed = _with_row(entry, row)
        if changed != entry:
            findings = project.store.findings(f"slide:{entry.slide}")
            if entry.state in ("ready", "held"):
                changed, findings = judge(changed)
            project.store.save_slide(changed, findings)
    return touched


def _with_row(entry: SlideEntry, row: SlideRow | None) -> SlideEntry:
    if row is None:
        return entry
    declared = {**entry.declared, **_plain(row.values)}
    known = {name: value for name, value in declared.items() if value is not None}
    table_mpp = entry.table_mpp
    if row.mpp is not None or row.has_mpp:
        table_mpp = (row.mpp.x, row.mpp.y) if row.mpp else None
    return replace(entry, declared=known, table_mpp=table_mpp)


def _plain(values: Mapping[str, FieldValue]) -> dict[str, Any]:
    """Values of JSON's types: dates as ISO 8601."""
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in values.items()
    }


def _save_duplicates(project: Project) -> None:
    hashes = {entry.slide: entry.sha256 for entry in project.store.slides()}
    files = project.store.files()
    copies = Counter(slide for slide, _ in files.values())
    several = [path for path, (slide, _) in files.items() if slide in hashes and copies[slide] > 1]
    now = slide_stamps(project.location(path) for path in several)
    there = [path for path in several if now.get(project.location(path)) is not None]
    found = same_content((hashes[files[path][0]], located(path)) for path in there)
    project.store.save_findings("duplicates", found)
