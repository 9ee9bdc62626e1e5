"""`curatome demo`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curatome.cli.console import (
    JsonOption,
    WorkersOption,
    console,
    count,
    duration,
    print_findings,
    print_json,
)
from curatome.cli.progress import watching

if TYPE_CHECKING:
    from curatome.workflows.demo import DemoResult


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[Path, typer.Argument(help="Where to; made if missing.")] = Path(
        "curatome-demo"
    ),
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build a dataset from a dozen synthetic slides, and show it."""
    from curatome.workflows.demo import run_demo

    with watching(as_json) as watcher:
        result = run_demo(folder, workers or os.cpu_count() or 1, watcher)
    if as_json:
        print_json(result)
    else:
        _print(result)


def _print(result: DemoResult) -> None:
    from curatome.workflows.report import OWN_SLIDES

    build = result.build
    print_findings(result.findings)
    console.print(
        f"\nBuilt [bold]{count(sum(build.tiles.values()), 'tile')}[/] of "
        f"{count(build.slides, 'slide')} in {duration(build.seconds)}. "
        "The findings above are planted: a real cohort has them too.",
        soft_wrap=True,
    )
    console.print(f"[bold]Look at it:[/] {result.report.resolve().as_uri()}", soft_wrap=True)
    console.print("\nOn your own slides:")
    width = max(len(command) for command, _ in OWN_SLIDES)
    for command, what in OWN_SLIDES:
        console.print(f"  {command.ljust(width)}  [dim]{what}[/]", soft_wrap=True)
