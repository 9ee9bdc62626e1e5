"""`curatome slides`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from curatome.cli.console import (
    JsonOption,
    ProjectOption,
    console,
    exit_code,
    print_findings,
    print_json,
    print_table,
    project_at,
)
from curatome.errors import ProjectError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="List slides, set the scale of those without one, remove some.")
    group.callback(invoke_without_command=True)(list_slides)
    group.command("set-mpp")(set_scale)
    group.command("remove")(remove)
    app.add_typer(group, name="slides")


def list_slides(
    context: typer.Context, project: ProjectOption = Path(), as_json: JsonOption = False
) -> None:
    """List all registered slides."""
    if context.invoked_subcommand is not None:
        return
    entries = project_at(project).store.slides()
    if as_json:
        print_json({"slides": entries})
        return
    if not entries:
        console.print("No slides yet. Next: [bold]curatome add PATH…[/]")
        return
    rows = [
        (
            entry.slide[:8],
            entry.name,
            entry.state,
            entry.case or "–",
            entry.declared.get("site") or "–",
            f"{entry.width:,} × {entry.height:,}" if entry.width and entry.height else "–",
            str(entry.mpp) if entry.mpp else "–",
            entry.scanner or "–",
        )
        for entry in entries
    ]
    columns = ("slide", "file", "state", "case", "site", "pixels", "scale", "scanner")
    print_table(columns, rows, right=("pixels",), spare=("scanner", "pixels", "site", "case"))


def set_scale(  # noqa: PLR0917 - a command's options are not positional
    slide: Annotated[str, typer.Argument(help="Its id, file name, or the beginning of either.")],
    mpp: Annotated[
        float | None, typer.Argument(help="µm per level-0 pixel, left to right.")
    ] = None,
    mpp_y: Annotated[float | None, typer.Argument(help="Top to bottom, if it differs.")] = None,
    unset: Annotated[
        bool, typer.Option("--unset", help="Take back what was set; table and file count again.")
    ] = False,
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Set the scale of a slide by hand; it goes before what its file and table say."""
    from curatome.workflows.slides import find_entries, set_mpp, unset_mpp

    if unset == (mpp is not None):
        raise ProjectError("name a scale in µm per pixel, or --unset, and not both.")
    opened = project_at(project)
    entries = find_entries(opened, [slide])
    if mpp is None:
        results = unset_mpp(opened, entries)
    else:
        results = set_mpp(opened, entries, mpp, mpp if mpp_y is None else mpp_y)
    findings = [finding for _, found in results for finding in found]
    if as_json:
        print_json({"slides": [entry for entry, _ in results], "findings": findings})
    else:
        print_findings(findings)
        for entry, _ in results:
            scale = entry.mpp or "no scale"
            console.print(f"{escape(entry.name)}: {scale}, {entry.state}.", soft_wrap=True)
        if any(entry.state == "ready" for entry, _ in results):
            console.print("Next: [bold]curatome build[/]")
    raise typer.Exit(exit_code(findings))


def remove(
    slides: Annotated[
        list[str],
        typer.Argument(help="Their ids, file names, or beginnings of these.", metavar="SLIDE…"),
    ],
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Forget slides and what was found about them; their files stay where they are.

    The next build is without them, and `curatome build --prune` deletes their tiles.
    """
    from curatome.workflows.forget import forget_slides
    from curatome.workflows.slides import find_entries

    opened = project_at(project)
    forgotten = forget_slides(opened, find_entries(opened, slides))
    if as_json:
        print_json({"removed": forgotten})
        return
    for entry in forgotten:
        console.print(f"{escape(entry.path)} is forgotten; the file stays.", soft_wrap=True)
    if any(entry.state == "ready" for entry in forgotten):
        console.print(
            "Next: [bold]curatome build[/] makes the manifest without; with --prune it deletes "
            "the tiles as well",
            soft_wrap=True,
        )
