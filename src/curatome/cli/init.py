"""`curatome init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curatome.cli.console import JsonOption, console, print_json
from curatome.errors import ProtocolError
from curatome.project import create_project
from curatome.protocol import TASKS, template


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(help="The project's folder; made if missing.")] = Path(),
    task: Annotated[
        str, typer.Option("--template", "-t", help=f"What it is for: {', '.join(TASKS)}.")
    ] = "segmentation",
    title: Annotated[
        str, typer.Option(help="The dataset's title; the folder's name if none.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Start a project: write a commented [bold]curatome.toml[/] to edit."""
    if task not in TASKS:
        raise ProtocolError(f'there is no template "{task}". Choose one of {", ".join(TASKS)}.')
    project = create_project(folder, template(task, title or folder.resolve().name))
    path = project.root / "curatome.toml"
    if as_json:
        print_json({"project": project.root, "protocol": path, "template": task})
        return
    console.print(f"Wrote {path}")
    console.print("Edit it, it explains itself; then: [bold]curatome add PATH…[/]")
