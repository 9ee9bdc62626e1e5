"""`curatome status`: where a project stands, and what to do next."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curatome.errors import BuildError
from curatome.findings import Finding
from curatome.project import Project, SlideEntry
from curatome.tiles.record import load_record, part_path, slide_key
from curatome.tiles.state import reading
from curatome.workflows.manifest import manifest_path
from curatome.workflows.prune import LeftOver, left_over
from curatome.workflows.withdrawn import load_withdrawn


@dataclass(frozen=True)
class Step:
    """A next step: a command, and why."""

    command: str
    why: str


@dataclass(frozen=True)
class Status:
    """Where a project stands.

    Attributes:
        title: the dataset's title.
        root: the project's folder.
        slides: number of slides by state.
        cases: number of cases that slides belong to.
        uncased: number of slides that belong to no case.
        findings: all that stand, worst first.
        built: slides whose tiles are all made.
        unbuilt: slides that are ready and have tiles to be made.
        tiles: rows of the manifest.
        tiles_left: tiles to be made of slides that have been surveyed.
        left_over: what no slide and no scale needs; None if its store cannot be listed.
        report: whether there is a report of the present manifest.
        next: what to do now.
        withdrawn: cases that were withdrawn: which, when and why.
    """

    title: str
    root: str
    slides: Mapping[str, int]
    cases: int
    uncased: int
    findings: tuple[Finding, ...]
    built: int
    unbuilt: int
    tiles: int
    tiles_left: int
    left_over: LeftOver | None
    report: bool
    next: tuple[Step, ...]
    withdrawn: tuple[str, ...] = ()


def project_status(project: Project) -> Status:
    """Look at a project without changing it.

    Raises:
        BuildError: a record of the build is damaged.
    """
    slides = project.store.slides()
    states: Counter[str] = Counter(entry.state for entry in slides)
    built = left = 0
    for entry in slides:
        done, missing = _progress(project, entry)
        built += done
        left += missing
    manifest = manifest_path(project.build)
    tiles = _rows(manifest) if manifest.exists() else 0
    report = project.report
    fresh = report.exists() and manifest.exists()
    fresh = fresh and report.stat().st_mtime >= manifest.stat().st_mtime
    status = Status(
        title=project.protocol.dataset.title,
        root=str(project.root),
        slides=dict(states),
        cases=len({entry.case for entry in slides if entry.case}),
        uncased=sum(1 for entry in slides if not entry.case),
        findings=tuple(project.store.findings()),
        built=built,
        unbuilt=states["ready"] - built,
        tiles=tiles,
        tiles_left=left,
        left_over=left_over(project),
        report=fresh,
        next=(),
        withdrawn=tuple(str(one) for one in load_withdrawn(project).cases),
    )
    return _with_next(status, slides)


def _rows(manifest: Path) -> int:
    import pyarrow.parquet as pq

    try:
        with reading(manifest):
            return int(pq.read_metadata(manifest).num_rows)
    except BuildError:
        return 0  # the next build writes it anew


def _progress(project: Project, entry: SlideEntry) -> tuple[bool, int]:
    """Whether a slide is built, and how many of its tiles are known to be missing."""
    if entry.state != "ready" or entry.mpp is None:
        return False, 0
    key = slide_key(entry.sha256, entry.mpp, project.protocol)
    record = load_record(project.build, key)
    if record is None:
        return False, 0
    units = range(record.units)
    missing = [unit for unit in units if not part_path(project.build, key, unit).exists()]
    return not missing, sum(record.unit_tiles[unit] for unit in missing)


def _with_next(status: Status, slides: list[SlideEntry]) -> Status:
    steps = []
    if not slides:
        steps.append(Step("curatome add PATH…", "register slides: files, folders or globs"))
    held = [entry for entry in slides if entry.state == "held"]
    if held:
        name = shlex.quote(held[0].name)
        some = "a slide is" if len(held) == 1 else f"{len(held)} slides are"
        why = f"{some} held back: the scale is missing or not to be believed"
        steps.append(Step(f"curatome slides set-mpp {name} MPP", why))
    if slides and status.uncased == len(slides):
        steps.append(
            Step("curatome add --slides slides.csv", "say which case, site and scanner they are of")
        )
    if status.unbuilt:
        some = "a slide has" if status.unbuilt == 1 else f"{status.unbuilt} slides have"
        steps.append(Step("curatome build", f"{some} tiles to be made"))
    elif status.tiles and not status.report:
        steps.append(Step("curatome report", "look at what was built"))
    elif status.tiles:
        path = shlex.quote(f"{status.root}/report/index.html")
        opener = "open" if sys.platform == "darwin" else "xdg-open"
        steps.append(Step(f"{opener} {path}", "the report is up to date"))
    return Status(**{**vars(status), "next": tuple(steps)})
