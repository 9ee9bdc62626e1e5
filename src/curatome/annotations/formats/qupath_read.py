"""Reading QuPath GeoJSON, small and very large.

The text is cut into features without being parsed, features are parsed in chunks, and what is
not looked at (measurements, other properties) stays text; outlines go from digits to WKB in
`json_scan`. The collector of cyclic garbage rests meanwhile: there are no cycles, and looking
for them among millions of new objects takes longer than parsing.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import shapely

from curatome.annotations.formats import geojson, json_file, json_scan, rows
from curatome.annotations.formats.base import Reading
from curatome.annotations.model import new_id
from curatome.errors import AnnotationError
from curatome.tables import ANNOTATIONS

_CHUNK = 20_000
_LARGE = 1 << 20
"""Bytes from which on compiled code pays."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOTHING = msgspec.Raw(b"")


class _Shape(msgspec.Struct, gc=False):
    type: str
    coordinates: msgspec.Raw = _NOTHING
    geometries: list["_Shape"] | None = None
    isEllipse: bool = False  # noqa: N815 - QuPath's spelling
    plane: msgspec.Raw = _NOTHING


class _Feature(msgspec.Struct, gc=False):
    type: str
    id: str | int | None = None
    geometry: _Shape | None = None
    nucleusGeometry: _Shape | None = None  # noqa: N815
    properties: dict[str, msgspec.Raw] | None = None


class _Top(msgspec.Struct):
    type: str
    features: list[msgspec.Raw] | None = None


class _Classification(msgspec.Struct):
    name: str | None = None
    names: list[str] | None = None
    color: list[int] | None = None
    colorRGB: int | None = None  # noqa: N815


_FEATURE = msgspec.json.Decoder(_Feature)
_TOP = msgspec.json.Decoder(_Top)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_BYTE = re.compile(r"\(byte (\d+)\)")


@dataclass
class _Columns:
    """What a chunk of features says, column by column."""

    annotation: list[str] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    geometry: list[bytes | None] = field(default_factory=list)
    nucleus: list[bytes | None] = field(default_factory=list)
    labels: list[tuple[str, ...]] = field(default_factory=list)
    name: list[str | None] = field(default_factory=list)
    foreign: list[str | None] = field(default_factory=list)
    properties: list[bytes] = field(default_factory=list)
    ours: dict[int, dict[str, Any]] = field(default_factory=dict)


def read_file(path: Path, image: str | None) -> Reading:
    """Every feature of a file; `Format.read` says the rest."""
    data = json_file.read_bytes(path)
    if len(data) < _LARGE and b"\n{" not in data.strip():
        json_file.parse(data, path.name)
    with _resting_collector():
        features, layout = _cut(data, path.name)
        if len(data) >= _LARGE or layout == "feature per line":
            json_scan.require_sound(data, path.name)
        reader = _Reader(path.name, image)
        chunks = [
            reader.table(features[at : at + _CHUNK], at) for at in range(0, len(features), _CHUNK)
        ]
    table = pa.concat_tables([ANNOTATIONS.schema.empty_table(), *chunks])
    zipped = ", gzip" if path.name.endswith(".gz") else ""
    return Reading(
        table, f"GeoJSON, {layout}{zipped}", colors=reader.colors, notes=tuple(reader.notes())
    )


def _cut(data: bytes, name: str) -> tuple[list[Any], str]:
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
        raise AnnotationError(f"{name} {_said(error, data)}") from error
    if top.type == "FeatureCollection":
        if top.features is None:
            raise AnnotationError(f'{name}: the FeatureCollection has no "features".')
        return top.features, "FeatureCollection"
    if top.type == "Feature":
        return [data], "one feature"
    return [b'{"type":"Feature","geometry":' + data + b"}"], "one geometry"


def _said(error: msgspec.DecodeError, data: bytes) -> str:
    message = str(error)
    if "truncated" in message:
        return f"ends too early, at {json_file.place(data, len(data))}. Export or copy it again."
    byte = _BYTE.search(message)
    if byte:
        return f"is not JSON at {json_file.place(data, int(byte.group(1)))}: {message}."
    return f"is not GeoJSON as QuPath writes it: {message}."


