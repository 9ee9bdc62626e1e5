"""Large QuPath GeoJSON: pieces of the text become tables side by side, without Python objects.

Each piece begins where a feature seems to begin; it counts only if the one before ended exactly
there, so that a guess is never wrong, only in vain. What surrounds the features is read by the
strict reader of JSON.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.annotations.formats import geojson_wkb, json_file, rows
from curatome.annotations.formats.geojson_scan import (
    CLASS,
    CLOSED,
    ID,
    LOST,
    NAME,
    NUCLEUS,
    REST,
    SHAPE,
    Features,
    scan,
)
from curatome.annotations.model import new_ids
from curatome.errors import AnnotationError
from curatome.tables import ANNOTATIONS

PIECE = 4 << 20
"""Bytes that are read at once."""

_HEAD = 1 << 16
_ARRAY = re.compile(rb"\s*\[")
_COLLECTION = re.compile(rb'"features"\s*:\s*\[')
_START = re.compile(rb'\{\s*"type"\s*:\s*"Feature"')
_KINDS = pa.array(["", "polygon", "box", "multipolygon", "point"])
_SCHEMA = ANNOTATIONS.schema


class NotOurs(Exception):  # noqa: N818 - a signal, not an error
    """The text is unsound or laid out in another way; the general reader knows more."""


@dataclass(frozen=True)
class Meaning:
    """What texts of features mean.

    Attributes:
        labels: of a classification, which is JSON or empty.
        name: of an object, which is JSON or empty.
        general: features as a table, from their texts and their numbers from 0.
    """

    labels: Callable[[bytes], tuple[str, ...]]
    name: Callable[[bytes], str | None]
    general: Callable[[list[bytes], list[int]], pa.Table]


def read(data: bytes, image: str | None, meaning: Meaning) -> tuple[list[pa.Table], str]:
    """All features of a text as tables, and how it is laid out.

    Args:
        data: of a file, UTF-8.
        image: that they lie on.
        meaning: of texts.

    Raises:
        NotOurs: the general reader must read it.
        AnnotationError: one of the features is none.
    """
    begin, layout = _beginning(data)
    tables: list[pa.Table] = []
    count, after = 0, begin
    if layout == _LINES or data[begin : begin + 1] != b"]":
        for piece, ours in _pieces(data, begin, layout != _LINES, (image, meaning)):
            if layout == _LINES and not count and _is_alone(piece):
                raise NotOurs  # a geometry, or a collection in a way of its own
            tables.append(_whole(piece, ours, (data, count), meaning))
            count, after = count + len(piece.kinds), piece.at
    if layout != _LINES:
        _require_frame(data, (begin, after), layout)
    elif count == 1:
        layout = "one feature"
    return tables, layout


_LINES, _FEATURES, _ARRAY_OF = "feature per line", "FeatureCollection", "array of features"


def _is_alone(piece: Features) -> bool:
    """Whether a piece is all of a text, and not a feature that machine code knows."""
    return piece.state == CLOSED and piece.kinds.tolist() == [geojson_wkb.OTHER]


def _beginning(data: bytes) -> tuple[int, str]:
    """Where the first feature begins, and how the text is laid out."""
    found, layout = _ARRAY.match(data), _ARRAY_OF
    if found is None:
        found, layout = _COLLECTION.search(data, 0, _HEAD), _FEATURES
    at = 0 if found is None else found.end()
    while data[at : at + 1].isspace():
        at += 1
    return at, _LINES if found is None else layout


def _require_frame(data: bytes, span: tuple[int, int], layout: str) -> None:
    """Look at the text around the features, with a 0 in the place of their array.

    Raises:
        NotOurs: it is not sound, or the array was another one.
    """
    start, end = data.rindex(b"[", 0, span[0]), span[1] + 1
    try:
        value = json_file.parse(data[:start] + b"0" + data[end:], "")
    except AnnotationError as error:
        raise NotOurs from error
    if layout == _FEATURES:
        if not isinstance(value, dict) or value.get("type") != _FEATURES:
            raise NotOurs
        value = value.get("features")
    if value != 0:
        raise NotOurs


def _pieces(
    data: bytes, begin: int, commas: bool, about: tuple[str | None, Meaning]
) -> Iterator[tuple[Features, pa.Table]]:
    """Pieces one after the other, each with a table of the features that it could read.

    Raises:
        NotOurs: one cannot be followed.
    """
    text = np.frombuffer(data, np.uint8)

    def look_at(start: int, stop: int, room: int = PIECE) -> tuple[Features, pa.Table]:
        found = scan(text, start, stop, min(stop + room, len(data)), commas)
        return found, _table(found, *about)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        starts = [begin, *_guesses(data, begin)]
        ahead: dict[int, Future[tuple[Features, pa.Table]]] = {
            start: pool.submit(look_at, start, stop)
            for start, stop in zip(starts, [*starts[1:], len(data)], strict=True)
        }
        at, state = begin, None
        try:
            while state != CLOSED:
                waiting = ahead.pop(at, None)
                piece, table = waiting.result() if waiting else look_at(at, at + PIECE)
                room = PIECE
                while piece.state == LOST and piece.at == at:
                    # Either it is broken, or the feature is longer than what was looked at.
                    if at + room >= len(data):
                        raise NotOurs
                    room *= 4
                    piece, table = look_at(at, at + 1, room)
                yield piece, table
                at, state = piece.at, piece.state
        finally:
            for waiting in ahead.values():
                waiting.cancel()


def _guesses(data: bytes, begin: int) -> Iterator[int]:
    """Places where features seem to begin, about `PIECE` apart."""
    at = begin
    while found := _START.search(data, at + PIECE):
        at = found.start()
        yield at


def _whole(piece: Features, ours: pa.Table, where: tuple[bytes, int], meaning: Meaning) -> pa.Table:
    """A piece's table with the features that were left to the general reader."""
    others = np.flatnonzero(piece.kinds == geojson_wkb.OTHER)
    if not len(others):
        return ours
    data, first = where
    texts = [data[start:end] for start, end in piece.spans[others].tolist()]
    general = meaning.general(texts, (others + first).tolist())
    place = np.empty(len(piece.kinds), np.int64)
    place[piece.kinds != geojson_wkb.OTHER] = np.arange(len(ours))
    place[others] = len(ours) + np.arange(len(others))
    return pa.concat_tables([ours, general]).take(pa.array(place))


