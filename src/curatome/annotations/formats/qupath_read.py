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
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from curatome.annotations.formats import json_file, json_scan, rows
from curatome.annotations.formats.base import Reading
from curatome.annotations.formats.qupath_text import (
    ANY_FEATURE,
    FEATURE,
    NOTHING,
    AnyFeature,
    Classification,
    Feature,
    Shape,
    cut,
    general,
    said,
)
from curatome.annotations.model import new_id
from curatome.errors import AnnotationError
from curatome.tables import ANNOTATIONS

CHUNK = 2_000
"""Features of a chunk: as many as stay in the processor's cache."""
LARGE = 1 << 20
"""Bytes from which on compiled code pays."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_FOUND = {json_scan.POLYGON: "polygon", json_scan.BOX: "box"}


@dataclass
class _Members:
    """Of the features of a chunk: class, name, all other properties, and what we once wrote."""

    classes: list[msgspec.Raw]
    names: list[msgspec.Raw]
    texts: list[str]
    ours: dict[int, dict[str, Any]] = field(default_factory=dict)


@dataclass
class _Pending:
    """A chunk of features whose outlines are still being read.

    Attributes:
        first: number of its first feature, from 0.
        columns: of the table, but for kind, geometry and nucleus.
        shapes: of every feature.
        nuclei: of every feature that has one, by place in the chunk.
        found: outlines of all shapes, then of all nuclei, that are simple polygons; None for
            small files, which are not worth compiled code.
        ours: what Curatome itself wrote of a feature, by place in the chunk.
    """

    first: int
    columns: dict[str, Any]
    shapes: list[Shape]
    nuclei: dict[int, Shape]
    found: Future[json_scan.Outlines] | None
    ours: dict[int, dict[str, Any]]


def read_file(path: Path, image: str | None) -> Reading:
    """Every feature of a file; `Format.read` says the rest."""
    data = json_file.read_bytes(path)
    with _resting_collector(), ThreadPoolExecutor(2) as pool:
        large = len(data) >= LARGE
        check = json_scan.require_sound if large else _require_sound
        sound = pool.submit(check, data, path.name)
        try:
            texts, layout = cut(data, path.name)
            reader = _Reader(path.name, image, pool if large else None)
            chunks = [ANNOTATIONS.schema.empty_table(), *reader.tables(texts)]
        except (AnnotationError, RecursionError):
            sound.result()  # knows line and column
            raise
        sound.result()
    zipped = ", gzip" if path.suffix == ".gz" else ""
    return Reading(
        pa.concat_tables(chunks),
        f"GeoJSON, {layout}{zipped}",
        colors=reader.colors,
        notes=tuple(reader.notes()),
    )


class _Reader:
    """Reads features and remembers what concerns the whole file."""

    def __init__(self, name: str, image: str | None, pool: ThreadPoolExecutor | None) -> None:
        self.name, self.image, self.pool = name, image, pool
        self.colors: dict[str, str] = {}
        self._seen: set[str] = set()
        self._again = 0
        self._classes = lru_cache(maxsize=4096)(self._class)

    def notes(self) -> Iterator[str]:
        """What a person should know of the file."""
        if self._again:
            yield f"{self._again} objects have the id of another one and were given new ids."

    def tables(self, texts: list[Any]) -> Iterator[pa.Table]:
        """Features as `tables.ANNOTATIONS`, chunk by chunk.

        While the outlines of one chunk are read, the next one is parsed.
        """
        before: _Pending | None = None
        for at in range(0, len(texts), CHUNK):
            pending = self._parsed(texts[at : at + CHUNK], at)
            if before is not None:
                yield self._finished(before)
            before = pending
        if before is not None:
            yield self._finished(before)

    def _parsed(self, texts: list[Any], first: int) -> _Pending:
        try:
            features: list[Any] = list(map(FEATURE.decode, texts))
            members = _usual_members(features)
        except msgspec.DecodeError:  # or another member: the general way says which
            features = self._any_features(texts, first)
            members = self._any_members(features, first)
        shapes = [one.geometry for one in features]
        nuclei = {at: one.nucleusGeometry for at, one in enumerate(features) if one.nucleusGeometry}
        found = None
        if self.pool is not None:
            simple = [one for one in (*shapes, *nuclei.values()) if _is_simple(one)]
            found = self.pool.submit(json_scan.outlines, [bytes(one.coordinates) for one in simple])
        columns = self._identities([one.id for one in features])
        columns["properties"] = members.texts
        try:
            columns["labels"] = list(map(self._labels, members.classes))
            columns["name"] = list(map(_text, members.names))
        except msgspec.DecodeError as error:
            raise AnnotationError(
                f"{self.name}, name or class of a feature after number {first}: {error}."
            ) from error
        return _Pending(first, columns, shapes, nuclei, found, members.ours)

    def _at(self, number: int) -> str:
        return f"{self.name}, feature {number + 1}"

    def _any_features(self, texts: list[Any], first: int) -> list[AnyFeature]:
        features: list[AnyFeature] = []
        for number, text in enumerate(texts, first):
            try:
                one = ANY_FEATURE.decode(text)
            except msgspec.DecodeError as error:
                fault = said(error, bytes(text))
                raise AnnotationError(f"{self._at(number)} {fault}") from error
            if one.type != "Feature" or one.geometry is None:
                raise AnnotationError(f"{self._at(number)} is no feature with a geometry.")
            features.append(one)
        return features

    def _any_members(self, features: list[AnyFeature], first: int) -> _Members:
        found = _Members([], [], [])
        for at, one in enumerate(features):
            raws = one.properties or {}
            # Luna and scripts in its manner call the class "label_name".
            other = raws.get("label_name", NOTHING)
            found.classes.append(raws.pop("classification", other))
            found.names.append(raws.pop("name", NOTHING))
            usual = f'"{_usual_type(one)}"'.encode()
            if bytes(raws.get("objectType", NOTHING)) == usual:
                del raws["objectType"]
            if rows.OURS in raws:
                ours = msgspec.json.decode(raws.pop(rows.OURS))
                found.ours[at] = rows.restored(ours, self._at(first + at))
            if one.geometry is not None and one.geometry.plane is not NOTHING:
                raws["plane"] = one.geometry.plane
            found.texts.append(_compact(msgspec.json.encode(raws)))
        return found

    def _identities(self, ids: list[str | int | None]) -> dict[str, list[Any]]:
        annotations: list[str] = []
        foreign: list[str | None] = []
        for one in ids:
            if isinstance(one, str) and _UUID(one):
                if one not in self._seen:
                    self._seen.add(one)
                    annotations.append(one)
                    foreign.append(None)
                    continue
                self._again += 1
            annotations.append(new_id())
            foreign.append(None if one is None else str(one))
        return {"annotation": annotations, "foreign": foreign}

    def _labels(self, classification: msgspec.Raw) -> tuple[str, ...]:
        return self._classes(bytes(classification))

    def _class(self, text: bytes) -> tuple[str, ...]:
        """Labels of a classification; remembers its color."""
        if text in (b"", b"null"):
            return ()
        if text.startswith(b'"'):
            return tuple(msgspec.json.decode(text, type=str).split(": "))
        found = msgspec.json.decode(text, type=Classification)
        names = found.names if found.names is not None else (found.name or "").split(": ")
        labels = tuple(label for label in names if label)
        color = found.color
        if color is None and found.colorRGB is not None:
            color = [found.colorRGB >> shift for shift in (16, 8, 0)]
        if labels and color is not None and len(color) >= 3:
            self.colors[": ".join(labels)] = "#" + bytes(one & 0xFF for one in color[:3]).hex()
        return labels

    def _finished(self, pending: _Pending) -> pa.Table:
        shapes = [*pending.shapes, *pending.nuclei.values()]
        owners = [*range(len(pending.shapes)), *pending.nuclei]
        kinds, wkb = _read_shapes(shapes, pending.found)
        for at in [at for at, one in enumerate(wkb) if one is None]:
            try:
                kinds[at], wkb[at] = general(shapes[at])
            except (ValueError, OverflowError, msgspec.DecodeError) as error:
                where = self._at(pending.first + owners[at])
                raise AnnotationError(f"{where}: {error}.") from error
        count = len(pending.shapes)
        nuclei: list[bytes | None] = [None] * count
        for at, inner in zip(pending.nuclei, wkb[count:], strict=True):
            nuclei[at] = inner
        columns = pending.columns | {
            "kind": kinds[:count],
            "geometry": wkb[:count],
            "nucleus": nuclei,
            "image": [self.image] * count,
        }
        usual = rows.imported("", None)
        for column in ANNOTATIONS.columns:
            if column.name not in columns:
                columns[column.name] = [usual[column.name]] * count
        for at, ours in pending.ours.items():
            for name, value in ours.items():
                columns[name][at] = value
        return ANNOTATIONS.from_columns(columns)


def _usual_members(features: list[Feature]) -> _Members:
    """Of features of which QuPath alone has written.

    Raises:
        msgspec.ValidationError: one of them is another feature.
    """
    found = _Members([], [], [])
    for one in features:
        shape, own = one.geometry, one.properties
        if own is None or shape is None or shape.plane is not NOTHING or one.type != "Feature":
            raise msgspec.ValidationError
        found.classes.append(own.classification)
        found.names.append(own.name)
        own.classification = own.name = NOTHING
        if own.objectType == _usual_type(one):
            own.objectType = ""
        found.texts.append(_compact(msgspec.json.encode(own)))
    return found


def _usual_type(feature: Feature | AnyFeature) -> str:
    return "annotation" if feature.nucleusGeometry is None else "cell"


def _text(raw: msgspec.Raw) -> str | None:
    return None if raw is NOTHING else msgspec.json.decode(raw, type=str | None)


def _compact(text: bytes) -> str:
    return (msgspec.json.format(text, indent=-1) if b"\n" in text else text).decode()


def _is_simple(shape: Shape) -> bool:
    return shape.type == "Polygon" and not shape.isEllipse


def _read_shapes(
    shapes: list[Shape], pending: Future[json_scan.Outlines] | None
) -> tuple[list[str], list[bytes | None]]:
    """Kind and WKB of the shapes that `json_scan` could read."""
    kinds = [""] * len(shapes)
    wkb: list[bytes | None] = [None] * len(shapes)
    if pending is None:
        return kinds, wkb
    found = pending.result()
    simple = [at for at, one in enumerate(shapes) if _is_simple(one)]
    memory, ends = found.wkb.tobytes(), found.ends.tolist()
    for at, start, end, kind in zip(simple, [0, *ends], ends, found.kinds.tolist(), strict=False):
        if kind != json_scan.OTHER:
            kinds[at], wkb[at] = _FOUND[kind], memory[start:end]
    return kinds, wkb


def _require_sound(data: bytes, name: str) -> None:
    """As `json_scan.require_sound`, for small files: one JSON value, or one on every line."""
    try:
        json_file.parse(data, name)
    except AnnotationError as error:
        if "Extra data" not in str(error):
            raise
        for number, line in enumerate(data.split(b"\n"), 1):
            if line.strip():
                json_file.parse(line, f"{name}, line {number}:")


@contextmanager
def _resting_collector() -> Iterator[None]:
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
