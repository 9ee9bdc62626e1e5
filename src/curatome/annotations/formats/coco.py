"""COCO: objects of many images, in px from the top-left corner of the top-left pixel.

https://cocodataset.org/#format-data. A box is [x, y, width, height]; files that say x1, y1, x2,
y2 instead (MIDOG++ does) are told by the images' sizes and give a `Doubt`. Polygons have no
holes; run lengths become masks; keypoints become points, those that are not labeled left out.
A file of results (a bare array with scores) has no names; `Options.classes` can give them.

The votes that MIDOG++ keeps in `labels` of each box stay in `properties`; `votes` lays them out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from curatome.annotations import exhaustive
from curatome.annotations.doubts import XYWH, Ground, box_doubt
from curatome.annotations.exhaustive import Region
from curatome.annotations.formats import json_file, rows
from curatome.annotations.formats.base import Carries, Doubt, Frame, Frames, Loss, Options, Reading
from curatome.annotations.formats.coco_write import content
from curatome.annotations.formats.run_lengths import mask_of
from curatome.annotations.masks import mask_pixels, mask_png
from curatome.errors import AnnotationError
from curatome.tables import ANNOTATIONS

_TAKEN = ("id", "image_id", "category_id", "bbox", "segmentation", "keypoints", "score", rows.OURS)


class Coco:
    """Common Objects in Context: data and results."""

    name = "coco"
    title = "COCO"
    suffixes = (".json",)
    carries = Carries(
        kinds=frozenset({"point", "points", "box", "polygon", "multipolygon", "mask"}),
        holes=False,
        labels="one",
        columns=rows.KEPT | {"image", "mask", "properties"},
        images=True,
        regions=True,
        precision=1e-9,
        note="Circles and ellipses become polygons. What COCO does not know of is in the member "
        "`curatome` of each annotation, which other tools pass over.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """By the members of data, or of results, at its beginning."""
        del path
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        if start == b"{" and b'"images"' in head and b'"file_name"' in head:
            return "images with file names, as COCO has them"
        if start == b"{" and b'"categories"' in head and b'"annotations"' in head:
            return "COCO's categories and annotations"
        if start == b"[" and b'"image_id"' in head and b'"category_id"' in head:
            return "an array of COCO results"
        return None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """Every annotation of the file.

        Raises:
            AnnotationError: it is broken; names line or annotation.
        """
        value = json_file.load(path)
        if isinstance(value, list):
            value = {"annotations": value, "results": True}
        return _File(path.name, value, frames, options).reading()

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """A file of data with images, categories and annotations.

        Raises:
            OSError: the disk is full or the folder is not writable.
        """
        del colors
        value, losses = content(table, frames)
        json_file.save(path, value)
        return losses


FORMAT = Coco()


def classes_of(path: Path) -> dict[int, str]:
    """The names of a file's categories by their number.

    Raises:
        AnnotationError: it is not COCO.
    """
    return _File(path.name, json_file.load(path), Frames(), Options()).classes


def votes(table: pa.Table, classes: Mapping[int, str]) -> pa.Table:
    """The ordered votes that experts gave on each box, where a file has them (MIDOG++).

    Args:
        table: as `Coco.read` gives it.
        classes: names by number, of `classes_of`.

    Returns:
        Columns `item` (the annotation), `reader` ("expert 1", …) and `label`, one row per vote.
        The experts of a number need not be the same persons for all boxes.
    """
    found: list[dict[str, str]] = []
    for item, text in zip(
        table["annotation"].to_pylist(), table["properties"].to_pylist(), strict=True
    ):
        given = json.loads(text).get("labels", [])
        found += [
            {"item": item, "reader": f"expert {number}", "label": classes.get(vote, str(vote))}
            for number, vote in enumerate(given, 1)
        ]
    names = ("item", "reader", "label")
    return pa.table({name: pa.array([one[name] for one in found], pa.string()) for name in names})


class _File:
    """One file's content, being read."""

    def __init__(self, name: str, value: Any, frames: Frames, options: Options) -> None:
        if not isinstance(value, dict) or not isinstance(value.get("annotations"), list):
            raise AnnotationError(f'{name} is not COCO: it has no array "annotations".')
        self.name, self.value, self.options = name, value, options
        self.frames = frames
        self.results = "results" in value and "images" not in value
        self.images: dict[Any, Frame] = {}
        for one in value.get("images", ()):
            self.images[self._of(one, "id", "image")] = self._frame(one)
        self.classes = {
            self._of(one, "id", "category"): str(self._of(one, "name", "category"))
            for one in value.get("categories", ())
        } | dict(options.classes)

    def reading(self) -> Reading:
        """The whole file."""
        given = self.value["annotations"]
        for number, one in enumerate(given, 1):
            if not isinstance(one, dict):
                raise AnnotationError(f"{self.name}, annotation {number} is not an object.")
        doubt = self._box_doubt(given)
        way = self.options.box or (doubt.assumed if doubt else XYWH)
        found = [self._row(one, way, number) for number, one in enumerate(given, 1)]
        return Reading(
            ANNOTATIONS.from_rows(found),
            "COCO results" if self.results else "COCO",
            doubts=(doubt,) if doubt and self.options.box is None else (),
            regions=self._regions(),
        )

    def _regions(self) -> tuple[Region, ...]:
        ours = self.value.get(rows.OURS)
        given = ours.get(exhaustive.MEMBER, ()) if isinstance(ours, dict) else ()
        found = []
        for number, one in enumerate(given if isinstance(given, list) else (), 1):
            name = one.get("image") if isinstance(one, dict) else None
            known = self.frames.only if name is None else self.frames.find(str(name))
            where = f"{self.name}, region {number}"
            found.append(exhaustive.restored(one, known.image if known else name, where))
        return tuple(found)

    def _of(self, one: Any, member: str, what: str) -> Any:
        if not isinstance(one, dict) or member not in one or isinstance(one[member], list | dict):
            raise AnnotationError(f'{self.name}: a {what} has no "{member}".')
        return one[member]

    def _frame(self, one: dict[str, Any]) -> Frame:
        name = str(one.get("file_name", one["id"]))
        known = self.frames.find(name)
        width, height = one.get("width") or 0, one.get("height") or 0
        if known is not None and not (width and height):
            return known
        return Frame(known.image if known else name, name, int(width), int(height))

    def _box_doubt(self, given: list[dict[str, Any]]) -> Doubt | None:
        boxes = [one for one in given if _is_box(one.get("bbox"))]
        if not boxes:
            return None
        frames = list(self.images.values())
        places = {key: at for at, key in enumerate(self.images)}
        index = [
            at if (at := places.get(one.get("image_id"), -1)) >= 0 and frames[at].width else -1
            for one in boxes
        ]
        numbers = np.array([one["bbox"] for one in boxes], np.float64)
        return box_doubt(numbers, Ground.of(frames, index))

    def _row(self, one: dict[str, Any], way: str, number: int) -> dict[str, Any]:
        where = f"{self.name}, annotation {one.get('id', number)}"
        try:
            kind, shape, mask = _shape(one, way)
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise AnnotationError(f"{where}: {error}.") from error
        properties = {name: value for name, value in one.items() if name not in _TAKEN}
        if properties.get("iscrowd") == 0:
            del properties["iscrowd"]
        area = shape.area if mask is None else float(mask_pixels(mask).sum())
        if math.isclose(properties.get("area", math.nan), area, rel_tol=1e-9):
            del properties["area"]
        if kind in ("point", "points"):
            properties.pop("num_keypoints", None)
        columns: dict[str, Any] = {"foreign": str(one["id"]) if "id" in one else None}
        if one.get("score") is not None:
            columns["confidence"] = float(one["score"])
        if rows.OURS in one:
            columns = columns | {"foreign": None} | rows.restored(one[rows.OURS], where)
        return rows.imported(
            kind,
            shapely.to_wkb(shape),
            image=self._image(one, where),
            labels=self._labels(one, where),
            mask=mask,
            properties=json_file.text_of(properties),
            **columns,
        )

    def _image(self, one: dict[str, Any], where: str) -> str | None:
        key = one.get("image_id")
        if isinstance(key, list | dict):
            raise AnnotationError(f'{where}: "image_id" must be a number or text.')
        if key in self.images:
            return self.images[key].image
        if self.images or not self.results:
            raise AnnotationError(f"{where} is of image {key}, which the file does not list.")
        known = self.frames.find(str(key)) or self.frames.only
        return known.image if known else str(key)

    def _labels(self, one: dict[str, Any], where: str) -> list[str]:
        key = one.get("category_id")
        if key is None:
            return []
        if isinstance(key, list | dict) or (key not in self.classes and not self.results):
            raise AnnotationError(f"{where} is of category {key}, which the file does not list.")
        return [self.classes.get(key, str(key))]


