"""`curatome export`: annotations of the store as files of other tools, with what was lost."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curatome.annotations.exhaustive import Region
from curatome.annotations.formats import Format, Frame, Frames, Loss, format_named
from curatome.annotations.store import seen
from curatome.durable import write_file
from curatome.errors import AnnotationError
from curatome.project import Project
from curatome.workflows.annotation_check import annotation_store, frame_of
from curatome.workflows.slides import find_entries


@dataclass(frozen=True)
class Selection:
    """Which annotations.

    Attributes:
        images: slides by id or name; empty for all.
        readers: empty for all.
        labels: those with at least one of them; empty for all.
        at: number of the event up to which the store is taken; None for now.
    """

    images: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    at: int | None = None


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
        format: its title.
        files: annotations per file.
        losses: what the format could not carry.
        regions: exhaustively annotated ones that the files carry.
        seen: number of the store's latest event that is in it; `sync --seen` takes it.
    """

    format: str
    files: Mapping[Path, int]
    losses: tuple[Loss, ...]
    seen: int
    regions: int = 0


def export_annotations(
    project: Project, out: Path, name: str, selection: Selection | None = None
) -> ExportResult:
    """Write annotations in a format: one file, or one per image where a file holds one image.

    Args:
        project: the project.
        out: the file, or the folder for one file per image.
        name: of the format.
        selection: which annotations; all if not given.

    Raises:
        AnnotationError: there is nothing to write, or no such format.
        OSError: the disk is full or the folder is not writable.
    """
    selection, chosen = selection or Selection(), format_named(name)
    with annotation_store(project) as store:
        table = store.current(at=selection.at)
        event = seen(table)
        declared = store.regions(at=event).to_pylist()
    entries = {entry.slide: entry for entry in project.store.slides()}
    wanted = _image_ids(project, selection.images, table)
    table = _selected(table, selection, wanted)
    regions = [one for one in (_narrowed(one, selection, wanted) for one in declared) if one]
    if not len(table) and not regions:
        raise AnnotationError(
            "no annotation fits. `curatome annotations` shows what the project holds."
        )
    frames = {slide: frame_of(entry) for slide, entry in entries.items()}
    images = list(
        dict.fromkeys(table["image"].unique().to_pylist() + [r["image"] for r in regions])
    )
    known = [
        frames.get(image) or Frame(image, image, 0, 0) for image in images if image is not None
    ]
    colors = {one.name: one.color for one in project.protocol.classes}
    files: dict[Path, int] = {}
    losses: list[Loss] = []
    carried = regions if chosen.carries.regions else []
    losses += [_lost(one, chosen.title) for one in regions if one not in carried]
    for path, those in _parts(out, chosen, images, Frames(known)).items():
        part = table if those is None else _of_images(table, those)
        own = [one for one in carried if those is None or one["image"] in those]
        if not len(part) and not own:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        losses += chosen.write(part, path, Frames(known, regions=own), colors)
        files[path] = len(part)
    return ExportResult(chosen.title, files, tuple(losses), event, len(carried))


def write_losses(path: Path, losses: Sequence[Loss]) -> None:
    """The loss report as CSV.

    Raises:
        OSError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["annotation", "field", "reason"])
    writer.writerows([loss.annotation, loss.field, loss.reason] for loss in losses)
    write_file(path, text.getvalue())


def _image_ids(project: Project, names: Sequence[str], table: pa.Table) -> list[str]:
    """Identities of named images: slides of the project, or images that annotations name."""
    there = set(table.column("image").unique().to_pylist())
    ids = []
    for name in names:
        ids.append(name if name in there else find_entries(project, [name])[0].slide)
    return ids


def _selected(table: pa.Table, selection: Selection, images: Sequence[str]) -> pa.Table:
    for column, values in (("image", images), ("reader", selection.readers)):
        if values:
            table = table.filter(pc.is_in(table.column(column), pa.array(values, pa.string())))
    if selection.labels:
        wanted = set(selection.labels)
        rows = [bool(wanted.intersection(row)) for row in table.column("labels").to_pylist()]
        table = table.filter(pa.array(rows, pa.bool_()))
    return table


def _narrowed(region: Region, selection: Selection, images: Sequence[str]) -> Region | None:
    """What a region still says of the annotations that were chosen; None if nothing."""
    if images and region["image"] not in images:
        return None
    if selection.readers and region["reader"] not in selection.readers:
        return None
    classes = [one for one in region["classes"] if not selection.labels or one in selection.labels]
    return {**region, "classes": classes} if classes else None


def _lost(region: Region, title: str) -> Loss:
    classes = ", ".join(region["classes"])
    reason = (
        f"{title} cannot say where all of {classes} is annotated; "
        "a place without annotation is not known to be empty."
    )
    return Loss(region["region"], "exhaustive", reason)


def _of_images(table: pa.Table, images: Sequence[str | None]) -> pa.Table:
    there = pc.is_in(table["image"], pa.array(images, pa.string()))
    return table.filter(there)


def _parts(
    out: Path, chosen: Format, images: Sequence[str | None], frames: Frames
) -> dict[Path, list[str | None] | None]:
    """Which images go into which file; None for all of them."""
    single = bool(out.suffix) and not out.is_dir()
    if chosen.carries.images or (single and len(images) == 1):
        return {out: None}
    if single:
        raise AnnotationError(
            f"a file of {chosen.title} holds one image, and these annotations lie on "
            f"{len(images)}. Name a folder, or choose one with --image."
        )
    parts: dict[Path, list[str | None] | None] = {}
    for image in images:
        frame = frames.find(image) if image is not None else None
        stem = Path(frame.name).stem if frame is not None else "annotations"
        parts[out / f"{stem}{chosen.suffixes[0]}"] = [image]
    return parts
