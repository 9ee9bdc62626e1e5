"""`curatome release`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from curatome.cli.console import (
    CLEAN,
    FINDINGS,
    JsonOption,
    ProjectOption,
    console,
    count,
    megabytes,
    print_json,
    project_at,
)
from curatome.cli.progress import watching
from curatome.errors import ReleaseError

if TYPE_CHECKING:
    from curatome.workflows.release import Released


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("release")(release)


def release(
    out: Annotated[str, typer.Argument(help="A new folder, or the URL of one in a store.")],
    *,
    version: Annotated[str, typer.Option(help="Its name or id; the latest by default.")] = "",
    waive: Annotated[
        list[str] | None, typer.Option(help="GATE: REASON; printed with the release.")
    ] = None,
    shards: Annotated[bool, typer.Option(help="Copy the images, too.")] = True,
    reader_names: Annotated[
        bool, typer.Option("--reader-names", help="Keep the names of readers.")
    ] = False,
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Release a version with datasheet, Croissant, sample and checksums; exit 1 if a gate fails."""
    from curatome.location import located
    from curatome.workflows.release import Wishes
    from curatome.workflows.release import release as write

    waivers = dict(_waiver(text) for text in waive or ())
    with watching(as_json) as watcher:
        found = write(
            project_at(project),
            located(out, Path.cwd()),
            Wishes(version, waivers, shards, reader_names),
            watcher,
        )
    if as_json:
        print_json(found)
    else:
        _print(found)
    raise typer.Exit(CLEAN if found.out is not None else FINDINGS)


def _waiver(text: str) -> tuple[str, str]:
    gate, colon, reason = text.partition(":")
    if not (colon and gate.strip() and reason.strip()):
        raise ReleaseError(f'--waive is "GATE: REASON". Got "{text}".')
    return gate.strip(), reason.strip()


def _print(found: Released) -> None:
    for gate in found.gates:
        state = "[green]passed[/]" if gate.passed else "[red]failed[/]"
        if gate.waiver:
            state = "[yellow]waived[/]"
        console.print(
            f"{state}  [bold]{escape(gate.gate)}[/]: {escape(gate.found)}"
            + ("" if gate.passed else f" (wanted: {escape(gate.wanted)})"),
            soft_wrap=True,
        )
        if gate.waiver:
            console.print(f"        [dim]{escape(gate.waiver)}[/]", soft_wrap=True)
        elif not gate.passed:
            console.print(f"        [dim]→ {escape(gate.remedy)}[/]", soft_wrap=True)
    if found.out is None:
        console.print(
            "Nothing was released. Mend what failed, or say why it may be so: "
            '[bold]--waive "GATE: REASON"[/]',
            soft_wrap=True,
        )
        return
    console.print(
        f"Version {escape(found.version)} is released in {escape(str(found.out))}: "
        f"{count(found.files, 'file')}, {megabytes(found.bytes)}."
    )
    console.print("Read DATASHEET.md: the lines in italics wait for you.")
