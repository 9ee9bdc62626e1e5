"""`curatome export`: annotations in another tool's format."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from curatome.cli.console import (
    CLEAN,
    FINDINGS,
    JsonOption,
    ProjectOption,
    console,
    count,
    print_json,
    project_at,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    out: Annotated[Path, typer.Argument(help="A file, or a folder for one file per image.")],
    *,
    format_: Annotated[str, typer.Option("--format", "-f", help="A format's name.")],
    image: Annotated[list[str] | None, typer.Option(help="Only of these slides.")] = None,
    reader: Annotated[list[str] | None, typer.Option(help="Only by these readers.")] = None,
    label: Annotated[list[str] | None, typer.Option("--class", help="Only these classes.")] = None,
    at: Annotated[int | None, typer.Option(help="As it was after this event.")] = None,
    losses: Annotated[Path | None, typer.Option(help="Write the loss report as CSV.")] = None,
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write annotations in another tool's format, and say what it could not carry."""
    from curatome.workflows.annotation_export import Selection, export_annotations, write_losses

    selection = Selection(tuple(image or ()), tuple(reader or ()), tuple(label or ()), at)
    result = export_annotations(project_at(project), out, format_, selection)
    if losses is not None:
        write_losses(losses, result.losses)
    if as_json:
        files = {str(path): number for path, number in result.files.items()}
        told = {"losses": result.losses, "seen": result.seen, "regions": result.regions}
        print_json({"files": files, **told})
    else:
        for path, number in result.files.items():
            console.print(f"{escape(str(path))}: {count(number, 'annotation')}", soft_wrap=True)
        if result.regions:
            console.print(f"With {count(result.regions, 'exhaustively annotated region')}.")
        _print_losses(result.format, result.losses, losses)
    raise typer.Exit(FINDINGS if result.losses else CLEAN)


def _print_losses(title: str, losses: Any, written: Path | None) -> None:
    if not losses:
        console.print(f"Nothing was lost: {escape(title)} holds all of it.")
        return
    # One reason for thousands of annotations is one line.
    reasons: dict[tuple[str, str], int] = {}
    for loss in losses:
        key = (loss.field, re.sub(r"\d+(\.\d+)?", "…", loss.reason))
        reasons[key] = reasons.get(key, 0) + 1
    console.print(f"What {escape(title)} could not carry:")
    for (field, reason), number in sorted(reasons.items(), key=lambda item: -item[1]):
        what = "region" if field == "exhaustive" else "annotation"
        line = f"  {field}, {count(number, what)}: {reason}"
        console.print(escape(line), soft_wrap=True)
    if written is None:
        console.print("[dim]→ --losses FILE.csv writes them one by one[/]")
