"""`curatome init`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from curatome.cli.console import JsonOption, console, print_json

_TASKS = "detection, segmentation, cells, classification, pretraining"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(help="The project's folder; made if missing.")] = Path(),
    task: Annotated[
        str, typer.Option("--template", "-t", help=f"What it is for: {_TASKS}.")
    ] = "segmentation",
    title: Annotated[
        str, typer.Option(help="The dataset's title; the folder's name if none.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Start a project: write a commented [bold]curatome.toml[/] to edit."""
    from curatome.project import create_project
    from curatome.protocol import template

    project = create_project(folder, template(task, title or folder.resolve().name))
    path = project.root / "curatome.toml"
    if as_json:
        print_json({"project": project.root, "protocol": path, "template": task})
        return
    console.print(f"Wrote {escape(str(path))}", soft_wrap=True)
    console.print(f"Edit it, it explains itself; then: [bold]curatome add{_at(folder)} PATH…[/]")


def _at(folder: Path) -> str:
    """The option that names the project, where one is not in it."""
    inside = folder.resolve() == Path.cwd()
    return "" if inside else f" --project {escape(shlex.quote(str(folder)))}"
