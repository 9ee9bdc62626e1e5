"""`curatome guideline`: its versions, and what a new one makes of annotations."""

from __future__ import annotations

from datetime import date
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
    print_json,
    print_table,
    project_at,
)
from curatome.errors import ProtocolError

if TYPE_CHECKING:
    from curatome.workflows.guideline import Ledger

_SHOWN = 12
_Texts = list[str] | None


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Versions of the guideline, and what they make stale.")
    group.callback(invoke_without_command=True)(show)
    group.command("bump")(bump)
    group.command("migrate")(migrate)
    group.command("queue")(queue)
    app.add_typer(group, name="guideline")


def show(
    context: typer.Context, project: ProjectOption = Path(), as_json: JsonOption = False
) -> None:
    """What the guideline in force leaves to do; exit 1 if anything."""
    if context.invoked_subcommand is not None:
        return
    from curatome.workflows.guideline import ledger

    found = ledger(project_at(project))
    if as_json:
        print_json(
            {
                "version": found.version,
                "annotations": found.annotations,
                "renames": len(found.renames),
                "stale": _by_change(found),
            }
        )
    else:
        _print_ledger(found)
    raise typer.Exit(FINDINGS if len(found.renames) or len(found.stale) else CLEAN)


def bump(
    version: Annotated[str, typer.Argument(help="The new version.")],
    message: Annotated[str, typer.Option("--message", "-m", help="What is different.")],
    *,
    rename: Annotated[_Texts, typer.Option(help="OLD=NEW; several to one NEW are merged.")] = None,
    merge: Annotated[_Texts, typer.Option(help="OLD,OLD=NEW.")] = None,
    split: Annotated[_Texts, typer.Option(help="OLD=NEW,NEW.")] = None,
    redefine: Annotated[_Texts, typer.Option(help="A class whose definition changed.")] = None,
    add: Annotated[_Texts, typer.Option(help="A class not looked for before.")] = None,
    remove: Annotated[_Texts, typer.Option(help="A class no longer annotated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show it.")] = False,
    project: ProjectOption = Path(),
) -> None:
    """Put a new version of the guideline into force, and say what it makes stale."""
    from curatome.workflows.guideline import bump as put_into_force
    from curatome.workflows.guideline import bumped, change_of, ledger

    renamed = dict(_pair(text, "--rename") for text in rename or ())
    for text in merge or ():
        olds, new = _pair(text, "--merge")
        renamed |= dict.fromkeys(olds.split(","), new)
    change = change_of(
        version=version,
        date=date.today(),
        change=message,
        renamed=renamed,
        split={
            old: tuple(new.split(",")) for old, new in (_pair(t, "--split") for t in split or ())
        },
        redefined=tuple(redefine or ()),
        added=tuple(add or ()),
        removed=tuple(remove or ()),
    )
    opened = project_at(project)
    if dry_run:
        _, protocol = bumped(opened, change)
        _print_ledger(ledger(opened, protocol))
        console.print("Nothing was changed.")
        return
    found = ledger(put_into_force(opened, change))
    console.print(f"Guideline {escape(found.version)} is in force, in curatome.toml.")
    _print_ledger(found)


def migrate(
    reader: Annotated[str | None, typer.Option(help="Who does it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show it.")] = False,
    project: ProjectOption = Path(),
) -> None:
    """Give annotations the new names of their classes; `annotations undo` takes it back."""
    from curatome.workflows.guideline import ledger
    from curatome.workflows.guideline import migrate as rename

    opened = project_at(project)
    _print_renames(ledger(opened))
    if dry_run:
        console.print("Nothing was changed.")
        return
    batch = rename(opened, reader)
    if batch is not None:
        console.print(
            f"{count(len(batch.seqs), 'annotation')} renamed, batch {batch.batch}. Take it back: "
            f"[bold]curatome annotations undo {batch.batch}[/]"
        )


def queue(project: ProjectOption = Path(), as_json: JsonOption = False) -> None:
    """The annotations that a reader must look at again, one by one."""
    from curatome.workflows.guideline import ledger

    opened = project_at(project)
    found = ledger(opened)
    rows = found.stale.to_pylist()
    if as_json:
        print_json({"stale": rows})
        return
    names = {entry.slide: entry.name for entry in opened.store.slides()}
    cells = [
        (
            row["annotation"],
            names.get(row["image"], row["image"] or "–"),
            row["label"],
            row["reader"] or "–",
            row["since"],
            row["reason"],
        )
        for row in rows
    ]
    columns = ("annotation", "image", "class", "reader", "since", "why")
    print_table(columns, cells, spare=("reader", "since"))


def _pair(text: str, option: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise ProtocolError(f'{option} is OLD=NEW. Got "{text}".')
    return old, new


def _by_change(found: Ledger) -> list[dict[str, object]]:
    groups: dict[tuple[str, str, str], int] = {}
    for row in found.stale.select(["since", "label", "reason"]).to_pylist():
        key = (row["since"], row["label"], row["reason"])
        groups[key] = groups.get(key, 0) + 1
    return [
        {"since": since, "class": label, "reason": reason, "annotations": number}
        for (since, label, reason), number in groups.items()
    ]


def _print_renames(found: Ledger) -> None:
    groups: dict[tuple[str, str], int] = {}
    for row in found.renames.select(["before", "after"]).to_pylist():
        key = ("; ".join(row["before"]), "; ".join(row["after"]))
        groups[key] = groups.get(key, 0) + 1
    for (before, after), number in sorted(groups.items(), key=lambda one: -one[1])[:_SHOWN]:
        console.print(f"  {escape(before)} → {escape(after)}: {count(number, 'annotation')}")
    if not groups:
        console.print("All annotations have the present names of their classes.")


def _print_ledger(found: Ledger) -> None:
    if len(found.renames):
        console.print(f"{count(len(found.renames), 'annotation')} with old names of classes:")
        _print_renames(found)
        console.print("Next: [bold]curatome guideline migrate[/]")
    if not len(found.stale):
        console.print(
            f"Nothing is stale: {count(found.annotations, 'annotation')} under guideline "
            f"{escape(found.version)}."
        )
        return
    console.print(f"{count(len(found.stale), 'annotation')} must be looked at again:")
    for row in _by_change(found):
        console.print(
            escape(
                f"  {row['class']}: {row['annotations']:,}, since version {row['since']}, "
                f"{row['reason']}"
            ),
            soft_wrap=True,
        )
    console.print("One by one: [bold]curatome guideline queue[/]")
