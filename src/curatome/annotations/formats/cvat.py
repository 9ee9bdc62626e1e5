"""CVAT XML 1.1, for images and for video.

Coordinates are px of the image with the origin at its corner, as CVAT draws them. A box or
ellipse may be turned by `rotation`, degrees clockwise as seen about its middle; a turned box is
a polygon here. A `tag` is a label of the whole image. A mask is run lengths, background first,
row by row within its box. The shapes of a track become one annotation per frame, with the track
among their properties; what is `outside` is not there. The image of a video's frame is called
`frame_000012`.

https://docs.cvat.ai/docs/manual/advanced/formats/format-cvat/
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import shapely
from PIL import Image
from shapely import affinity

from curatome.annotations.formats.base import Carries, Frames, Loss, Options, Reading
from curatome.annotations.formats.entries import (
    Row,
    column_losses,
    fitted,
    new_row,
    something,
    to_rows,
    to_table,
)
from curatome.annotations.formats.rings import MARK, closed, corners
from curatome.annotations.formats.xml_file import Element, exact, read_xml, to_number, write_xml
from curatome.annotations.model import ellipse_axes, ellipse_rectangle
from curatome.errors import AnnotationError

_SHAPES = ("box", "ellipse", "polygon", "polyline", "points", "mask")
_KEPT = ("occluded", "z_order", "source", "group_id")
_MOST_PIXELS = 1 << 28


class Cvat:
    """CVAT XML."""

    name = "cvat"
    title = "CVAT XML"
    suffixes = (".xml",)
    carries = Carries(
        kinds=frozenset(
            {"point", "points", "line", "box", "circle", "ellipse", "polygon", "whole"}
        ),
        holes=False,
        labels="one",
        columns=frozenset({"annotation"}),
        images=True,
        precision=1e-6,
        note="Annotations without class are left out, and lines of several parts. Masks whose "
        "pixels are those of the image stay masks; others become their outline.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """See `Format`."""
        del path
        parts = (b"<image ", b"<track ", b"<meta>", b"<version>")
        known = b"<annotations>" in head and any(part in head for part in parts)
        return (
            "its root is <annotations>, with images or tracks as CVAT writes them"
            if known
            else None
        )

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """See `Format`."""
        del options
        root = read_xml(path)
        if root.tag != "annotations":
            raise AnnotationError(f"{root.place}: the root is <{root.tag}>, not <annotations>.")
        rows: list[Row] = []
        notes: list[str] = []
        for element, image, track in _drawn(root):
            row = _row(element, image, track)
            if row is None:
                said = f"{element.place}: a <{element.tag}> was left out"
                notes.append(f"{said}, being of no kind that is known or of too few points.")
                continue
            frame = frames.find(image)
            row["image"] = frame.image if frame is not None else image
            rows.append(row)
        images, tracks = len(root.all("image")), len(root.all("track"))
        dialect = f"CVAT XML {root.say('version')}, {images} images, {tracks} tracks"
        return Reading(to_table(rows), dialect, (), _colors(root), tuple(notes))

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """See `Format`."""
        rows, losses = [], []
        for row in to_rows(table):
            losses += column_losses(row, self.carries, self.title, _keys(row))
            fitting, lost = _fitting(row, self)
            rows += fitting
            losses += lost
        something(len(rows), self.title)
        root = ElementTree.Element("annotations")
        ElementTree.SubElement(root, "version").text = "1.1"
        task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
        labels = ElementTree.SubElement(task, "labels")
        for name in sorted({row["labels"][0] for row in rows}):
            label = ElementTree.SubElement(labels, "label")
            ElementTree.SubElement(label, "name").text = name
            ElementTree.SubElement(label, "color").text = colors.get(name, "#33ddff")
        images: dict[str | None, ElementTree.Element] = {}
        for row in rows:
            if row["image"] not in images:
                images[row["image"]] = _image(root, row["image"], frames, len(images))
            _put(images[row["image"]], row)
        write_xml(path, root)
        return losses


def _drawn(root: Element) -> Iterator[tuple[Element, str, Element | None]]:
    """Every shape, the name of its image, and its track."""
    for image in root.all("image"):
        for element in image.children:
            yield element, image.need("name"), None
    for track in root.all("track"):
        for element in track.children:
            if element.tag != "attribute" and element.get("outside") != "1":
                frame = int(element.number("frame"))
                yield element, f"frame_{frame:06d}", track


def _row(element: Element, image: str, track: Element | None) -> Row | None:
    del image
    if element.tag == "tag":
        row = new_row("whole", None)
    elif element.tag == "mask":
        row = _mask(element)
    else:
        found = _shape(element) if element.tag in _SHAPES else None
        if found is None:
            return None
        row = new_row(*found)
    owner = element if track is None else track
    row["labels"] = [owner.need("label")]
    name, _, kind = element.get(MARK).partition(" ")
    if name and kind:
        row["annotation"], row["kind"] = name, kind
    properties: dict[str, Any] = {
        key: element.get(key) for key in _KEPT if key in element.attributes
    }
    if track is not None:
        properties["track"] = {**track.attributes, "keyframe": element.get("keyframe")}
    said = [*(track.all("attribute") if track is not None else ()), *element.all("attribute")]
    if said:
        properties["attributes"] = {one.get("name"): one.text for one in said}
    row["properties"] = properties
    return row


def _shape(element: Element) -> tuple[str, shapely.Geometry] | None:
    turn = math.radians(element.number("rotation")) if "rotation" in element.attributes else 0.0
    if element.tag == "box":
        left, top, right, bottom = (element.number(n) for n in ("xtl", "ytl", "xbr", "ybr"))
        if right <= left or bottom <= top:
            return None
        box = shapely.box(left, top, right, bottom)
        if turn == 0:
            return "box", box
        return "polygon", affinity.rotate(box, turn, "center", use_radians=True)
    if element.tag == "ellipse":
        center = (element.number("cx"), element.number("cy"))
        half = (element.number("rx"), element.number("ry"))
        kind = "circle" if half[0] == half[1] else "ellipse"
        return (kind, ellipse_rectangle(center, half, turn)) if min(half) > 0 else None
    return _of_points(element)


def _of_points(element: Element) -> tuple[str, shapely.Geometry] | None:
    points: list[tuple[float, float]] = []
    for pair in element.need("points").split(";"):
        x, comma, y = pair.partition(",")
        if not comma:
            raise AnnotationError(f'{element.place}: "{pair[:40]}" is no pair x,y.')
        what = f"{element.place}: points"
        points.append((to_number(x, what), to_number(y, what)))
    if element.tag == "points":
        one = len(points) == 1
        return (
            ("point", shapely.Point(points[0])) if one else ("points", shapely.MultiPoint(points))
        )
    if element.tag == "polyline":
        return ("line", shapely.LineString(points)) if len(set(points)) > 1 else None
    polygon = closed(points)
    return polygon and ("polygon", polygon)


def _mask(element: Element) -> Row:
    left, top, width, height = (int(element.number(n)) for n in ("left", "top", "width", "height"))
    try:
        runs = np.array([int(run) for run in element.need("rle").split(",")], np.int64)
    except ValueError as error:
        raise AnnotationError(f"{element.place}: rle must be whole numbers.") from error
    if not 0 < width * height <= _MOST_PIXELS or runs.min() < 0 or runs.sum() > width * height:
        raise AnnotationError(
            f"{element.place}: rle holds {runs.sum()} pixels, and the mask is {width} x {height}."
        )
    pixels = np.zeros(width * height, bool)
    covered = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    pixels[: len(covered)] = covered
    stream = io.BytesIO()
    Image.fromarray(pixels.reshape(height, width)).convert("1").save(stream, "PNG")
    row = new_row("mask", shapely.box(left, top, left + width, top + height))
    row["mask"] = stream.getvalue()
    return row


def _pixels(row: Row) -> np.ndarray[Any, np.dtype[np.bool_]]:
    with Image.open(io.BytesIO(row["mask"])) as picture:
        return np.asarray(picture.convert("1"), np.bool_)


def _colors(root: Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for meta in root.all("meta"):
        for owner in meta.all("task", "project", "job"):
            for labels in owner.all("labels"):
                found |= {one.say("name"): one.say("color") for one in labels.all("label")}
    return {name: color for name, color in found.items() if color}


def _fitting(row: Row, form: Cvat) -> tuple[list[Row], list[Loss]]:
    if not row["labels"]:
        reason = "CVAT XML has no annotations without class; it was left out."
        return [], [Loss(row["annotation"], "geometry", reason)]
    several = row["kind"] == "line" and row["shape"].geom_type != "LineString"
    if several:
        reason = "CVAT XML has no lines of several parts; it was left out."
        return [], [Loss(row["annotation"], "geometry", reason)]
    if row["kind"] == "mask":
        height, width = _pixels(row).shape
        left, top, right, bottom = row["shape"].bounds
        if (right - left, bottom - top, left % 1, top % 1) == (width, height, 0, 0):
            return [row], []
    return fitted(row, form.carries, form.title)


def _keys(row: Row) -> list[str]:
    said = row["properties"]
    keys = [name for name in _KEPT if isinstance(said.get(name), str)]
    attributes = said.get("attributes")
    if isinstance(attributes, dict) and all(isinstance(v, str) for v in attributes.values()):
        keys.append("attributes")
    return keys


def _image(
    root: ElementTree.Element, image: str | None, frames: Frames, number: int
) -> ElementTree.Element:
    frame = frames.find(image) if image is not None else frames.only
    attributes = {"id": str(number), "name": frame.name if frame is not None else image or ""}
    if frame is not None:
        attributes |= {"width": str(frame.width), "height": str(frame.height)}
    return ElementTree.SubElement(root, "image", attributes)


_TAGS = {"point": "points", "line": "polyline", "circle": "ellipse", "whole": "tag"}


def _put(parent: ElementTree.Element, row: Row) -> None:
    keys = _keys(row)
    said = {"occluded": "0", "z_order": "0", "source": "manual"}
    if row["kind"] == "whole":
        said = {"source": "manual"}
    said |= {name: row["properties"][name] for name in keys if name != "attributes"}
    attributes = {"label": row["labels"][0], **said, **_place(row)}
    attributes[MARK] = f"{row['annotation']} {row['kind']}"
    element = ElementTree.SubElement(parent, _TAGS.get(row["kind"], str(row["kind"])), attributes)
    for name, value in (row["properties"]["attributes"] if "attributes" in keys else {}).items():
        ElementTree.SubElement(element, "attribute", {"name": name}).text = value


def _place(row: Row) -> dict[str, str]:
    kind, shape = row["kind"], row["shape"]
    if kind == "whole":
        return {}
    bounds = shape.bounds
    if kind == "box":
        names = ("xtl", "ytl", "xbr", "ybr")
        return {name: exact(value) for name, value in zip(names, bounds, strict=True)}
    if kind in ("circle", "ellipse"):
        center, half, angle = ellipse_axes(shape)
        values = {"cx": center[0], "cy": center[1], "rx": half[0], "ry": half[1]}
        if abs(angle) > 1e-12:
            values["rotation"] = math.degrees(angle) % 360
        return {name: exact(value) for name, value in values.items()}
    if kind == "mask":
        pixels = _pixels(row)
        height, width = pixels.shape
        numbers = (bounds[0], bounds[1], width, height)
        place = zip(("left", "top", "width", "height"), numbers, strict=True)
        return {"rle": ", ".join(map(str, _runs(pixels))), **{n: exact(v) for n, v in place}}
    return {"points": ";".join(f"{exact(x)},{exact(y)}" for x, y in corners(shape))}


def _runs(pixels: np.ndarray[Any, np.dtype[np.bool_]]) -> Sequence[int]:
    """Run lengths row by row, background first."""
    flat = np.concatenate([[False], pixels.ravel()])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    runs: list[int] = np.diff(np.concatenate([[0], edges, [pixels.size]])).tolist()
    return runs


FORMAT = Cvat()
