"""`curatome add`."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from curatome.cli.console import (
    JsonOption,
    ProjectOption,
    WorkersOption,
    console,
    count,
    exit_code,
    print_findings,
    print_json,
    project_at,
)
from curatome.cli.progress import watching
from curatome.errors import ProjectError

if TYPE_CHECKING:
    from curatome.workflows.add import AddResult


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("add")(add)


def add(  # noqa: PLR0917 - a command's options are not positional
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Slides: files, folders, globs, or URLs of these.", metavar="PATH…"),
    ] = None,
    slides: Annotated[
        Path | None,
        typer.Option(help="CSV of slides: path, case, site, scanner, stain, block, mpp."),
    ] = None,
    cases: Annotated[
        Path | None, typer.Option(help="CSV of cases: case, diagnosis, age, sex, body_site, …")
    ] = None,
    project: ProjectOption = Path(),
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register slides, and what tables declare about them and their cases."""
    if not paths and slides is None and cases is None:
        raise ProjectError("nothing to add. Name slides (files, folders, globs) or a table.")
    from curatome.workflows.add import add_slides

    opened = project_at(project)
    with watching(as_json) as watcher:
        result = add_slides(
            opened,
            paths or [],
            slides,
            cases,
            workers=workers or os.cpu_count() or 1,
            watcher=watcher,
        )
    if as_json:
        print_json(result)
    else:
        _print(result)
    raise typer.Exit(exit_code(result.findings))


def _print(result: AddResult) -> None:
    print_findings(result.findings)
    for line in result.left_out:
        console.print(escape(line), soft_wrap=True)
    states = Counter(entry.state for entry in result.slides)
    listed = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    added = f"{count(result.added, 'slide')} added" if result.added else "No new slide"
    known = f", {result.known:,} known before" if result.known else ""
    console.print(f"{added}{known}" + (f": {listed}." if listed else "."))
    if states["held"]:
        some = "the slide that is" if states["held"] == 1 else "the slides that are"
        console.print(f"Next: [bold]curatome status[/] says what to do about {some} held back")
    elif states["ready"]:
        console.print("Next: [bold]curatome build[/]")
