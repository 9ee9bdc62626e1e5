"""`curatome sources`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from curatome.cli.console import (
    JsonOption,
    ProjectOption,
    WorkersOption,
    console,
    count,
    duration,
    exit_code,
    megabytes,
    print_findings,
    print_json,
    print_table,
    project_at,
)
from curatome.cli.progress import watching
from curatome.errors import ProjectError, SourceError

if TYPE_CHECKING:
    from curatome.sources import Source, SourceCheck

SourceOption = Annotated[
    str | None,
    typer.Option("--source", "-s", help="A registered source, or a TOML file of your own."),
]
_TABLE_COLUMNS = ("kind", "name", "found", "published", "difference")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Combine public datasets of region images.")
    group.callback(invoke_without_command=True)(list_sources)
    group.command("show")(show)
    group.command("check")(check)
    group.command("add")(add)
    group.command("remove")(remove)
    group.command("build")(build)
    app.add_typer(group, name="sources")


def list_sources(
    context: typer.Context, project: ProjectOption = Path(), as_json: JsonOption = False
) -> None:
    """List the public datasets that are registered with Curatome, and those of the project."""
    if context.invoked_subcommand is not None:
        return
    from curatome.sources import registered_sources

    sources, added = registered_sources(), _added(project)
    if as_json:
        print_json({"sources": [_plain(source) for source in sources], "added": added})
        return
    rows = [
        (
            source.name,
            source.organ,
            source.stain or "–",
            f"{source.counts.total:,}" if source.counts.total is not None else "–",
            "whole slides" if source.kind == "slides" else _scale(source),
            source.license or "not found",
            str(source.year or "–"),
        )
        for source in sources
    ]
    columns = ("source", "organ", "stain", "images", "scale", "license", "year")
    print_table(columns, rows, right=("images",), spare=("year", "stain", "license"))
    for name, images in added.items():
        console.print(f"In this project: [bold]{escape(name)}[/], {count(images, 'image')}")
    console.print("Next: [bold]curatome sources check PATH[/]")


def _added(folder: Path) -> dict[str, int]:
    """Images of each source of the project, if there is one."""
    from curatome.workflows.added import added_counts

    try:
        return added_counts(project_at(folder))
    except ProjectError:
        return {}


def show(
    name: Annotated[str, typer.Argument(help="Its name, or a TOML file of your own.")],
    as_json: JsonOption = False,
) -> None:
    """Show all that is known of a source, and where it is described."""
    from curatome.sources import find_source

    source = find_source(name)
    if as_json:
        print_json(_plain(source))
        return
    facts = [
        ("organ", source.organ),
        ("disease", source.disease),
        ("stain", source.stain),
        ("field", source.field),
        ("year", str(source.year or "")),
        ("license", source.license or "not found"),
        ("link", source.link),
        ("literature", source.literature),
        ("objective", source.objective),
        ("scale", _scale(source) + (f" ({source.scale.why})" if source.scale.why else "")),
        ("layout", f"{source.layout.adapter}: {_layout(source)}"),
        ("in CPIA", "; ".join(f"{p.name}: {p.images:,}, {p.scale}" for p in source.cpia) or "no"),
    ]
    console.print(f"[bold]{escape(source.title)}[/]", soft_wrap=True)
    for label, value in facts:
        if value:
            console.print(f"{label:<11} {escape(value)}", soft_wrap=True)
    _print_published(source)
    for cite in source.cites:
        note = f" {cite.note}" if cite.note else ""
        text = f"{', '.join(cite.for_)}: {cite.url}{note}"
        console.print(f"{'cited':<11} {escape(text)}", soft_wrap=True)


def check(
    path: Annotated[Path, typer.Argument(help="The folder that the download was unpacked into.")],
    source: SourceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a copy with what is published, before any image is opened."""
    from curatome.workflows.sources import check_source

    result = check_source(path, source)
    if as_json:
        print_json(result)
    else:
        console.print(f"{path} has the layout of [bold]{result.source}[/].", soft_wrap=True)
        _print_counts(result)
        print_findings(result.findings)
        if not result.findings:
            console.print("All published counts are met.")
            console.print(f"Next: [bold]curatome sources add {path} --source {result.source}[/]")
    raise typer.Exit(exit_code(result.findings))


