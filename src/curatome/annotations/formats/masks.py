"""Masks and label images: PNG, TIFF and OME-TIFF whose pixels say what they belong to.

What a pixel's value means is in a table beside the picture, `NAME.classes.csv` or `classes.csv`
(or `.json`, an object of class by value), whose first column says it:

    label,class    every value is one object; a column `annotation` keeps its id
    value,class    every value is a class, and each connected piece an object
    color,class    likewise for pictures in RGB, colors as #rrggbb

Without one, a picture of several gray values is one of objects, as cell segmentation writes them;
one of a single value, with a palette or in RGB is one of classes. 0 and black are background. A
folder is either a label image for each image, or, where it has a folder `masks`, a picture for
each object of the image that it is named after, as in the Data Science Bowl 2018
(https://bbbc.broadinstitute.org/BBBC038). The picture covers the whole image: where it has fewer
pixels, it is a lower level. Outlines run along the edges of pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely
import tifffile
from PIL import Image

from curatome.annotations.formats import raster
from curatome.annotations.formats.base import (
    Carries,
    Doubt,
    Format,
    Frame,
    Frames,
    Loss,
    Options,
    Reading,
)
from curatome.annotations.formats.entries import Row, new_row, pictured, to_table
from curatome.annotations.formats.mask_pixels import load, meaning_of, save_meaning
from curatome.durable import new_file
from curatome.errors import AnnotationError
from curatome.geometry import rasterize

_TITLE = "Masks"
_SUFFIXES = (".png", ".tif", ".tiff")
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_LARGEST_PNG = 1 << 28
_MOST_OBJECTS = {".png": (1 << 16) - 1, ".tif": (1 << 32) - 1, ".tiff": (1 << 32) - 1}


class Masks:
    """The format."""

    name = "masks"
    title = "Masks and label images"
    suffixes: tuple[str, ...] = _SUFFIXES
    carries = Carries(
        kinds=frozenset({"polygon", "multipolygon"}),
        holes=True,
        labels="one",
        columns=frozenset({"annotation"}),
        precision=1.0,
        note="One label image of level 0 and its table NAME.classes.csv. Outlines come back along "
        "the edges of pixels; of annotations that overlap, the later one keeps the pixels.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """See `Format`."""
        if path.is_dir():
            known = _cases(path) or (_pictures(path) and not _others(path))
            return "a folder of PNG or TIFF masks" if known else None
        known = path.suffix.lower() in _SUFFIXES and head.startswith(_MAGIC)
        return "a PNG or TIFF picture" if known else None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """See `Format`."""
        if not path.is_dir():
            return _joined([_read_labels(path, frames, options, only=True)])
        cases = _cases(path)
        if cases:
            return _joined([_read_objects(case, frames, options) for case in cases])
        pictures = _pictures(path)
        if not pictures:
            raise AnnotationError(f"{path.name} holds no PNG or TIFF.")
        return _joined([_read_labels(one, frames, options, only=False) for one in pictures])

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """See `Format`."""
        del colors
        frame, written, losses = pictured(table, frames, self.carries, _TITLE)
        _refuse_too_much(path, frame, len(written))
        canvas = _Canvas([row["shape"] for row in written], frame)
        _save(path, canvas, frame)
        save_meaning(path, written)
        return losses + canvas.losses(written)


def _pictures(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.suffix.lower() in _SUFFIXES)


def _others(folder: Path) -> bool:
    """Whether a folder holds what is neither a mask nor a table of classes."""
    names = (one for one in folder.iterdir() if not one.name.startswith("."))
    return any(one.suffix.lower() not in _SUFFIXES and "classes." not in one.name for one in names)


def _cases(folder: Path) -> list[Path]:
    """Folders with a folder `masks`: this one, or those within it."""
    if (folder / "masks").is_dir():
        return [folder]
    return sorted(one for one in folder.iterdir() if (one / "masks").is_dir())


def _joined(readings: Sequence[Reading]) -> Reading:
    colors = {name: color for one in readings for name, color in one.colors.items()}
    dialects = dict.fromkeys(one.dialect for one in readings)
    return Reading(
        pa.concat_tables([one.table for one in readings]),
        f"{_TITLE}: {', '.join(dialects)}",
        tuple(doubt for one in readings for doubt in one.doubts),
        colors,
        tuple(note for one in readings for note in one.notes),
    )


def _found(name: str, frames: Frames, *, only: bool) -> tuple[str, Frame | None]:
    frame = frames.find(name) or (frames.only if only else None)
    return (frame.image if frame is not None else Path(name).stem), frame


def _read_labels(path: Path, frames: Frames, options: Options, *, only: bool) -> Reading:
    picture = load(path)
    meaning = meaning_of(path, picture, options)
    image, frame = _found(path.name, frames, only=only)
    scale, doubts = raster.scale_to(frame, picture.size, options)
    rows = []
    for value, shape in raster.objects(picture.labels, meaning.whole):
        row = _row(shape, scale, image, meaning.label(value))
        row["foreign"] = str(value) if meaning.whole else None
        row["annotation"] = meaning.annotations.get(value, row["annotation"])
        rows.append(row)
    told = f"{picture.kind}, a value for each {'object' if meaning.whole else 'class'}"
    return Reading(to_table(rows), told, doubts, meaning.colors, picture.notes)


def _read_objects(case: Path, frames: Frames, options: Options) -> Reading:
    image, frame = _found(case.name, frames, only=True)
    rows: list[Row] = []
    found: dict[Doubt, None] = {}
    for path in _pictures(case / "masks"):
        picture = load(path)
        scale, doubts = raster.scale_to(frame, picture.size, options)
        found |= dict.fromkeys(doubts)
        for _, shape in raster.objects((picture.labels != 0).astype(np.uint8), whole=True):
            rows.append({**_row(shape, scale, image, None), "foreign": path.stem})
    return Reading(to_table(rows), "a picture for each object", tuple(found))


def _row(shape: shapely.Geometry, scale: tuple[float, float], image: str, label: str | None) -> Row:
    row = new_row(raster.kind_of(shape), raster.to_level0(shape, scale), [label] if label else [])
    return {**row, "image": image}


def _refuse_too_much(path: Path, frame: Frame, objects: int) -> None:
    most = _MOST_OBJECTS.get(path.suffix.lower())
    if most is None:
        raise AnnotationError(f"masks are PNG or TIFF. Name {path.name} .png or .tif.")
    large = path.suffix.lower() == ".png" and frame.width * frame.height > _LARGEST_PNG
    if objects > most or large:
        raise AnnotationError(f"{path.name} would be too large for PNG. Name it .tif.")


class _Canvas:
    """Label tiles of level 0, and how many pixels each shape had when it was painted."""

    def __init__(self, shapes: Sequence[shapely.Geometry], frame: Frame) -> None:
        self.shapes, self.frame = np.array(shapes, object), frame
        self.tree = shapely.STRtree(self.shapes)
        self.painted = np.zeros(len(shapes) + 1, np.int64)
        self.kept = np.zeros(len(shapes) + 1, np.int64)

    def tiles(self, kind: npt.DTypeLike) -> Iterator[npt.NDArray[Any]]:
        """Tiles from left to right and top to bottom, whole ones also at the edges."""
        side = raster.TILE
        for y in range(0, self.frame.height, side):
            for x in range(0, self.frame.width, side):
                tile = np.zeros((side, side), kind)
                here = shapely.box(x, y, x + side, y + side)
                for number in np.sort(self.tree.query(here)):
                    inside = rasterize(self.shapes[number], (x, y), (1.0, 1.0), side)
                    inside[self.frame.height - y :], inside[:, self.frame.width - x :] = (
                        False,
                        False,
                    )
                    self.painted[number + 1] += inside.sum()
                    tile[inside] = number + 1
                self.kept += np.bincount(tile.ravel(), minlength=len(self.kept))
                yield tile

    def losses(self, rows: Sequence[Row]) -> list[Loss]:
        """What the tiles do not show, once all were made."""
        found = []
        for row, painted, kept in zip(rows, self.painted[1:], self.kept[1:], strict=True):
            if not painted:
                told = "It covers the middle of no pixel and was left out."
            elif kept < painted:
                told = f"Later annotations cover {painted - kept:,} of its {painted:,} pixels."
            else:
                continue
            found.append(Loss(row["annotation"], "geometry", told))
        return found


def _save(path: Path, canvas: _Canvas, frame: Frame) -> None:
    side = raster.TILE
    with new_file(path) as stream:
        if path.suffix.lower() != ".png":
            tifffile.imwrite(
                stream,
                canvas.tiles(np.uint32),
                shape=(frame.height, frame.width),
                dtype=np.uint32,
                tile=(side, side),
                compression="deflate",
                bigtiff=frame.width * frame.height > 1 << 29,
            )
            return
        pixels = np.zeros((frame.height, frame.width), np.uint16)
        across = -(-frame.width // side)
        for number, tile in enumerate(canvas.tiles(np.uint16)):
            y, x = number // across * side, number % across * side
            part = pixels[y : y + side, x : x + side]
            part[:] = tile[: part.shape[0], : part.shape[1]]
        Image.fromarray(pixels).save(stream, "PNG")


FORMAT: Format = Masks()
