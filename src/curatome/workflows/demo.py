"""`curatome demo`: a small synthetic cohort, from slides to the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from curatome.errors import ProjectError
from curatome.findings import Finding
from curatome.jobs import Task, run_tasks
from curatome.project import create_project, open_project
from curatome.protocol import template
from curatome.workflows.add import add_slides
from curatome.workflows.build import BuildResult, build_project
from curatome.workflows.report import make_report
from curatome.workflows.watch import Silent, Watcher

SLIDES = 12
_SEED = 1
_SIDE_UM = 2500.0
_MARK = "This folder was made by `curatome demo`."


@dataclass(frozen=True)
class DemoResult:
    """What the demo made.

    Attributes:
        project: its folder.
        report: the HTML report.
        build: what the build did.
        findings: all that stand, worst first.
    """

    project: Path
    report: Path
    build: BuildResult
    findings: tuple[Finding, ...]


def run_demo(folder: Path, workers: int = 1, watcher: Watcher | None = None) -> DemoResult:
    """Make a cohort of two sites and three scanners, then init, add, build and report.

    A demo that was interrupted goes on where it was.

    Args:
        folder: where to; made if missing.
        workers: how many children work at the same time.
        watcher: is told the course.

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
        _draw(cohort, workers, watcher)
    root = folder / "dataset"
    if (root / "curatome.toml").exists():
        project = open_project(root)
    else:
        project = create_project(root, template("pretraining", "Curatome demo"))
    tables = (cohort / "slides.csv", cohort / "cases.csv")
    add_slides(project, [cohort / "slides"], *tables, workers=workers, watcher=watcher)
    result = build_project(project, workers, watcher)
    return DemoResult(root, make_report(project), result, tuple(project.store.findings()))


def _draw(cohort: Path, workers: int, watcher: Watcher) -> None:
    from curatome.phantom.cohort import finish_cohort, plan_cohort

    plans = plan_cohort(_SEED, SLIDES, _SIDE_UM)
    tasks = [Task(p.name, "curatome.phantom.cohort:draw_slide", (cohort, p)) for p in plans]
    watcher.start("drawing synthetic slides", len(tasks), "slides")
    truths = {}
    for outcome in run_tasks(tasks, workers):
        if outcome.failure is not None:
            raise ProjectError(f"slide {outcome.task.key} cannot be drawn: {outcome.failure}.")
        truths[outcome.task.key] = outcome.value
        watcher.advance(1)
    finish_cohort(cohort, plans, [truths[plan.name] for plan in plans])
    watcher.finish()
