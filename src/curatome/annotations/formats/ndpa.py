"""Hamamatsu NDPA, as NDP.view writes it beside a slide: `slide.ndpi.ndpa`.

Coordinates are whole nm from the center of the glass slide, not of the scan. The scan says where
its own middle lies, `XOffsetFromSlideCentre` and `YOffsetFromSlideCentre`, so

    x = (x_nm - offset_x_nm) / (1000 · mpp_x) + width / 2

in level-0 px, with the origin at the corner of the image, and likewise for y. The class is the
`title`. Freehand shapes are closed or open; a rectangle is a freehand shape of the `specialtype`
rectangle; there are circles, pins, pointers (arrows) and rulers, but no holes.

Hamamatsu publishes no description; this follows its files and the reading of
https://github.com/computationalpathologygroup/ASAP (annotation/NDPARepository.cpp).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import shapely

from curatome.annotations.formats.base import Carries, Frame, Frames, Loss, Options, Reading
from curatome.annotations.formats.entries import (
    Row,
    column_losses,
    fitted,
    new_row,
    same_image,
    something,
    to_rows,
    to_table,
)
from curatome.annotations.formats.rings import (
    MARK,
    Points,
    Ring,
    closed,
    corners,
    join,
    mark_of,
    upright,
)
from curatome.annotations.formats.xml_file import Element, read_xml, write_xml
from curatome.annotations.model import ellipse_axes, ellipse_rectangle
from curatome.errors import AnnotationError

_TAG = re.compile(r"[A-Za-z_][\w.-]*")
_RULERS = {"linearmeasure": "AnnotateRuler", "pointer": "AnnotatePointer"}
_FARTHEST_NM = 1e9  # a slide is 75 mm long
_TYPES = ("freehand", "circle", "pin", "pointer", "linearmeasure")
_VIEW = ("title", "annotation", "x", "y")
_SHAPE = ("pointlist", "closed", "specialtype", "x", "y", "x1", "y1", "x2", "y2", "radius")
_USUAL_VIEW = {"details": "", "coordformat": "nanometers", "lens": "1", "z": "0", "showtitle": "0"}


@dataclass(frozen=True)
class _Slide:
    """Where a scan lies on its glass slide."""

    mpp: tuple[float, float]
    center_nm: tuple[float, float]
    middle: tuple[float, float]

    @property
    def square(self) -> bool:
        """Whether a circle on the glass is one in px."""
        return self.mpp[0] == self.mpp[1]

    def to_px(self, x: float, y: float) -> tuple[float, float]:
        a, b = (
            (nm - center) / (1000 * mpp) + middle
            for nm, center, mpp, middle in zip(
                (x, y), self.center_nm, self.mpp, self.middle, strict=True
            )
        )
        return a, b

    def to_nm(self, x: float, y: float) -> tuple[str, str]:
        a, b = (
            str(round((px - middle) * 1000 * mpp + center))
            for px, center, mpp, middle in zip(
                (x, y), self.center_nm, self.mpp, self.middle, strict=True
            )
        )
        return a, b


class Ndpa:
    """Hamamatsu NDPA."""

    name = "ndpa"
    title = "Hamamatsu NDPA"
    suffixes = (".ndpa",)
    carries = Carries(
        kinds=frozenset({"point", "line", "box", "circle", "polygon"}),
        holes=False,
        labels="one",
        columns=frozenset({"annotation"}),
        precision=0.01,
        note="Coordinates are rounded to 1 nm. The slide's µm per px and the offset of its center "
        "must be known. NDP.view itself does not keep the ids.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """See `Format`."""
        del path
        return "it holds <ndpviewstate>" if b"<ndpviewstate" in head else None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """See `Format`."""
        del options
        root = read_xml(path)
        if root.tag != "annotations":
            raise AnnotationError(f"{root.place}: the root is <{root.tag}>, not <annotations>.")
        frame = frames.find(path.stem) or frames.only
        slide = _slide(frame, path.name)
        views = root.all("ndpviewstate")
        rings: list[Ring] = []
        notes: list[str] = []
        colors: dict[str, str] = {}
        for view in views:
            for element in view.all("annotation"):
                row = _row(view, element, slide)
                if row is None:
                    said = view.say("title") or view.get("id")
                    notes.append(
                        f'{element.place}: "{said}" was left out, being of type '
                        f'"{element.get("type")}" with too few points or none that is known.'
                    )
                    continue
                if row["labels"] and element.get("color"):
                    colors.setdefault(row["labels"][0], element.get("color"))
                rings.append(Ring(row, element.place, mark=view.get(MARK)))
        rows, more = join(rings)
        for row in rows:
            row["image"] = frame.image if frame is not None else None
        dialect = f"Hamamatsu NDPA, {len(views)} views"
        return Reading(to_table(rows), dialect, (), colors, (*notes, *more))

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """See `Format`."""
        rows, losses = list(to_rows(table)), []
        slide = _slide(frames.find(same_image(rows, self.title) or "") or frames.only, path.name)
        root = ElementTree.Element("annotations")
        carries = self.carries
        for row in rows:
            keys = [name for name in ("view", "annotation") if _said(row, name)]
            losses += column_losses(row, carries, self.title, keys)
            drawn = {**row, "kind": "ellipse"} if row["kind"] == "circle" else row
            fitting, lost = fitted(row if slide.square else drawn, carries, self.title)
            losses += lost
            for one in fitting:
                _put(root, one, slide, colors)
        something(len(root), self.title)
        write_xml(path, root)
        return losses


def _slide(frame: Frame | None, file: str) -> _Slide:
    if frame is None:
        raise AnnotationError(
            f"{file} is in nm from the slide's center. Say which slide it is about with --image."
        )
    if frame.mpp_x is None or frame.mpp_y is None or frame.center_nm is None:
        missing = "µm per px" if frame.mpp_x is None else "offset from the slide's center"
        raise AnnotationError(
            f"{file} is in nm from the slide's center, and the {missing} of {frame.name} is not "
            "known. Add the .ndpi slide itself, which says it."
        )
    middle = (frame.width / 2, frame.height / 2)
    return _Slide((frame.mpp_x, frame.mpp_y), frame.center_nm, middle)


def _row(view: Element, element: Element, slide: _Slide) -> Row | None:
    unit = view.say("coordformat", "nanometers")
    if unit != "nanometers":
        raise AnnotationError(
            f'{view.place}: coordinates are in "{unit}". Only nanometers are known.'
        )
    if element.get("type") not in _TYPES:
        return None
    found = _shape(element, slide)
    if found is None:
        return None
    title = view.say("title")
    row = new_row(*found, [title] if title else [])
    row["foreign"] = view.get("id") or None
    row["properties"] = {
        "view": _texts(view, _VIEW),
        "annotation": {
            **{k: v for k, v in element.attributes.items() if k != "type"},
            **({"type": element.get("type")} if found[0] == "line" else {}),
            **_texts(element, _SHAPE),
        },
    }
    return row


def _texts(element: Element, apart: tuple[str, ...]) -> dict[str, str]:
    return {one.tag: one.text for one in element.children if one.tag not in apart}


def _shape(element: Element, slide: _Slide) -> tuple[str, shapely.Geometry] | None:
    kind = element.get("type")
    if kind == "pin":
        return "point", shapely.Point(_place(element, slide))
    if kind == "circle":
        radius = element.number("radius", _FARTHEST_NM)
        half = (radius / (1000 * slide.mpp[0]), radius / (1000 * slide.mpp[1]))
        around = ellipse_rectangle(_place(element, slide), half) if radius > 0 else None
        return around and ("circle" if slide.square else "ellipse", around)
    points = [_place(p, slide) for part in element.all("pointlist") for p in part.all("point")]
    opened = element.say("closed", "1") == "0"
    if kind in _RULERS:
        points, opened = [_place(element, slide, "1"), _place(element, slide, "2")], True
    if opened:
        return ("line", shapely.LineString(points)) if len(set(points)) > 1 else None
    if element.say("specialtype") == "rectangle" and (box := upright(points)) is not None:
        return "box", box
    polygon = closed(points)
    return polygon and ("polygon", polygon)


def _place(element: Element, slide: _Slide, number: str = "") -> tuple[float, float]:
    x = element.number(f"x{number}", _FARTHEST_NM)
    return slide.to_px(x, element.number(f"y{number}", _FARTHEST_NM))


def _put(root: ElementTree.Element, row: Row, slide: _Slide, colors: Mapping[str, str]) -> None:
    label = row["labels"][0] if row["labels"] else ""
    for part in shapely.get_parts(row["shape"]):
        said, own = _said(row, "view"), _said(row, "annotation")
        attributes = {"id": str(len(root) + 1), MARK: mark_of(row)}
        view = ElementTree.SubElement(root, "ndpviewstate", attributes)
        middle = slide.to_nm(*shapely.box(*part.bounds).centroid.coords[0])
        texts = {"title": label, **_USUAL_VIEW, "x": middle[0], "y": middle[1], **said}
        _put_texts(view, texts)
        kind, shown, points, fields = _drawing(row["kind"], part, slide, own)
        color = str(own.pop("color", None) or colors.get(label, "#000000"))
        shown = str(own.pop("displayname", shown))
        own.pop("type", None)
        named = {"type": kind, "displayname": shown, "color": color}
        drawing = ElementTree.SubElement(view, "annotation", named)
        _put_texts(drawing, {**own, **fields})
        if kind == "freehand":
            parent = ElementTree.SubElement(drawing, "pointlist")
            for x, y in points:
                nm = slide.to_nm(x, y)
                _put_texts(ElementTree.SubElement(parent, "point"), {"x": nm[0], "y": nm[1]})


def _said(row: Row, name: str) -> dict[str, str]:
    """What an NDPA file once said of a view or its annotation."""
    said = row["properties"].get(name)
    if not isinstance(said, dict) or not all(_TAG.fullmatch(key) for key in said):
        return {}
    return {key: str(value) for key, value in said.items()}


def _drawing(
    kind: str, part: shapely.Geometry, slide: _Slide, own: Mapping[str, Any]
) -> tuple[str, str, Points, dict[str, str]]:
    """Type, name, points and fields of one drawing."""
    points = corners(part)
    if kind == "point":
        x, y = slide.to_nm(*points[0])
        return "pin", "AnnotatePin", (), {"x": x, "y": y}
    if kind == "circle":
        center, half, _ = ellipse_axes(part)
        x, y = slide.to_nm(*center)
        radius = str(round(float(np.mean(half)) * 1000 * slide.mpp[0]))
        return "circle", "AnnotateCircle", (), {"x": x, "y": y, "radius": radius}
    said = str(own.get("type", "linearmeasure"))
    if kind == "line" and len(points) == 2 and said in _RULERS:
        (x1, y1), (x2, y2) = (slide.to_nm(*point) for point in points)
        return said, _RULERS[said], (), {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    if kind == "line":
        return "freehand", "AnnotateFreehandLine", points, {"closed": "0"}
    shown, fields = "AnnotateFreehand", {"closed": "1"}
    if kind == "box":
        shown, fields = "AnnotateRectangle", {"closed": "1", "specialtype": "rectangle"}
    return "freehand", shown, points, fields


def _put_texts(parent: ElementTree.Element, texts: Mapping[str, Any]) -> None:
    for name, value in texts.items():
        ElementTree.SubElement(parent, name).text = str(value)


FORMAT = Ndpa()