def _table(piece: Features, image: str | None, meaning: Meaning) -> pa.Table:
    """The features of a piece that are not of `OTHER`.

    Raises:
        NotOurs: a class or a name is none.
    """
    ours = piece.kinds != geojson_wkb.OTHER
    count = int(ours.sum())
    if not count:
        return _SCHEMA.empty_table()
    ends = piece.ends[ours]
    is_uuid = pa.array(piece.is_uuid[ours])
    try:
        ids = _stream(piece, ends, ID, pa.string())
        rest = _stream(piece, ends, REST, pa.string())
        labels = _meant(_stream(piece, ends, CLASS), meaning.labels, _SCHEMA.field("labels").type)
        names = _meant(_stream(piece, ends, NAME), meaning.name, pa.string())
    except ValueError as error:
        raise NotOurs from error
    nuclei = _stream(piece, ends, NUCLEUS)
    columns = {
        "annotation": ids
        if piece.is_uuid[ours].all()
        else pc.if_else(is_uuid, ids, new_ids(count)),
        "foreign": pc.if_else(
            pc.or_(is_uuid, pc.equal(ids, "")), pa.scalar(None, pa.string()), ids
        ),
        "kind": _KINDS.take(pa.array(piece.kinds[ours])),
        "geometry": _stream(piece, ends, SHAPE),
        "nucleus": pc.if_else(pc.equal(pc.binary_length(nuclei), 0), None, nuclei),
        "labels": labels,
        "name": names,
        "properties": rest,
    }
    usual = rows.imported("", None, image=image)
    for column in ANNOTATIONS.columns:
        if column.name not in columns:
            value = pa.scalar(usual[column.name], column.type)
            columns[column.name] = pa.repeat(value, count)
    return pa.Table.from_arrays([columns[name] for name in _SCHEMA.names], schema=_SCHEMA)


def _stream(
    piece: Features, ends: npt.NDArray[np.int64], stream: int, kind: pa.DataType | None = None
) -> pa.Array:
    """A stream as an array, a value per feature; the bytes are not copied."""
    offsets = np.concatenate(([0], ends[:, stream])).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(piece.streams[stream])]
    return pa.Array.from_buffers(kind or pa.binary(), len(ends), buffers)


def _meant(texts: pa.Array, meaning: Callable[[bytes], Any], kind: pa.DataType) -> pa.Array:
    """What texts mean; each distinct one is looked at once."""
    encoded = texts.dictionary_encode()
    meant = [meaning(one) for one in encoded.dictionary.to_pylist()]
    return pa.array(meant, kind).take(encoded.indices)