def add(  # noqa: PLR0917, PLR0913 - a command's options are not positional
    path: Annotated[Path, typer.Argument(help="The folder that the download was unpacked into.")],
    source: SourceOption = None,
    adapter: Annotated[
        Literal["folders", "csv", "parquet"] | None,
        typer.Option(help="How a dataset is read that is not registered."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call it; the folder's name.")] = None,
    mpp: Annotated[float | None, typer.Option(help="µm per pixel of all its images.")] = None,
    scale: Annotated[
        Literal["L", "M", "S"] | None, typer.Option(help="Scale of all its images.")
    ] = None,
    tile: Annotated[
        bool, typer.Option("--tile", help="Cut a grid of squares, not the middle only.")
    ] = False,
    pattern: Annotated[
        str, typer.Option(help="folders: regular expression with the groups class, case, split.")
    ] = "",
    table: Annotated[str, typer.Option(help="csv: the listing; parquet: a glob of files.")] = "",
    image: Annotated[
        str, typer.Option(help="csv: its path, images/{file}; parquet: its column.")
    ] = "",
    class_column: Annotated[str, typer.Option("--class", help="Column of the class.")] = "",
    case_column: Annotated[str, typer.Option("--case", help="Column of the case.")] = "",
    split_column: Annotated[str, typer.Option("--split", help="Column of the split.")] = "",
    project: ProjectOption = Path(),
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a copy of a dataset with the project: list its images, hash them."""
    from curatome.sources import find_source
    from curatome.workflows.added import Wishes
    from curatome.workflows.sources import add_source

    if (source is None) == (adapter is None):
        raise SourceError("name either --source, a registered one, or --adapter.")
    if mpp is not None and scale is not None:
        raise SourceError("--mpp and --scale exclude each other: the scale follows from the µm.")
    if source is not None:
        described = find_source(source)
    else:
        columns = {
            "class_column": class_column,
            "case_column": case_column,
            "split_column": split_column,
        }
        layout = {"adapter": adapter, "pattern": pattern, "image": image, **columns}
        described = _described(path, name, layout, table)
    opened = project_at(project)
    with watching(as_json) as watcher:
        result = add_source(
            opened,
            path,
            described,
            Wishes(mpp, scale, "tile" if tile else "center"),
            workers=workers or os.cpu_count() or 1,
            watcher=watcher,
        )
    if as_json:
        print_json(result)
    else:
        print_findings(result.findings)
        for line in result.left_out:
            console.print(escape(line), soft_wrap=True)
        copies = f", {result.duplicates:,} of them duplicates" if result.duplicates else ""
        console.print(f"{result.source}: {count(result.images, 'image')} added{copies}.")
        console.print("Next: [bold]curatome sources build[/]")
    raise typer.Exit(exit_code(result.findings))


def remove(
    name: Annotated[str, typer.Argument(help="Its name.")],
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Forget a source; its files stay, and the next build is without it."""
    from curatome.workflows.sources import remove_source

    remove_source(project_at(project), name)
    if as_json:
        print_json({"removed": name})
    else:
        console.print(f"{escape(name)} is forgotten. Next: [bold]curatome sources build[/]")


def build(
    project: ProjectOption = Path(), workers: WorkersOption = None, as_json: JsonOption = False
) -> None:
    """Standardize the images of all added sources to 384 px in the scales L, M and S.

    Can be stopped at any moment; the same command goes on where it was.
    """
    from curatome.workflows.region_manifest import regions_path
    from curatome.workflows.regions import build_sources

    opened = project_at(project)
    with watching(as_json) as watcher:
        result = build_sources(opened, workers or os.cpu_count() or 1, watcher)
    if as_json:
        print_json(result)
    else:
        print_findings(result.findings)
        made = count(result.made, "region")
        took = f" ({megabytes(result.bytes)}) in {duration(result.seconds)}"
        console.print(f"Made {made}{took}." if result.made else "Every region is made already.")
        rows = [
            (name, *(f"{scales.get(scale, 0):,}" for scale in ("L", "M", "S")))
            for name, scales in result.regions.items()
        ]
        print_table(("source", "L", "M", "S"), rows, right=("L", "M", "S"))
        console.print(f"The manifest: {regions_path(opened.build)}", soft_wrap=True)
    raise typer.Exit(exit_code(result.findings))


def _described(path: Path, name: str | None, layout: dict[str, Any], table: str) -> Source:
    """A dataset as the command's options describe it."""
    import pydantic

    from curatome.sources import Source
    from curatome.sources.adapters.folders import FOLDER_PER_CLASS

    if layout["adapter"] == "folders":
        layout["pattern"] = layout["pattern"] or FOLDER_PER_CLASS
    layout["table" if layout["adapter"] == "csv" else "files"] = table
    called = name or re.sub(r"[^a-z0-9]+", "-", path.resolve().name.lower()).strip("-")[:32]
    try:
        return Source.model_validate(
            {"name": called, "title": path.resolve().name, "layout": layout}
        )
    except pydantic.ValidationError as error:
        message = "; ".join(problem["msg"] for problem in error.errors())
        raise SourceError(
            f"{message} (--pattern, --table and --image describe the layout, --name the source)."
        ) from error


def _plain(source: Source) -> dict[str, Any]:
    return source.model_dump(mode="json", by_alias=True)


def _scale(source: Source) -> str:
    rule = source.scale
    if rule.mpp is not None:
        return f"{rule.mpp:g} µm/px"
    return rule.declared or ", ".join(f"{part}: {name}" for part, name in rule.parts.items())


def _layout(source: Source) -> str:
    layout = source.layout
    if layout.adapter == "csv":
        return f"{layout.table}, images {layout.image}"
    return layout.pattern if layout.adapter == "folders" else f"{layout.files}, {layout.image}"


def _print_published(source: Source) -> None:
    counts = source.counts
    groups = (("classes", counts.classes), ("splits", counts.splits), ("parts", counts.parts))
    console.print(f"{'published':<11} {counts.total or 0:,} images")
    for label, group in groups:
        if group:
            text = ", ".join(f"{name} {number:,}" for name, number in group.items())
            console.print(f"{label:<11} {escape(text)}", soft_wrap=True)


def _print_counts(result: SourceCheck) -> None:
    rows = [
        (
            row.kind,
            row.name,
            f"{row.found:,}",
            "–" if row.published is None else f"{row.published:,}",
            f"{row.difference:+,}" if row.difference else "",
        )
        for row in result.rows
    ]
    print_table(_TABLE_COLUMNS, rows, right=("found", "published", "difference"))
