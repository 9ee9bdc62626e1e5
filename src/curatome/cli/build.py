"""`curatome build`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from curatome.cli.console import (
    FINDINGS,
    JsonOption,
    ProjectOption,
    WorkersOption,
    console,
    count,
    duration,
    exit_code,
    megabytes,
    print_findings,
    print_json,
    project_at,
)
from curatome.cli.progress import watching

if TYPE_CHECKING:
    from curatome.jobs import Runner
    from curatome.project import Project
    from curatome.workflows.build import BuildResult


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("build")(build)


def build(  # noqa: PLR0917 - a command's options are not positional
    project: ProjectOption = Path(),
    workers: WorkersOption = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="WHERE",
            help="Work on a Dask cluster: tcp://HOST:PORT of its scheduler, or slurm or "
            "kubernetes, which start --workers there.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Find tissue and estimate; make no tiles.")
    ] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Delete what no slide and no scale of the present protocol needs."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the dataset: tiles of every declared scale, and their manifest.

    Can be stopped at any moment; the same command goes on where it was.
    """
    from curatome.workflows.build import build_project
    from curatome.workflows.manifest import manifest_path

    opened = project_at(project)
    with _workers(opened, cluster, workers) as (number, runner), watching(as_json) as watcher:
        result = build_project(opened, number, watcher, dry_run, runner, prune=prune)
    if as_json:
        print_json(result)
    else:
        print_findings(result.findings)
        _print_left_out(result)
        if not dry_run:
            _print(result, manifest_path(opened.build))
        _print_left_over(result, dry_run, prune)
        if not dry_run:
            console.print("Next: [bold]curatome report[/]")
    raise typer.Exit(FINDINGS if result.left_out else exit_code(result.findings))


@contextmanager
def _workers(
    project: Project, cluster: str | None, workers: int | None
) -> Iterator[tuple[int, Runner | None]]:
    """How many work, and how they are given their tasks if not here."""
    if cluster is None:
        yield workers or os.cpu_count() or 1, None
    else:
        from curatome.workflows.cluster import cluster_for

        with cluster_for(project, cluster, workers) as found:
            yield found.workers, found.run


def _print_left_out(result: BuildResult) -> None:
    if result.left_out:
        states = ", ".join(f"{n} {state}" for state, n in sorted(result.left_out.items()))
        console.print(f"Left out: {states}. `curatome status` says why.")


def _print_left_over(result: BuildResult, dry_run: bool, prune: bool) -> None:
    removed, left = result.removed, result.left_over
    if removed.files:
        files = count(removed.files, "file")
        console.print(f"Removed {files} ({megabytes(removed.bytes)}) that no slide needs.")
    if left is not None and left.files:
        files = f"{count(left.files, 'file')} ({megabytes(left.bytes)})"
        if dry_run and prune:
            console.print(f"--prune would delete {files} that no slide needs.")
        else:
            console.print(
                f"Left over: {files} that no slide and no scale needs. "
                "[bold]curatome build --prune[/] deletes them.",
                soft_wrap=True,
            )


def _print(result: BuildResult, manifest: Path) -> None:
    if result.made:
        console.print(
            f"Made {count(result.made, 'tile')} ({megabytes(result.bytes)}) in "
            f"{duration(result.seconds)}."
        )
    scales = ", ".join(f"{name} {tiles:,}" for name, tiles in result.tiles.items())
    total = sum(result.tiles.values())
    console.print(
        f"The dataset has {count(total, 'tile')} of {count(result.slides, 'slide')}"
        f" ({scales}): {escape(str(manifest))}",
        soft_wrap=True,
    )
