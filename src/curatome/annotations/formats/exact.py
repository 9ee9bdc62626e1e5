"""EXACT text exports: one row per annotation, in px of the image from its top-left corner.

https://github.com/DeepPathology/EXACT. A row is

    image|label|{"x1": "243","y1": "147","x2": "256","y2": "175",}|creator|created|editor|edited|
    uuid|verified|width|height

on one line; the vector is JSON but for its last comma. One point is a point, two are the corners
of a box, more are a polygon. The reader of a row is its editor, whose shape and label it is.
Rows in brackets, `[image|user|time|number]`, are about the whole image; what their number means
depends on the server's settings, so that it is no label but the property `number`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import shapely

from curatome.annotations.formats import json_file, rows
from curatome.annotations.formats.base import Carries, Frames, Loss, Options, Reading
from curatome.durable import write_file
from curatome.errors import AnnotationError
from curatome.tables import ANNOTATIONS

_FIELDS = 11
_MEMBER = re.compile(r'"([xy])(\d+)"\s*:\s*"?(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"?\s*,?\s*')
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WHOLE = re.compile(r"\[([^|\n]+)\|([^|\n]*)\|([^|\n]*)\|([^|\n]*)\]")


class Exact:
    """What the annotation server EXACT exports as text."""

    name = "exact"
    title = "EXACT text export"
    suffixes = (".txt",)
    carries = Carries(
        kinds=frozenset({"point", "box", "polygon", "whole"}),
        holes=False,
        labels="one",
        columns=frozenset({"annotation", "image", "reader", "time"}),
        images=True,
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """By its first row."""
        del path
        line = head.decode("utf-8", "replace").lstrip("\ufeff").strip().split("\n", 1)[0].strip()
        fields = line.split("|")
        if len(fields) == _FIELDS and _MEMBER.search(fields[2]):
            return "rows of image|label|vector|… as EXACT exports them"
        if _WHOLE.fullmatch(line):
            return "rows of [image|user|time|number] as EXACT exports them"
        return None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """Every row of the file; empty lines are passed over.

        Raises:
            AnnotationError: a row is broken; names its line.
        """
        text = json_file.read_bytes(path)
        try:
            lines = text.decode().splitlines()
        except UnicodeDecodeError as error:
            where = json_file.place(text, error.start)
            raise AnnotationError(f"{path.name} is not UTF-8 at {where}.") from error
        found, seen = [], set()
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{path.name}, line {number}"
            row = _whole(line, where) if line.startswith("[") else _row(line, options, where)
            known = frames.find(row["image"])
            row["image"] = known.image if known else row["image"]
            if row["annotation"] in seen:
                raise AnnotationError(f"{where}: {row['annotation']} is there a second time.")
            seen.add(row["annotation"])
            found.append(row)
        notes: tuple[str, ...] = ()
        wholes = sum(row["kind"] == "whole" for row in found)
        if wholes:
            notes = (
                f"{wholes} rows are about whole images; their number is kept, not its meaning",
            )
        return Reading(ANNOTATIONS.from_rows(found), "EXACT text export", notes=notes)

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """One row per annotation.

        Raises:
            AnnotationError: a name holds a sign that separates fields.
            OSError: the disk is full or the folder is not writable.
        """
        del colors
        losses: list[Loss] = []
        lines = [
            line for row in table.to_pylist() if (line := _line(row, frames, losses)) is not None
        ]
        write_file(path, "".join(f"{line}\n" for line in lines))
        return losses


FORMAT = Exact()


def _row(line: str, options: Options, where: str) -> dict[str, Any]:
    fields = line.split("|")
    if len(fields) != _FIELDS:
        raise AnnotationError(f"{where} has {len(fields)} fields, not {_FIELDS}.")
    image, label, vector, creator, created, editor, edited, identity, verified, wide, high = fields
    kind, shape = _shape(vector, where)
    if not _UUID.fullmatch(identity):
        raise AnnotationError(f'{where}: "{identity}" is not the id of an annotation.')
    name = options.classes.get(int(label), label) if label.isdecimal() else label
    properties = {
        "creator": creator,
        "created": created,
        "verified": verified,
        "width": wide,
        "height": high,
    }
    return rows.imported(
        kind,
        shapely.to_wkb(shape),
        annotation=identity,
        image=image,
        labels=[name] if name else [],
        reader=editor or None,
        time=rows.moment(edited, where) if edited else None,
        properties=json_file.text_of(properties),
    )


def _whole(line: str, where: str) -> dict[str, Any]:
    match = _WHOLE.fullmatch(line.strip())
    if match is None:
        raise AnnotationError(f"{where} is not [image|user|time|number].")
    image, user, time, number = match.groups()
    return rows.imported(
        "whole",
        None,
        image=image,
        reader=user or None,
        time=rows.moment(time, where) if time else None,
        properties=json_file.text_of({"number": number}),
    )


def _shape(vector: str, where: str) -> tuple[str, shapely.Geometry]:
    inner = vector.strip()
    members = _MEMBER.findall(inner)
    if inner[:1] != "{" or inner[-1:] != "}" or _MEMBER.sub("", inner[1:-1]).strip():
        raise AnnotationError(f'{where}: "{vector}" is not a vector of x1, y1, x2, …')
    numbers = {f"{axis}{at}": float(value) for axis, at, value in members}
    count = len(numbers) // 2
    names = {f"{axis}{at}" for axis in "xy" for at in range(1, count + 1)}
    if not count or set(numbers) != names or len(members) != 2 * count:
        raise AnnotationError(f'{where}: "{vector}" lacks a coordinate or has one twice.')
    points = [(numbers[f"x{at}"], numbers[f"y{at}"]) for at in range(1, count + 1)]
    if count == 1:
        return "point", shapely.Point(points[0])
    if count == 2:
        (left, top), (right, bottom) = points
        if right < left or bottom < top:
            raise AnnotationError(f"{where}: the box {vector} ends before it begins.")
        return "box", shapely.box(left, top, right, bottom)
    return "polygon", shapely.Polygon(points)


def _line(row: dict[str, Any], frames: Frames, losses: list[Loss]) -> str | None:

    def lose(field: str, why: str) -> None:
        losses.append(Loss(row["annotation"], field, why))

    frame = frames.find(row["image"]) if row["image"] else frames.only
    image = frame.name if frame else row["image"] or ""
    properties = json.loads(row["properties"])
    time = row["time"].strftime("%Y-%m-%d %H:%M:%S.%f") if row["time"] else ""
    reader = row["reader"] or ""
    if row["kind"] == "whole":
        if "number" not in properties:
            lose("labels", "EXACT's rows about images hold a number only; left out")
            return None
        lose("annotation", "EXACT's rows about images have no id")
        return _joined([image, reader, time, str(properties["number"])], "[{}]")
    vector = _vector(row, lose)
    if vector is None:
        return None
    if len(row["labels"]) != 1:
        lose("labels", "EXACT has one label per annotation; the first was kept, if any")
    size = (frame.width, frame.height) if frame else ("", "")
    fields = [
        image,
        row["labels"][0] if row["labels"] else "",
        vector,
        str(properties.get("creator", reader)),
        str(properties.get("created", time)),
        reader,
        time,
        row["annotation"],
        str(properties.get("verified", False)),
        str(properties.get("width", size[0])),
        str(properties.get("height", size[1])),
    ]
    return _joined(fields, "{}")


def _joined(fields: list[str], around: str) -> str:
    for one in fields:
        if "|" in one or "\n" in one or "\r" in one:
            raise AnnotationError(f'"{one}" cannot be in an EXACT export: rename it.')
    return around.format("|".join(fields))


def _vector(row: dict[str, Any], lose: Any) -> str | None:
    kind, shape = row["kind"], shapely.from_wkb(row["geometry"])
    if kind not in ("point", "box", "polygon"):
        lose("geometry", f"EXACT exports have no {kind}; left out")
        return None
    if kind == "polygon" and len(shape.interiors):
        lose("geometry", "EXACT has no holes; the outer ring was kept")
    if kind == "box":
        left, top, right, bottom = shape.bounds
        points = [(left, top), (right, bottom)]
    elif kind == "point":
        points = [(shape.x, shape.y)]
    else:
        points = list(shape.exterior.coords)[:-1]
    members = [
        f'"{axis}{at}": "{value:.17g}",'
        for at, point in enumerate(points, 1)
        for axis, value in zip("xy", point, strict=True)
    ]
    return "{" + "".join(members) + "}"