class _Reader:
    """Reads features and remembers what concerns the whole file."""

    def __init__(self, name: str, image: str | None) -> None:
        self.name, self.image = name, image
        self.colors: dict[str, str] = {}
        self._seen: set[str] = set()
        self._again = 0
        self._classes = lru_cache(maxsize=4096)(self._class)

    def notes(self) -> Iterator[str]:
        if self._again:
            yield f"{self._again} objects have the id of another one and were given new ids."

    def table(self, texts: list[Any], first: int) -> pa.Table:
        """A chunk of features as `tables.ANNOTATIONS`."""
        columns, shapes, nuclei = _Columns(), [], []
        for number, text in enumerate(texts, first + 1):
            where = f"{self.name}, feature {number}"
            try:
                feature = _FEATURE.decode(text)
                if feature.type != "Feature" or feature.geometry is None:
                    raise AnnotationError(f"{where} is no feature with a geometry.")
                shapes.append(feature.geometry)
                nuclei.append(feature.nucleusGeometry)
                self._say(columns, feature, where)
            except msgspec.DecodeError as error:
                raise AnnotationError(f"{where} {_said(error, bytes(text))}") from error
        columns.kind, columns.geometry = self._shapes(shapes, first)
        cells = [at for at, nucleus in enumerate(nuclei) if nucleus is not None]
        columns.nucleus = [None] * len(texts)
        inner = self._shapes([nuclei[at] for at in cells], first, "nucleus of feature")[1]
        for at, wkb in zip(cells, inner, strict=True):
            columns.nucleus[at] = wkb
        return self._finished(columns)

    def _say(self, columns: _Columns, feature: _Feature, where: str) -> None:
        raws = feature.properties or {}
        classification = raws.pop("classification", None)
        labels = () if classification is None else self._classes(bytes(classification))
        name, ours = raws.pop("name", None), raws.pop(rows.OURS, None)
        usual = b'"annotation"' if feature.nucleusGeometry is None else b'"cell"'
        if bytes(raws.get("objectType", b"")) == usual:
            del raws["objectType"]
        assert feature.geometry is not None  # noqa: S101 - checked by the caller
        if feature.geometry.plane is not _NOTHING:
            raws["plane"] = feature.geometry.plane
        text = msgspec.json.encode(raws)
        if b"\n" in text:
            text = msgspec.json.format(text, indent=-1)
        if ours is not None:
            columns.ours[len(columns.labels)] = rows.restored(msgspec.json.decode(ours), where)
        columns.labels.append(labels)
        columns.name.append(None if name is None else msgspec.json.decode(name, type=str | None))
        columns.properties.append(text)
        self._identify(columns, feature.id)

    def _identify(self, columns: _Columns, identity: str | int | None) -> None:
        text = None if identity is None else str(identity)
        own = text is not None and _UUID.fullmatch(text) is not None
        if own and text in self._seen:
            own = False
            self._again += 1
        if own and text is not None:
            self._seen.add(text)
            columns.annotation.append(text)
            columns.foreign.append(None)
        else:
            columns.annotation.append(new_id())
            columns.foreign.append(text)

    def _class(self, text: bytes) -> tuple[str, ...]:
        """Labels of a classification; remembers its color."""
        if text == b"null":
            return ()
        if text.startswith(b'"'):
            return tuple(msgspec.json.decode(text, type=str).split(": "))
        found = msgspec.json.decode(text, type=_Classification)
        labels = tuple(found.names if found.names is not None else (found.name or "").split(": "))
        labels = tuple(label for label in labels if label)
        color = found.color
        if color is None and found.colorRGB is not None:
            color = [found.colorRGB >> shift & 0xFF for shift in (16, 8, 0)]
        if labels and color is not None and len(color) >= 3:
            self.colors[": ".join(labels)] = "#" + bytes(one & 0xFF for one in color[:3]).hex()
        return labels

    def _shapes(
        self, shapes: list[Any], first: int, what: str = "feature"
    ) -> tuple[list[str], list[bytes | None]]:
        """Kind and WKB of every shape."""
        simple = [
            at
            for at, one in enumerate(shapes)
            if one.type == "Polygon" and not one.isEllipse and len(shapes) > 1
        ]
        kinds = [""] * len(shapes)
        wkb: list[bytes | None] = [None] * len(shapes)
        if simple:
            found = json_scan.outlines([bytes(shapes[at].coordinates) for at in simple])
            memory, start = found.wkb.tobytes(), 0
            for at, end, kind in zip(simple, found.ends.tolist(), found.kinds.tolist(), strict=True):
                if kind:
                    wkb[at], kinds[at] = memory[start:end], "polygon" if kind == 1 else "box"
                start = end
        for at, one in enumerate(shapes):
            if wkb[at] is None:
                try:
                    kinds[at], wkb[at] = _general(one)
                except (ValueError, OverflowError, msgspec.DecodeError) as error:
                    where = f"{self.name}, {what} {first + at + 1}"
                    raise AnnotationError(f"{where}: {error}.") from error
        return kinds, wkb

    def _finished(self, said: _Columns) -> pa.Table:
        count = len(said.annotation)
        columns: dict[str, Any] = {
            "annotation": said.annotation,
            "image": pa.repeat(self.image, count) if self.image else pa.nulls(count, pa.string()),
            "kind": said.kind,
            "geometry": said.geometry,
            "nucleus": said.nucleus,
            "labels": said.labels,
            "name": said.name,
            "foreign": said.foreign,
            "properties": [text.decode() for text in said.properties],
        }
        usual = rows.imported("", None)
        for column in ANNOTATIONS.columns:
            if column.name not in columns:
                columns[column.name] = [usual[column.name]] * count
        for at, ours in said.ours.items():
            for name, value in ours.items():
                columns[name][at] = value
        return ANNOTATIONS.from_columns(columns)


def _general(shape: _Shape) -> tuple[str, bytes]:
    """Kind and WKB of any shape."""
    if shape.geometries is not None:
        parts = [shapely.from_wkb(_general(one)[1]) for one in shape.geometries]
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


@contextmanager
def _resting_collector() -> Iterator[None]:
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
