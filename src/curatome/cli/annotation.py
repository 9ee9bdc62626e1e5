"""`curatome annotations`: what the project holds of them, and their history."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from curatome.cli.console import (
    JsonOption,
    ProjectOption,
    console,
    count,
    exit_code,
    print_findings,
    print_json,
    print_table,
    project_at,
)
from curatome.errors import AnnotationError

_SHOWN = 12


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="What the project holds of annotations, and their history.")
    group.callback(invoke_without_command=True)(overview)
    group.command("log")(log)
    group.command("history")(history)
    group.command("changes")(changes)
    group.command("check")(check)
    group.command("repair")(repair)
    group.command("exhaustive")(exhaustive)
    group.command("undo")(undo)
    group.command("revert")(revert)
    app.add_typer(group, name="annotations")


def overview(
    context: typer.Context, project: ProjectOption = Path(), as_json: JsonOption = False
) -> None:
    """How many annotations there are, by class, reader and image."""
    if context.invoked_subcommand is not None:
        return
    from curatome.workflows.annotation_check import annotation_store

    opened = project_at(project)
    with annotation_store(opened) as store:
        counts = store.counts()
    if as_json:
        print_json(
            {**vars(counts), "images": _named(counts.images), "readers": _named(counts.readers)}
        )
        return
    if not counts.annotations:
        console.print("No annotations yet. Next: [bold]curatome import PATH…[/]")
        return
    names = {entry.slide: entry.name for entry in opened.store.slides()}
    images = {names.get(image or "", image): number for image, number in counts.images.items()}
    console.print(
        f"{count(counts.annotations, 'annotation')} on {count(len(images), 'image')}, "
        f"{count(counts.regions, 'exhaustive region')}, {counts.deleted:,} deleted, "
        f"{count(counts.events, 'event')} in {count(counts.batches, 'batch', 'batches')}"
    )
    for title, numbers in (("class", counts.labels), ("reader", counts.readers), ("image", images)):
        rows = [(name or "–", f"{number:,}") for name, number in _largest(numbers)]
        print_table((title, "annotations"), rows, right=("annotations",))
        if len(numbers) > len(rows):
            console.print(f"[dim]… and {len(numbers) - len(rows):,} more[/]")


def log(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """What was recorded, the latest first."""
    from curatome.workflows.annotation_check import annotation_store

    with annotation_store(project_at(project)) as store:
        batches = store.batches(limit)
    if as_json:
        print_json({"batches": [_plain_batch(batch) for batch in batches]})
        return
    rows = [
        (
            str(batch.batch),
            f"{batch.time:%Y-%m-%d %H:%M}",
            batch.action,
            f"{len(batch.seqs):,}",
            batch.act.reader or "–",
            batch.act.source or batch.act.reason or "–",
        )
        for batch in batches
    ]
    columns = ("batch", "time (UTC)", "what", "events", "reader", "source or reason")
    print_table(columns, rows, right=("batch", "events"))
    if rows:
        console.print("Take one back: [bold]curatome annotations undo BATCH[/]")


def history(
    annotation: Annotated[str, typer.Argument(help="An annotation's id.")],
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Every version of an annotation, the oldest first."""
    from curatome.workflows.annotation_check import annotation_store

    with annotation_store(project_at(project)) as store:
        versions = store.history(annotation)
    if as_json:
        rows = [
            {"seq": v.seq, "action": v.action, "changed": v.changed, **_plain_batch(v.batch)}
            for v in versions
        ]
        print_json({"versions": rows})
        return
    for version in versions:
        changed = f": {', '.join(version.changed)}" if version.base is not None else ""
        console.print(escape(f"{version}{changed}"), soft_wrap=True)


