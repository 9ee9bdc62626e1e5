"""The pixels of masks and label images, and what their values mean."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from curatome.annotations.formats import json_file
from curatome.annotations.formats.base import Options
from curatome.annotations.formats.entries import Row
from curatome.durable import write_file
from curatome.errors import AnnotationError

_MOST_PIXELS = 1 << 29
_COLOR = re.compile(r"#([0-9a-fA-F]{6})")
_FIRST = ("label", "value", "color")


@dataclass(frozen=True)
class Picture:
    """A label image.

    Attributes:
        labels: (H, W) of whole numbers; RGB as 0xrrggbb.
        kind: in words.
        size: width and height of the file's picture, of which `labels` may be a lower level.
        classes: whether its values can only be classes: RGB or a palette.
        colors: `#rrggbb` by value, where values have colors.
        notes: what a person should know.
    """

    labels: npt.NDArray[Any]
    kind: str
    classes: bool = False
    colors: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of `labels`, px."""
        return self.labels.shape[1], self.labels.shape[0]


@dataclass(frozen=True)
class Meaning:
    """What the values of a label image mean.

    Attributes:
        whole: whether a value is one object, not a class.
        names: class by value.
        annotations: id by value.
        colors: `#rrggbb` by class.
        numbered: whether classes without name are called by their value.
    """

    whole: bool
    names: Mapping[int, str]
    annotations: Mapping[int, str] = field(default_factory=dict)
    colors: Mapping[str, str] = field(default_factory=dict)
    numbered: bool = False

    def label(self, value: int) -> str | None:
        """The class of a value, if it has one."""
        return self.names.get(value) or (str(value) if self.numbered else None)


def load(path: Path) -> Picture:
    """A label image.

    Raises:
        AnnotationError: it is broken, or of a kind that holds no labels.
        OSError: it cannot be read.
    """
    try:
        return _png(path) if path.suffix.lower() == ".png" else _tiff(path)
    except (SyntaxError, ValueError, KeyError, IndexError, OSError, tifffile.TiffFileError,
            Image.DecompressionBombError) as error:  # fmt: skip
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise AnnotationError(f"{path.name} is not a whole picture: {error}.") from error


def _png(path: Path) -> Picture:
    with Image.open(path) as image:
        if image.mode == "P":
            palette = np.array(image.convert("RGB").getpalette() or image.getpalette("RGB"))
            shown = palette.reshape(-1, 3)
            colors = {at: "#{:02x}{:02x}{:02x}".format(*rgb) for at, rgb in enumerate(shown)}
            return Picture(np.asarray(image), "PNG with a palette", True, colors)
        pixels = np.asarray(image)
    return _labelled(pixels, path, "PNG", ())


def _tiff(path: Path) -> Picture:
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        kind = "OME-TIFF" if file.is_ome else "TIFF"
        # The page says best what is a level and what are channels.
        for number, level in enumerate(series.levels):
            if level.shape[0] * level.shape[1] <= _MOST_PIXELS:
                notes = (f"{path.name} is large; its level {number} was read.",) if number else ()
                return _labelled(np.squeeze(level.asarray()), path, kind, notes)
    raise AnnotationError(f"{path.name} is too large and has no lower level. Save it as a pyramid.")


def _labelled(pixels: npt.NDArray[Any], path: Path, kind: str, notes: tuple[str, ...]) -> Picture:
    if pixels.ndim == 2 and pixels.dtype.kind == "b":
        return Picture(pixels.astype(np.uint8), f"1-bit {kind}", False, {}, notes)
    if pixels.ndim == 2 and pixels.dtype.kind in "ui":
        if pixels.min() < 0:
            raise AnnotationError(f"{path.name} has negative values. Background must be 0.")
        return Picture(pixels, f"{8 * pixels.dtype.itemsize}-bit {kind}", False, {}, notes)
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4) and pixels.dtype == np.uint8:
        red, green, blue = (pixels[..., one].astype(np.int32) for one in range(3))
        packed = red << 16 | green << 8 | blue
        colors = {int(value): f"#{value:06x}" for value in np.unique(packed)[: 1 << 12]}
        return Picture(packed, f"RGB {kind}", True, colors, notes)
    raise AnnotationError(
        f"{path.name} has pixels {pixels.dtype} in {pixels.ndim} axes. Labels are whole numbers, "
        "or colors, in one plane."
    )


def meaning_of(path: Path, picture: Picture, options: Options) -> Meaning:
    """What the values mean: from the user, from a table beside the picture, or from the values.

    Raises:
        AnnotationError: the table is not usable; names the row.
    """
    if options.classes:
        return Meaning(False, options.classes, numbered=True)
    folder = path.parent
    names = (f"{path.stem}.classes.csv", f"{path.stem}.classes.json", "classes.csv", "classes.json")
    for table in (folder / name for name in names):
        if table.is_file():
            return (_from_csv if table.suffix == ".csv" else _from_json)(table)
    values = np.unique(picture.labels[picture.labels != 0])
    if not picture.classes:
        return Meaning(len(values) > 1, {})
    named = {int(one): picture.colors.get(int(one), str(one)) for one in values}
    is_rgb = picture.kind.startswith("RGB")
    labels = named if is_rgb else {value: str(value) for value in named}
    return Meaning(False, labels, colors={labels[value]: color for value, color in named.items()})


def _from_csv(table: Path) -> Meaning:
    text = json_file.read_bytes(table).decode("utf-8", "replace")
    first = text.split("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    head = [name.strip().lower() for name in rows[0]]
    if head[0] not in _FIRST or "class" not in head:
        raise AnnotationError(
            f"{table.name} must have the columns class and, first, one of {', '.join(_FIRST)}."
        )
    named, ids = {}, {}
    for number, row in enumerate(rows[1:], 2):
        if not any(row):
            continue
        if len(row) != len(head):
            raise AnnotationError(f"{table.name} row {number} has not {len(head)} columns.")
        value = _value(row[0], f"{table.name} row {number}")
        named[value] = row[head.index("class")].strip()
        if "annotation" in head:
            ids[value] = row[head.index("annotation")].strip()
    return Meaning(head[0] == "label", named, ids, _colors(named, head[0]), head[0] == "value")


def _from_json(table: Path) -> Meaning:
    held = json_file.load(table)
    if not isinstance(held, dict) or not all(isinstance(one, str) for one in held.values()):
        raise AnnotationError(f"{table.name} must be an object of class by value.")
    named = {_value(key, table.name): name for key, name in held.items()}
    first = "color" if any(key.startswith("#") for key in held) else "value"
    return Meaning(False, named, colors=_colors(named, first), numbered=first == "value")


def _value(text: str, where: str) -> int:
    color = _COLOR.fullmatch(text.strip())
    if color is not None:
        return int(color[1], 16)
    if not text.strip().isdigit():
        raise AnnotationError(f'{where}: "{text}" is no whole number, and no color like #ff0000.')
    return int(text)


def _colors(named: Mapping[int, str], first: str) -> dict[str, str]:
    return {name: f"#{value:06x}" for value, name in named.items()} if first == "color" else {}


def save_meaning(path: Path, rows: Sequence[Row]) -> None:
    """Write the table beside a label image: class and annotation of the values from 1 on.

    Raises:
        OSError: the disk is full or the folder is not writable.
    """
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["label", "class", "annotation"])
    for number, row in enumerate(rows, 1):
        lines.writerow([number, (row["labels"] or [""])[0], row["annotation"]])
    write_file(path.with_name(f"{path.stem}.classes.csv"), text.getvalue())
