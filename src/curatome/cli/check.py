"""`curatome check`."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from curatome.cli.checked import print_checked, print_fixed
from curatome.cli.console import (
    JsonOption,
    ProjectOption,
    WorkersOption,
    console,
    errors,
    exit_code,
    json_text,
    print_json,
    project_at,
)
from curatome.cli.progress import watching
from curatome.errors import CuratomeError, ProjectError

if TYPE_CHECKING:
    from curatome.project import Project
    from curatome.workflows.check import Checked, Wishes
    from curatome.workflows.check_fix import Fixed

_SHOWN = 5
"""Findings of one code on one slide that are listed; the others are counted."""


class Format(StrEnum):
    """How findings are told."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    HTML = "html"


Words = Annotated[
    list[str] | None, typer.Option(help="Families and rules, CLN,DRF001; may be repeated.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    select: Words = None,
    ignore: Words = None,
    *,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what is safe to mend.")] = False,
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="How findings are told.")
    ] = Format.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file for them instead of the terminal.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again, whenever something changes.")] = (
        False
    ),
    near: Annotated[bool, typer.Option("--near", help="Look for images that look alike.")] = False,
    everything: Annotated[bool, typer.Option("--all", "-a", help="List every finding.")] = False,
    reader: Annotated[str | None, typer.Option(help="Who mends, with --fix.")] = None,
    workers: WorkersOption = None,
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Look for everything that may be wrong with the dataset; exit 1 above note level."""
    from curatome.workflows.check import Wishes

    wishes = Wishes(_words(select), _words(ignore), near=near, workers=workers)
    how = Format.JSON if as_json else format_
    shown = sys.maxsize if everything else _SHOWN
    if watch:
        if how is not Format.TEXT or fix:
            raise ProjectError("--watch prints text and changes nothing; leave out the other one.")
        _watch(project, wishes, shown)
        return
    opened = project_at(project)
    with watching(how is not Format.TEXT) as bars:
        from curatome.workflows.check import check_project
        from curatome.workflows.check_fix import fix_findings

        found = check_project(opened, wishes, bars)
        fixed = None
        if fix and found.fixable:
            fixed = fix_findings(opened, found.fixable, reader)
            found = check_project(opened, wishes, bars)
    _tell(opened, found, fixed, how=how, output=output, shown=shown)
    raise typer.Exit(exit_code(found.findings))


def _words(values: list[str] | None) -> tuple[str, ...]:
    return tuple(word.strip() for one in values or () for word in one.split(",") if word.strip())


def _tell(
    project: Project,
    found: Checked,
    fixed: Fixed | None,
    *,
    how: Format,
    output: Path | None,
    shown: int,
) -> None:
    from curatome.workflows.check_formats import as_html, as_plain, as_sarif

    if how is Format.TEXT and output is None:
        print_checked(found, shown)
        if fixed is not None:
            print_fixed(fixed)
        return
    if how is Format.HTML:
        from curatome.workflows.check_crops import crops_of

        path = output or project.root / "report" / "check.html"
        crops = crops_of(project, found.findings, os.cpu_count() or 1)
        as_html(found, project.protocol.dataset.title, path, crops)
        console.print(f"Written: {escape(str(path))}", soft_wrap=True)
        return
    if output is None:
        print_json(as_sarif(found) if how is Format.SARIF else as_plain(found, fixed))
        return
    from curatome.durable import write_file

    if how is Format.TEXT:
        with console.capture() as captured:
            print_checked(found, sys.maxsize)
        write_file(output, captured.get())
    else:
        write_file(output, json_text(as_sarif(found) if how is Format.SARIF else as_plain(found)))
    console.print(f"Written: {escape(str(output))}", soft_wrap=True)


def _watch(folder: Path, wishes: Wishes, shown: int) -> None:
    """Check whenever something changes, until Ctrl-C."""
    from curatome.workflows.check import check_project
    from curatome.workflows.check_watch import changes

    for project in changes(folder):
        if console.is_terminal:
            console.clear()
        if isinstance(project, CuratomeError):
            errors.print(f"[bold red]error:[/] {escape(str(project))}", soft_wrap=True)
        else:
            with watching(False) as bars:
                try:
                    print_checked(check_project(project, wishes, bars), shown)
                except CuratomeError as error:
                    errors.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        console.print("[dim]Watching; Ctrl-C ends it.[/]")
