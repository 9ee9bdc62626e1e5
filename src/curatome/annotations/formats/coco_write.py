"""Annotations as the content of a COCO file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from curatome.annotations import exhaustive
from curatome.annotations.exhaustive import Region
from curatome.annotations.formats import json_file, rows
from curatome.annotations.formats.base import Frame, Frames, Loss
from curatome.annotations.formats.run_lengths import packed
from curatome.annotations.masks import mask_outline, mask_pixels
from curatome.annotations.model import outline

UNLABELED = "unlabeled"
_NO_IMAGE = "image"


def content(table: pa.Table, frames: Frames) -> tuple[dict[str, Any], list[Loss]]:
    """The file's value, and what is lost.

    Args:
        table: `tables.ANNOTATIONS`.
        frames: the images; one that is unknown gets the size that its annotations need.
    """
    writer = _Writer(frames)
    for row in table.to_pylist():
        writer.add(row)
    for region in frames.regions:
        writer.declare(region)
    return writer.value(), writer.losses


class _Writer:
    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.losses: list[Loss] = []
        self.images: dict[str, dict[str, Any]] = {}
        self.categories: dict[str, int] = {}
        self.annotations: list[dict[str, Any]] = []
        self.regions: list[dict[str, Any]] = []

    def value(self) -> dict[str, Any]:
        """All that was added."""
        found = {
            "info": {"description": "written by Curatome"},
            "images": list(self.images.values()),
            "categories": [{"id": key, "name": name} for name, key in self.categories.items()],
            "annotations": self.annotations,
        }
        # An image that is listed, and a class that it is searched for, may have no annotation.
        return found | ({rows.OURS: {exhaustive.MEMBER: self.regions}} if self.regions else {})

    def declare(self, region: Region) -> None:
        """One region in which everything of some classes is annotated."""
        for name in region["classes"]:
            self.categories.setdefault(name, len(self.categories) + 1)
        frame = self.frames.find(region["image"]) if region["image"] else self.frames.only
        name = frame.name if frame else region["image"] or _NO_IMAGE
        self.images.setdefault(name, _image(len(self.images) + 1, name, frame))
        self.regions.append(exhaustive.plain(region, name))

    def add(self, row: dict[str, Any]) -> None:
        """One annotation, or why not."""
        if row["kind"] in ("line", "whole"):
            what = "lines" if row["kind"] == "line" else "labels of whole images"
            self._lose(row, "geometry", f"COCO has no {what}; left out")
            return
        shape = shapely.from_wkb(row["geometry"])
        image = self._image(row, shape)
        found = json_file.parse(row["properties"].encode(), "properties")
        found |= {
            "id": len(self.annotations) + 1,
            "image_id": image["id"],
            "category_id": self._category(row),
        }
        found |= self._drawn(row, shape, image)
        found.setdefault("iscrowd", 0)
        said = {"image"}
        if row["confidence"] is not None:
            found["score"] = row["confidence"]
            said.add("confidence")
        if row["nucleus"] is not None:
            self._lose(row, "nucleus", "COCO has no nuclei; left out")
        self.annotations.append(found | {rows.OURS: rows.kept(row, said)})

    def _lose(self, row: dict[str, Any], field: str, reason: str) -> None:
        self.losses.append(Loss(row["annotation"], field, reason))

    def _image(self, row: dict[str, Any], shape: shapely.Geometry) -> dict[str, Any]:
        frame = self.frames.find(row["image"]) if row["image"] else self.frames.only
        name = frame.name if frame else row["image"] or _NO_IMAGE
        if row["image"] is None and frame is None:
            self._lose(row, "image", f'it has none; written as of "{_NO_IMAGE}"')
        image = self.images.setdefault(name, _image(len(self.images) + 1, name, frame))
        if frame is None:
            image["width"] = max(image["width"], math.ceil(shape.bounds[2]))
            image["height"] = max(image["height"], math.ceil(shape.bounds[3]))
        return image

    def _category(self, row: dict[str, Any]) -> int:
        labels = row["labels"]
        if not labels:
            self._lose(row, "labels", f'COCO needs a category; written as "{UNLABELED}"')
        elif len(labels) > 1:
            self._lose(row, "labels", f'COCO has one category; "{labels[0]}" was kept')
        name = labels[0] if labels else UNLABELED
        return self.categories.setdefault(name, len(self.categories) + 1)

    def _drawn(
        self, row: dict[str, Any], shape: shapely.Geometry, image: dict[str, Any]
    ) -> dict[str, Any]:
        """The members that say the shape."""
        left, top, right, bottom = shape.bounds
        found: dict[str, Any] = {"bbox": [left, top, right - left, bottom - top]}
        kind = row["kind"]
        if kind == "box":
            return found | {"area": shape.area, "segmentation": []}
        if kind in ("point", "points"):
            points = shapely.get_coordinates(shape)
            flat = np.column_stack([points, np.full(len(points), 2)]).ravel().tolist()
            return found | {
                "area": 0.0,
                "segmentation": [],
                "keypoints": flat,
                "num_keypoints": len(points),
            }
        if kind == "mask":
            whole = _on_image(mask_pixels(row["mask"]), shape.bounds, image)
            if whole is not None:
                size = [image["height"], image["width"]]
                return found | {
                    "area": float(whole.sum()),
                    "segmentation": {"size": size, "counts": packed(whole)},
                }
            shape = mask_outline(row["mask"], shape)
            self._lose(row, "geometry", "the mask's pixels are not the image's; its outline kept")
        elif kind in ("circle", "ellipse"):
            shape = outline(kind, shape)
            self._lose(row, "geometry", f"COCO has no {kind}s; a polygon of 64 corners was kept")
        parts = shapely.get_parts(shape)
        if shapely.get_num_interior_rings(parts).any():
            self._lose(row, "geometry", "COCO's polygons have no holes; outer rings were kept")
        outer = shapely.multipolygons([shapely.Polygon(one.exterior) for one in parts])
        rings = [
            shapely.get_coordinates(shapely.get_exterior_ring(one))[:-1].ravel().tolist()
            for one in parts
        ]
        return found | {"area": outer.area, "segmentation": rings}


def _image(key: int, name: str, frame: Frame | None) -> dict[str, Any]:
    width, height = (frame.width, frame.height) if frame else (0, 0)
    return {"id": key, "file_name": name, "width": width, "height": height}


def _on_image(mask: Any, bounds: tuple[float, ...], image: dict[str, Any]) -> Any:
    """The mask over the whole image, or None where its pixels are not the image's."""
    height, width = mask.shape
    left, top = int(bounds[0]), int(bounds[1])
    if bounds != (left, top, left + width, top + height) or left < 0 or top < 0:
        return None
    if left + width > image["width"] or top + height > image["height"]:
        return None
    whole = np.zeros((image["height"], image["width"]), np.bool_)
    whole[top : top + height, left : left + width] = mask
    return whole