def _is_box(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(isinstance(one, int | float) and np.isfinite(one) for one in value)
    )


def _shape(one: dict[str, Any], way: str) -> tuple[str, shapely.Geometry, bytes | None]:
    """Kind, geometry and mask."""
    outline = one.get("segmentation")
    if isinstance(outline, dict):
        return _masked(mask_of(outline["counts"], outline["size"]))
    if outline:
        parts = [_ring(ring) for ring in outline]
        if len(parts) == 1:
            return "polygon", parts[0], None
        return "multipolygon", shapely.MultiPolygon(parts), None
    if any(one.get("keypoints") or ()):
        points = np.asarray(one["keypoints"], np.float64).reshape(-1, 3)
        seen = points[points[:, 2] > 0, :2]
        if len(seen) == 1:
            return "point", shapely.Point(seen[0]), None
        if len(seen):
            return "points", shapely.MultiPoint(seen), None
    if not _is_box(one.get("bbox")):
        raise ValueError('it has neither a sound "bbox" nor "segmentation" nor "keypoints"')
    x, y, right, bottom = (float(number) for number in one["bbox"])
    if way == XYWH:
        right, bottom = x + right, y + bottom
    if right < x or bottom < y:
        raise ValueError(f'the "bbox" {one["bbox"]} ends before it begins, read as {way}')
    return "box", shapely.box(x, y, right, bottom), None


def _ring(numbers: Any) -> shapely.Polygon:
    points = np.asarray(numbers, np.float64)
    if points.ndim != 1 or len(points) < 6 or len(points) % 2 or not np.isfinite(points).all():
        raise ValueError("a polygon needs x and y of at least three points")
    return shapely.Polygon(points.reshape(-1, 2))


def _masked(mask: Any) -> tuple[str, shapely.Geometry, bytes]:
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(down):
        raise ValueError("the mask is empty")
    top, bottom, left, right = down[0], down[-1] + 1, across[0], across[-1] + 1
    return "mask", shapely.box(left, top, right, bottom), mask_png(mask[top:bottom, left:right])
