"""QuPath GeoJSON as text: where its features are, what their members are, and any shape of it."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import shapely

from curatome.annotations.formats import geojson, json_file
from curatome.errors import AnnotationError

NOTHING = msgspec.Raw(b"")


class Shape(msgspec.Struct, gc=False):
    """A geometry whose coordinates are still text."""

    type: str
    coordinates: msgspec.Raw = NOTHING
    geometries: list[Shape] | None = None
    isEllipse: bool = False  # noqa: N815 - QuPath's spelling
    plane: msgspec.Raw = NOTHING


class AnyFeature(msgspec.Struct, gc=False):
    """A feature with any properties."""

    type: str
    id: str | int | None = None
    geometry: Shape | None = None
    nucleusGeometry: Shape | None = None  # noqa: N815
    properties: dict[str, msgspec.Raw] | None = None


class _Top(msgspec.Struct):
    type: str
    features: list[msgspec.Raw] | None = None


class Classification(msgspec.Struct):
    """A class as old and new versions of QuPath write it."""

    name: str | None = None
    names: list[str] | None = None
    color: list[int] | None = None
    colorRGB: int | None = None  # noqa: N815


ANY_FEATURE = msgspec.json.Decoder(AnyFeature)
_TOP = msgspec.json.Decoder(_Top)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_BYTE = re.compile(r"\(byte (\d+)\)")


def cut(data: bytes, name: str) -> tuple[list[Any], str]:
    """The text of every feature, and how the file is laid out."""
    try:
        if data.lstrip()[:1] == b"[":
            return _LIST.decode(data), "array of features"
        try:
            top = _TOP.decode(data)
        except msgspec.DecodeError as error:
            if "trailing characters" not in str(error):
                raise
            lines = [line for line in data.split(b"\n") if line.strip()]
            return lines, "feature per line"
    except msgspec.DecodeError as error:
        raise AnnotationError(f"{name} {said(error, data)}") from error
    if top.type == "FeatureCollection":
        if top.features is None:
            raise AnnotationError(f'{name}: the FeatureCollection has no "features".')
        return top.features, "FeatureCollection"
    if top.type == "Feature":
        return [data], "one feature"
    return [b'{"type":"Feature","geometry":' + data + b"}"], "one geometry"


def said(error: msgspec.DecodeError, data: bytes) -> str:
    """What is wrong with JSON text, and where."""
    message = str(error)
    if "truncated" in message:
        return f"ends too early, at {json_file.place(data, len(data))}. Export or copy it again."
    byte = _BYTE.search(message)
    if byte:
        return f"is not JSON at {json_file.place(data, int(byte.group(1)))}: {message}."
    return f"is not GeoJSON as QuPath writes it: {message}."


def general(shape: Shape) -> tuple[str, bytes]:
    """Kind and WKB of any shape.

    Raises:
        ValueError: its type or coordinates are not of GeoJSON.
    """
    if shape.geometries is not None:
        parts = [shapely.from_wkb(general(one)[1]) for one in shape.geometries]
        made = shapely.union_all(parts)
    else:
        coordinates = msgspec.json.decode(shape.coordinates) if bytes(shape.coordinates) else None
        made = geojson.shape(shape.type, coordinates)
    if shape.isEllipse:
        left, top, right, bottom = made.bounds
        box = shapely.box(left, top, right, bottom, ccw=True)
        kind = "circle" if right - left == bottom - top else "ellipse"
        return kind, shapely.to_wkb(box)
    return geojson.kind_of(made), shapely.to_wkb(made)
