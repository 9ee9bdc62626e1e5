"""HALO annotations: Indica Labs' XML, in files `.xml` or `.annotations`.

A layer is a class. Regions are of Type Polygon, Rectangle, Ellipse, Ruler or Pin; rectangles and
ellipses are two opposite corners. Coordinates are level-0 px with the origin at the corner; see
`layers`. HALO publishes no description; this follows its files and the reader
https://github.com/rharkes/pyhaloxml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa

from curatome.annotations.formats.base import Carries, Frames, Loss, Options, Reading
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

_OURS = re.compile(rb"<V\b|HasEndcaps=|<Region [^>]*Type=\"[A-Z]|Visible=\"(?:True|False)\"")


def _label(layer: Element) -> str:
    return layer.get("Name")


_DIALECT = Dialect(
    vertex="V",
    kinds={
        "Polygon": "polygon",
        "Rectangle": "box",
        "Ellipse": "ellipse",
        "Ruler": "line",
        "Pin": "point",
    },
    types={
        "polygon": "Polygon",
        "box": "Rectangle",
        "ellipse": "Ellipse",
        "circle": "Ellipse",
        "line": "Ruler",
        "point": "Pin",
    },
    own=(("HasEndcaps", "0"),),
    label=_label,
    by_bounds=("box", "circle", "ellipse"),
)


class Halo:
    """HALO XML."""

    name = "halo"
    title = "HALO XML"
    suffixes = (".annotations", ".xml")
    carries = Carries(
        kinds=frozenset(
            {"point", "points", "line", "box", "circle", "ellipse", "polygon", "multipolygon"}
        ),
        holes=True,
        labels="one",
        columns=frozenset({"annotation"}),
        note="Holes are negative regions. Turned ellipses become polygons. HALO itself does not "
        "keep the ids.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """See `Format`."""
        del path
        if b"<Annotations" not in head or not _OURS.search(head):
            return None
        return "its root is <Annotations>, with regions as HALO writes them"

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """See `Format`."""
        del options
        root = read_xml(path)
        rows, colors, notes = read_layers(root, _DIALECT)
        for row in rows:
            row["image"] = frames.only.image if frames.only else None
        dialect = f"HALO XML, {len(root.all('Annotation'))} layers"
        return Reading(to_table(rows), dialect, (), colors, tuple(notes))

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """See `Format`."""
        del frames
        taken, rows, losses = list(to_rows(table)), [], []
        same_image(taken, self.title)
        for row in taken:
            losses += column_losses(row, self.carries, self.title, keys_of(row, _DIALECT))
            fitting, lost = fitted(row, self.carries, self.title, turned=False)
            rows += fitting
            losses += lost
        something(len(rows), self.title)
        root = ElementTree.Element("Annotations")
        for label, members in by_layer(rows).items():
            color = line_color(colors.get(label))
            named = {"LineColor": color, "Name": label, "Visible": "True"}
            layer = ElementTree.SubElement(root, "Annotation", named)
            put_regions(layer, members, _DIALECT)
        write_xml(path, root)
        return losses


FORMAT = Halo()
