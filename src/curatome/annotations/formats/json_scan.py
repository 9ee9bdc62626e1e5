"""Machine code over JSON text: what is unsound in it, and its polygons as WKB.

A million cell outlines are 23 million vertices. As Python objects they cost seconds and
gigabytes; here their digits become the doubles of WKB in one pass. What these loops do not know
they leave to the general reader, so both give the same shapes or the same errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from curatome.annotations.formats import json_file
from curatome.errors import AnnotationError

Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]

OTHER, POLYGON, BOX = 0, 1, 2
"""What a shape turned out to be; `OTHER` is left to the general reader."""

_SOUND, _TWICE, _CONSTANT, _DEEP = 0, 1, 2, 3
_FEW_NAMES = 64
_EXACT = 1 << 53
_POWERS = 10.0 ** np.arange(23)


@dataclass(frozen=True)
class Outlines:
    """Polygons as WKB.

    Attributes:
        wkb: one after the other, `uint8`.
        ends: where each ends, bytes; `(N,) int64`.
        kinds: `OTHER` (of no bytes), `POLYGON` or `BOX`; `(N,) uint8`.
    """

    wkb: Bytes
    ends: Counts
    kinds: Bytes


def require_sound(data: bytes, name: str) -> None:
    """Refuse what a fast JSON reader lets pass.

    Raises:
        AnnotationError: a name twice in one object, NaN or infinity, or endless nesting; names
            line and column.
    """
    fault, start = _first_fault(np.frombuffer(data, np.uint8))
    if fault == _SOUND:
        return
    if fault == _TWICE:
        json_file.parse(data[start : _object_end(data, start)], f"{name}, {_at(data, start)}: this")
        return  # two names that only look alike
    what = (
        "has NaN or infinity, which JSON has not"
        if fault == _CONSTANT
        else f"is nested more than {json_file.DEEPEST} deep"
    )
    raise AnnotationError(f"{name} {what}, at {_at(data, start)}. Export it again.")


def outlines(texts: list[bytes]) -> Outlines:
    """GeoJSON coordinates of polygons as WKB.

    Args:
        texts: of each polygon, `[[[x, y], …], …]`.
    """
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    data = np.frombuffer(b"".join(texts), np.uint8)
    # The shortest point, "[0,0]", takes 5 bytes and a comma and becomes 16.
    room = np.empty(3 * len(data) + 16 * len(texts) + 16, np.uint8)
    pairs = np.empty(len(data) // 3 + 4, np.float64)
    wkb_ends, kinds = np.empty(len(texts), np.int64), np.empty(len(texts), np.uint8)
    used = _write_polygons(data, ends, (pairs, pairs.view(np.uint8)), room, (wkb_ends, kinds))
    return Outlines(room[:used], wkb_ends, kinds)


def _at(data: bytes, offset: int) -> str:
    return json_file.place(data, int(offset))


def _object_end(data: bytes, start: int) -> int:
    depth, inside = 0, False
    at = start
    while at < len(data):
        byte = data[at]
        if inside:
            at += byte == 0x5C
            inside = byte != 0x22
        elif byte == 0x22:
            inside = True
        elif byte in b"{[":
            depth += 1
        elif byte in b"}]":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return len(data)


@numba.njit(cache=True, nogil=True)
def _has_twice(hashes: Counts) -> bool:
    if len(hashes) > _FEW_NAMES:
        hashes.sort()
        return bool(np.any(hashes[1:] == hashes[:-1]))
    for i in range(1, len(hashes)):
        for j in range(i):
            if hashes[i] == hashes[j]:
                return True
    return False


@numba.njit(cache=True, nogil=True)
def _first_fault(data: Bytes) -> tuple[int, int]:  # noqa: PLR0912 - one state machine
    """What is unsound, and the byte where it (or the object that has it) begins."""
    deepest = 200
    starts, bases = np.zeros(deepest + 2, np.int64), np.zeros(deepest + 2, np.int64)
    hashes = np.zeros(1024, np.int64)
    depth, top, at, size = 0, 0, 0, len(data)
    while at < size:
        byte = data[at]
        if byte == 0x22:
            mix = np.int64(1469598103934665603)
            at += 1
            while at < size and data[at] != 0x22:
                if data[at] == 0x5C:
                    mix = (mix ^ np.int64(data[at])) * np.int64(1099511628211)
                    at += 1
                if at < size:
                    mix = (mix ^ np.int64(data[at])) * np.int64(1099511628211)
                at += 1
            ahead = at + 1
            while ahead < size and data[ahead] <= 0x20:
                ahead += 1
            if ahead < size and data[ahead] == 0x3A:
                if top == len(hashes):
                    hashes = np.concatenate((hashes, np.zeros_like(hashes)))
                hashes[top] = mix
                top += 1
        elif byte in (0x7B, 0x5B):
            depth += 1
            if depth > deepest:
                return _DEEP, at
            starts[depth], bases[depth] = at, top
        elif byte in (0x7D, 0x5D):
            if byte == 0x7D and _has_twice(hashes[bases[depth] : top]):
                return _TWICE, starts[depth]
            top = bases[depth]
            depth = max(depth - 1, 0)
        elif byte in (0x4E, 0x49):
            return _CONSTANT, at
        at += 1
    return _SOUND, 0


@numba.njit(cache=True, nogil=True)
def _number(data: Bytes, at: int, end: int) -> tuple[float, int]:
    """A number and the byte after it, or -1 where it is not exactly ours to read.

    Digits below 2**53 divided by a power of ten up to 10**22 round as they should (Clinger 1990,
    https://doi.org/10.1145/93548.93557).
    """
    negative = data[at] == 0x2D
    at += negative
    digits, first, places = np.int64(0), at, -1
    while at < end:
        byte = data[at]
        if 0x30 <= byte <= 0x39:
            digits = digits * 10 + (np.int64(byte) - 0x30)
            if digits >= _EXACT:
                return 0.0, -1
            if places >= 0:
                places += 1
        elif byte == 0x2E and places < 0 and at > first:
            places = 0
        else:
            break
        at += 1
    zeros = data[first] == 0x30 and at > first + 1 and data[first + 1] != 0x2E
    if at == first or places == 0 or places > 22 or zeros or at >= end:
        return 0.0, -1
    if data[at] in (0x45, 0x65):
        return 0.0, -1
    value = np.float64(digits)
    if places > 0:
        value /= _POWERS[places]
    return (-value if negative else value), at


@numba.njit(cache=True, nogil=True)
def _skip(data: Bytes, at: int, end: int) -> int:
    while at < end and (data[at] == 0x20 or 0x09 <= data[at] <= 0x0D):
        at += 1
    return at


@numba.njit(cache=True, nogil=True)
def _expect(data: Bytes, at: int, end: int, byte: int) -> int:
    """The byte after `byte` and its spaces, or -1 where another stands there."""
    at = _skip(data, at, end)
    if at >= end or data[at] != byte:
        return -1
    return _skip(data, at + 1, end)


@numba.njit(cache=True, nogil=True)
def _ring(data: Bytes, at: int, end: int, pairs: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Read `[[x, y], …]`; the byte after it (or -1) and the number of points."""
    points = 0
    at = _expect(data, at, end, 0x5B)
    while at >= 0:
        at = _expect(data, at, end, 0x5B)
        if at < 0 or at >= end:
            return -1, 0
        pairs[2 * points], at = _number(data, at, end)
        if at >= 0:
            at = _expect(data, at, end, 0x2C)
        if at < 0 or at >= end:
            return -1, 0
        pairs[2 * points + 1], at = _number(data, at, end)
        if at >= 0:
            at = _expect(data, at, end, 0x5D)
        if at < 0 or at >= end:
            return -1, 0
        points += 1
        if data[at] == 0x5D:
            return at + 1, points
        at = _expect(data, at, end, 0x2C)
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
def _put(out: Bytes, at: int, value: int) -> None:
    for i in range(4):
        out[at + i] = (value >> (8 * i)) & 0xFF


@numba.njit(cache=True, nogil=True)
def _write_polygons(  # type: ignore[no-untyped-def]
    data: Bytes, ends: Counts, scratch, out: Bytes, found
) -> int:
    """Write each polygon's WKB to `out`; the bytes used."""
    pairs, raw = scratch
    wkb_ends, kinds = found
    start, used = 0, 0
    for k in range(len(ends)):
        end, to, rings, box = ends[k], used + 9, 0, False
        at = _expect(data, start, end, 0x5B)
        while 0 <= at < end:
            at, points = _ring(data, at, end, pairs)
            last = 2 * points - 2
            if at < 0 or points < 4 or pairs[0] != pairs[last] or pairs[1] != pairs[last + 1]:
                at = -1
                break
            box = rings == 0 and _is_box(pairs, points)
            _put(out, to, points)
            out[to + 4 : to + 4 + 16 * points] = raw[: 16 * points]
            to, rings = to + 4 + 16 * points, rings + 1
            at = _skip(data, at, end)
            if at < end and data[at] == 0x5D:
                at = end if _skip(data, at + 1, end) == end else -1
            else:
                at = _expect(data, at, end, 0x2C)
        if at == end and rings > 0:
            out[used] = 1
            _put(out, used + 1, 3)
            _put(out, used + 5, rings)
            used, kinds[k] = to, 2 if box else 1
        else:
            kinds[k] = 0
        wkb_ends[k], start = used, end
    return used
