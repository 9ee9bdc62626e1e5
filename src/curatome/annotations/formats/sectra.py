"""Sectra PathologyCore: areas and lines of one slide, in parts of its width.

There is no public description. Exports are an object or an array of objects with `content`, a list
of x and y. Both are in one unit: the length and the area that two exports of one slide state
(`result`, 5.93 mm and 5.33 mm²) give 23.63 mm for it alike. The unit is the width of level 0, as
viewers scale by it; where the image's scale is known, `result` is held against it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from curatome.annotations.formats import json_file, rows
from curatome.annotations.formats.base import Carries, Doubt, Frame, Frames, Loss, Options, Reading
from curatome.errors import AnnotationError
from curatome.tables import ANNOTATIONS

_RESULT = re.compile(r"([\d.]+)\s*(mm|µm|um)(²|2)?")
_TYPES = {"line": "Polyline", "polygon": "Area", "box": "Area"}
_TAKEN = ("content", "type", "id", "name", "modifiedInfo", "modifiedAt", rows.OURS)
_OFF = 0.02
"""Part by which a stated size may differ from the shape's; it is rounded to two digits."""


class Sectra:
    """Annotations as PathologyCore exports them."""

    name = "sectra"
    title = "Sectra PathologyCore JSON"
    suffixes = (".json",)
    carries = Carries(
        kinds=frozenset({"line", "polygon", "box"}),
        holes=False,
        labels="several",
        columns=rows.KEPT | {"properties"},
        precision=1e-6,
        note="Coordinates are in parts of the width. Labels are in the member `curatome`.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """By members that only Sectra has."""
        del path
        if b'"persistentId"' in head and b'"content"' in head:
            return "Sectra's persistentId and content"
        return None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """Every object of the file.

        Raises:
            AnnotationError: it is broken, or the image is not known.
        """
        del options
        value = json_file.load(path)
        if frames.only is None:
            raise AnnotationError(
                f"{path.name} has coordinates in parts of the image's width. Say which image."
            )
        objects = value if isinstance(value, list) else [value]
        found, scales = [], []
        for number, one in enumerate(objects, 1):
            where = f"{path.name}, object {number}"
            row, shape = _row(one, frames.only, where)
            found.append(row)
            scales.append(_stated_width(one, shape))
        doubt = _width_doubt([scale for scale in scales if scale], frames.only)
        return Reading(
            ANNOTATIONS.from_rows(found),
            "Sectra PathologyCore",
            doubts=(doubt,) if doubt else (),
        )

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """An array of objects.

        Raises:
            AnnotationError: the image is not known, or there are several.
            OSError: the disk is full or the folder is not writable.
        """
        del colors
        found = table.to_pylist()
        names = {row["image"] for row in found}
        frame = frames.find(next(iter(names)) or "") if len(names) == 1 else None
        frame = frame or frames.only
        if frame is None or len(names) > 1:
            raise AnnotationError("a Sectra file is of one image of known width. Write one each.")
        losses: list[Loss] = []
        objects = [one for row in found if (one := _object(row, frame, losses)) is not None]
        json_file.save(path, objects)
        return losses


FORMAT = Sectra()


def _row(one: Any, frame: Frame, where: str) -> tuple[dict[str, Any], shapely.Geometry]:
    if not isinstance(one, dict) or one.get("type") not in ("Area", "Polyline"):
        raise AnnotationError(f'{where}: the type must be "Area" or "Polyline".')
    try:
        points = np.array([[float(p["x"]), float(p["y"])] for p in one.get("content", ())])
        if one["type"] == "Area":
            kind, shape = "polygon", shapely.Polygon(points)
        else:
            kind, shape = "line", shapely.LineString(points)
    except (KeyError, TypeError, ValueError, shapely.errors.GEOSException) as error:
        raise AnnotationError(f'{where}: "content" is not a list of x and y ({error}).') from error
    if shape.is_empty or not np.isfinite(points).all():
        raise AnnotationError(f"{where} has no shape.")
    on_image = shapely.transform(shape, lambda part: part * frame.width)
    columns: dict[str, Any] = {
        "foreign": one.get("id"),
        "name": one.get("name"),
        "reader": one.get("modifiedInfo"),
    }
    if one.get("modifiedAt"):
        columns["time"] = rows.moment(_microseconds(one["modifiedAt"]), where)
    if rows.OURS in one:
        ours = dict(one[rows.OURS])
        columns = {"labels": ours.pop("labels", [])} | rows.restored(ours, where)
        kind = columns.pop("kind", kind)
    properties = {name: value for name, value in one.items() if name not in _TAKEN}
    row = rows.imported(
        kind,
        shapely.to_wkb(on_image),
        image=frame.image,
        properties=json_file.text_of(properties),
        **columns,
    )
    return row, shape


def _microseconds(time: str) -> str:
    """A time with up to six digits of its second; .NET writes seven."""
    return re.sub(r"(\.\d{1,6})\d*", lambda digits: digits[1].ljust(7, "0"), time)


def _stated_width(one: dict[str, Any], shape: shapely.Geometry) -> float | None:
    """The image's width in mm by an object's stated size."""
    match = _RESULT.fullmatch(str(one.get("result") or "").strip())
    if match is None:
        return None
    value, unit, square = float(match[1]), match[2], match[3]
    size = shape.area if square else shape.length
    if not size or not value:
        return None
    width: float = (value / size) ** 0.5 if square else value / size
    # A square µm is a millionth of a square mm, and the root of that a thousandth.
    return width if unit == "mm" else width / 1000


def _width_doubt(widths: list[float], frame: Frame) -> Doubt | None:
    if not widths or frame.mpp_x is None:
        return None
    stated, known = float(np.median(widths)), frame.width * frame.mpp_x / 1000
    if abs(stated / known - 1) <= _OFF:
        return None
    evidence = (
        f"by the sizes that the file states, its image is {stated:.2f} mm wide; {frame.name} is "
        f"{known:.2f} mm wide."
    )
    return Doubt("image", "another image", "this image", evidence)


def _object(row: dict[str, Any], frame: Frame, losses: list[Loss]) -> dict[str, Any] | None:
    kind = row["kind"]
    shape = None if row["geometry"] is None else shapely.from_wkb(row["geometry"])
    if shape is None or kind not in _TYPES or shape.geom_type == "MultiLineString":
        losses.append(Loss(row["annotation"], "geometry", f"Sectra has no {kind}; left out"))
        return None
    if kind == "polygon" and len(shape.interiors):
        reason = "Sectra has no holes; the outer ring was kept"
        losses.append(Loss(row["annotation"], "geometry", reason))
    points = shape.coords if kind == "line" else list(shape.exterior.coords)[:-1]
    ours = rows.kept(row, ("name",)) | ({"labels": row["labels"]} if row["labels"] else {})
    ours |= {"name": row["name"]} if row["name"] is not None else {}
    return {
        **json_file.parse(row["properties"].encode(), "properties"),
        "id": row["foreign"] or row["annotation"],
        "type": _TYPES[kind],
        "name": row["name"],
        "content": [{"x": x / frame.width, "y": y / frame.width} for x, y in points],
        rows.OURS: ours | ({"kind": kind} if kind == "box" else {}),
    }
