"""Layers of regions, as Aperio ImageScope writes them and HALO after it.

    Annotations > Annotation (a layer) > Regions > Region > Vertices > Vertex or V

Coordinates are level-0 px with the origin at the corner of the image. A layer is a class;
`LineColor` is a Windows COLORREF, 0x00bbggrr. `NegativeROA="1"` cuts a region out of the one of
its layer that it lies in. Rectangles and ellipses may be given by two opposite corners.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import shapely

from curatome.annotations.formats.entries import Row, new_row
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
from curatome.annotations.formats.xml_file import Element, exact
from curatome.annotations.model import outline
from curatome.errors import AnnotationError

_APART = frozenset({"Id", "Type", "Text", "NegativeROA", MARK})
_DEFAULT_COLOR = "#00ff00"


@dataclass(frozen=True)
class Dialect:
    """How one of the tools writes regions.

    Attributes:
        vertex: name of the element of a vertex.
        kinds: kind of annotation by the region's `Type`.
        types: `Type` by kind of annotation, to write.
        own: attributes of a region that Curatome has no column for, and their usual value.
        label: the class of a layer.
        by_bounds: kinds that are written as two opposite corners.
        measured: whether regions have an id, a text, and sizes in px and µm.
    """

    vertex: str
    kinds: Mapping[str, str]
    types: Mapping[str, str]
    own: tuple[tuple[str, str], ...]
    label: Callable[[Element], str]
    by_bounds: tuple[str, ...]
    measured: bool = False


def read_layers(root: Element, dialect: Dialect) -> tuple[list[Row], dict[str, str], list[str]]:
    """The annotations, the color of each class, and what a person should know.

    Raises:
        AnnotationError: a region is not what it says.
    """
    if root.tag != "Annotations":
        raise AnnotationError(f"{root.place}: the root is <{root.tag}>, not <Annotations>.")
    rings: list[Ring] = []
    colors: dict[str, str] = {}
    notes: list[str] = []
    for number, layer in enumerate(root.all("Annotation")):
        label = dialect.label(layer)
        if label and layer.get("LineColor"):
            colors.setdefault(label, _to_hex(layer))
        for region in [r for part in layer.all("Regions") for r in part.all("Region")]:
            row = _row(region, dialect)
            if row is None:
                notes.append(f"{region.place}: a region of too few points was left out.")
                continue
            negative = region.get("NegativeROA") == "1" and row["kind"] not in ("line", "point")
            row["labels"] = [label] if label and not negative else []
            if region.get("Id"):
                row["foreign"] = f"{layer.get('Id', str(number + 1))}/{region.get('Id')}"
            rings.append(Ring(row, region.place, str(number), negative, region.get(MARK)))
            if negative:
                row["properties"] |= {"NegativeROA": "1", "Layer": label}
    rows, more = join(rings)
    return rows, colors, notes + more


def _to_hex(layer: Element) -> str:
    value = int(layer.number("LineColor"))
    red, green, blue = value & 255, value >> 8 & 255, value >> 16 & 255
    return f"#{red:02x}{green:02x}{blue:02x}"


def line_color(color: str | None) -> str:
    """A color `#rrggbb` as the tools write it."""
    written = (color or _DEFAULT_COLOR).lstrip("#")
    red, green, blue = (int(written[i : i + 2], 16) for i in (0, 2, 4))
    return str(red | green << 8 | blue << 16)


def _row(region: Element, dialect: Dialect) -> Row | None:
    points = [
        (vertex.number("X"), vertex.number("Y"))
        for part in region.all("Vertices")
        for vertex in part.all("Vertex", "V")
    ]
    written = region.get("Type", "0")
    if written not in dialect.kinds:
        raise AnnotationError(
            f'{region.place}: a region of Type "{written}" is not known. It may be one of '
            f"{', '.join(dialect.kinds)}."
        )
    found = _shape(dialect.kinds[written], points)
    if found is None:
        return None
    row = new_row(*found)
    row["name"] = region.get("Text") or None
    properties: dict[str, Any] = {
        name: value for name, value in region.attributes.items() if name not in _APART
    }
    if dialect.types.get(found[0]) != written:
        properties["Type"] = written
    for part in region.all("Attributes"):
        named = {one.get("Name"): one.get("Value") for one in part.all("Attribute")}
        if named:
            properties["Attributes"] = named
    comments = [dict(one.attributes) for part in region.all("Comments") for one in part.children]
    if comments:
        properties["Comments"] = comments
    row["properties"] = properties
    return row


def _shape(kind: str, points: Points) -> tuple[str, shapely.Geometry] | None:
    if not points:
        return None
    if kind == "point":
        one = len(points) == 1
        return (
            ("point", shapely.Point(points[0])) if one else ("points", shapely.MultiPoint(points))
        )
    if kind == "line":
        return ("line", shapely.LineString(points)) if len(set(points)) > 1 else None
    box = upright(points) if kind in ("box", "ellipse") and len(points) > 1 else None
    if box is not None and kind == "box":
        return "box", box
    if box is not None:
        left, top, right, bottom = box.bounds
        return ("circle" if right - left == bottom - top else "ellipse"), box
    polygon = closed(points)
    return None if polygon is None else ("polygon", polygon)


def put_regions(
    layer: ElementTree.Element, rows: Sequence[Row], dialect: Dialect, mpp: float | None = None
) -> None:
    """Write rows of one layer, each as its regions, holes as negative ones.

    Args:
        layer: its element.
        rows: annotations of the layer's class.
        dialect: whose.
        mpp: µm per px, for lengths and areas in µm where the tool writes them.
    """
    regions = ElementTree.SubElement(layer, "Regions")
    for row in rows:
        rings = [(row["shape"], False)] if row["kind"] == "points" else rings_of(row)
        for shape, hole in rings:
            attributes = {
                "Id": str(len(regions) + 1),
                "Type": _type(row, dialect, len(rings) > 1),
                **{name: str(row["properties"].get(name, usual)) for name, usual in dialect.own},
                "NegativeROA": "1" if hole or row["properties"].get("NegativeROA") == "1" else "0",
                MARK: mark_of(row),
            }
            region = ElementTree.SubElement(regions, "Region", attributes)
            if dialect.measured:
                region.attrib |= {**_sizes(shape, row["kind"], mpp), "Text": row["name"] or ""}
            else:
                del region.attrib["Id"]
            _put_lists(region, row)
            vertices = ElementTree.SubElement(region, "Vertices")
            for x, y in _vertices(shape, row["kind"], dialect):
                ElementTree.SubElement(vertices, dialect.vertex, {"X": exact(x), "Y": exact(y)})


def _vertices(shape: shapely.Geometry, kind: str, dialect: Dialect) -> Points:
    if kind not in dialect.by_bounds:
        return corners(shape)
    left, top, right, bottom = shape.bounds
    return [(left, top), (right, bottom)]


def _put_lists(region: ElementTree.Element, row: Row) -> None:
    attributes = ElementTree.SubElement(region, "Attributes")
    for name, value in row["properties"].get("Attributes", {}).items():
        ElementTree.SubElement(attributes, "Attribute", {"Name": name, "Value": str(value)})
    comments = ElementTree.SubElement(region, "Comments")
    for comment in row["properties"].get("Comments", ()):
        ElementTree.SubElement(comments, "Comment", comment)


def _type(row: Row, dialect: Dialect, several: bool) -> str:
    """The `Type` that the file once said, where it still fits the shape."""
    kind: str = row["kind"]
    said = row["properties"].get("Type")
    kind = {"points": "point", "multipolygon": "polygon"}.get(kind, kind)
    if isinstance(said, str) and said in dialect.kinds and not several:
        meant = dialect.kinds[said]
        if meant == kind or (kind == "polygon" and meant in ("box", "ellipse")):
            return said
    return dialect.types[kind]


def _sizes(shape: shapely.Geometry, kind: str, mpp: float | None) -> dict[str, str]:
    drawn = outline(kind, shape)
    sizes = {"Length": f"{drawn.length:.1f}", "Area": f"{drawn.area:.1f}"}
    if mpp is not None:
        sizes |= {
            "LengthMicrons": f"{drawn.length * mpp:.1f}",
            "AreaMicrons": f"{drawn.area * mpp**2:.1f}",
        }
    return sizes


def keys_of(row: Row, dialect: Dialect) -> list[str]:
    """The properties of a row that come back."""
    keys = [name for name, _ in dialect.own]
    keys += ["NegativeROA", "Layer"]
    drawn = row["kind"] in dialect.types or row["kind"] in ("points", "multipolygon")
    if drawn and row["properties"].get("Type") == _type(row, dialect, len(rings_of(row)) > 1):
        keys.append("Type")
    if dialect.measured:
        keys += ["Length", "Area", "LengthMicrons", "AreaMicrons"]
    attributes = row["properties"].get("Attributes")
    if isinstance(attributes, dict) and all(isinstance(v, str) for v in attributes.values()):
        keys.append("Attributes")
    comments = row["properties"].get("Comments")
    if isinstance(comments, list) and all(isinstance(one, dict) for one in comments):
        keys.append("Comments")
    return keys


def by_layer(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by the name of the layer they belong to, empty for those without a class."""
    layers: dict[str, list[Row]] = {}
    for row in rows:
        label = row["labels"][0] if row["labels"] else str(row["properties"].get("Layer", ""))
        layers.setdefault(label, []).append(row)
    return layers
