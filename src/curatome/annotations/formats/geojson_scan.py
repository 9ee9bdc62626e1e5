"""Machine code that reads features of GeoJSON as QuPath writes them, by the million.

A million cell outlines are 23 million vertices. As Python objects they cost seconds and
gigabytes; here digits become the doubles of WKB in one pass, and all other text is copied to
where Arrow wants it. What these loops do not know they leave to the general reader, so both give
the same shapes or the same errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from curatome.annotations.formats.geojson_wkb import OTHER, scratch, shape
from curatome.annotations.formats.json_walk import (
    Bytes,
    Counts,
    Text,
    copy,
    expect,
    has_twice,
    is_text,
    name_hash,
    put,
    skip,
    string,
)

SHAPE, NUCLEUS, ID, CLASS, NAME, REST = range(6)
"""Streams that a feature is taken apart into: WKB of its shapes, and compact JSON."""

GOING, CLOSED, LOST = range(3)
"""Why a scan ended: enough was read, nothing follows, or the text cannot be followed."""

_STREAMS = 6
_MOST_NAMES = 1024
_SHORTEST = 48
_TYPE, _FEATURE, _ID = (np.frombuffer(one, np.uint8) for one in (b"type", b"Feature", b"id"))
_GEOMETRY, _NUCLEUS, _PROPERTIES = (
    np.frombuffer(one, np.uint8) for one in (b"geometry", b"nucleusGeometry", b"properties")
)
_CLASSIFICATION, _NAME, _OBJECT_TYPE, _LABEL_NAME, _OURS = (
    np.frombuffer(one, np.uint8)
    for one in (b"classification", b"name", b"objectType", b"label_name", b"curatome")
)
_CELL, _ANNOTATION, _PLANE_MEMBER = (
    np.frombuffer(one, np.uint8) for one in (b'"cell"', b'"annotation"', b',"plane":')
)
_HAS_TYPE, _HAS_ID, _HAS_SHAPE, _HAS_NUCLEUS, _HAS_PROPERTIES = 1, 2, 4, 8, 16


@dataclass(frozen=True)
class Features:
    """Features of a piece of text, `N` of them.

    Attributes:
        streams: bytes of each stream, one feature after the other.
        ends: where each feature's part of each stream ends; `(N, 6) int64`.
        kinds: `OTHER` (of no bytes in any stream) and so on; `(N,) uint8`.
        is_uuid: whether the id is a UUID; `(N,) bool`.
        spans: where each feature begins and ends in the text; `(N, 2) int64`.
        at: where the next feature begins; if closed or lost, where that was.
        state: `GOING`, `CLOSED` or `LOST`.
    """

    streams: tuple[bytes, ...]
    ends: Counts
    kinds: Bytes
    is_uuid: npt.NDArray[np.bool_]
    spans: Counts
    at: int
    state: int


def scan(data: Bytes, begin: int, stop: int, end: int, commas: bool) -> Features:
    """Read the features that begin before a place.

    Args:
        data: JSON text, `uint8`.
        begin: where the first feature begins.
        stop: features that begin here or later are not read.
        end: nothing here or later is looked at; a feature that reaches so far counts as lost.
        commas: whether features are parted by commas and end with a bracket, else by white space.
    """
    size = end - begin
    outs = tuple(
        # The shortest point, "[0,0]", takes 5 bytes and a comma and becomes 16.
        np.empty((3 if stream in (SHAPE, NUCLEUS) else 1) * size + 64, np.uint8)
        for stream in range(_STREAMS)
    )
    notes = (*scratch(size), np.empty(_MOST_NAMES, np.int64))
    rows = (stop - begin) // _SHORTEST + 2
    ends, spans = np.empty((rows, _STREAMS), np.int64), np.empty((rows, 2), np.int64)
    kinds, is_uuid = np.empty(rows, np.uint8), np.zeros(rows, np.bool_)
    where, found = (begin, stop, commas), (ends, spans, kinds, is_uuid)
    count, at, state = _scan((data, end), where, outs, found, notes)
    used = ends[count - 1].tolist() if count else [0] * _STREAMS
    return Features(
        tuple(out[:length].tobytes() for out, length in zip(outs, used, strict=True)),
        ends[:count],
        kinds[:count],
        is_uuid[:count],
        spans[:count],
        int(at),
        int(state),
    )


@numba.njit(cache=True, nogil=True)
def _scan(text: Text, where: Any, outs: Any, found: Any, notes: Any) -> Any:
    data, end = text
    at, stop, commas = where
    ends, spans, kinds, is_uuid = found
    to, before = np.zeros(_STREAMS, np.int64), np.zeros(_STREAMS, np.int64)
    count = 0
    while at < stop and count < len(kinds):
        start = at
        kind, at = _feature(text, at, outs, to, notes)
        if kind == OTHER:
            to[:] = before
            at, _ = copy(text, start, outs[SHAPE], to[SHAPE], notes[2])
        after = -1 if at < 0 else skip(data, at, end)
        closes = 0 <= after < end and commas and data[after] == 0x5D
        if after < 0 or (commas and not closes and (after >= end or data[after] != 0x2C)):
            return count, start, LOST
        if not commas and after < end and data[after] != 0x7B:
            return count, start, LOST
        kinds[count], spans[count, 0], spans[count, 1] = kind, start, at
        is_uuid[count] = _is_uuid(outs[ID], before[ID], to[ID])
        ends[count] = to
        before[:] = to
        count += 1
        at = skip(data, after + 1, end) if commas and not closes else after
        if closes or (not commas and after >= len(data)):
            return count, after, CLOSED
    return count, at, GOING


@numba.njit(cache=True, nogil=True)
def _is_uuid(out: Bytes, start: int, end: int) -> bool:
    """Whether a stretch of `ID` is a UUID in small letters."""
    if end - start != 36:
        return False
    for i in range(36):
        byte = out[start + i]
        if i in (8, 13, 18, 23):
            if byte != 0x2D:
                return False
        elif not (0x30 <= byte <= 0x39 or 0x61 <= byte <= 0x66):
            return False
    return True


@numba.njit(cache=True, nogil=True)
def _feature(  # noqa: PLR0911, PLR0912 - one branch per member
    text: Text, at: int, outs: Any, to: Counts, notes: Any
) -> tuple[int, int]:
    """Take one feature apart; its kind (`OTHER` if it is not ours to read) and the byte after."""
    data, end = text
    seen, kind, plane = 0, OTHER, -1
    at = expect(data, at, end, 0x7B)
    while 0 <= at < end:
        name = at + 1
        at, escaped = string(data, at, end)
        last = at - 1
        if at >= 0:
            at = expect(data, at, end, 0x3A)
        if at < 0 or at >= end or escaped:
            return OTHER, -1
        member = 0
        if is_text(data, name, last, _TYPE):
            member, start = _HAS_TYPE, at + 1
            at, _ = string(data, at, end)
            if at >= 0 and not is_text(data, start, at - 1, _FEATURE):
                return OTHER, -1
        elif is_text(data, name, last, _ID):
            member, start = _HAS_ID, at + 1
            at, escaped = string(data, at, end)
            if at < 0 or escaped:
                return OTHER, -1
            to[ID] = put(data, start, at - 1, outs[ID], to[ID])
        elif is_text(data, name, last, _GEOMETRY):
            member = _HAS_SHAPE
            at, to[SHAPE], kind, plane = shape(text, at, outs[SHAPE], to[SHAPE], notes)
        elif is_text(data, name, last, _NUCLEUS):
            member = _HAS_NUCLEUS
            at, to[NUCLEUS], _, other = shape(text, at, outs[NUCLEUS], to[NUCLEUS], notes)
            if other >= 0 or seen & _HAS_PROPERTIES:
                return OTHER, -1
        elif is_text(data, name, last, _PROPERTIES):
            member = _HAS_PROPERTIES
            usual = _CELL if seen & _HAS_NUCLEUS else _ANNOTATION
            at = _properties(text, (at, plane, usual), outs, to, notes)
            plane = -1
        if at < 0 or member == 0 or seen & member:
            return OTHER, -1
        seen |= member
        at = skip(data, at, end)
        if at < end and data[at] == 0x7D:
            needed = _HAS_TYPE | _HAS_SHAPE | _HAS_PROPERTIES
            if seen & needed != needed or plane >= 0:
                return OTHER, -1
            return kind, at + 1
        at = expect(data, at, end, 0x2C)
    return OTHER, -1


@numba.njit(cache=True, nogil=True)
def _properties(  # noqa: PLR0911, PLR0912 - one branch per member
    text: Text, where: Any, outs: Any, to: Counts, notes: Any
) -> int:
    """Part the class and the name from all other properties; the byte after them."""
    data, end = text
    at, plane, usual = where
    names, out = notes[3], outs[REST]
    count, begin = 0, to[REST]
    at = expect(data, at, end, 0x7B)
    while 0 <= at < end and data[at] != 0x7D:
        start = at
        at, escaped = string(data, at, end)
        last = at
        if at >= 0:
            at = expect(data, at, end, 0x3A)
        if at < 0 or escaped or count == len(names):
            return -1
        names[count] = name_hash(data, start, last)
        count += 1
        if is_text(data, start + 1, last - 1, _CLASSIFICATION):
            at, to[CLASS] = copy(text, at, outs[CLASS], to[CLASS], notes[2])
        elif is_text(data, start + 1, last - 1, _NAME):
            at, to[NAME] = copy(text, at, outs[NAME], to[NAME], notes[2])
        elif is_text(data, start + 1, last - 1, _LABEL_NAME) or is_text(
            data, start + 1, last - 1, _OURS
        ):
            return -1
        else:
            # A comma takes the place of the brace that a first member follows.
            out[to[REST]] = 0x2C
            middle = put(data, start, last, out, to[REST] + 1)
            out[middle] = 0x3A
            at, after = copy(text, at, out, middle + 1, notes[2])
            is_type = is_text(data, start + 1, last - 1, _OBJECT_TYPE)
            if at >= 0 and not (is_type and is_text(out, middle + 1, after, usual)):
                to[REST] = after
        if at < 0:
            return -1
        at = skip(data, at, end)
        if at < end and data[at] == 0x2C:
            at = skip(data, at + 1, end)
            if at < end and data[at] == 0x7D:
                return -1
        elif at < end and data[at] != 0x7D:
            return -1
    if at < 0 or at >= end or has_twice(names[:count]):
        return -1
    if plane >= 0:
        to[REST] = put(_PLANE_MEMBER, 0, len(_PLANE_MEMBER), out, to[REST])
        _, to[REST] = copy(text, plane, out, to[REST], notes[2])
    if to[REST] == begin:
        to[REST] += 1
    out[begin] = 0x7B
    out[to[REST]] = 0x7D
    to[REST] += 1
    return at + 1
