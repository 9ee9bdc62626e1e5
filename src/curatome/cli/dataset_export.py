"""`curatome version export`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from curatome.cli.console import (
    CLEAN,
    FINDINGS,
    JsonOption,
    console,
    count,
    errors,
    print_json,
    print_table,
    project_at,
)
from curatome.cli.progress import watching

_STOPPED = 130
_SHOWN = 12


def register(group: typer.Typer) -> None:
    """Add the command to the group `version`."""
    group.command("export")(export)


def export(
    version: Annotated[str, typer.Argument(help="A version's name, or the beginning of its id.")],
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    *,
    format_: Annotated[
        str, typer.Option("--format", "-f", help="A format's name; docs/datasets.md lists them.")
    ],
    split: Annotated[list[str] | None, typer.Option(help="Only these splits.")] = None,
    scale: Annotated[list[str] | None, typer.Option(help="Only these scales.")] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only tile, region, cell or image.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option("--class", help="Only these classes.")] = None,
    labelled: Annotated[bool, typer.Option("--labelled", help="Only items with a label.")] = False,
    losses: Annotated[Path | None, typer.Option(help="Write the loss report as CSV.")] = None,
    project: Annotated[
        Path, typer.Option("--project", "-p", help="A project, or what was checked out.")
    ] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write a version for training, and say what the format could not carry; exit 1 if anything."""
    from curatome.dataset.opening import FOLDER, open_version
    from curatome.workflows.export_dataset import Wanted, export_version

    home = project if (project / FOLDER).is_dir() else project_at(project).root
    splits, scales, kinds, classes = (tuple(one or ()) for one in (split, scale, kind, label))
    try:
        with watching(as_json) as bars:
            done = export_version(
                open_version(home, version),
                out,
                format_,
                Wanted(splits, scales, kinds, classes, labelled),
                losses=losses,
                watcher=bars,
            )
    except KeyboardInterrupt:
        errors.print("Stopped. Nothing was written.")
        raise typer.Exit(_STOPPED) from None
    if as_json:
        told = [{"field": f, "reason": r, "count": n} for (f, r), n in done.losses.items()]
        print_json({**vars(done), "losses": told})
    else:
        print_table(
            ("split", "items"),
            [(name, f"{number:,}") for name, number in done.splits.items()],
            right=("items",),
        )
        console.print(
            f"Version {escape(done.version)} as {escape(done.format)} in {escape(str(out))}.",
            soft_wrap=True,
        )
        _print_losses(done.format, done.losses, losses)
    raise typer.Exit(FINDINGS if done.losses else CLEAN)


def _print_losses(title: str, losses: Mapping[tuple[str, str], int], written: Path | None) -> None:
    if not losses:
        console.print(f"Nothing was lost: {escape(title)} holds all of it.")
        return
    console.print(f"What {escape(title)} could not carry:")
    worst = sorted(losses.items(), key=lambda one: -one[1])
    for (field, reason), number in worst[:_SHOWN]:
        line = f"  {field}, {count(number, 'time')}: {reason}"
        console.print(escape(line), soft_wrap=True)
    if len(worst) > _SHOWN:
        console.print(f"  … and {count(len(worst) - _SHOWN, 'other reason')}")
    if written is None:
        console.print("[dim]→ --losses FILE.csv writes them one by one[/]")
