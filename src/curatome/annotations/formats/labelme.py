"""LabelMe JSON: shapes of one image, in px from its top-left corner.

https://github.com/wkentaro/labelme/blob/main/labelme/_label_file.py. Points lie on corners of
pixels. A circle is its center and a point on it; a mask is a PNG over the box of its two corners,
whose last row and column belong to it. `group_id`, `flags` and `description` stay properties.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from curatome.annotations.formats import json_file, rows
from curatome.annotations.formats.base import Carries, Frame, Frames, Loss, Options, Reading
from curatome.annotations.masks import mask_pixels, mask_png
from curatome.annotations.model import ellipse_axes, ellipse_rectangle, outline
from curatome.errors import AnnotationError
from curatome.tables import ANNOTATIONS

_TAKEN = ("label", "points", "shape_type", "mask", rows.OURS)
_VERSION = "5.5.0"


class LabelMe:
    """What LabelMe saves beside each image."""

    name = "labelme"
    title = "LabelMe JSON"
    suffixes = (".json",)
    carries = Carries(
        kinds=frozenset({"point", "points", "line", "box", "circle", "polygon", "mask"}),
        holes=False,
        labels="one",
        columns=rows.KEPT | {"mask", "properties"},
        precision=1e-6,
        note="Ellipses become polygons, multipolygons one polygon for each part.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """By the members that LabelMe writes first."""
        del path
        if b'"shapes"' in head and (b'"shape_type"' in head or b'"imagePath"' in head):
            return "LabelMe's shapes"
        return None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """Every shape of the file.

        Raises:
            AnnotationError: it is broken; names line or shape.
        """
        del options
        value = json_file.load(path)
        if not isinstance(value, dict) or not isinstance(value.get("shapes"), list):
            raise AnnotationError(f'{path.name} is not of LabelMe: it has no array "shapes".')
        name = value.get("imagePath")
        known = (frames.find(name) if isinstance(name, str) else None) or frames.only
        image = known.image if known else name
        found = []
        for number, one in enumerate(value["shapes"], 1):
            where = f"{path.name}, shape {number}"
            if not isinstance(one, dict):
                raise AnnotationError(f"{where} is not an object.")
            found.append(_row(one, where) | {"image": image})
        return Reading(ANNOTATIONS.from_rows(found), f"LabelMe {value.get('version', '')}".strip())

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """The file of one image, without its pixels.

        Raises:
            AnnotationError: the annotations are of several images.
            OSError: the disk is full or the folder is not writable.
        """
        del colors
        found = table.to_pylist()
        names = {row["image"] for row in found}
        if len(names) > 1:
            raise AnnotationError(
                f"a LabelMe file is of one image, not {len(names)}. Write one each."
            )
        name = next(iter(names), None)
        frame = (frames.find(name) if name else None) or frames.only
        losses: list[Loss] = []
        shapes = [shape for row in found for shape in _shapes(row, losses)]
        json_file.save(path, _file(shapes, name, frame))
        return losses


FORMAT = LabelMe()


def _file(shapes: list[dict[str, Any]], name: str | None, frame: Frame | None) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": frame.name if frame else name or "",
        "imageData": None,
        "imageHeight": frame.height if frame else None,
        "imageWidth": frame.width if frame else None,
    }


def _row(one: dict[str, Any], where: str) -> dict[str, Any]:
    try:
        points = np.asarray(one["points"], np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
            raise ValueError('"points" must be a list of [x, y]')
        kind, shape, mask = _shape(one, points)
    except (KeyError, TypeError, ValueError, OSError, shapely.errors.GEOSException) as error:
        raise AnnotationError(f"{where}: {error}.") from error
    label = one.get("label")
    properties = {name: value for name, value in one.items() if name not in _TAKEN}
    for member, usual in (("flags", {}), ("group_id", None)):
        if member in properties and properties[member] == usual:
            del properties[member]
    columns = rows.restored(one[rows.OURS], where) if rows.OURS in one else {}
    return rows.imported(
        columns.pop("kind", kind),
        shapely.to_wkb(shape),
        mask=mask,
        labels=[str(label)] if label not in (None, "") else [],
        properties=json_file.text_of(properties),
        **columns,
    )


def _shape(  # noqa: PLR0911 - one per type
    one: dict[str, Any], points: Any
) -> tuple[str, shapely.Geometry, bytes | None]:
    way = one.get("shape_type") or "polygon"
    needed = {"point": 1, "polygon": 3, "points": 1}.get(way, 2)
    if len(points) < needed:
        raise ValueError(f"a {way} needs {needed} points, it has {len(points)}")
    if way == "polygon":
        return "polygon", shapely.Polygon(points), None
    if way == "rectangle":
        return "box", shapely.box(*points.min(axis=0), *points.max(axis=0)), None
    if way == "circle":
        (x, y), radius = points[0], float(np.hypot(*(points[1] - points[0])))
        return "circle", ellipse_rectangle((x, y), (radius, radius)), None
    if way in ("line", "linestrip"):
        return "line", shapely.LineString(points), None
    if way == "point":
        return "point", shapely.Point(points[0]), None
    if way == "points":
        return "points", shapely.MultiPoint(points), None
    if way == "mask":
        return _masked(one.get("mask"), points)
    raise ValueError(f'"{way}" is not a shape of LabelMe')


def _masked(text: Any, points: Any) -> tuple[str, shapely.Geometry, bytes]:
    if not isinstance(text, str):
        raise ValueError("the mask has no pixels")
    try:
        mask = mask_pixels(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise ValueError(f"the mask is not base64: {error}") from error
    (left, top), (height, width) = points.min(axis=0), mask.shape
    return "mask", shapely.box(left, top, left + width, top + height), mask_png(mask)


def _shapes(row: dict[str, Any], losses: list[Loss]) -> list[dict[str, Any]]:
    def lose(field: str, reason: str) -> None:
        losses.append(Loss(row["annotation"], field, reason))

    kind = row["kind"]
    if row["geometry"] is None:
        lose("labels", "LabelMe has no labels of whole images; left out")
        return []
    if len(row["labels"]) > 1:
        lose("labels", f'LabelMe has one label; "{row["labels"][0]}" was kept')
    if row["nucleus"] is not None:
        lose("nucleus", "LabelMe has no nuclei; left out")
    found = []
    drawings = _drawings(kind, row, lose)
    for at, drawing in enumerate(drawings):
        ours = rows.kept(row)
        if at:
            del ours["annotation"]  # an identity is of one shape
        found.append(
            {
                "label": row["labels"][0] if row["labels"] else "",
                "group_id": None,
                "flags": {},
                **json_file.parse(row["properties"].encode(), "properties"),
                **drawing,
                rows.OURS: ours,
            }
        )
    return found


def _drawings(kind: str, row: dict[str, Any], lose: Any) -> list[dict[str, Any]]:
    """`shape_type` and `points`, and `mask`, of every shape that a row becomes."""
    shape = shapely.from_wkb(row["geometry"])
    if kind == "mask":
        left, top, right, bottom = shape.bounds
        height, width = mask_pixels(row["mask"]).shape
        if (right - left, bottom - top) != (width, height):
            lose("geometry", "the mask's pixels are not the image's; its size was changed")
        corners = [[left, top], [left + width - 1, top + height - 1]]
        text = base64.b64encode(row["mask"]).decode()
        return [{"shape_type": "mask", "points": corners, "mask": text}]
    if kind == "circle":
        (x, y), (radius, _), _ = ellipse_axes(shape)
        return [{"shape_type": "circle", "points": [[x, y], [x + radius, y]]}]
    if kind == "box":
        left, top, right, bottom = shape.bounds
        return [{"shape_type": "rectangle", "points": [[left, top], [right, bottom]]}]
    if kind in ("point", "points") or shape.geom_type == "LineString":
        way = "linestrip" if kind == "line" else kind
        return [{"shape_type": way, "points": shapely.get_coordinates(shape).tolist()}]
    if kind == "ellipse":
        lose("geometry", "LabelMe has no ellipses; a polygon of 64 corners was written")
    parts = shapely.get_parts(outline(kind, shape))
    if len(parts) > 1:
        lose("geometry", f"LabelMe has no shapes of several parts; written as {len(parts)}")
    if kind == "line":
        return [
            {"shape_type": "linestrip", "points": shapely.get_coordinates(one).tolist()}
            for one in parts
        ]
    if shapely.get_num_interior_rings(parts).any():
        lose("geometry", "LabelMe has no holes; outer rings were kept")
    rings = [shapely.get_coordinates(one.exterior)[:-1].tolist() for one in parts]
    return [{"shape_type": "polygon", "points": ring} for ring in rings]
