"""Aperio ImageScope XML.

A layer is a class: its `Name`, or else the name of its first attribute, which is where ImageScope
puts the name that a person gives it (unless it is still called "Description"). Regions are of
Type 0 freehand, 1 rectangle, 2 ellipse, 3 arrow, 4 ruler or 5 counter; other programs write 1
for freehand shapes too, so a Type 1 with other corners than a rectangle's is a polygon.

Coordinates are level-0 px with the origin at the corner; see `layers`. The format is described
in Leica's "Aperio ImageScope User's Guide", appendix on XML, and by what TCGA's files hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa

from curatome.annotations.formats.base import Carries, Doubt, Frame, Frames, Loss, Options, Reading
from curatome.annotations.formats.entries import (
    column_losses,
    fitted,
    same_image,
    something,
    to_rows,
    to_table,
)
from curatome.annotations.formats.layers import (
    Dialect,
    by_layer,
    keys_of,
    line_color,
    put_regions,
    read_layers,
)
from curatome.annotations.formats.xml_file import Element, read_xml, write_xml

_SCALE_DIFFERS = 0.05
_OURS = re.compile(rb"MicronsPerPixel=|RegionAttributeHeaders|<Vertex\b|<Region [^>]*Type=\"\d")


def _label(layer: Element) -> str:
    if name := layer.get("Name"):
        return name
    for part in layer.all("Attributes"):
        for attribute in part.all("Attribute")[:1]:
            named = attribute.get("Name")
            return attribute.get("Value") if named == "Description" else named
    return ""


_DIALECT = Dialect(
    vertex="Vertex",
    kinds={"0": "polygon", "1": "box", "2": "ellipse", "3": "line", "4": "line", "5": "point"},
    types={
        "polygon": "0",
        "box": "1",
        "ellipse": "2",
        "circle": "2",
        "line": "4",
        "point": "5",
    },
    own=(
        ("Zoom", "1"),
        ("Selected", "0"),
        ("ImageLocation", ""),
        ("ImageFocus", "0"),
        ("InputRegionId", "0"),
        ("Analyze", "1"),
        ("DisplayId", "0"),
    ),
    label=_label,
    by_bounds=("circle", "ellipse"),
    measured=True,
)


class ImageScope:
    """Aperio ImageScope XML."""

    name = "imagescope"
    title = "Aperio ImageScope XML"
    suffixes = (".xml",)
    carries = Carries(
        kinds=frozenset(
            {"point", "points", "line", "box", "circle", "ellipse", "polygon", "multipolygon"}
        ),
        holes=True,
        labels="one",
        columns=frozenset({"annotation", "name"}),
        note="Holes are negative regions. Turned ellipses become polygons. ImageScope itself "
        "does not keep the ids.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """See `Format`."""
        del path
        if b"<Annotations" not in head or not _OURS.search(head):
            return None
        return "its root is <Annotations>, with layers as ImageScope writes them"

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """See `Format`."""
        del options
        root = read_xml(path)
        rows, colors, notes = read_layers(root, _DIALECT)
        doubts = []
        if frames.only is not None:
            doubts = _scale_doubt(root, frames.only)
        for row in rows:
            row["image"] = frames.only.image if frames.only else None
        layers = root.all("Annotation")
        dialect = f"Aperio ImageScope XML, {len(layers)} layers"
        return Reading(to_table(rows), dialect, tuple(doubts), colors, tuple(notes))

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """See `Format`."""
        rows, losses = [], []
        taken = list(to_rows(table))
        frame = frames.find(same_image(taken, self.title) or "") or frames.only
        mpp = frame.mpp_x if frame is not None else None
        for row in taken:
            losses += column_losses(row, self.carries, self.title, keys_of(row, _DIALECT))
            fitting, lost = fitted(row, self.carries, self.title, turned=False)
            rows += fitting
            losses += lost
        something(len(rows), self.title)
        root = ElementTree.Element("Annotations")
        if mpp is not None:
            root.set("MicronsPerPixel", f"{mpp:.6f}")
        for number, (label, members) in enumerate(by_layer(rows).items(), 1):
            layer = _layer(root, number, label, colors)
            put_regions(layer, members, _DIALECT, mpp)
            ElementTree.SubElement(layer, "Plots")
        write_xml(path, root)
        return losses


def _layer(
    root: ElementTree.Element, number: int, label: str, colors: Mapping[str, str]
) -> ElementTree.Element:
    attributes = {
        "Id": str(number),
        "Name": label,
        "ReadOnly": "0",
        "NameReadOnly": "0",
        "LineColorReadOnly": "0",
        "Incremental": "0",
        "Type": "4",
        "LineColor": line_color(colors.get(label)),
        "Visible": "1",
        "Selected": "0",
        "MarkupImagePath": "",
        "MacroName": "",
    }
    layer = ElementTree.SubElement(root, "Annotation", attributes)
    parent = ElementTree.SubElement(layer, "Attributes")
    named = {"Name": label or "Description", "Id": "0", "Value": ""}
    ElementTree.SubElement(parent, "Attribute", named)
    return layer


def _scale_doubt(root: Element, frame: Frame) -> list[Doubt]:
    """Whether the file was drawn on an image of another scale."""
    written = root.get("MicronsPerPixel")
    if not written or frame.mpp_x is None:
        return []
    mpp = root.number("MicronsPerPixel")
    if mpp <= 0 or abs(mpp - frame.mpp_x) <= _SCALE_DIFFERS * frame.mpp_x:
        return []
    evidence = f"the file says {mpp:g} µm/px, and {frame.name} has {frame.mpp_x:g}"
    return [Doubt("image", frame.name, "another image", evidence)]


FORMAT = ImageScope()
