"""`curatome demo`: a small synthetic cohort, from slides and annotations to the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from curatome.errors import ProjectError
from curatome.findings import Finding
from curatome.jobs import Task, run_tasks
from curatome.phantom.plan import SlidePlan
from curatome.project import Project, create_project, open_project
from curatome.protocol import template
from curatome.workflows.add import add_slides
from curatome.workflows.annotation_options import Wishes
from curatome.workflows.annotations import import_files
from curatome.workflows.build import BuildResult, build_project
from curatome.workflows.check import Checked, check_project
from curatome.workflows.demo_reads import CLASSES, READERS, read_slide
from curatome.workflows.report import make_report
from curatome.workflows.watch import Silent, Watcher

SLIDES = 12
_SEED = 1
_SIDE_UM = 2500.0
_CLASSES = "".join(f'\n[[classes]]\nname = "{name}"\n' for name in CLASSES)
_MARK = "This folder was made by `curatome demo`."


@dataclass(frozen=True)
class DemoResult:
    """What the demo made.

    Attributes:
        project: its folder.
        report: the HTML report.
        build: what the build did.
        outlines: how many nuclei two readers outlined.
        checked: what `curatome check` found.
        findings: all that stand, worst first.
    """

    project: Path
    report: Path
    build: BuildResult
    outlines: int
    checked: Checked
    findings: tuple[Finding, ...]


def run_demo(
    folder: Path, workers: int = 1, watcher: Watcher | None = None, slides: int = SLIDES
) -> DemoResult:
    """Make a cohort of two sites and three scanners, then init, add, import, build, check, report.

    A demo that was interrupted goes on where it was.

    Args:
        folder: where to; made if missing.
        workers: how many children work at the same time.
        watcher: is told the course.
        slides: how many are drawn, where none are yet.

    Raises:
        ProjectError: the folder holds something else.
    """
    watcher = watcher or Silent()
    mark = folder / "README.txt"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise ProjectError(f"{folder} holds something else. Choose another folder for the demo.")
    cohort = folder / "cohort"
    if not (cohort / "truth" / "slides.parquet").exists():
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(f"{_MARK}\nEverything in it is synthetic; remove it as you like.\n")
        _draw(cohort, slides, workers, watcher)
    root = folder / "dataset"
    if (root / "curatome.toml").exists():
        project = open_project(root)
    else:
        project = create_project(root, template("pretraining", "Curatome demo") + _CLASSES)
    tables = (cohort / "slides.csv", cohort / "cases.csv")
    add_slides(project, [cohort / "slides"], *tables, workers=workers, watcher=watcher)
    outlines = sum(_import(project, cohort, reader.name, watcher) for reader in READERS)
    result = build_project(project, workers, watcher)
    checked = check_project(project, watcher=watcher)
    report = make_report(project)
    return DemoResult(root, report, result, outlines, checked, tuple(project.store.findings()))


def _import(project: Project, cohort: Path, reader: str, watcher: Watcher) -> int:
    """Bring in a reader's files, or what is new in them; how many outlines they hold."""
    files = [cohort / "annotations" / reader]
    found = import_files(project, files, Wishes(reader=reader), merge=True, watcher=watcher)
    failed = [f"{one.path.name}: {one.error}" for one in found if one.error]
    if failed:
        raise ProjectError(f"annotations of the demo cannot be read: {'; '.join(failed)}")
    return sum(sum(one.labels.values()) for one in found)


def draw_and_read(cohort: Path, plan: SlidePlan, number: int) -> dict[str, pa.Table]:
    """Write one slide and what two readers outlined on it; the truth, by name of the table."""
    from curatome.phantom.cohort import draw_slide

    read_slide(cohort / "annotations", plan, number)
    return draw_slide(cohort, plan)


def _draw(cohort: Path, slides: int, workers: int, watcher: Watcher) -> None:
    from curatome.phantom.cohort import finish_cohort, plan_cohort

    plans = plan_cohort(_SEED, slides, _SIDE_UM)
    tasks = [
        Task(plan.name, f"{__name__}:draw_and_read", (cohort, plan, number))
        for number, plan in enumerate(plans)
    ]
    watcher.start("drawing synthetic slides", len(tasks), "slides")
    truths = {}
    for outcome in run_tasks(tasks, workers):
        if outcome.failure is not None:
            raise ProjectError(f"slide {outcome.task.key} cannot be drawn: {outcome.failure}.")
        truths[outcome.task.key] = outcome.value
        watcher.advance(1)
    finish_cohort(cohort, plans, [truths[plan.name] for plan in plans])
    watcher.finish()
