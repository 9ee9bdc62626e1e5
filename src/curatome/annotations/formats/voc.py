"""Pascal VOC XML: boxes, one file per image, alone or in a folder.

VOC numbers pixels from 1 and its boxes hold their last pixel, so a box is xmin - 1 to xmax in
px with the origin at the corner of the image. Many programs write corners from 0 instead; a file
with a 0 shows that it does, and the reading as corners is offered as a doubt.

http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import shapely

from curatome.annotations.formats.base import Carries, Doubt, Frames, Loss, Options, Reading
from curatome.annotations.formats.entries import (
    Row,
    column_losses,
    fitted,
    new_row,
    something,
    to_rows,
    to_table,
)
from curatome.annotations.formats.rings import MARK
from curatome.annotations.formats.xml_file import Element, exact, read_xml, write_xml
from curatome.errors import AnnotationError

_FLAGS = ("pose", "truncated", "difficult", "occluded")
_BOX = ("xmin", "ymin", "xmax", "ymax")
_HEAD = 1 << 12


class Voc:
    """Pascal VOC XML."""

    name = "voc"
    title = "Pascal VOC XML"
    suffixes = (".xml",)
    carries = Carries(
        kinds=frozenset({"box"}),
        holes=False,
        labels="one",
        columns=frozenset({"annotation"}),
        note="Boxes only; one file per image. Objects without class are left out.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """See `Format`."""
        if path.is_dir():
            files = _files(path)
            if not files:
                return None
            with files[0].open("rb") as stream:
                head = stream.read(_HEAD)
        known = b"<annotation" in head and (b"<bndbox" in head or b"<segmented" in head)
        return "its root is <annotation>, with boxes as in Pascal VOC" if known else None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """See `Format`."""
        del options
        files = _files(path) if path.is_dir() else [path]
        if not files:
            raise AnnotationError(f"{path.name} holds no XML files.")
        rows: list[Row] = []
        zeros = 0
        found: list[tuple[str, Element]] = []
        for file in files:
            root = read_xml(file)
            if root.tag != "annotation":
                raise AnnotationError(f"{root.place}: the root is <{root.tag}>, not <annotation>.")
            named = root.say("filename") or file.name
            frame = frames.find(named) or frames.find(file.name)
            frame = frame or (None if path.is_dir() else frames.only)
            image = frame.image if frame is not None else named
            found += [(image, one) for one in root.all("object")]
        zeros = sum(min(_bounds(one)[:2]) == 0 for _, one in found)
        first = 0.0 if zeros else 1.0
        rows = [_row(one, image, first) for image, one in found]
        doubts = []
        if zeros:
            evidence = f"{zeros} of {len(rows)} boxes begin at 0, and VOC's first pixel is 1"
            doubts.append(Doubt("origin", "corners from 0", "pixels from 1", evidence))
        return Reading(to_table(rows), f"Pascal VOC XML, {len(files)} files", tuple(doubts))

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """See `Format`."""
        del colors
        losses: list[Loss] = []
        files: dict[str | None, list[Row]] = {}
        for row in to_rows(table):
            losses += column_losses(row, self.carries, self.title, _keys(row))
            fitting, lost = fitted(row, self.carries, self.title)
            if not row["labels"]:
                reason = "Pascal VOC XML has no objects without class; it was left out."
                fitting, lost = [], [Loss(row["annotation"], "geometry", reason)]
            losses += lost
            if fitting:
                files.setdefault(row["image"], []).extend(fitting)
        something(len(files), self.title)
        if len(files) > 1 and path.suffix:
            raise AnnotationError(
                f"a file of {self.title} is about one image, and these annotations lie on "
                f"{len(files)}. Name a folder."
            )
        for image, rows in files.items():
            frame = frames.find(image or "") or frames.only
            named = frame.name if frame is not None else image or path.stem
            size = (frame.width, frame.height) if frame is not None else (0, 0)
            place = path if path.suffix else path / f"{Path(named).stem}.xml"
            write_xml(place, _tree(named, size, rows))
        return losses


def _files(folder: Path) -> list[Path]:
    inside = folder / "Annotations"
    return sorted((inside if inside.is_dir() else folder).glob("*.xml"))


def _bounds(element: Element) -> list[float]:
    box = element.child("bndbox")
    if box is None:
        raise AnnotationError(f"{element.place}: the <{element.tag}> has no <bndbox>.")
    return [box.number(name) for name in _BOX]


def _row(element: Element, image: str, first: float) -> Row:
    left, top, right, bottom = _bounds(element)
    left, top = left - first, top - first
    if right <= left or bottom <= top:
        raise AnnotationError(f"{element.place}: the box is empty or inside out.")
    row = new_row("box", shapely.box(left, top, right, bottom), [element.need("name")])
    row["image"] = image
    name, _, _ = element.get(MARK).partition(" ")
    row["annotation"] = name or row["annotation"]
    properties: dict[str, Any] = {
        one.tag: one.text for one in element.children if one.tag in _FLAGS
    }
    parts = [[part.need("name"), *_bounds(part)] for part in element.all("part")]
    if parts:
        properties["parts"] = parts
    row["properties"] = properties
    return row


def _keys(row: Row) -> Iterator[str]:
    said = row["properties"]
    yield from (name for name in _FLAGS if isinstance(said.get(name), str))
    if isinstance(said.get("parts"), list):
        yield "parts"


def _tree(named: str, size: tuple[int, int], rows: Sequence[Row]) -> ElementTree.Element:
    root = ElementTree.Element("annotation")
    _put(root, {"folder": "", "filename": named})
    shape = {"width": str(size[0]), "height": str(size[1]), "depth": "3"}
    _put(ElementTree.SubElement(root, "size"), shape)
    _put(root, {"segmented": "0"})
    for row in rows:
        element = ElementTree.SubElement(root, "object", {MARK: row["annotation"]})
        usual = {"pose": "Unspecified", "truncated": "0", "difficult": "0"}
        keys = list(_keys(row))
        said = {name: row["properties"][name] for name in keys if name != "parts"}
        _put(element, {"name": row["labels"][0], **usual, **said})
        left, top, right, bottom = row["shape"].bounds
        box = [left + 1, top + 1, right, bottom]
        _put_box(element, box)
        for name, *bounds in row["properties"]["parts"] if "parts" in keys else ():
            part = ElementTree.SubElement(element, "part")
            _put(part, {"name": str(name)})
            _put_box(part, bounds)
    return root


def _put(parent: ElementTree.Element, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        ElementTree.SubElement(parent, name).text = text


def _put_box(parent: ElementTree.Element, bounds: Sequence[float]) -> None:
    box = ElementTree.SubElement(parent, "bndbox")
    _put(box, {name: exact(value) for name, value in zip(_BOX, bounds, strict=True)})


FORMAT = Voc()
