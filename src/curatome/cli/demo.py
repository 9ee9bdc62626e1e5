"""`curatome demo`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

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

_NEXT = (
    ("curatome check", "every finding, slide by slide"),
    ("curatome explain CLN001", "what one means, with pictures"),
    ("curatome agree", "how well the two readers agree, with intervals"),
    ("curatome consensus", "one answer of both"),
    ("curatome drift", "whether a reader changed over time"),
    ("curatome split", "training, validation and test, by case"),
    ('curatome version create -m "first"', "freeze it under a name"),
)


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
    """Build and check a dataset of a dozen synthetic slides that two readers annotated."""
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
    print_findings(result.checked.findings, shown=1)
    console.print(
        f"\nBuilt [bold]{count(sum(build.tiles.values()), 'tile')}[/] of "
        f"{count(build.slides, 'slide')} in {duration(build.seconds)}, and checked them and "
        f"[bold]{count(result.outlines, 'outline')}[/] of two readers in "
        f"{duration(result.checked.seconds)}. What was found is planted: a real cohort has it too.",
        soft_wrap=True,
    )
    console.print(f"[bold]Look at it:[/] {result.report.resolve().as_uri()}", soft_wrap=True)
    _commands(f"\nGo on in {escape(str(result.project))}:", _NEXT)
    _commands("\nOn your own slides:", OWN_SLIDES)


def _commands(title: str, commands: Sequence[tuple[str, str]]) -> None:
    console.print(title, soft_wrap=True)
    width = max(len(command) for command, _ in commands)
    for command, what in commands:
        console.print(f"  {command.ljust(width)}  [dim]{what}[/]", soft_wrap=True)
