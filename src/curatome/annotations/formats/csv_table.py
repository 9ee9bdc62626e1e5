"""Tables of points, boxes and shapes as CSV, with columns in many spellings.

A table has x and y; or x, y, width, height; or two corners; or a shape as WKT. Columns are known
by their names without regard to case, spaces and signs: `Centroid X µm` and `x_um` are both x in
µm. Comma, semicolon, tab and bar are found out from the header; a comma may be the decimal sign
where it does not part columns. Coordinates are level-0 px with the origin at the corner, or µm
where the name says so; whatever column is not known goes into `properties`.

Written are `annotation`, `image`, `kind`, `geometry` (WKT, https://www.ogc.org/standard/sfa/)
and every other column but masks; lists and mappings are JSON.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import shapely

from curatome.annotations.formats.base import Carries, Frame, Frames, Loss, Options, Reading
from curatome.annotations.formats.entries import (
    Row,
    column_losses,
    fitted,
    new_row,
    something,
    to_rows,
    to_table,
)
from curatome.annotations.formats.xml_file import to_number
from curatome.annotations.model import KINDS
from curatome.durable import write_file
from curatome.errors import AnnotationError

_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "x": ("x", "cx", "centroidx", "centerx", "centrex", "xcenter", "xcentroid",
          "coordinatex", "xcoord", "xcoordinate", "posx"),
    "y": ("y", "cy", "centroidy", "centery", "centrey", "ycenter", "ycentroid",
          "coordinatey", "ycoord", "ycoordinate", "posy"),
    "width": ("width", "w", "boxwidth", "bboxwidth"),
    "height": ("height", "h", "boxheight", "bboxheight"),
    "x1": ("x1", "xmin", "minx", "left", "x0", "xtl", "startx"),
    "y1": ("y1", "ymin", "miny", "top", "y0", "ytl", "starty"),
    "x2": ("x2", "xmax", "maxx", "right", "xbr", "endx"),
    "y2": ("y2", "ymax", "maxy", "bottom", "ybr", "endy"),
    "geometry": ("geometry", "wkt", "shape", "polygon", "location", "geom"),
    "labels": ("labels", "label", "class", "classname", "classification", "category", "type",
               "celltype", "annotationlabel", "pathclass"),
    "image": ("image", "slide", "file", "filename", "imagename", "imageid", "slideid",
              "slidename", "imagepath", "path"),
    "annotation": ("annotation", "uuid", "annotationid"),
    "foreign": ("foreign", "id", "objectid", "uid"),
    "reader": ("reader", "annotator", "user", "observer", "rater", "creator", "expert"),
    "confidence": ("confidence", "score", "probability", "prob"),
    "name": ("name", "objectname"),
    **{name: (name.replace("_", ""),) for name in (
        "kind", "nucleus", "cannot_judge", "read", "guideline", "time", "tool", "basis",
        "parents", "properties")},
}  # fmt: skip
_MEANING = {spelling: name for name, known in _SPELLINGS.items() for spelling in known}
_PLACES = ("x", "y", "width", "height", "x1", "y1", "x2", "y2")
_UNITS = {"um": "um", "micron": "um", "microns": "um", "px": "px",
          "pixel": "px", "pixels": "px"}  # fmt: skip
_WORDS = re.compile(r"[^\W_]+")
_MASK = frozenset({"mask"})
_PLAIN = ("annotation", "image", "kind", "reader", "guideline", "tool", "basis", "name", "foreign")


class CsvTable:
    """CSV."""

    name = "csv"
    title = "CSV"
    suffixes = (".csv", ".tsv", ".txt")
    carries = Carries(
        kinds=frozenset(KINDS) - _MASK,
        holes=True,
        labels="several",
        columns=frozenset(
            {
                "annotation",
                "nucleus",
                "cannot_judge",
                "confidence",
                "reader",
                "read",
                "guideline",
                "time",
                "tool",
                "basis",
                "parents",
                "name",
                "foreign",
                "properties",
            }
        ),
        images=True,
        note="Shapes are WKT; masks become their outline.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """See `Format`."""
        if path.suffix.lower() not in self.suffixes or b"\0" in head:
            return None
        first = head.decode("utf-8-sig", "replace").splitlines()[:1]
        try:
            layout = _layout(first[0], path.name) if first else None
        except AnnotationError:
            return None
        return f"its columns are {layout.said}" if layout is not None else None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """See `Format`."""
        try:
            text = path.read_text("utf-8-sig")
        except UnicodeDecodeError as error:
            raise AnnotationError(
                f"{path.name} is not UTF-8 at byte {error.start}. Save it as UTF-8."
            ) from error
        lines = text.splitlines()
        if not lines:
            raise AnnotationError(f"{path.name} row 1: the file is empty.")
        layout = _layout(lines[0], path.name, options)
        rows = []
        try:
            for cells in (reader := csv.reader(io.StringIO(text), delimiter=layout.delimiter)):
                if reader.line_num > 1 and any(cells):
                    place = f"{path.name} row {reader.line_num}"
                    rows.append(_row(cells, layout, place, frames))
        except csv.Error as error:
            raise AnnotationError(f"{path.name} row {reader.line_num}: {error}.") from error
        sign = {"\t": "tab"}.get(layout.delimiter, layout.delimiter)
        return Reading(to_table(rows), f'CSV parted by "{sign}", {layout.said}')

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """See `Format`."""
        del frames, colors
        losses, written = [], []
        for row in to_rows(table):
            fitting, lost = fitted(row, self.carries, self.title)
            losses += lost + column_losses(row, self.carries, self.title)
            written += [_cells(one) for one in fitting]
        something(len(written), self.title)
        text = io.StringIO()
        delimiter = "\t" if path.suffix == ".tsv" else ","
        writer = csv.DictWriter(text, list(written[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(written)
        write_file(path, text.getvalue())
        return losses


@dataclass(frozen=True)
class _Layout:
    """How a table is laid out.

    Attributes:
        delimiter: between its cells.
        header: names as written.
        at: number of the column by its meaning.
        shape: `wkt`, `corners`, `box`, `point` or `none`.
        um: whether coordinates are in µm.
        downsample: of the level that coordinates in px are in.
    """

    delimiter: str
    header: tuple[str, ...]
    at: Mapping[str, int]
    shape: str
    um: bool
    downsample: float = 1.0

    @property
    def said(self) -> str:
        """The layout in words."""
        named = ", ".join(self.header[i] for i in sorted(self.at.values()))
        return f"{named} ({'µm' if self.um else 'px'})"


def _layout(line: str, file: str, options: Options | None = None) -> _Layout:
    """The layout that a header says.

    Raises:
        AnnotationError: it has no columns that say where something is.
    """
    delimiter = max(",;\t|", key=line.count)
    header = tuple(name.strip() for name in next(csv.reader([line], delimiter=delimiter), []))
    at: dict[str, int] = {}
    rank: dict[str, int] = {}
    units: dict[str, str] = {}
    for number, name in enumerate(header):
        words = [word.casefold() for word in _WORDS.findall(re.sub("[µμ]", "u", name))]
        unit = _UNITS.get(words[-1]) if words else None
        meaning = _MEANING.get("".join(words[:-1] if unit else words))
        if meaning is None:
            continue
        word = "".join(words[:-1] if unit else words)
        if meaning in at and _SPELLINGS[meaning].index(word) >= rank[meaning]:
            continue
        at[meaning], rank[meaning] = number, _SPELLINGS[meaning].index(word)
        if meaning in _PLACES:
            units[meaning] = unit or "px"
    measures = set(units.values())
    shape = _shape_of(at)
    if shape is None or len(measures) > 1:
        problem = "mixes px and µm" if shape else "has no x and y, no box and no WKT"
        raise AnnotationError(f"{file} row 1: the header {problem}. It says {', '.join(header)}.")
    said = options or Options()
    um = said.unit == "um" if said.unit else measures == {"um"}
    return _Layout(delimiter, header, at, shape, um, said.downsample or 1.0)


def _shape_of(at: Mapping[str, int]) -> str | None:
    if "geometry" in at:
        return "wkt"
    if {"x1", "y1", "x2", "y2"} <= set(at):
        return "corners"
    if ({"x", "y"} <= set(at) or {"x1", "y1"} <= set(at)) and {"width", "height"} <= set(at):
        return "box"
    if {"x", "y"} <= set(at):
        return "point"
    return None


def _row(cells: Sequence[str], layout: _Layout, place: str, frames: Frames) -> Row:
    if len(cells) != len(layout.header):
        raise AnnotationError(
            f"{place}: it has {len(cells)} cells, and the header has {len(layout.header)}."
        )
    said = {name: cells[i].strip() for name, i in layout.at.items() if cells[i].strip()}
    frame = frames.find(said["image"]) if "image" in said else frames.only
    scale = _scale(layout, frame, place)
    kind, shape = _drawn(said, layout, place, scale)
    row = new_row(kind, shape)
    for name, value in said.items():
        if name in _FROM_TEXT and name not in ("kind", "geometry"):
            row[name] = _taken(name, value, place)
    if frame is not None:
        row["image"] = frame.image
    known = set(layout.at.values())
    if "properties" not in layout.at:
        row["properties"] = {
            name: cells[i] for i, name in enumerate(layout.header) if i not in known and cells[i]
        }
    return row


def _scale(layout: _Layout, frame: Frame | None, place: str) -> tuple[float, float]:
    """Level-0 px per unit of the file, along x and y."""
    if not layout.um:
        return layout.downsample, layout.downsample
    if frame is None or frame.mpp_x is None or frame.mpp_y is None:
        raise AnnotationError(
            f"{place}: coordinates are in µm, and the image's µm per px is not known. Add the "
            "slide, or name it with --image."
        )
    return 1 / frame.mpp_x, 1 / frame.mpp_y


def _drawn(
    said: Mapping[str, str], layout: _Layout, place: str, scale: tuple[float, float]
) -> tuple[str, shapely.Geometry | None]:
    if layout.shape == "wkt":
        return _from_wkt(said, place, scale)
    at = {}
    for name in _PLACES:
        if name in layout.at:
            written = said.get(name, "")
            if layout.delimiter != "," and re.fullmatch(r"-?\d+,\d+", written):
                written = written.replace(",", ".")
            at[name] = to_number(written, f"{place}: {layout.header[layout.at[name]]}")
            at[name] *= scale[0 if "x" in name or name == "width" else 1]
    if layout.shape == "point":
        return "point", shapely.Point(at["x"], at["y"])
    if layout.shape == "box":
        left, top = at.get("x1", at.get("x", 0.0)), at.get("y1", at.get("y", 0.0))
        name = layout.header[layout.at["x"]].casefold() if "x" in layout.at else ""
        if "c" in name:
            left, top = left - at["width"] / 2, top - at["height"] / 2
        corners = (left, top, left + at["width"], top + at["height"])
    else:
        corners = (at["x1"], at["y1"], at["x2"], at["y2"])
    if corners[2] <= corners[0] or corners[3] <= corners[1]:
        raise AnnotationError(f"{place}: the box is empty or inside out. Correct its numbers.")
    return "box", shapely.box(*corners)


_OF_WKT = {
    "Point": "point",
    "MultiPoint": "points",
    "LineString": "line",
    "MultiLineString": "line",
    "Polygon": "polygon",
    "MultiPolygon": "multipolygon",
}


def _from_wkt(
    said: Mapping[str, str], place: str, scale: tuple[float, float]
) -> tuple[str, shapely.Geometry | None]:
    kind = said.get("kind")
    if kind == "whole" or (kind is None and "geometry" not in said):
        return "whole", None
    try:
        shape = shapely.from_wkt(said.get("geometry", ""))
    except shapely.GEOSException as error:
        raise AnnotationError(f"{place}: the shape is no WKT: {error}.") from error
    if shape is None or shape.is_empty or shape.geom_type not in _OF_WKT:
        raise AnnotationError(f"{place}: the shape is empty, or of no kind that is known.")
    for value in shapely.get_coordinates(shape).ravel():
        to_number(str(value), f"{place}: a coordinate of the shape")
    if kind is not None and kind not in KINDS:
        raise AnnotationError(f'{place}: "{kind}" is no kind of annotation.')
    if scale != (1.0, 1.0):
        shape = shapely.transform(shape, lambda points: points * scale)
    return kind or _OF_WKT[shape.geom_type], shape


def _labels(value: str) -> list[str]:
    return [str(one) for one in json.loads(value)] if value.startswith("[") else [value]


def _time(value: str) -> datetime:
    time = datetime.fromisoformat(value)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


_FROM_TEXT: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(_PLAIN, str),
    "labels": _labels,
    "parents": json.loads,
    "properties": json.loads,
    "nucleus": lambda value: shapely.to_wkb(shapely.from_wkt(value)),
    "cannot_judge": lambda value: {"true": True, "false": False}[value.lower()],
    "confidence": float,
    "read": int,
    "time": _time,
}


def _taken(name: str, value: str, place: str) -> Any:
    try:
        return _FROM_TEXT[name](value)
    except (ValueError, KeyError, shapely.GEOSException) as error:
        raise AnnotationError(f'{place}: {name} cannot be "{value[:40]}".') from error


def _cells(row: Row) -> dict[str, str]:
    nucleus = row["nucleus"]
    shape = row["shape"]
    return {
        **{name: row[name] or "" for name in _PLAIN},
        "geometry": "" if shape is None else shapely.to_wkt(shape, rounding_precision=20),
        "labels": json.dumps(row["labels"], ensure_ascii=False),
        "parents": json.dumps(row["parents"], ensure_ascii=False),
        "properties": json.dumps(row["properties"], ensure_ascii=False),
        "nucleus": "" if nucleus is None else _wkt(nucleus),
        "cannot_judge": str(row["cannot_judge"]).lower(),
        "confidence": "" if row["confidence"] is None else repr(row["confidence"]),
        "read": str(row["read"]),
        "time": "" if row["time"] is None else row["time"].isoformat(),
    }


def _wkt(geometry: bytes) -> str:
    return str(shapely.to_wkt(shapely.from_wkb(geometry), rounding_precision=20))


FORMAT = CsvTable()
