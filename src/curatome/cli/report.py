"""`curatome report`."""

from __future__ import annotations

from pathlib import Path

import typer

from curatome.cli.console import JsonOption, ProjectOption, console, print_json, project_at


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(project: ProjectOption = Path(), as_json: JsonOption = False) -> None:
    """Write one offline HTML file that shows slides, tissue, tiles and findings."""
    from curatome.workflows.report import make_report

    path = make_report(project_at(project))
    if as_json:
        print_json({"report": path})
    else:
        console.print(f"Report: {path.as_uri()}", soft_wrap=True)
