"""Reading QuPath GeoJSON: large files by machine code in `qupath_bulk`, all else here.

Features are taken apart by msgspec; what is not looked at (measurements, other properties) stays
text. The collector of cyclic garbage rests meanwhile: there are no cycles, and looking for them
among many new objects takes longer than parsing.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from curatome.annotations import exhaustive
from curatome.annotations.exhaustive import Region
from curatome.annotations.formats import json_file, rows
from curatome.annotations.formats.base import Reading
from curatome.annotations.formats.qupath_text import (
    ANY_FEATURE,
    NOTHING,
    AnyFeature,
    Classification,
    cut,
    general,
    said,
)
from curatome.annotations.model import new_id
from curatome.errors import AnnotationError
from curatome.tables import ANNOTATIONS

LARGE = 1 << 20
"""Bytes from which on compiled code pays."""
_CHUNK = 2_000
"""Features that are taken apart at once."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def read_file(path: Path, image: str | None) -> Reading:
    """Every feature of a file; `Format.read` says the rest."""
    data = json_file.read_bytes(path)
    json_file.require_utf8(data, path.name)
    reader = _Reader(path.name, image)
    with _resting_collector():
        chunks, layout = _read_large(data, reader) if len(data) >= LARGE else _read(data, reader)
    table = pa.concat_tables([ANNOTATIONS.schema.empty_table(), *chunks])
    if reader.regions:
        declared = pa.array(list(reader.regions))
        table = table.filter(pc.invert(pc.is_in(table["annotation"], declared)))
    table, again = _distinct(table)
    zipped = ", gzip" if path.suffix == ".gz" else ""
    notes = [f"{again:,} objects have the id of another one and were given new ids."]
    return Reading(
        table,
        f"GeoJSON, {layout}{zipped}",
        colors=dict(sorted(reader.colors.items())),
        notes=tuple(notes if again else ()),
        regions=tuple(reader.regions.values()),
    )


def _read(data: bytes, reader: _Reader) -> tuple[list[pa.Table], str]:
    try:
        texts, layout = cut(data, reader.name)
        chunks = [
            reader.table(texts[at : at + _CHUNK], range(at, len(texts)))
            for at in range(0, len(texts), _CHUNK)
        ]
    except (AnnotationError, RecursionError):
        _require_sound(data, reader.name)  # knows line and column
        raise
    _require_sound(data, reader.name)
    return chunks, layout


def _read_large(data: bytes, reader: _Reader) -> tuple[list[pa.Table], str]:
    # Machine code is loaded only where it is needed.
    from curatome.annotations.formats import json_scan, qupath_bulk

    meaning = qupath_bulk.Meaning(reader.labels, reader.text, reader.table)
    try:
        return qupath_bulk.read(data, reader.image, meaning)
    except qupath_bulk.NotOurs:
        json_scan.require_sound(data, reader.name)
        texts, layout = cut(data, reader.name)
        return [reader.table(texts, range(len(texts)))], layout


class _Reader:
    """Reads features and remembers what concerns the whole file."""

    def __init__(self, name: str, image: str | None) -> None:
        self.name, self.image = name, image
        self.colors: dict[str, str] = {}
        self.regions: dict[str, Region] = {}
        self._known = lru_cache(maxsize=4096)(self._labels)

    def table(self, texts: Sequence[Any], numbers: Sequence[int]) -> pa.Table:
        """Features as `tables.ANNOTATIONS`.

        Args:
            texts: of each feature.
            numbers: of each, from 0.
        """
        found = [
            self._row(text, f"{self.name}, feature {number + 1}")
            for text, number in zip(texts, numbers, strict=False)
        ]
        return ANNOTATIONS.from_rows(found)

    def labels(self, text: bytes) -> tuple[str, ...]:
        """Labels of a classification; remembers its color."""
        return self._known(text)

    def text(self, raw: bytes | msgspec.Raw) -> str | None:
        """A name."""
        return msgspec.json.decode(raw, type=str | None) if bytes(raw) else None

    def _row(self, text: Any, where: str) -> dict[str, Any]:
        try:
            one = ANY_FEATURE.decode(text)
        except msgspec.DecodeError as error:
            raise AnnotationError(f"{where} {said(error, bytes(text))}") from error
        if one.type != "Feature" or one.geometry is None:
            raise AnnotationError(f"{where} is no feature with a geometry.")
        try:
            kind, geometry = general(one.geometry)
            nucleus = None if one.nucleusGeometry is None else general(one.nucleusGeometry)[1]
            return self._columns(one, where) | {
                "kind": kind,
                "geometry": geometry,
                "nucleus": nucleus,
            }
        except (ValueError, OverflowError) as error:
            raise AnnotationError(f"{where}: {error}.") from error

    def _columns(self, one: AnyFeature, where: str) -> dict[str, Any]:
        raws = one.properties or {}
        # Luna and scripts in its manner call the class "label_name".
        other = raws.get("label_name", NOTHING)
        labels = self.labels(bytes(raws.pop("classification", other)))
        name = self.text(raws.pop("name", NOTHING))
        usual = b'"annotation"' if one.nucleusGeometry is None else b'"cell"'
        if bytes(raws.get("objectType", NOTHING)) == usual:
            del raws["objectType"]
        ours = {}
        if rows.OURS in raws:
            member = msgspec.json.decode(raws.pop(rows.OURS))
            if isinstance(member, dict) and exhaustive.MEMBER in member:
                region = exhaustive.restored(member[exhaustive.MEMBER], self.image, where)
                # It is no annotation: the row that has its id is left out at the end.
                self.regions[region["region"]] = region
                ours = {"annotation": region["region"]}
            else:
                ours = rows.restored(member, where)
        if one.geometry is not None and one.geometry.plane is not NOTHING:
            raws["plane"] = one.geometry.plane
        properties = msgspec.json.format(msgspec.json.encode(raws), indent=-1).decode()
        own = isinstance(one.id, str) and _UUID(one.id)
        return {
            **rows.imported("", None, image=self.image, name=name, labels=labels),
            "annotation": one.id if own else new_id(),
            "foreign": None if own or one.id is None else str(one.id),
            "properties": properties,
            **ours,
        }

    def _labels(self, text: bytes) -> tuple[str, ...]:
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


def _distinct(table: pa.Table) -> tuple[pa.Table, int]:
    """The table with new ids for objects that have the id of another one, and how many had."""
    ids = table["annotation"]
    if pc.count_distinct(ids).as_py() == len(ids):
        return table, 0
    seen: set[str] = set()
    names, foreign = ids.to_pylist(), table["foreign"].to_pylist()
    again = 0
    for row, name in enumerate(names):
        if name in seen:
            names[row], foreign[row], again = new_id(), name, again + 1
        seen.add(name)
    for column, values in (("annotation", names), ("foreign", foreign)):
        at = table.schema.get_field_index(column)
        field = table.schema.field(at)
        table = table.set_column(at, field, pa.array(values, field.type))
    return table, again


def _require_sound(data: bytes, name: str) -> None:
    """Refuse what msgspec lets pass, in one JSON value or one on every line."""
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
