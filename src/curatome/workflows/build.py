"""`curatome build`: slides in, standardized tiles and their manifest out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from curatome.durable import remove_unfinished
from curatome.errors import BuildError
from curatome.findings import Finding
from curatome.jobs import Children, Failure, Limits, Runner, Task
from curatome.project import Project, SlideEntry
from curatome.slides.stamp import slide_stamps
from curatome.tiles.record import SlideRecord, load_record, part_name, slide_key
from curatome.tiles.survey import SlideSource
from curatome.workflows.estimate import Estimate, check_room, estimate_build
from curatome.workflows.manifest import write_manifest
from curatome.workflows.obstacles import changed_on_disk, failed_slide, plan_findings
from curatome.workflows.parts import broken_parts, listed_parts
from curatome.workflows.prune import LeftOver, left_over, remove_left_over
from curatome.workflows.runs import save_run
from curatome.workflows.storage import settle_shards
from curatome.workflows.versions import finish_withdrawal
from curatome.workflows.watch import Silent, Watcher

_BASE_MEMORY = 4 << 30  # address space of a child: libraries, caches and a strip of the slide
_LAST_UNITS = 4  # for each worker, which are handed out longest first
_COPIES = 6  # of the largest block of canvas that may be alive at once


@dataclass(frozen=True)
class Job:
    """A slide of the build.

    Attributes:
        entry: the registered slide.
        source: where it is and what its build is known by.
        record: its plan, once it has been surveyed.
    """

    entry: SlideEntry
    source: SlideSource
    record: SlideRecord | None = None

    @property
    def parts(self) -> list[str]:
        """Names of the parts of its units; none before it was surveyed."""
        units = self.record.units if self.record else 0
        return [part_name(self.source.key, unit) for unit in range(units)]

    def missing(self, parts: Set[str]) -> list[int]:
        """Units that are not done.

        Args:
            parts: names of the parts that are.
        """
        return [unit for unit, name in enumerate(self.parts) if name not in parts]


Work = Sequence[tuple[Job, Sequence[int]]]
"""Slides, each with the units that are not done."""


@dataclass(frozen=True)
class BuildResult:
    """What a build did.

    Attributes:
        estimate: what it was about to do.
        made: tiles made by this run.
        bytes: bytes of images written by this run.
        seconds: time it took.
        tiles: tiles of the whole dataset, by scale.
        slides: slides of the whole dataset.
        left_out: slides that are not ready, by state.
        findings: what the build itself found.
        removed: what was removed because no slide needs it.
        left_over: what no slide needs and is there still; of a dry run, what there would be. None
            if the store of shards cannot be listed.
    """

    estimate: Estimate
    made: int
    bytes: int
    seconds: float
    tiles: Mapping[str, int]
    slides: int
    left_out: Mapping[str, int]
    findings: tuple[Finding, ...]
    removed: LeftOver
    left_over: LeftOver | None


@dataclass
class _Course:
    """How a run goes: its means, and what has come of it so far."""

    project: Project
    workers: int
    watcher: Watcher
    run: Runner
    made: int = 0
    pixels: int = 0
    bytes: int = 0
    failed: dict[str, Finding] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)  # parts that do not count until made again

    @property
    def limits(self) -> Limits:
        """Of all children, so that those who looked for tissue go on to make tiles."""
        largest = max(scale.side_px for scale in self.project.protocol.scales)
        return Limits(memory_bytes=_BASE_MEMORY + _COPIES * 3 * largest**2)


def build_project(
    project: Project,
    workers: int = 1,
    watcher: Watcher | None = None,
    dry_run: bool = False,
    run: Runner | None = None,
    *,
    prune: bool = False,
) -> BuildResult:
    """Bring the build up to date: survey new slides, make missing tiles, write the manifest.

    Can be interrupted at any moment and called again; what is done is not done twice, and the
    result has the same bytes.

    Args:
        project: the project.
        workers: how many children read slides at the same time.
        watcher: is told the course, the estimate first.
        dry_run: stop after the estimate.
        run: runs the tasks elsewhere than in children of this process.
        prune: remove what no slide and no scale of the protocol needs, before to make room, and
            afterwards what the former manifest needed.

    Raises:
        ProjectError: another process is changing the project.
        BuildError: there is no slide to build, not enough room on the disk, or what is built lies
            elsewhere than the protocol says.
        StorageError: the store that shards are to lie in does not take them.
    """
    started = time.monotonic()
    with project.locked(), _tidied(project.build), Children() as children:
        course = _Course(project, workers, watcher or Silent(), run or children.run)
        settle_shards(project)
        finish_withdrawal(project)
        removed = LeftOver()
        if prune and not dry_run:
            removed += remove_left_over(project, course.watcher)
        jobs = _survey(_jobs(course), course)
        parts = listed_parts(project.build)
        course.broken = broken_parts(project, parts & {name for job in jobs for name in job.parts})
        parts -= course.broken
        work = [(job, job.missing(parts)) for job in jobs]
        estimate = estimate_build(project, [(job.record, units) for job, units in work], workers)
        course.watcher.estimated(estimate)
        _save_findings(jobs, course)
        if not dry_run:
            if project.shards == project.build:
                check_room(estimate, project.build)
            _make_units(work, course)
            children.close()  # their memory is free while the manifest is written
            _save_findings(jobs, course)
            parts = listed_parts(project.build) - course.broken
        done = [job for job in jobs if job.record and not job.missing(parts)]
        if not dry_run:
            write_manifest(project, {j.source.key: j.record for j in done if j.record})
            if prune:
                removed += remove_left_over(project, course.watcher)
        seconds = time.monotonic() - started
        if course.made:
            counts = {"tiles": course.made, "pixels": course.pixels, "bytes": course.bytes}
            save_run(project, counts, seconds, workers)
        left = left_over(project, planned=dry_run)
    tiles: Counter[str] = Counter()
    for job in done:
        tiles.update(job.record.tiles if job.record else {})
    return BuildResult(
        estimate=estimate,
        made=course.made,
        bytes=course.bytes,
        seconds=seconds,
        tiles=dict(tiles),
        slides=len(done),
        left_out=Counter(e.state for e in project.store.slides() if e.state != "ready"),
        findings=tuple(project.store.findings("build:")),
        removed=removed,
        left_over=left,
    )


@contextmanager
def _tidied(build: Path) -> Iterator[None]:
    """A build folder without what interrupted writers have left, before, during or afterwards."""
    build.mkdir(exist_ok=True)
    remove_unfinished(build)
    try:
        yield
    finally:
        remove_unfinished(build)


def _jobs(course: _Course) -> list[Job]:
    project = course.project
    ready = [entry for entry in project.store.slides() if entry.state == "ready" and entry.mpp]
    if not ready:
        raise BuildError(
            "no slide is ready to be built. Add slides with `curatome add PATH`; "
            "`curatome status` says what holds others back."
        )
    stamps = {path: stamp for path, (_, stamp) in project.store.files().items()}
    now = slide_stamps(project.location(entry.path) for entry in ready)
    jobs = []
    for entry in ready:
        assert entry.mpp is not None
        path = project.location(entry.path)
        key = slide_key(entry.sha256, entry.mpp, project.protocol)
        # A slide whose store cannot be asked is no obstacle if all of it is done.
        if path in now:
            finding = changed_on_disk(entry, path, stamps.get(entry.path), now[path])
            if finding is not None:
                course.failed[key] = finding
        jobs.append(Job(entry, SlideSource(path, entry.sha256, key, entry.mpp)))
    return jobs


def _survey(jobs: Sequence[Job], course: _Course) -> list[Job]:
    """The jobs with their records; slides that were not surveyed before are surveyed now."""
    build = course.project.build
    known = {job.source.key: load_record(build, job.source.key) for job in jobs}
    tasks = [
        Task(
            job.source.key,
            "curatome.tiles.survey:survey_slide",
            (build, job.source, course.project.protocol),
        )
        for job in jobs
        if known[job.source.key] is None and job.source.key not in course.failed
    ]
    by_key = {job.source.key: job for job in jobs}
    if tasks:
        course.watcher.start("looking for tissue", len(tasks), "slides")
        for outcome in course.run(tasks, course.workers, course.limits, None):
            key = outcome.task.key
            known[key] = outcome.value
            if outcome.failure is not None:
                _refuse_full_disk(build, outcome.failure)
                course.failed[key] = failed_slide(by_key[key].entry, outcome.failure)
            course.watcher.advance(1)
        course.watcher.finish()
    return [replace(job, record=known[job.source.key]) for job in jobs]


def _make_units(work: Work, course: _Course) -> None:
    tiles = sum(j.record.unit_tiles[n] for j, units in work if j.record for n in units)
    if not tiles:
        return
    by_key = {job.source.key: job for job, _ in work}
    course.watcher.start("making tiles", tiles, "tiles")

    def count(_task: Task, counts: Mapping[str, int]) -> None:
        course.watcher.advance(counts.get("tiles", 0), counts.get("bytes", 0))

    tasks = _unit_tasks(_in_order(work, course.workers), course)
    for outcome in course.run(tasks, course.workers, course.limits, count):
        key, _, unit = outcome.task.key.partition("#")
        if outcome.failure is not None:
            _refuse_full_disk(course.project.build, outcome.failure)
            course.failed.setdefault(key, failed_slide(by_key[key].entry, outcome.failure))
        else:
            course.made += outcome.value["tiles"]
            course.pixels += outcome.value["pixels"]
            course.bytes += outcome.value["bytes"]
            course.broken.discard(by_key[key].parts[int(unit)])
    course.watcher.finish()


def _in_order(work: Work, workers: int) -> list[tuple[Job, int]]:
    """Units slide by slide, but the last ones longest first: no worker is to wait for another."""
    units = [(job, unit) for job, units in work if job.record for unit in units]
    last = max(0, len(units) - _LAST_UNITS * workers)

    def pixels(one: tuple[Job, int]) -> int:
        job, unit = one
        return job.record.unit_pixels[unit] if job.record else 0

    return units[:last] + sorted(units[last:], key=pixels, reverse=True)


def _unit_tasks(units: Iterable[tuple[Job, int]], course: _Course) -> Iterator[Task]:
    for job, unit in units:
        key = job.source.key
        if not _is_hopeless(course.failed.get(key)):
            project = course.project
            arguments = (project.build, job.source.path, key, unit, project.shards)
            yield Task(f"{key}#{unit}", "curatome.tiles.engine:build_unit", arguments)


def _is_hopeless(finding: Finding | None) -> bool:
    # One bad place is enough: the slide is left out as a whole. But what was stored stays.
    return finding is not None and finding.code != "STO002"


def _refuse_full_disk(build: Path, failure: Failure) -> None:
    # No slide's fault: it ends the build, and what is done stays.
    if failure.kind == "disk":
        raise BuildError(
            f"{build} has no room left, or the folder of copies: {failure}. Free some and run "
            "`curatome build` again; it goes on from here."
        )


def _save_findings(jobs: Sequence[Job], course: _Course) -> None:
    # A slide that is not ready any more has findings of its own; those of its build are past.
    built = {job.entry.slide for job in jobs}
    for entry in course.project.store.slides():
        if entry.slide not in built and entry.state != "ready":
            course.project.store.save_findings(f"build:{entry.slide}", ())
    for job in jobs:
        found = [course.failed[job.source.key]] if job.source.key in course.failed else []
        if job.record is not None:
            found += plan_findings(job.entry, job.record)
        course.project.store.save_findings(f"build:{job.entry.slide}", found)
