"""Machine code that reads geometries of GeoJSON (RFC 7946) as WKB, digits to doubles in one pass.

Polygons, multipolygons and points whose rings are closed and whose numbers `json_walk.number`
reads exactly; all else is left to `geojson`.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from curatome.annotations.formats.json_walk import (
    Bytes,
    Text,
    copy,
    expect,
    is_text,
    number,
    skip,
    stack,
    string,
)

OTHER, POLYGON, BOX, MULTIPOLYGON, POINT = range(5)
"""What a geometry turned out to be; `OTHER` is left to others."""

_TYPE, _COORDINATES, _PLANE, _POLYGON, _MULTIPOLYGON, _POINT = (
    np.frombuffer(one, np.uint8)
    for one in (b"type", b"coordinates", b"plane", b"Polygon", b"MultiPolygon", b"Point")
)


def scratch(size: int) -> Any:
    """What `shape` notes in: the points of a ring, as doubles and as bytes; `copy`'s stack.

    Args:
        size: of the longest text, bytes.
    """
    pairs = np.empty(size // 2 + 16)
    return pairs, pairs.view(np.uint8), stack()


@numba.njit(cache=True, nogil=True)
def shape(  # noqa: PLR0912 - one branch per member
    text: Text, at: int, out: Bytes, to: int, scratch: Any
) -> tuple[int, int, int, int]:
    """A geometry as WKB: the byte after it here and there, its kind, and where its plane is."""
    data, end = text
    kind, found, plane = OTHER, False, -1
    at = expect(data, at, end, 0x7B)
    while 0 <= at < end:
        name = at + 1
        at, escaped = string(data, at, end)
        last = at - 1
        if at >= 0:
            at = expect(data, at, end, 0x3A)
        if at < 0 or at >= end or escaped:
            break
        if is_text(data, name, last, _TYPE) and kind == OTHER:
            start = at + 1
            at, _ = string(data, at, end)
            if at < 0:
                break
            if is_text(data, start, at - 1, _POLYGON):
                kind = POLYGON
            elif is_text(data, start, at - 1, _MULTIPOLYGON):
                kind = MULTIPOLYGON
            elif is_text(data, start, at - 1, _POINT):
                kind = POINT
        elif is_text(data, name, last, _COORDINATES) and kind != OTHER and not found:
            found = True
            if kind == POINT:
                at, to = _point(text, at, out, to, scratch)
            elif kind == MULTIPOLYGON:
                at, to = _multipolygon(text, at, out, to, scratch)
            else:
                at, to, box = _polygon(text, at, out, to, scratch)
                kind = BOX if box else POLYGON
        elif is_text(data, name, last, _PLANE) and plane < 0:
            plane = at
            at, _ = copy(text, at, out, to, scratch[2])
        else:
            break
        if at < 0:
            break
        at = skip(data, at, end)
        if at < end and data[at] == 0x7D and found:
            return at + 1, to, kind, plane
        at = expect(data, at, end, 0x2C)
    return -1, to, OTHER, -1


@numba.njit(cache=True, nogil=True)
def _put_int(out: Bytes, at: int, value: int) -> None:
    for i in range(4):
        out[at + i] = (value >> (8 * i)) & 0xFF


@numba.njit(cache=True, nogil=True)
def _head(out: Bytes, to: int, kind: int, parts: int) -> int:
    out[to] = 1  # least significant byte first
    _put_int(out, to + 1, kind)
    _put_int(out, to + 5, parts)
    return to + 9


@numba.njit(cache=True, nogil=True)
def _position(data: Bytes, at: int, end: int) -> tuple[int, float, float]:
    """Read `[x, y]`."""
    y = 0.0
    at = expect(data, at, end, 0x5B)
    if at < 0:
        return -1, y, y
    x, at = number(data, at, end)
    if at >= 0:
        at = expect(data, at, end, 0x2C)
    if at >= 0:
        y, at = number(data, at, end)
    if at >= 0:
        at = expect(data, at, end, 0x5D)
    return at, x, y


@numba.njit(cache=True, nogil=True)
def _point(text: Text, at: int, out: Bytes, to: int, scratch: Any) -> tuple[int, int]:
    data, end = text
    pairs, raw = scratch[0], scratch[1]
    at, pairs[0], pairs[1] = _position(data, at, end)
    out[to] = 1
    _put_int(out, to + 1, 1)
    out[to + 5 : to + 21] = raw[:16]
    return at, to + 21


@numba.njit(cache=True, nogil=True)
def _ring(data: Bytes, at: int, end: int, pairs: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Read `[[x, y], …]`; the byte after it and the number of points."""
    points = 0
    at = expect(data, at, end, 0x5B)
    while at >= 0:
        at, x, y = _position(data, at, end)
        if at < 0 or at >= end:
            return -1, 0
        pairs[2 * points], pairs[2 * points + 1] = x, y
        points += 1
        if data[at] == 0x5D:
            return at + 1, points
        at = expect(data, at, end, 0x2C)
    return -1, 0


@numba.njit(cache=True, nogil=True)
def _is_box(pairs: npt.NDArray[np.float64], points: int) -> bool:
    if points != 5:
        return False
    up = pairs[0] == pairs[2]
    for i in range(4):
        x, y, next_x, next_y = pairs[2 * i : 2 * i + 4]
        if up and (x != next_x or y == next_y):
            return False
        if not up and (y != next_y or x == next_x):
            return False
        up = not up
    return True


@numba.njit(cache=True, nogil=True)
def _polygon(text: Text, at: int, out: Bytes, to: int, scratch: Any) -> tuple[int, int, bool]:
    """Read `[ring, …]`, all rings closed; the byte after it here and there, whether it is a box."""
    data, end = text
    pairs, raw = scratch[0], scratch[1]
    start, to, rings, box = to, to + 9, 0, False
    at = expect(data, at, end, 0x5B)
    while at >= 0:
        at, points = _ring(data, at, end, pairs)
        last = 2 * points - 2
        if at < 0 or points < 4 or pairs[0] != pairs[last] or pairs[1] != pairs[last + 1]:
            break
        box = rings == 0 and _is_box(pairs, points)
        _put_int(out, to, points)
        out[to + 4 : to + 4 + 16 * points] = raw[: 16 * points]
        to, rings = to + 4 + 16 * points, rings + 1
        at = skip(data, at, end)
        if at < end and data[at] == 0x5D:
            _head(out, start, 3, rings)
            return at + 1, to, box
        at = expect(data, at, end, 0x2C)
    return -1, start, False


@numba.njit(cache=True, nogil=True)
def _multipolygon(text: Text, at: int, out: Bytes, to: int, scratch: Any) -> tuple[int, int]:
    """Read `[polygon, …]`."""
    data, end = text
    start, to, parts = to, to + 9, 0
    at = expect(data, at, end, 0x5B)
    while at >= 0:
        at, to, _ = _polygon(text, at, out, to, scratch)
        parts += 1
        if at >= 0:
            at = skip(data, at, end)
            if at < end and data[at] == 0x5D:
                _head(out, start, 6, parts)
                return at + 1, to
            at = expect(data, at, end, 0x2C)
    return -1, start
