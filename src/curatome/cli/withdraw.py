"""`curatome withdraw`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from curatome.cli.console import (
    JsonOption,
    ProjectOption,
    console,
    count,
    print_json,
    print_table,
    project_at,
)
from curatome.errors import VersionError

if TYPE_CHECKING:
    from curatome.workflows.versions import Belongings

_FEW = 5  # slides that are named


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("withdraw")(withdraw)


def withdraw(
    case: Annotated[
        str,
        typer.Argument(
            help="The case, as tables and sources name it; SOURCE/CASE for that of one source only,"
            " SOURCE/PATH for an image that has no case."
        ),
    ],
    message: Annotated[str, typer.Option("--message", "-m", help="Why.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Take a case out of versions, build and sources, its pixels and annotations off the disk.

    For good: the case is put on a list, and no later command brings it back.
    """
    from curatome.workflows.versions import belongings, withdraw_case

    opened = project_at(project)
    found = belongings(opened, case)
    if not yes and not as_json:
        console.print(
            f"Case {escape(case)} ({escape(_listed(found))}) leaves all versions and the build, "
            "with its tiles, regions and annotations. This cannot be undone."
        )
        if not typer.confirm("Withdraw it?"):
            raise VersionError("nothing was changed.")
    done = withdraw_case(opened, case, message)
    if as_json:
        print_json(done)
        return
    rows = [
        (name, f"{counts.get('items', 0):,}", f"{counts.get('annotations', 0):,}")
        for name, counts in done.rows.items()
    ]
    if rows:
        print_table(("version", "items gone", "annotations gone"), rows, right=("items gone",))
    erased = f", images in {len(done.erased)} overwritten" if done.erased else ""
    console.print(f"{count(len(done.shards), 'shard')} removed{erased}.")
    for entry in found.slides:
        console.print(f"[dim]The slide itself is yours to remove: {escape(entry.path)}[/]")
    if found.images:
        console.print("[dim]The sources' own files are yours to remove.[/]")


def _listed(found: Belongings) -> str:
    """The first slides of a case, and how many images of which source."""
    names = [entry.name for entry in found.slides[:_FEW]]
    if len(found.slides) > _FEW:
        names.append(f"{len(found.slides) - _FEW:,} more slides")
    if found.former:
        names.append(
            count(len(found.former), "slide that is", "slides that are") + " not registered"
        )
    sources: dict[str, int] = {}
    for image in found.images:
        source = image.partition("/")[0]
        sources[source] = sources.get(source, 0) + 1
    names += [f"{count(n, 'image')} of {source}" for source, n in sources.items()]
    return ", ".join(names) or "no slides"
