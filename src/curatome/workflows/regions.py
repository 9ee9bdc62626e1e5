"""`curatome sources build`: region images of all sources, standardized, with their manifest.

It is a command of its own, beside `curatome build`: slides and sources are added, finished and
redone apart from each other, a project may have only one of them, and either build can take days.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curatome.durable import remove_unfinished
from curatome.errors import BuildError
from curatome.findings import Finding, Severity
from curatome.jobs import Failure, Limits, Task, run_tasks
from curatome.project import Project
from curatome.tiles.regions import (
    Problem,
    RegionUnit,
    build_regions,
    part_path,
    probe_region,
    read_problems,
)
from curatome.tiles.shards import STORE
from curatome.workflows.added import AddedSource, added_names, load_added
from curatome.workflows.region_manifest import RegionCounts, done_source, write_region_manifest
from curatome.workflows.region_units import units_of
from curatome.workflows.sources import unreadable_image
from curatome.workflows.storage import settle_shards
from curatome.workflows.versions import finish_withdrawal
from curatome.workflows.watch import Silent, Watcher

_LIMITS = Limits()
_BUILD = f"{build_regions.__module__}:{build_regions.__name__}"
_PROBE = f"{probe_region.__module__}:{probe_region.__name__}"


@dataclass(frozen=True)
class RegionsResult:
    """What a build of sources did.

    Attributes:
        made: regions made by this run.
        bytes: bytes of regions written by this run.
        seconds: time it took.
        regions: regions of the whole dataset, by source and scale.
        findings: what the build found.
    """

    made: int
    bytes: int
    seconds: float
    regions: Mapping[str, Mapping[str, int]]
    findings: tuple[Finding, ...]


@dataclass
class _Course:
    """How a run goes: its means, and what has come of it so far."""

    project: Project
    workers: int
    watcher: Watcher
    limits: Limits
    made: int = 0
    bytes: int = 0


def build_sources(
    project: Project, workers: int = 1, watcher: Watcher | None = None
) -> RegionsResult:
    """Bring the regions up to date: make what is missing, then write the manifests.

    Can be interrupted at any moment and called again; what is done is not done twice, and the
    result has the same bytes.

    Args:
        project: the project.
        workers: how many children read images at the same time.
        watcher: is told the course.

    Raises:
        ProjectError: another process is changing the project.
        BuildError: the project has no source, the disk is full, a shard could not be stored, or
            what is built lies elsewhere than the protocol says.
        StorageError: the store that shards are to lie in does not take them.
    """
    started = time.monotonic()
    course = _Course(project, workers, watcher or Silent(), _LIMITS)
    with project.locked():
        project.build.mkdir(exist_ok=True)
        remove_unfinished(project.build)
        settle_shards(project)
        finish_withdrawal(project)
        added = [load_added(project, name) for name in added_names(project)]
        if not added:
            raise BuildError(
                "the project has no source. Add one with `curatome sources add PATH --source NAME`."
            )
        units = {one.source.name: units_of(project, one) for one in added}
        _make(course, added, units)
        done = [done_source(one, units[one.source.name]) for one in added]
        counts = write_region_manifest(project, done)
        for one in added:
            found = _findings(project, one, units[one.source.name], counts[one.source.name])
            project.store.save_findings(f"sources:{one.source.name}:build", found)
    return RegionsResult(
        course.made,
        course.bytes,
        time.monotonic() - started,
        {name: count.scales for name, count in counts.items()},
        tuple(project.store.findings("sources:")),
    )


def _make(
    course: _Course, added: Sequence[AddedSource], units: Mapping[str, Sequence[RegionUnit]]
) -> None:
    build = course.project.build
    roots = {one.source.name: one.root for one in added}
    left = [u for group in units.values() for u in group if not part_path(build, u.key).exists()]
    if not left:
        return
    course.watcher.start("standardizing images", sum(len(u.items) for u in left), "images")
    by_key = {unit.key: unit for unit in left}

    def count(_task: Task, counts: Mapping[str, int]) -> None:
        course.watcher.advance(counts.get("images", 0), counts.get("bytes", 0))

    shards = course.project.shards
    tasks = (Task(u.key, _BUILD, (build, roots[u.source], u, None, shards)) for u in left)
    ended: list[RegionUnit] = []
    unstored: list[Failure] = []
    for outcome in run_tasks(tasks, course.workers, course.limits, count):
        if outcome.failure is not None:
            _refuse_full_disk(course, outcome.failure)
            if outcome.failure.stage.startswith(STORE):
                unstored.append(outcome.failure)
            else:
                ended.append(by_key[outcome.task.key])
        else:
            _count(course, outcome.value)
    for unit in sorted(ended, key=lambda unit: unit.key):
        _without_broken(course, unit, roots)
    course.watcher.finish()
    if unstored:
        raise BuildError(
            f"{len(unstored):,} shards could not be stored, such as this one: {unstored[0]}. What "
            "is done is kept; run `curatome sources build` again, and it makes the others."
        )


def _count(course: _Course, value: Mapping[str, int]) -> None:
    course.made += value["regions"]
    course.bytes += value["bytes"]


def _without_broken(course: _Course, unit: RegionUnit, roots: Mapping[str, Path]) -> None:
    """A unit whose child has died: find the images that end a child, and make the others."""
    root = roots[unit.source]
    tasks = (Task(item.entry.place, _PROBE, (root, item, unit.column)) for item in unit.items)
    broken = {
        outcome.task.key: str(outcome.failure)
        for outcome in run_tasks(tasks, course.workers, course.limits)
        if outcome.failure is not None
    }
    project = course.project
    again = Task(unit.key, _BUILD, (project.build, root, unit, broken, project.shards))
    for outcome in run_tasks([again], 1, course.limits):
        if outcome.failure is not None:
            _refuse_full_disk(course, outcome.failure)
            raise BuildError(f"{unit.source} cannot be standardized: {outcome.failure}.")
        _count(course, outcome.value)


def _refuse_full_disk(course: _Course, failure: Failure) -> None:
    if failure.kind == "disk":
        raise BuildError(
            f"{course.project.build} has no room left: {failure}. Free some and run `curatome "
            "sources build` again; it goes on from here."
        )


def _findings(
    project: Project, added: AddedSource, units: Sequence[RegionUnit], counts: RegionCounts
) -> Iterator[Finding]:
    name = added.source.name
    problems: list[Problem] = [p for u in units for p in read_problems(project.build, u.key)]
    for problem in problems:
        yield unreadable_image(name, problem.place, problem.message, problem.code)
    enlarged = counts.enlarged
    if enlarged:
        yield Finding(
            code="SRC009",
            severity=Severity.NOTE,
            subject=f"source {name}",
            message=f"{name}: {sum(enlarged.values()):,} regions are enlarged, up to "
            f"{max(enlarged):.3g}-fold.",
            remedy="The column enlargement of regions.parquet tells which; leave them out of "
            "training if blur matters.",
            evidence={"count": sum(enlarged.values()), "largest": max(enlarged)},
        )
