"""Cytomine: shapes as WKT within the JSON of its server.

https://doc.uliege.cytomine.org/dev-guide/ and `Annotation` of
https://github.com/cytomine/Cytomine-python-client. Coordinates are px of level 0, but y counts
upward from the image's lower edge; they are turned over by the image's height. Without the image
they are left as they stand, with a `Doubt`. A file is one annotation, the server's answer about
one (`annotation`), a `collection`, or an array. Classes are numbers of terms (`Options.classes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from curatome.annotations.formats import geojson, json_file, rows
from curatome.annotations.formats.base import Carries, Doubt, Frame, Frames, Loss, Options, Reading
from curatome.annotations.masks import mask_outline
from curatome.annotations.model import outline
from curatome.errors import AnnotationError
from curatome.tables import ANNOTATIONS

_TAKEN = ("id", "location", "term", "user", "created", rows.OURS)
_DOUBT = Doubt(
    "axes",
    "y from the image's upper edge",
    "y from the image's lower edge",
    "Cytomine counts y from the lower edge, and the image's height is not known.",
)


class Cytomine:
    """Annotations as Cytomine's server gives them."""

    name = "cytomine"
    title = "Cytomine JSON with WKT"
    suffixes = (".txt", ".json")
    carries = Carries(
        kinds=frozenset({"point", "points", "line", "box", "polygon", "multipolygon"}),
        holes=True,
        labels="several",
        columns=rows.KEPT | {"properties"},
        precision=1e-6,
        note="Terms are written by name, and as `curatome` what Cytomine has no place for.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """By a location in WKT."""
        del path
        if b'"location"' in head and any(word in head for word in (b"cytomine", b'"term"')):
            return "Cytomine's location and term"
        return None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """Every annotation of the file.

        Raises:
            AnnotationError: it is broken; names line or annotation.
        """
        frame = frames.only
        found = [
            _row(one, frame, options, f"{path.name}, annotation {number}")
            for number, one in enumerate(_objects(json_file.load(path), path.name), 1)
        ]
        doubts = () if frame or options.swap_axes is not None else (_DOUBT,)
        return Reading(ANNOTATIONS.from_rows(found), "Cytomine, WKT", doubts=doubts)

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """A `collection` of annotations.

        Raises:
            AnnotationError: the image is not known, or there are several.
            OSError: the disk is full or the folder is not writable.
        """
        del colors
        found = table.to_pylist()
        names = {row["image"] for row in found}
        frame = frames.find(next(iter(names)) or "") if len(names) == 1 else None
        frame = frame or frames.only
        if frame is None or len(names) > 1:
            raise AnnotationError(
                "a Cytomine file is of one image of known height. Write one each."
            )
        losses: list[Loss] = []
        written = [one for row in found if (one := _object(row, frame, losses)) is not None]
        json_file.save(path, {"collection": written, "size": len(written)})
        return losses


FORMAT = Cytomine()


def _objects(value: Any, name: str) -> list[Any]:
    if isinstance(value, dict) and isinstance(value.get("collection"), list):
        value = value["collection"]
    many = value if isinstance(value, list) else [value]
    found = [one.get("annotation", one) if isinstance(one, dict) else one for one in many]
    for number, one in enumerate(found, 1):
        if not isinstance(one, dict) or not isinstance(one.get("location"), str):
            raise AnnotationError(f'{name}, annotation {number} has no "location".')
    return found


def _row(one: dict[str, Any], frame: Frame | None, options: Options, where: str) -> dict[str, Any]:
    try:
        shape = shapely.from_wkt(one["location"])
        kind = geojson.kind_of(shape)
    except (shapely.errors.GEOSException, KeyError) as error:
        raise AnnotationError(f'{where}: "location" is not WKT ({error}).') from error
    if shape.is_empty or not np.isfinite(shapely.get_coordinates(shape)).all():
        raise AnnotationError(f"{where}: the location is empty or not finite.")
    if frame is not None:
        shape = _turned(shape, frame.height)
    columns: dict[str, Any] = {
        "foreign": _text(one.get("id")),
        "reader": _text(one.get("user")),
        "labels": [_term(term, options) for term in one.get("term") or []],
        "time": _time(one.get("created"), where),
    }
    if rows.OURS in one:
        columns = {"labels": columns["labels"]} | rows.restored(one[rows.OURS], where)
        kind = columns.pop("kind", kind)
    properties = {name: value for name, value in one.items() if name not in _TAKEN}
    return rows.imported(
        kind,
        shapely.to_wkb(shape),
        image=frame.image if frame else _text(one.get("image")),
        properties=json_file.text_of(properties),
        **columns,
    )


def _turned(shape: shapely.Geometry, height: int) -> shapely.Geometry:
    return shapely.transform(shape, lambda points: points * (1, -1) + (0, height))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _term(term: Any, options: Options) -> str:
    number = int(term) if str(term).isdecimal() else None
    return str(term) if number is None else options.classes.get(number, str(term))


def _time(created: Any, where: str) -> datetime | None:
    if created is None:
        return None
    try:
        return datetime.fromtimestamp(int(created) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise AnnotationError(f'{where}: "{created}" is not a time in milliseconds.') from error


def _object(row: dict[str, Any], frame: Frame, losses: list[Loss]) -> dict[str, Any] | None:
    kind, lost = row["kind"], None
    if row["geometry"] is None:
        losses.append(Loss(row["annotation"], "labels", "Cytomine needs a shape; left out"))
        return None
    shape = outline(kind, shapely.from_wkb(row["geometry"]))
    if kind == "mask":
        shape, lost = mask_outline(row["mask"], shape), "masks; the outline was written"
    elif kind in ("circle", "ellipse"):
        lost = f"{kind}s; a polygon of 64 corners was written"
    if lost:
        losses.append(Loss(row["annotation"], "geometry", f"Cytomine has no {lost}"))
    if row["nucleus"] is not None:
        losses.append(Loss(row["annotation"], "nucleus", "Cytomine has no nuclei; left out"))
    told = geojson.kind_of(shape)
    ours = rows.kept(row) | ({"kind": kind} if not lost and told != kind else {})
    return {
        **json_file.parse(row["properties"].encode(), "properties"),
        "location": shapely.to_wkt(_turned(shape, frame.height), rounding_precision=-1),
        "term": row["labels"],
        rows.OURS: ours,
    }
