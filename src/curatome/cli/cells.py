"""`curatome cells`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from curatome.cli.console import (
    CLEAN,
    FINDINGS,
    SHOWN,
    JsonOption,
    ProjectOption,
    WorkersOption,
    console,
    count,
    print_json,
    project_at,
)
from curatome.cli.progress import watching
from curatome.errors import TableError

if TYPE_CHECKING:
    from curatome.protocol import BuildSettings
    from curatome.tiles.cells import CellSettings
    from curatome.workflows.cells import CellsReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cells")(cells)


def cells(  # noqa: PLR0917 - a command's options are not positional
    shapes: Annotated[
        list[Path],
        typer.Argument(
            help="CSV or (Geo)Parquet: slide, cell, and geometry (WKT, WKB) or x, y, w, h in "
            "level-0 px.",
            metavar="SHAPES…",
        ),
    ],
    side_um: Annotated[float, typer.Option(help="Edge of the field of every crop, µm.")] = 24.0,
    side_px: Annotated[int, typer.Option(help="Edge of every crop, px.")] = 96,
    ground: Annotated[
        Literal["context", "white"], typer.Option(help="What surrounds the cell.")
    ] = "context",
    codec: Annotated[
        Literal["jpeg", "png"] | None,
        typer.Option(help="How crops are stored; png on white ground, else as tiles are."),
    ] = None,
    max_enlargement: Annotated[
        float | None,
        typer.Option(help="Slides that must be enlarged by more fail; as for tiles."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder; cells/NAME-OF-SHAPES of the project.")
    ] = None,
    project: ProjectOption = Path(),
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cut out single cells around contours, boxes or points, each with its mask.

    Every crop has the same field of view, so that sizes can be compared.
    """
    from curatome.workflows.cells import cut_cells_of_tables

    opened = project_at(project)
    build = _build_settings(opened.protocol.build, ground, codec, max_enlargement)
    settings = _settings(side_um, side_px, {"ground": ground, "build": build})
    with watching(as_json) as watcher:
        report = cut_cells_of_tables(
            opened,
            out or _called(shapes[0]),
            shapes,
            settings,
            workers=workers or os.cpu_count() or 1,
            watcher=watcher,
        )
    if as_json:
        print_json(_plain(report))
    else:
        _print(report)
    raise typer.Exit(CLEAN if report.clean else FINDINGS)


def _called(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-") or "cells"


def _build_settings(
    build: BuildSettings, ground: str, codec: str | None, max_enlargement: float | None
) -> BuildSettings:
    """Those of the protocol, with what the options and the ground say."""
    changes: dict[str, Any] = {}
    if codec is not None or ground == "white":
        changes["codec"] = codec or "png"  # JPEG would blur the border of the cell
    if max_enlargement is not None:
        if not max_enlargement >= 1:
            raise TableError(f"--max-enlargement must be at least 1. Got {max_enlargement:g}.")
        changes["max_enlargement"] = max_enlargement
    return build.model_copy(update=changes)


def _settings(side_um: float, side_px: int, others: dict[str, Any]) -> CellSettings:
    import pydantic

    from curatome.tiles.cells import CellSettings

    if not side_um > 0:
        raise TableError(f"--side-um must be positive. Got {side_um:g}.")
    try:
        return CellSettings(side_px=side_px, mpp=side_um / max(side_px, 1), **others)
    except pydantic.ValidationError as error:
        raise TableError(f"--side-px must be at least 8. Got {side_px}.") from error


def _plain(report: CellsReport) -> dict[str, Any]:
    """The report for JSON, the settings spelled as the options are."""
    settings = report.settings
    made = {
        "side_um": settings.side_um,
        "side_px": settings.side_px,
        "mpp": settings.mpp,
        "ground": settings.ground,
        "codec": settings.build.codec,
    }
    return {name: value for name, value in vars(report).items() if name != "settings"} | made


def _print(report: CellsReport) -> None:
    _list("left out", [f"{row.where} (cell {row.cell}): {row.reason}" for row in report.left_out])
    if any(" already, in " in row.reason for row in report.left_out):
        _advise(
            "Give every cell of a slide its own id, or no column of ids: rows are counted then."
        )
    _list("failed", [f"{name}: {reason}" for name, reason in report.failed.items()])
    if any("enlarged" in reason for reason in report.failed.values()):
        _advise("Raise --side-um or lower --side-px, or allow it with --max-enlargement.")
    again = [f"cell {one.cell} of slide {one.slide} is {one.of} once more" for one in
             report.drawn_again]  # fmt: skip
    copies = [f"cell {one.cell} of slide {one.slide} has the pixels of {one.of}" for one in
              report.copies]  # fmt: skip
    _list("drawn again", again)
    _list("copy", copies)
    if report.table is None:
        console.print("No cell was cut out.")
        return
    settings = report.settings
    masks = "" if report.masks == report.cells else f", {report.masks:,} with a mask"
    console.print(
        f"Cut {count(report.cells, 'cell')} out of {count(report.slides, 'slide')}{masks}: "
        f"{settings.side_px} px = {settings.side_um:g} µm ({settings.mpp:.4g} µm/px), "
        f"{settings.ground} ground."
    )
    if report.larger:
        one = "is" if report.larger == 1 else "are"
        console.print(f"{count(report.larger, 'cell')} {one} larger than the field (--side-um).")
    if report.beyond:
        console.print(f"{count(report.beyond, 'crop')} beyond the image's border, white there.")
    console.print(f"The table: {report.table}", soft_wrap=True)


def _advise(remedy: str) -> None:
    console.print(f"{'':<11} [dim]→ {remedy}[/]", soft_wrap=True)


def _list(what: str, lines: Sequence[str]) -> None:
    """The first of them in full, the others counted."""
    for line in lines[:SHOWN]:
        console.print(f"[yellow]{what:<11}[/] {escape(line)}", soft_wrap=True)
    if len(lines) > SHOWN:
        console.print(f"{'':<11} [dim]… and {len(lines) - SHOWN:,} more[/]")
