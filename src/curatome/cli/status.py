"""`curatome status` and `curatome doctor`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from curatome.cli.console import (
    ERROR,
    JsonOption,
    ProjectOption,
    console,
    count,
    exit_code,
    megabytes,
    print_findings,
    print_json,
    project_at,
)

if TYPE_CHECKING:
    from curatome.workflows.status import Status

_MANY = 10  # findings; above, a few of each code are listed
_FEW = 2
_COMMAND = 48  # characters; the reason after a longer command is not aligned with the others


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status")(status)
    app.command("doctor")(doctor)


def status(
    project: ProjectOption = Path(),
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="List every finding, however many there are.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say where the project stands and what to do next."""
    from curatome.workflows.status import project_status

    found = project_status(project_at(project))
    if as_json:
        print_json(found)
    else:
        _print(found, everything)
    raise typer.Exit(exit_code(found.findings))


def _print(found: Status, everything: bool) -> None:
    console.print(f"[bold]{escape(found.title)}[/]  [dim]{escape(found.root)}[/]", soft_wrap=True)
    states = ", ".join(f"{number} {state}" for state, number in sorted(found.slides.items()))
    slides = sum(found.slides.values())
    console.print(f"slides    {slides:,} ({states})" if slides else "slides    none yet")
    cases = f"{found.cases:,}" if found.cases else "none"
    if found.uncased:
        cases += f"; {count(found.uncased, 'slide belongs', 'slides belong')} to no case"
    console.print(f"cases     {cases}")
    tiles = f"{found.tiles:,} of {count(found.built, 'slide')}" if found.tiles else "none yet"
    left = f"; {found.tiles_left:,} are left to be made" if found.tiles_left else ""
    console.print(f"tiles     {tiles}{left}")
    for line in found.withdrawn:
        console.print(f"without   {escape(line)}", soft_wrap=True)
    if found.left_over and found.left_over.files:
        rest = found.left_over
        console.print(
            f"left over {count(rest.files, 'file')} ({megabytes(rest.bytes)}) that no slide needs; "
            "`curatome build --prune` deletes them",
            soft_wrap=True,
        )
    severities = Counter(str(finding.severity) for finding in found.findings)
    listed = ", ".join(count(n, severity) for severity, n in severities.items())
    console.print(f"findings  {listed or 'none'}")
    if found.findings:
        console.print()
        few = _FEW if len(found.findings) > _MANY else _MANY
        hidden = print_findings(found.findings, len(found.findings) if everything else few)
        if hidden:
            console.print("[dim]All of them: curatome status --all[/]")
    if found.next:
        console.print("\n[bold]Next[/]")
        commands = [len(step.command) for step in found.next]
        width = max((long for long in commands if long <= _COMMAND), default=0)
        for step in found.next:
            line = f"  {escape(step.command.ljust(width))}  [dim]{escape(step.why)}[/]"
            console.print(line, soft_wrap=True)


def doctor(
    folder: Annotated[Path, typer.Argument(help="Where builds would be written.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Check the installation, down to the decoders."""
    from curatome.workflows.doctor import examine

    checks = []
    for check in examine(folder):
        checks.append(check)
        if not as_json:
            mark = "[green]ok  [/]" if check.ok else "[red]FAIL[/]"
            console.print(f"{mark} {check.name:<15} {escape(check.detail)}", soft_wrap=True)
            if not check.ok and check.remedy:
                console.print(f"     [dim]→ {escape(check.remedy)}[/]", soft_wrap=True)
    if as_json:
        print_json({"checks": checks})
    raise typer.Exit(0 if all(check.ok for check in checks) else ERROR)
