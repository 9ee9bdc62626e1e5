"""`curatome import` and `sync`: annotations of other tools into the project."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from curatome.cli.console import (
    ERROR,
    FINDINGS,
    JsonOption,
    ProjectOption,
    WorkersOption,
    console,
    count,
    exit_code,
    print_findings,
    print_json,
    project_at,
)
from curatome.cli.progress import watching
from curatome.errors import AnnotationError

if TYPE_CHECKING:
    from curatome.workflows.annotation_options import Wishes
    from curatome.workflows.annotations import FileResult

_SHOWN, _MANY = 5, 12

PathsArgument = Annotated[list[Path], typer.Argument(help="Files or folders of annotations.")]
FormatOption = Annotated[str, typer.Option("--format", "-f", help="A format's name, or auto.")]
ReaderOption = Annotated[
    str | None, typer.Option(help="Who made them, where the files do not say it.")
]
ReadOption = Annotated[int | None, typer.Option(min=1, help="2 or more for a repeat read.")]
GuidelineOption = Annotated[
    str | None, typer.Option(help="Version they were made under; the one in force if not given.")
]
ImageOption = Annotated[
    str | None, typer.Option(help="Slide that files without image names are about.")
]
ClassOption = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        help="OLD=NEW gives a class of the files another name; =NEW gives one to those without.",
    ),
]
BoxOption = Annotated[str | None, typer.Option(help="How boxes are meant: xywh or x1y1x2y2.")]
UnitOption = Annotated[str | None, typer.Option(help="Unit of coordinates: px or um.")]
DownsampleOption = Annotated[
    float | None, typer.Option(min=1, help="Downsample of the level the coordinates are in.")
]
AxesOption = Annotated[str | None, typer.Option(help="Which comes first: xy or yx.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Take the reading that fits best.")]
NewIdsOption = Annotated[
    bool, typer.Option("--new-ids", help="Other ids for what the project knows from elsewhere.")
]
DryOption = Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would be done.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_)
    app.command("sync")(sync)


def import_(  # noqa: PLR0913
    paths: PathsArgument,
    *,
    format_: FormatOption = "auto",
    reader: ReaderOption = None,
    read: ReadOption = None,
    guideline: GuidelineOption = None,
    image: ImageOption = None,
    classes: ClassOption = None,
    box: BoxOption = None,
    unit: UnitOption = None,
    downsample: DownsampleOption = None,
    axes: AxesOption = None,
    yes: YesOption = False,
    new_ids: NewIdsOption = False,
    dry_run: DryOption = False,
    workers: WorkersOption = None,
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Record annotations that other tools wrote; each file whole or not at all."""
    options = _options(box, unit, downsample, axes)
    wishes = _wishes(
        (format_, reader, read, guideline, image), classes, options, (yes, new_ids, dry_run)
    )
    _record(paths, wishes, False, (workers, project, as_json))