def changes(
    since: Annotated[int, typer.Argument(help="Number of an event; 0 for the empty store.")],
    until: Annotated[int | None, typer.Argument(help="A later one; now if not given.")] = None,
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """What differs between two moments."""
    from curatome.workflows.annotation_check import annotation_store

    with annotation_store(project_at(project)) as store:
        table = store.changes(since, until)
    kept = [name for name in table.column_names if str(table.schema.field(name).type) != "binary"]
    rows = table.select(kept).to_pylist()
    if as_json:
        print_json({"changes": [{k: str(v) for k, v in row.items()} for row in rows]})
        return
    console.print(f"{count(len(rows), 'annotation')} changed.")
    for row in rows[:20]:
        console.print(escape("  ".join(str(value) for value in row.values())), soft_wrap=True)


def check(project: ProjectOption = Path(), as_json: JsonOption = False) -> None:
    """Look at every shape: crossings, open rings, spikes, copies, what lies outside its image."""
    from curatome.workflows.annotation_check import check_annotations

    found = check_annotations(project_at(project))
    if as_json:
        print_json({"counts": found.counts, "findings": found.findings})
    else:
        print_findings(found.findings)
        numbers = ", ".join(f"{code} {number:,}" for code, number in found.counts.items())
        console.print(f"Found: {numbers}." if numbers else "All shapes are sound.")
    raise typer.Exit(exit_code(found.findings))


def repair(
    codes: Annotated[list[str] | None, typer.Argument(help="Only these, SYN009.")] = None,
    *,
    reader: Annotated[str | None, typer.Option(help="Who does it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show it.")] = False,
    project: ProjectOption = Path(),
) -> None:
    """Mend shapes that need no person's eye; `annotations undo` takes it back."""
    from curatome.workflows.annotation_check import repair_annotations

    result = repair_annotations(project_at(project), codes or (), reader=reader, dry_run=dry_run)
    for one in result.repairs[:_SHOWN]:
        area = f", area {one.area_change:+,.0f} px²" if abs(one.area_change) >= 1 else ""
        console.print(escape(f"{one.annotation}: {one.done}{area}"), soft_wrap=True)
    if len(result.repairs) > _SHOWN:
        console.print(f"[dim]… and {len(result.repairs) - _SHOWN:,} more[/]")
    if result.batch is None:
        said = "would be mended" if result.repairs else "can be mended"
        console.print(f"{count(len(result.repairs), 'shape')} {said}.")
        return
    console.print(
        f"{count(len(result.repairs), 'shape')} mended, batch {result.batch.batch}. Take it back: "
        f"[bold]curatome annotations undo {result.batch.batch}[/]"
    )


def exhaustive(
    classes: Annotated[list[str], typer.Argument(help="Classes annotated completely there.")],
    *,
    drawn_as: Annotated[
        str | None, typer.Option("--drawn-as", help="Class under which the regions were drawn.")
    ] = None,
    slide: Annotated[list[str] | None, typer.Option(help="Whole slides.")] = None,
    reader: Annotated[str | None, typer.Option(help="Who says so.")] = None,
    project: ProjectOption = Path(),
) -> None:
    """Declare where everything of some classes is annotated, so that the rest is background."""
    from curatome.workflows.exhaustive import declare_exhaustive

    if drawn_as is None and not slide:
        raise AnnotationError("say where: --drawn-as CLASS or --slide SLIDE.")
    batch = declare_exhaustive(
        project_at(project), classes, drawn_as=drawn_as, slides=slide or (), reader=reader
    )
    if batch is None:
        console.print("All of it was declared before.")
        return
    console.print(
        f"{count(len(batch.seqs), 'region')} in which all of {escape(', '.join(classes))} is "
        f"annotated, batch {batch.batch}."
    )


def undo(
    batch: Annotated[int, typer.Argument(help="Its number in `annotations log`.")],
    reader: Annotated[str | None, typer.Option(help="Who takes it back.")] = None,
    project: ProjectOption = Path(),
) -> None:
    """Take back everything that a batch changed; undo that to have it again."""
    from curatome.annotations.store import Act
    from curatome.workflows.annotation_check import annotation_store

    with annotation_store(project_at(project)) as store:
        done = store.undo(batch, Act(reader, "curatome", reason=f"undo of batch {batch}"))
    console.print(
        f"Batch {batch} is taken back: {count(len(done.seqs), 'event')}, batch {done.batch}."
    )


def revert(
    to: Annotated[int, typer.Argument(help="Number of an event; 0 for the empty store.")],
    reader: Annotated[str | None, typer.Option(help="Who reverts.")] = None,
    project: ProjectOption = Path(),
) -> None:
    """Bring everything to what it was after an event; what happened since stays in the history."""
    from curatome.annotations.store import Act
    from curatome.workflows.annotation_check import annotation_store

    with annotation_store(project_at(project)) as store:
        done = store.revert(to, Act(reader, "curatome", reason=f"revert to event {to}"))
    console.print(
        f"As it was after event {to}: {count(len(done.seqs), 'event')}, batch {done.batch}."
    )


def _largest(numbers: Any) -> list[tuple[str | None, int]]:
    return sorted(numbers.items(), key=lambda pair: (-pair[1], pair[0] or ""))[:12]


def _named(numbers: Any) -> dict[str, int]:
    return {name or "": number for name, number in numbers.items()}


def _plain_batch(batch: Any) -> dict[str, Any]:
    return {
        "batch": batch.batch,
        "action": batch.action,
        "first": batch.first,
        "last": batch.last,
        "time": batch.time.isoformat(),
        **vars(batch.act),
    }
