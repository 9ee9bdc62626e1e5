"""One file of annotations, read in a supervised child: its table goes to a file beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc

from curatome.annotations.exhaustive import Region
from curatome.annotations.formats import (
    Doubt,
    Frame,
    Frames,
    Options,
    UnknownFormat,
    format_named,
    recognize,
)
from curatome.durable import new_file
from curatome.findings import Finding
from curatome.jobs import stage
from curatome.slides.readers import open_slide
from curatome.workflows.annotation_check import checked

_CENTER = ("hamamatsu.XOffsetFromSlideCentre", "hamamatsu.YOffsetFromSlideCentre")


@dataclass(frozen=True)
class About:
    """What a file may be about.

    Attributes:
        frames: the images it may name.
        only: the image of a file that names none, if known.
        slide: that image's file, whose levels and center are looked up.
    """

    frames: tuple[Frame, ...]
    only: Frame | None = None
    slide: Path | None = None


@dataclass(frozen=True)
class FileRead:
    """What a file says, without its table.

    Attributes:
        format: name of its format.
        title: the format's title.
        dialect: which kind of it, in words.
        how: how the format was known; empty if a person said it.
        rows: annotations.
        doubts: what only a person can decide.
        colors: color of each class, `#rrggbb`.
        notes: what a person should know.
        findings: what is wrong with its shapes, up to a number of each code.
        counts: how many findings there are of each code.
        regions: in which everything of some classes is annotated.
    """

    format: str
    title: str
    dialect: str
    how: str
    rows: int
    doubts: tuple[Doubt, ...]
    colors: Mapping[str, str]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True)
class Unknown:
    """A file of no known format.

    Attributes:
        message: what it looks like, and what to do.
    """

    message: str


def read_file(
    path: Path, name: str, about: About, options: Options, out: Path
) -> FileRead | Unknown:
    """Read a file and write its table as Arrow IPC.

    Args:
        path: the file or folder.
        name: of its format, or `auto`.
        about: what it may be about.
        options: what a person says about it.
        out: where the table goes.

    Raises:
        AnnotationError: it is broken, of several formats, or not what it seems.
        OSError: it cannot be read, or the table not be written.
        UnreadableSlide: the slide that it is about cannot be opened.
    """
    stage("recognize")
    try:
        found, how = recognize(path) if name == "auto" else (format_named(name), "")
    except UnknownFormat as error:
        return Unknown(str(error))
    only = about.only
    if only is not None and about.slide is not None:
        stage("open slide")
        only = completed(only, about.slide)
    stage(f"read as {found.title}")
    reading = found.read(path, Frames(about.frames, only), options)
    stage("check shapes")
    frames = [*about.frames, *([only] if only is not None else [])]
    result = checked(reading.table, Frames(frames))
    stage("write table")
    with new_file(out) as stream, pa.ipc.new_file(stream, reading.table.schema) as writer:
        writer.write_table(reading.table)
    return FileRead(
        found.name,
        found.title,
        reading.dialect,
        how,
        reading.table.num_rows,
        reading.doubts,
        dict(reading.colors),
        reading.notes,
        result.findings,
        result.counts,
        reading.regions,
    )


def completed(frame: Frame, slide: Path) -> Frame:
    """A frame with what only the slide's file says: its levels, and where its center lies.

    Raises:
        UnreadableSlide: it cannot be opened.
        UnsupportedSlide: it is not a bright-field RGB image.
    """
    opened = open_slide(slide)
    try:
        levels, said = opened.facts.levels, opened.facts.properties
    finally:
        opened.close()
    x, y = (said.get(name) for name in _CENTER)
    return replace(
        frame,
        downsamples=tuple(level.downsample_x for level in levels),
        center_nm=None if x is None or y is None else (float(x), float(y)),
    )


def table_of(out: Path) -> pa.Table:
    """The table that `read_file` wrote, mapped into memory."""
    with pa.memory_map(str(out)) as mapped:
        return pa.ipc.open_file(mapped).read_all()
