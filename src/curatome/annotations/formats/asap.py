"""ASAP XML: Radboudumc's Automated Slide Analysis Platform, and the CAMELYON challenges.

Coordinates are level-0 px with the origin at the corner of the image. The class is the group an
annotation is part of. ASAP has no holes; regions in a group `Exclusion` (CAMELYON17), `_2`
(CAMELYON16), `Hole` or `Holes` that lie in another region are read as its holes, and holes are
written to the group `Exclusion`. A spline is read as the polygon through its points.

As written by https://github.com/computationalpathologygroup/ASAP (annotation/XmlRepository.cpp).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import shapely

from curatome.annotations.formats.base import Carries, Frames, Loss, Options, Reading
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
    rings_of,
    upright,
)
from curatome.annotations.formats.xml_file import Element, exact, read_xml, write_xml
from curatome.errors import AnnotationError

_HOLES = ("exclusion", "_2", "hole", "holes")
_NO_GROUP = "None"
_COLOR = "#F4FA58"  # ASAP's own for what has no group
_GROUP_COLOR = "#64FE2E"
_NAME = re.compile(r"Annotation \d+")


class Asap:
    """ASAP XML."""

    name = "asap"
    title = "ASAP XML"
    suffixes = (".xml",)
    carries = Carries(
        kinds=frozenset({"point", "points", "box", "polygon", "multipolygon"}),
        holes=True,
        labels="one",
        columns=frozenset({"annotation", "name"}),
        note="Holes are regions of the group Exclusion. Lines of two points are measurements; "
        "longer ones are left out. ASAP itself keeps coordinates as 32-bit numbers, and not the "
        "ids.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """See `Format`."""
        del path
        return "its root is <ASAP_Annotations>" if b"<ASAP_Annotations" in head else None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """See `Format`."""
        del options
        root = read_xml(path)
        if root.tag != "ASAP_Annotations":
            raise AnnotationError(
                f"{root.place}: the root is <{root.tag}>, not <ASAP_Annotations>."
            )
        groups = {
            group.get("Name"): group
            for part in root.all("AnnotationGroups")
            for group in part.all("Group")
        }
        drawn = [one for part in root.all("Annotations") for one in part.all("Annotation")]
        rings, notes = [], []
        for element in drawn:
            ring, note = _ring(element, groups)
            rings += ring
            notes += note
        rows, more = join(rings)
        for row in rows:
            row["image"] = frames.only.image if frames.only else None
        colors = {name: group.get("Color") for name, group in groups.items() if group.get("Color")}
        dialect = f"ASAP XML, {len(drawn)} annotations in {len(groups)} groups"
        return Reading(to_table(rows), dialect, (), colors, (*notes, *more))

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """See `Format`."""
        del frames
        rows, losses = list(to_rows(table)), []
        same_image(rows, self.title)
        root = ElementTree.Element("ASAP_Annotations")
        annotations = ElementTree.SubElement(root, "Annotations")
        for row in rows:
            fitting, lost = fitted(row, self.carries, self.title)
            if row["kind"] == "line" and len(shapely.get_coordinates(row["shape"])) == 2:
                fitting, lost = [row], []
            said = {**row, "foreign": None} if _automatic(row) else row
            losses += lost + column_losses(said, self.carries, self.title, _keys(row)) + _odd(row)
            for one in fitting:
                _put(annotations, one, colors)
        something(len(annotations), self.title)
        _put_groups(root, rows, colors)
        write_xml(path, root)
        return losses


def _ring(element: Element, groups: Mapping[str, Element]) -> tuple[list[Ring], list[str]]:
    kind = element.get("Type")
    group = element.get("PartOfGroup", _NO_GROUP)
    if group != _NO_GROUP and groups and group not in groups:
        raise AnnotationError(
            f'{element.place}: it is part of the group "{group}", which the file does not have. '
            "Add the group in ASAP, and save again."
        )
    found = _shape(kind, _points(element))
    if found is None:
        return [], [f"{element.place}: a {kind} of too few points was left out."]
    row = new_row(*found, [] if group == _NO_GROUP else [group])
    name = element.get("Name")
    automatic = _NAME.fullmatch(name) is not None
    row["name"] = None if automatic or not name else name
    row["foreign"] = name if automatic else None
    row["properties"] = _properties(element, kind, groups)
    negative = group.lower() in _HOLES and row["kind"] in ("box", "polygon")
    return [Ring(row, element.place, "", negative, element.get(MARK))], []


def _points(element: Element) -> Points:
    """The coordinates in their `Order`, as ASAP takes them."""
    found = [one for part in element.all("Coordinates") for one in part.all("Coordinate")]
    if all("Order" in one.attributes for one in found):
        found.sort(key=lambda one: one.number("Order"))
    return [(one.number("X"), one.number("Y")) for one in found]


def _shape(kind: str, points: Points) -> tuple[str, shapely.Geometry] | None:
    if kind == "Dot":
        return ("point", shapely.Point(points[0])) if len(points) == 1 else None
    if kind == "PointSet":
        return ("points", shapely.MultiPoint(points)) if points else None
    if kind == "Measurement":
        return ("line", shapely.LineString(points)) if len(set(points)) > 1 else None
    if kind == "Rectangle" and len(points) > 1 and (box := upright(points)) is not None:
        return "box", box
    polygon = closed(points) if kind in ("Polygon", "Spline", "Rectangle") else None
    return None if polygon is None else ("polygon", polygon)


def _properties(element: Element, kind: str, groups: Mapping[str, Element]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    if kind == "Spline":
        properties["Type"] = kind
    group = groups.get(element.get("PartOfGroup"))
    usual = group.get("Color") if group is not None else _COLOR
    if element.get("Color", usual).lower() not in (usual.lower(), _COLOR.lower()):
        properties["Color"] = element.get("Color")
    parents: list[str] = []
    while group is not None and (parent := group.get("PartOfGroup", _NO_GROUP)) != _NO_GROUP:
        if parent in parents:
            raise AnnotationError(f'{group.place}: the group "{parent}" is part of itself.')
        parents.append(parent)
        group = groups.get(parent)
    if parents:
        properties["PartOfGroup"] = parents
    return properties


def _keys(row: Row) -> list[str]:
    """The properties that an ASAP file can say."""
    said = row["properties"]
    keys = ["Color"] if isinstance(said.get("Color"), str) else []
    if row["labels"] and isinstance(said.get("PartOfGroup"), list):
        keys.append("PartOfGroup")
    if row["kind"] == "polygon" and said.get("Type") == "Spline":
        keys.append("Type")
    return keys


def _automatic(row: Row) -> bool:
    """Whether it comes from ASAP, which gave it a name by itself."""
    return not row["name"] and _NAME.fullmatch(row["foreign"] or "") is not None


def _odd(row: Row) -> list[Loss]:
    """Names and classes that mean something else in ASAP."""
    losses = []
    if row["name"] == "" or (row["name"] and _NAME.fullmatch(row["name"])):
        reason = f'ASAP gives the name "{row["name"]}" itself; it comes back as no name.'
        losses.append(Loss(row["annotation"], "name", reason))
    if row["labels"] and row["labels"][0] in (_NO_GROUP, ""):
        reason = f'ASAP takes the group "{row["labels"][0]}" for none.'
        losses.append(Loss(row["annotation"], "labels", reason))
    return losses


_TYPES = {"point": "Dot", "points": "PointSet", "line": "Measurement", "box": "Rectangle"}


def _put(parent: ElementTree.Element, row: Row, colors: Mapping[str, str]) -> None:
    label = row["labels"][0] if row["labels"] else _NO_GROUP
    foreign = row["foreign"] if _automatic(row) else None
    whole = row["kind"] == "points"
    spline = "Spline" if "Type" in _keys(row) else "Polygon"
    for shape, hole in [(row["shape"], False)] if whole else rings_of(row):
        group = "Exclusion" if hole else label
        default = _COLOR if group == _NO_GROUP else colors.get(group, _GROUP_COLOR)
        attributes = {
            "Name": row["name"] or foreign or f"Annotation {len(parent)}",
            "Type": _TYPES.get(row["kind"], spline),
            "PartOfGroup": group or _NO_GROUP,
            "Color": row["properties"]["Color"] if "Color" in _keys(row) else default,
            MARK: mark_of(row),
        }
        element = ElementTree.SubElement(parent, "Annotation", attributes)
        coordinates = ElementTree.SubElement(element, "Coordinates")
        for order, (x, y) in enumerate(corners(shape)):
            place = {"Order": str(order), "X": exact(x), "Y": exact(y)}
            ElementTree.SubElement(coordinates, "Coordinate", place)


def _put_groups(root: ElementTree.Element, rows: Sequence[Row], colors: Mapping[str, str]) -> None:
    """Every group that is named, with the groups it is part of."""
    part_of: dict[str, str] = {}
    for row in rows:
        outer = row["properties"]["PartOfGroup"] if "PartOfGroup" in _keys(row) else []
        chain = [*row["labels"][:1], *map(str, outer)]
        for inner, group in zip(chain, [*chain[1:], _NO_GROUP], strict=False):
            part_of.setdefault(inner, group)
    used = {one.get("PartOfGroup", _NO_GROUP) for one in root.iter("Annotation")}
    groups = ElementTree.SubElement(root, "AnnotationGroups")
    for name in dict.fromkeys([*part_of, *sorted(used)]):
        if name in (_NO_GROUP, ""):
            continue
        color = colors.get(name, "#000000" if name == "Exclusion" else _GROUP_COLOR)
        attributes = {"Name": name, "PartOfGroup": part_of.get(name, _NO_GROUP), "Color": color}
        group = ElementTree.SubElement(groups, "Group", attributes)
        ElementTree.SubElement(group, "Attributes")


FORMAT = Asap()