def sync(  # noqa: PLR0913
    paths: PathsArgument,
    *,
    format_: FormatOption = "auto",
    reader: ReaderOption = None,
    read: ReadOption = None,
    guideline: GuidelineOption = None,
    image: ImageOption = None,
    classes: ClassOption = None,
    box: BoxOption = None,
    unit: UnitOption = None,
    downsample: DownsampleOption = None,
    axes: AxesOption = None,
    yes: YesOption = False,
    dry_run: DryOption = False,
    workers: WorkersOption = None,
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Merge new and changed exports, again and again, without doubling anything.

    A file is read with the options of its import, unless other ones are given.
    """
    said = (format_, reader, read, guideline, image)
    options = _options(box, unit, downsample, axes)
    wishes = _wishes(said, classes, options, (yes, False, dry_run))
    _record(paths, wishes, True, (workers, project, as_json))


def _options(box: str | None, unit: str | None, downsample: float | None, axes: str | None) -> Any:
    from curatome.annotations.formats import Options

    for name, value, known in (
        ("box", box, ("xywh", "x1y1x2y2")),
        ("unit", unit, ("px", "um")),
        ("axes", axes, ("xy", "yx")),
    ):
        if value is not None and value not in known:
            raise AnnotationError(f"--{name} is {' or '.join(known)}. Got {value}.")
    return Options(box, unit, downsample, None if axes is None else axes == "yx")


def _wishes(
    said: tuple[str, str | None, int | None, str | None, str | None],
    classes: list[str] | None,
    options: Any,
    how: tuple[bool, bool, bool],
) -> Wishes:
    from curatome.workflows.annotation_options import Wishes

    pairs = {}
    for text in classes or ():
        old, equals, new = text.partition("=")
        if not (equals and new):
            raise AnnotationError(f'--class is OLD=NEW, or =NEW. Got "{text}".')
        pairs[old] = new
    return Wishes(*said, pairs, options, *how)


def _record(
    paths: list[Path], wishes: Wishes, merge: bool, how: tuple[int | None, Path, bool]
) -> None:
    import os

    from curatome.workflows.annotations import import_files

    workers, project, as_json = how
    opened = project_at(project)
    with watching(as_json) as watcher:
        results = import_files(
            opened,
            paths,
            wishes,
            merge=merge,
            workers=workers or os.cpu_count() or 1,
            watcher=watcher,
        )
    if as_json:
        print_json({"files": [{**vars(one), "path": str(one.path)} for one in results]})
    else:
        _print_results(results, wishes.dry_run)
    files = [one for one in results if not one.passed_over]
    recorded = [one for one in files if not one.error and not one.waits]
    found = [finding for one in recorded if one.read is not None for finding in one.read.findings]
    if files and not recorded:
        raise typer.Exit(ERROR)
    raise typer.Exit(exit_code(found) if len(recorded) == len(files) else FINDINGS)


def _print_results(results: tuple[FileResult, ...], dry_run: bool) -> None:
    for one in results:
        if one.passed_over:
            continue
        name = escape(str(one.path))
        if one.read is None:
            console.print(f"[red]refused[/] {name}: {escape(one.error)}", soft_wrap=True)
            continue
        color, state = _state(one, dry_run)
        how = f" ({one.read.how})" if one.read.how else ""
        console.print(
            f"[{color}]{state}[/] {name}: {escape(one.read.dialect + how)}", soft_wrap=True
        )
        console.print(
            f"        {count(one.read.rows, 'annotation')} on {_images(one)}: "
            f"{_listed(one.labels) or 'no class'}",
            soft_wrap=True,
        )
        if one.sync is not None:
            console.print(
                f"        {one.sync.created:,} new, {one.sync.edited:,} changed, "
                f"{one.sync.deleted:,} gone, {one.sync.unchanged:,} as they were"
            )
        if one.regions:
            console.print(f"        {count(one.regions, 'exhaustively annotated region')}")
        for line in one.left_out:
            console.print(f"        {escape(line)}", soft_wrap=True)
        if one.again:
            line = f"as at its import: {', '.join(one.again)}"
            console.print(f"        {escape(line)}", soft_wrap=True)
        for said in _said(one):
            console.print(f"        [dim]→ {escape(said)}[/]", soft_wrap=True)
    found = [finding for one in results if one.read is not None for finding in one.read.findings]
    print_findings(found, _SHOWN)
    skipped = [one.path.name for one in results if one.passed_over]
    if skipped:
        more = " …" if len(skipped) > _SHOWN else ""
        console.print(
            f"Passed over, of no format that Curatome knows: "
            f"{escape(', '.join(skipped[:_SHOWN]) + more)}"
        )
    for line in (_absent(results), _unknown(results)):
        if line:
            console.print(escape(line), soft_wrap=True)
    fine = [one for one in results if one.read and not one.error and not one.waits]
    console.print(_sum(fine, dry_run))
    waiting = sum(bool(one.waits) for one in results)
    if waiting:
        wait = "waits" if waiting == 1 else "wait"
        console.print(f"{count(waiting, 'file')} {wait} for an answer: say it, or [bold]--yes[/].")


def _sum(fine: list[FileResult], dry_run: bool) -> str:
    """What was done in all, in one line."""
    if not fine:
        return "Nothing was recorded."
    files = count(len(fine), "file")
    merged = [one.sync for one in fine if one.sync is not None]
    if merged:
        made, edited, gone = (
            sum(getattr(one, name) for one in merged) for name in ("created", "edited", "deleted")
        )
        if not made + edited + gone:
            return f"Nothing has changed in {files}."
        return f"Merged {files}: {made:,} new, {edited:,} changed, {gone:,} gone."
    rows = sum(one.read.rows for one in fine if one.read is not None)
    return f"{'Would record' if dry_run else 'Recorded'} {count(rows, 'annotation')} of {files}."


def _state(one: FileResult, dry_run: bool) -> tuple[str, str]:
    if one.error:
        return "red", "refused"
    if one.waits:
        return "yellow", "waits  "
    return ("blue", "would  ") if dry_run else ("green", "done   ")


def _said(one: FileResult) -> list[str]:
    """What a person should know or decide about a file."""
    options = {"box": "--box", "unit": "--unit", "level": "--downsample", "axes": "--axes"}
    said = [one.error] if one.error else []
    for doubt in one.waits:
        answer = options.get(doubt.about)
        evidence = doubt.evidence.rstrip(".")
        said.append(
            f"{evidence}. --image SLIDE names another image, --yes keeps this one."
            if answer is None
            else f"{evidence}. {answer} {doubt.assumed} takes it so, {answer} {doubt.instead} as "
            "the format defines it."
        )
    said += one.read.notes if one.read is not None else ()
    if one.sync is not None and one.sync.conflicts:
        said.append(
            f"{count(len(one.sync.conflicts), 'annotation')} changed here and in the file; what "
            "is here was kept. `curatome annotations history ID` shows both: "
            + ", ".join(conflict.annotation for conflict in one.sync.conflicts[:_SHOWN])
        )
    return said


def _images(one: FileResult) -> str:
    if len(one.images) > 1:
        return f"{count(len(one.images), 'image')}"
    only = next(iter(one.images), "no image")
    return escape(f"{only}, the project's only slide" if one.guessed else only)


def _unknown(results: Iterable[FileResult]) -> str:
    """Classes that the protocol does not define, each with the one it may mean."""
    similar = {old: new for one in results for old, new in one.similar.items()}
    names = sorted({name for one in results for name in one.unknown})
    if not names:
        return ""
    shown = [f"{name} ({similar[name]}?)" if name in similar else name for name in names[:_MANY]]
    more = f", and {len(names) - _MANY:,} more" if len(names) > _MANY else ""
    option = next((f"{old}={new}" for old, new in similar.items()), "OLD=NEW")
    return (
        f"Not among the protocol's classes: {', '.join(shown)}{more}. Add them to curatome.toml, "
        f"or rename them with --class {option}."
    )


def _absent(results: Iterable[FileResult]) -> str:
    """Images that are no slides of the project."""
    names = sorted({name for one in results for name in one.absent})
    if not names:
        return ""
    more = " …" if len(names) > _SHOWN else ""
    return f"Not in this project: {count(len(names), 'image')}, {', '.join(names[:_SHOWN])}{more}"


def _listed(numbers: Any) -> str:
    shown = [f"{name} {number:,}" for name, number in list(numbers.items())[:_SHOWN]]
    more = f", and {len(numbers) - _SHOWN:,} more" if len(numbers) > _SHOWN else ""
    return escape(", ".join(shown) + more)
