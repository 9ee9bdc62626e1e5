"""What every format offers: recognize a file, read it into the table, write the table.

A reader gives coordinates in level-0 pixels wherever the format says what its numbers mean, and
a `Doubt` where it does not; nothing ambiguous is decided silently. A writer carries what the
class of tool can hold and returns what it could not carry, row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from curatome.annotations.exhaustive import Region


@dataclass(frozen=True)
class Frame:
    """An image that annotations lie on.

    Attributes:
        image: its identity, as in the table's column `image`.
        name: its file name without folder.
        width: of level 0, px.
        height: of level 0, px.
        mpp_x: µm per level-0 px, if known.
        mpp_y: likewise.
        downsamples: of its levels, level 0 first.
        center_nm: where the middle of level 0 lies from the slide's center, nm along x and y, as
            Hamamatsu records it.
    """

    image: str
    name: str
    width: int
    height: int
    mpp_x: float | None = None
    mpp_y: float | None = None
    downsamples: tuple[float, ...] = (1.0,)
    center_nm: tuple[float, float] | None = None


class Frames:
    """The images that annotations may lie on, by identity or by file name."""

    def __init__(
        self,
        frames: Sequence[Frame] = (),
        only: Frame | None = None,
        regions: Sequence[Region] = (),
    ) -> None:
        """What is known of the images.

        Args:
            frames: all of them.
            only: the one that a file without names is about.
            regions: exhaustively annotated ones, which a writer carries if its format can.
        """
        self.regions = tuple(regions)
        self.only = only if only is not None else (frames[0] if len(frames) == 1 else None)
        self._known: dict[str, Frame] = {}
        for frame in frames:
            for key in (frame.image, frame.name, Path(frame.name).stem):
                self._known.setdefault(key, frame)

    def find(self, name: str) -> Frame | None:
        """The image that a file calls `name`: by identity, by file name, or by its stem."""
        base = name.replace("\\", "/").rsplit("/", 1)[-1]
        for key in (name, base, Path(base).stem):
            if key in self._known:
                return self._known[key]
        return None


@dataclass(frozen=True)
class Doubt:
    """Something about a file that only a person can decide, with the reading that fits best.

    Attributes:
        about: `box`, `unit`, `level`, `axes`, `image` or what else is open.
        assumed: the reading that was taken, such as `x1y1x2y2`.
        instead: what the format's definition would say, such as `xywh`.
        evidence: the counts behind it, in words: "26,012 of 26,286 boxes fit their image …".
    """

    about: str
    assumed: str
    instead: str
    evidence: str


@dataclass(frozen=True)
class Options:
    """What the user says about a file that the file does not say.

    Attributes:
        box: how four numbers make a box, `xywh` or `x1y1x2y2`; None to find out.
        unit: `px` or `um`; None to find out.
        downsample: of the level the coordinates are in; None to find out.
        swap_axes: whether y comes before x; None to find out.
        classes: names of the classes by their number, for formats that have numbers only.
    """

    box: str | None = None
    unit: str | None = None
    downsample: float | None = None
    swap_axes: bool | None = None
    classes: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """What a file says.

    Attributes:
        table: `tables.ANNOTATIONS`; `image` is the image's identity where `Frames` knows it, else
            the file's own name for it, and null where the file names none.
        dialect: which kind of the format, in words: "QuPath GeoJSON, FeatureCollection, gzip".
        doubts: what a person must decide before it is imported.
        colors: color of each class as `#rrggbb`, where the file says it.
        notes: what a person should know, such as what was left out and why.
        regions: in which everything of some classes is annotated, if the file says it.
    """

    table: pa.Table
    dialect: str
    doubts: tuple[Doubt, ...] = ()
    colors: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True)
class Loss:
    """What a format could not carry of one annotation.

    Attributes:
        annotation: its id.
        field: the column, or `geometry`.
        reason: why, and what was written instead: "YOLO has no holes; the outer ring was kept".
    """

    annotation: str
    field: str
    reason: str


@dataclass(frozen=True)
class Carries:
    """What a format can hold; the capability table in the docs is made of these.

    Attributes:
        kinds: of `model.KINDS`.
        holes: polygons with holes.
        labels: `none`, `one` or `several` per annotation.
        columns: of `tables.ANNOTATIONS`, which come back as they were written, beside geometry
            and labels: `annotation`, `reader`, `time`, `confidence`, `properties`, …
        images: whether one file can hold annotations of several images.
        regions: whether it carries exhaustively annotated regions, `Frames.regions`.
        precision: greatest error of a coordinate after write and read, level-0 px.
        note: what a user should know.
    """

    kinds: frozenset[str]
    holes: bool
    labels: str
    columns: frozenset[str] = frozenset()
    images: bool = False
    regions: bool = False
    precision: float = 0.0
    note: str = ""


class Format(Protocol):
    """One format; a module of this folder offers one as `FORMAT`.

    Attributes:
        name: as on the command line, `qupath`.
        title: as in the docs, `QuPath GeoJSON`.
        suffixes: of its files, `.geojson`, the usual one first.
        carries: what it can hold.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    carries: Carries

    def recognize(self, path: Path, head: bytes) -> str | None:
        """How one knows that a file is of this format, in words, or None.

        Args:
            path: the file; its name may decide, its content is not read again.
            head: its first 64 KiB, unzipped if it was gzip.
        """

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """The whole file, or an error.

        Raises:
            AnnotationError: it is broken or not what it seems; names file and line or row.
        """

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """Write annotations whole; what was lost.

        Raises:
            AnnotationError: nothing of it can be written in this format.
            OSError: the disk is full or the folder is not writable.
        """
