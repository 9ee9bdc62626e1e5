"""Label Studio JSON: tasks with annotations of several annotators, in percent of the image.

https://labelstud.io/guide/export#Label-Studio-JSON-format-of-annotated-tasks and
https://labelstud.io/tags/. x, y, width and height are percents of `original_width` and
`original_height`; a rectangle turns about its upper left corner, an ellipse about its center,
clockwise in degrees. Brushes are RGBA run lengths of `@thi.ng/rle-pack`, of which alpha counts.
Choices are labels of the whole image. Regions and labels of one id are one annotation;
predictions are annotations of their model, with basis `proposed`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from shapely import affinity

from curatome.annotations.formats import geojson, json_file, rows
from curatome.annotations.formats.base import Carries, Frames, Loss, Options, Reading
from curatome.annotations.formats.labelstudio_write import content
from curatome.annotations.formats.run_lengths import unpacked_bytes
from curatome.annotations.masks import mask_png
from curatome.annotations.model import ellipse_rectangle
from curatome.errors import AnnotationError
from curatome.tables import ANNOTATIONS

_SHAPES = ("x", "points", "vertices", "rle")
_UPLOAD = re.compile(r"^[0-9a-f]{8}-")
_WORDS = re.compile(r"(labels|choices|taxonomy)$")


class LabelStudio:
    """Tasks as Label Studio exports and imports them."""

    name = "labelstudio"
    title = "Label Studio JSON"
    suffixes = (".json",)
    carries = Carries(
        kinds=frozenset({"point", "box", "circle", "ellipse", "polygon", "mask", "whole"}),
        holes=False,
        labels="several",
        columns=rows.KEPT | {"image", "mask", "properties"},
        images=True,
        precision=1e-6,
        note="In percent of the image, whose size must be known.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """By tasks with results, or results with Label Studio's names."""
        del path
        if b'"from_name"' in head or b'"original_width"' in head:
            return "Label Studio's results"
        if b'"annotations"' in head and b'"data"' in head and b'"completed_by"' in head:
            return "Label Studio's tasks"
        return None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """Every region and choice of every annotator.

        Raises:
            AnnotationError: it is broken; names line or task.
        """
        del options
        value = json_file.load(path)
        tasks = value if isinstance(value, list) else [value]
        found: list[dict[str, Any]] = []
        for number, task in enumerate(tasks, 1):
            where = f"{path.name}, task {number}"
            if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
                raise AnnotationError(f'{where} is not of Label Studio: it has no "data".')
            try:
                found += _task(task, frames, where)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise AnnotationError(f"{where}: {error!r} cannot be read.") from error
        return Reading(ANNOTATIONS.from_rows(found), "Label Studio JSON")

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """A task per image with an annotation per reader.

        Raises:
            AnnotationError: the size of an image is not known.
            OSError: the disk is full or the folder is not writable.
        """
        del colors
        value, losses = content(table, frames)
        json_file.save(path, value)
        return losses


FORMAT = LabelStudio()


def _task(task: dict[str, Any], frames: Frames, where: str) -> Iterator[dict[str, Any]]:
    name = _image_name(task["data"])
    known = (frames.find(name) if name else None) or frames.only
    image = known.image if known else name
    for one in task.get("annotations") or ():
        if one.get("was_cancelled"):
            continue
        columns: dict[str, Any] = {"reader": _reader(one.get("completed_by")), "basis": "imported"}
        if one.get("created_at"):
            columns["time"] = rows.moment(one["created_at"], where)
        yield from _results(one, image, columns, where)
    for one in task.get("predictions") or ():
        columns = {"reader": one.get("model_version"), "basis": "proposed"}
        if one.get("score") is not None:
            columns["confidence"] = float(one["score"])
        yield from _results(one, image, columns, where)


def _image_name(data: Mapping[str, Any]) -> str | None:
    texts = [data[key] for key in ("image", *sorted(data)) if isinstance(data.get(key), str)]
    if not texts:
        return None
    base = str(texts[0]).split("?d=")[-1].rsplit("/", 1)[-1]
    # Uploads are named with eight digits before their own name.
    return _UPLOAD.sub("", base) if "/upload/" in texts[0] else base


def _reader(by: Any) -> str | None:
    if isinstance(by, Mapping):
        by = by.get("email") or by.get("id")
    return None if by is None else str(by)


def _results(
    one: dict[str, Any], image: str | None, columns: dict[str, Any], where: str
) -> Iterator[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for number, result in enumerate(one.get("result") or ()):
        groups.setdefault(str(result.get("id", f"#{number}")), []).append(result)
    for identity, members in groups.items():
        shapes = [member for member in members if _has_shape(member.get("value") or {})]
        labels = [
            label
            for member in members
            for key, words in (member.get("value") or {}).items()
            if _WORDS.search(key) and isinstance(words, list)
            for label in (words if key != "taxonomy" else [" / ".join(path) for path in words])
        ]
        first = (shapes or members)[0]
        if not shapes and not labels:
            continue  # text, ratings and relations are no annotations of an image
        kind, shape, mask = _shape(first) if shapes else ("whole", None, None)
        row = rows.imported(
            kind,
            None if shape is None else shapely.to_wkb(shape),
            image=image,
            mask=mask,
            labels=list(dict.fromkeys(map(str, labels))),
            foreign=identity,
            properties=json_file.text_of(first.get("meta") or {}),
            **columns,
        )
        ours = first.get(rows.OURS)
        if ours is not None:
            row |= {"foreign": None} | rows.restored(ours, where)
        yield row


def _has_shape(value: Mapping[str, Any]) -> bool:
    return any(member in value for member in _SHAPES)


def _shape(result: dict[str, Any]) -> tuple[str, shapely.Geometry, bytes | None]:
    value = result["value"]
    width, height = float(result["original_width"]), float(result["original_height"])
    if width <= 0 or height <= 0:
        raise ValueError("original_width and original_height must be positive")
    unit = np.array([width, height]) / 100
    turned = float(value.get("rotation") or 0)
    if "rle" in value:
        return _brush(value["rle"], int(width), int(height))
    if "points" in value or "vertices" in value:
        given = value.get("points") or [[one["x"], one["y"]] for one in value["vertices"]]
        points = np.asarray(given, np.float64) * unit
        return "polygon", shapely.Polygon(points), None
    x, y = float(value["x"]) * unit[0], float(value["y"]) * unit[1]
    if "radiusX" in value:
        half = (float(value["radiusX"]) * unit[0], float(value["radiusY"]) * unit[1])
        box = ellipse_rectangle((x, y), half, np.deg2rad(turned))
        # Percents of width and of height seldom give the very same radius.
        return "circle" if math.isclose(*half, rel_tol=1e-9) else "ellipse", box, None
    if "height" not in value:
        return "point", shapely.Point(x, y), None
    box = shapely.box(x, y, x + value["width"] * unit[0], y + value["height"] * unit[1])
    if turned:
        return "polygon", affinity.rotate(box, turned, origin=(x, y)), None
    return geojson.kind_of(box), box, None


def _brush(packed: list[int], width: int, height: int) -> tuple[str, shapely.Geometry, bytes]:
    pixels = unpacked_bytes(packed)
    if len(pixels) != width * height * 4:
        raise ValueError(f"the brush has {len(pixels)} values, not {width} × {height} × 4")
    mask = pixels.reshape(height, width, 4)[..., 3] > 0
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(down):
        raise ValueError("the brush is empty")
    top, bottom, left, right = down[0], down[-1] + 1, across[0], across[-1] + 1
    return "mask", shapely.box(left, top, right, bottom), mask_png(mask[top:bottom, left:right])
