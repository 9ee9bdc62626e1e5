"""Rows of `tables.ANNOTATIONS`: as readers make them, and as writers take them apart."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from PIL import Image
from shapely import affinity

from curatome.annotations.formats import rows
from curatome.annotations.formats.base import Carries, Frame, Frames, Loss
from curatome.annotations.model import ellipse_axes, ellipse_rectangle, outline
from curatome.errors import AnnotationError
from curatome.geometry import outlines
from curatome.tables import ANNOTATIONS

Row = dict[str, Any]
"""A row by column; readers and writers of this folder add `shape`, its geometry in level-0 px."""

FARTHEST = float(2**31)
"""A coordinate beyond it, in px, is no place on a slide."""

_LOST = [name for name in rows.UNSAID if name not in ("image", "mask", "properties")]
"""Columns of which a writer tells when its format has no place for them."""


def new_row(kind: str, shape: shapely.Geometry | None, labels: Iterable[str] = ()) -> Row:
    """A row that says what is drawn and of which class, and nothing else.

    Args:
        kind: of `model.KINDS`.
        shape: in level-0 px; None for a whole image.
        labels: of the annotation.
    """
    row = rows.imported(kind, None, labels=list(labels))
    return {**row, "shape": shape, "properties": {}}


def to_table(made: Sequence[Row]) -> pa.Table:
    """Rows with `shape` and with `properties` as a mapping as `tables.ANNOTATIONS`."""
    columns: dict[str, Any] = {
        column.name: [row.get(column.name) for row in made] for column in ANNOTATIONS.columns
    }
    shapes = np.array([row["shape"] for row in made], dtype=object)
    columns["geometry"] = list(shapely.to_wkb(shapes)) if len(made) else []
    columns["properties"] = [json.dumps(row["properties"], ensure_ascii=False) for row in made]
    return ANNOTATIONS.from_columns(columns)


def to_rows(table: pa.Table) -> Iterator[Row]:
    """The rows of a table, with `shape` and with `properties` as a mapping."""
    for row in table.to_pylist():
        row["shape"] = None if row["geometry"] is None else shapely.from_wkb(row["geometry"])
        row["properties"] = json.loads(row["properties"])
        yield row


def same_image(held: Sequence[Row], title: str) -> str | None:
    """The one image that all rows lie on.

    Raises:
        AnnotationError: they lie on several.
    """
    images = {row["image"] for row in held}
    if len(images) > 1:
        raise AnnotationError(
            f"a file of {title} is about one image, and these annotations lie on {len(images)}. "
            "Write one file per image."
        )
    return images.pop() if images else None


def something(written: int, title: str) -> None:
    """Refuses to write a file that would hold nothing.

    Raises:
        AnnotationError: nothing was written.
    """
    if not written:
        raise AnnotationError(
            f"{title} can hold none of these annotations. Choose another format; "
            "docs/annotations.md says what each one holds."
        )


def column_losses(row: Row, carries: Carries, title: str, keys: Iterable[str] = ()) -> list[Loss]:
    """What a row says in columns that a format has no place for.

    Args:
        row: as of `to_rows`.
        carries: what the format holds.
        title: of the format.
        keys: of `properties` that it writes.
    """
    losses = [
        Loss(row["annotation"], column, f"{title} has no place for it.")
        for column in _LOST
        if column not in carries.columns and row[column] != rows.UNSAID[column]
    ]
    if "annotation" not in carries.columns:
        losses.append(Loss(row["annotation"], "annotation", f"{title} has no place for the id."))
    lost = sorted(set(row["properties"]) - set(keys))
    if lost and "properties" not in carries.columns:
        losses.append(
            Loss(row["annotation"], "properties", f"{title} has no place for {', '.join(lost)}.")
        )
    labels = row["labels"]
    if carries.labels == "none" and labels:
        losses.append(Loss(row["annotation"], "labels", f"{title} has no classes."))
    if carries.labels == "one" and len(labels) > 1:
        reason = f'{title} has one class per annotation; "{labels[0]}" was kept.'
        losses.append(Loss(row["annotation"], "labels", reason))
    return losses


def mask_outline(row: Row) -> shapely.Geometry:
    """The outline of a mask's pixels, in level-0 px; empty if it has none.

    Raises:
        AnnotationError: the mask is not a picture.
    """
    try:
        with Image.open(io.BytesIO(row["mask"])) as picture:
            pixels = np.asarray(picture.convert("1"), np.uint8)
    except (OSError, TypeError) as error:
        raise AnnotationError(f"annotation {row['annotation']}: its mask is no PNG.") from error
    shape = outlines(pixels).get(1, shapely.Polygon())
    left, top, right, bottom = row["shape"].bounds
    a, d = (right - left) / pixels.shape[1], (bottom - top) / pixels.shape[0]
    return affinity.affine_transform(shape, [a, 0, 0, d, left, top])


def fitted(
    row: Row, carries: Carries, title: str, turned: bool = True
) -> tuple[list[Row], list[Loss]]:
    """A row as rows of kinds that a format has, and what that changed.

    Circles, ellipses and masks become their outline; what has no area is never given one. A row
    that no kind of the format fits becomes no row at all.

    Args:
        row: as of `to_rows`.
        carries: what the format holds.
        title: of the format.
        turned: whether its ellipses may be turned.
    """
    oblique = not turned and row["kind"] in ("circle", "ellipse") and _oblique(row["shape"])
    if oblique and row["kind"] == "circle":
        row = {**row, "shape": ellipse_rectangle(*ellipse_axes(row["shape"])[:2])}
    elif oblique:
        carries = replace(carries, kinds=carries.kinds - {"ellipse"})
    if row["kind"] in carries.kinds and (carries.holes or not _holed(row)):
        return [row], []
    parts, reason = _fallback(row, carries)
    said = f"{title} has no {'turned ' if oblique else ''}{_called(row, carries)}; {reason}."
    return parts, [Loss(row["annotation"], "geometry", said)]


def pictured(
    table: pa.Table, frames: Frames, carries: Carries, title: str
) -> tuple[Frame, list[Row], list[Loss]]:
    """What a format that paints pixels can show of one image's annotations.

    Args:
        table: `tables.ANNOTATIONS`.
        frames: the images.
        carries: what the format holds.
        title: of the format.

    Returns:
        The image, rows that can be painted, and what is lost.

    Raises:
        AnnotationError: they lie on several images, on one of unknown size, or nothing is left.
    """
    held = list(to_rows(table))
    image = same_image(held, title)
    frame = frames.find(image) if image is not None else frames.only
    if frame is None:
        raise AnnotationError(f"{title} needs the size of the image {image}. Add the image.")
    losses: list[Loss] = []
    shown: list[Row] = []
    for row in held:
        parts, lost = fitted(row, carries, title)
        losses += lost + (column_losses(row, carries, title) if parts else [])
        shown += parts
    something(len(shown), title)
    return frame, shown, losses


def _oblique(rectangle: shapely.Polygon) -> bool:
    """Whether no edge of a rectangle lies along an axis."""
    step = np.abs(np.diff(shapely.get_coordinates(rectangle)[:2], axis=0))
    return bool(step.min() > 1e-9 * step.max())


def _called(row: Row, carries: Carries) -> str:
    if row["kind"] in carries.kinds:
        return "holes"
    return {
        "points": "sets of points",
        "whole": "labels of a whole image",
        "box": "boxes",
    }.get(row["kind"], f"{row['kind']}s")


def _fallback(row: Row, carries: Carries) -> tuple[list[Row], str]:
    kind, shape = row["kind"], row["shape"]
    if kind == "points" and "point" in carries.kinds:
        points = _split(row, "point", shapely.get_parts(shape))
        return points, f"it became {len(points)} points"
    if kind in ("whole", "point", "points", "line"):
        return [], "it was left out"
    area = mask_outline(row) if kind == "mask" else outline(kind, shape)
    if area.is_empty:
        return [], "it was left out, being empty"
    if "polygon" in carries.kinds:
        return _as_polygons(row, list(shapely.get_parts(area)), carries)
    if "box" not in carries.kinds:
        return [], "it was left out"
    return [{**row, "kind": "box", "shape": shapely.box(*area.bounds)}], "its bounds were kept"


def _as_polygons(row: Row, parts: list[shapely.Polygon], carries: Carries) -> tuple[list[Row], str]:
    reason = "its outline was kept"
    if not carries.holes and any(len(part.interiors) for part in parts):
        parts = [shapely.Polygon(part.exterior) for part in parts]
        reason = "the outer ring was kept"
    several = "multipolygon" in carries.kinds
    if several and (len(parts) > 1 or row["kind"] == "multipolygon"):
        return [{**row, "kind": "multipolygon", "shape": shapely.MultiPolygon(parts)}], reason
    if len(parts) > 1:
        reason = f"it became {len(parts)} polygons"
    return _split(row, "polygon", parts), reason


def _split(row: Row, kind: str, parts: Sequence[shapely.Geometry]) -> list[Row]:
    """The parts as annotations of their own; the first keeps the id."""
    split = [{**row, "kind": kind, "shape": part} for part in parts]
    for number, part in enumerate(split[1:], 2):
        part["annotation"] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{row['annotation']} {number}"))
    return split


def _holed(row: Row) -> bool:
    if row["kind"] not in ("polygon", "multipolygon"):
        return False
    return any(len(part.interiors) for part in shapely.get_parts(row["shape"]))
