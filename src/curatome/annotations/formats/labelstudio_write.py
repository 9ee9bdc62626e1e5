"""Annotations as tasks of Label Studio."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from curatome.annotations.formats import json_file, rows
from curatome.annotations.formats.base import Frame, Frames, Loss
from curatome.annotations.formats.run_lengths import packed_bytes
from curatome.annotations.masks import mask_pixels
from curatome.annotations.model import ellipse_axes, outline
from curatome.errors import AnnotationError

_LARGEST = 1 << 26
"""Pixels of an image whose brush is written whole, as the format has it."""


def content(table: pa.Table, frames: Frames) -> tuple[list[dict[str, Any]], list[Loss]]:
    """Tasks, one per image, and what is lost.

    Raises:
        AnnotationError: the size of an image is not known.
    """
    losses: list[Loss] = []
    tasks: dict[str, dict[str, Any]] = {}
    for row in table.to_pylist():
        frame = frames.find(row["image"]) if row["image"] else frames.only
        if frame is None:
            raise AnnotationError(
                f"the size of image {row['image']} is not known, and Label Studio's shapes are in "
                "percent of it. Add the image first."
            )
        task = tasks.setdefault(
            frame.name,
            {"id": len(tasks) + 1, "data": {"image": frame.name}, "annotations": []},
        )
        results = _result(row, frame, losses)
        if results:
            _by(task, row["reader"])["result"] += results
    return list(tasks.values()), losses


def _by(task: dict[str, Any], reader: str | None) -> dict[str, Any]:
    for one in task["annotations"]:
        if one.get("completed_by") == reader:
            found: dict[str, Any] = one
            return found
    task["annotations"].append({"completed_by": reader, "result": []})
    added: dict[str, Any] = task["annotations"][-1]
    return added


def _result(row: dict[str, Any], frame: Frame, losses: list[Loss]) -> list[dict[str, Any]]:
    def lose(field: str, reason: str) -> None:
        losses.append(Loss(row["annotation"], field, reason))

    if row["nucleus"] is not None:
        lose("nucleus", "Label Studio has no nuclei; left out")
    common = {
        "id": row["annotation"],
        "to_name": "image",
        "meta": json_file.parse(row["properties"].encode(), "properties"),
        "original_width": frame.width,
        "original_height": frame.height,
        rows.OURS: rows.kept(row),
    }
    if row["kind"] == "whole":
        value = {"choices": row["labels"]}
        return [common | {"type": "choices", "from_name": "choice", "value": value}]
    found = []
    for at, (way, value) in enumerate(_values(row, frame, lose)):
        labels = f"{way}labels"
        one = common | {"type": labels, "from_name": "label", "value": value}
        value[labels] = row["labels"]
        if at:
            one["id"] = f"{row['annotation']}-{at}"
            one[rows.OURS] = {
                name: kept for name, kept in one[rows.OURS].items() if name != "annotation"
            }
        found.append(one)
    return found


def _values(  # noqa: PLR0911 - one per kind
    row: dict[str, Any], frame: Frame, lose: Any
) -> list[tuple[str, dict[str, Any]]]:
    """Tool and shape of every region that a row becomes."""
    kind, shape = row["kind"], shapely.from_wkb(row["geometry"])
    unit = np.array([100 / frame.width, 100 / frame.height])
    left, top, right, bottom = shape.bounds
    if kind == "box":
        x, y = (np.array([left, top]) * unit).tolist()
        width, height = (np.array([right - left, bottom - top]) * unit).tolist()
        return [("rectangle", {"x": x, "y": y, "width": width, "height": height, "rotation": 0})]
    if kind in ("circle", "ellipse"):
        center, half, angle = ellipse_axes(shape)
        (x, y), (a, b) = (np.array(center) * unit).tolist(), (np.array(half) * unit).tolist()
        turned = float(np.rad2deg(angle))
        return [("ellipse", {"x": x, "y": y, "radiusX": a, "radiusY": b, "rotation": turned})]
    if kind in ("point", "points"):
        points = (shapely.get_coordinates(shape) * unit).tolist()
        if len(points) > 1:
            lose("geometry", f"Label Studio has single points; written as {len(points)}")
        return [("keypoint", {"x": x, "y": y, "width": 0.5}) for x, y in points]
    if kind == "mask":
        whole = _brush(row, frame)
        if whole is not None:
            return [("brush", {"format": "rle", "rle": whole})]
        lose("geometry", "the mask's pixels are not the image's, or too many; left out")
        return []
    if kind == "line":
        lose("geometry", "Label Studio's images have no lines; left out")
        return []
    parts = shapely.get_parts(outline(kind, shape))
    if len(parts) > 1:
        lose("geometry", f"Label Studio has no shapes of several parts; written as {len(parts)}")
    if shapely.get_num_interior_rings(parts).any():
        lose("geometry", "Label Studio's polygons have no holes; outer rings were kept")
    rings = [(shapely.get_coordinates(one.exterior)[:-1] * unit).tolist() for one in parts]
    return [("polygon", {"points": ring, "closed": True}) for ring in rings]


def _brush(row: dict[str, Any], frame: Frame) -> list[int] | None:
    bounds, mask = shapely.from_wkb(row["geometry"]).bounds, mask_pixels(row["mask"])
    height, width = mask.shape
    left, top = int(bounds[0]), int(bounds[1])
    inside = 0 <= left <= frame.width - width and 0 <= top <= frame.height - height
    aligned = bounds == (left, top, left + width, top + height)
    if not (inside and aligned) or frame.width * frame.height > _LARGEST:
        return None
    pixels = np.zeros((frame.height, frame.width, 4), np.uint8)
    pixels[top : top + height, left : left + width] = np.where(mask, 255, 0)[..., None]
    return packed_bytes(pixels.ravel())
