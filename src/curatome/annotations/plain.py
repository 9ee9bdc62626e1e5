"""Machine code that passes what is plainly sound, so that only the rest is looked at closely.

Of a million outlines nearly all are simple rings without any fault. Each is told by its numbers
alone, in a microsecond; whatever comes near a fault, within a wide margin, is not plain, and is
judged by GEOS. So the judgement is the same, and a million shapes need not become objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_MOST = 256
"""Points of a ring from which on comparing all its edges costs more than GEOS does."""
_SHARPEST, _NEAR, _LEAST = 0.03, 1e-6, 1e-5
"""Sine of a corner near a spike; what counts as touching, px; least area, px²."""


@dataclass(frozen=True)
class Glance:
    """What was seen of outlines, one entry for each.

    Attributes:
        plain: a polygon of one simple, closed ring without spikes, repetitions or slenderness.
        bounds: (N, 4) level-0 px, of the plain ones.
        area: px², of the plain ones.
    """

    plain: Flags
    bounds: Floats
    area: Floats


def glance(wkb: pa.Array, farthest: float, thinnest: float) -> Glance:
    """Look at outlines.

    Args:
        wkb: binary, without nulls.
        farthest: no plain outline has a coordinate beyond it, px.
        thinnest: twice the area by the perimeter of a plain outline is more, px.
    """
    raw, ends = _bytes(wkb)
    count = len(wkb)
    plain, bounds, area = np.zeros(count, np.bool_), np.full((count, 4), np.nan), np.zeros(count)
    _glance(raw, ends, (farthest, thinnest), (plain, bounds, area))
    return Glance(plain, bounds, area)


def edges(wkb: pa.Array) -> Floats:
    """(N, 4) bounds of polygons, NaN where it is anything but a sound one.

    Args:
        wkb: binary.
    """
    raw, ends = _bytes(wkb)
    bounds = np.full((len(wkb), 4), np.nan)
    _edges(raw, ends, bounds)
    return bounds


def _bytes(wkb: pa.Array) -> tuple[Bytes, Numbers]:
    """All bytes of an array, and where each value begins and the last one ends."""
    _, offsets, data = wkb.buffers()
    ends = np.frombuffer(offsets, np.int32)[wkb.offset : wkb.offset + len(wkb) + 1]
    raw = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return raw, ends.astype(np.int64)


def neighbors(
    bounds: Floats, group: Numbers, reach: float, overlap: float
) -> tuple[Numbers, Numbers]:
    """Pairs of a later and an earlier outline whose bounds are nearly the same.

    Args:
        bounds: (N, 4).
        group: (N,) only outlines of one group are compared.
        reach: how far their middles may lie apart, by width and height of the later one.
        overlap: least intersection over union of their bounds.

    Returns:
        Rows of the later ones, and of the earlier ones.
    """
    middle = (bounds[:, 0] + bounds[:, 2]) / 2
    order = np.argsort(middle, kind="stable")
    own, other = _neighbors(bounds, group, order, middle[order], (reach, overlap))
    return own, other


@numba.njit(cache=True, nogil=True)
def _glance(raw: Bytes, ends: Numbers, limits: tuple[float, float], found: Any) -> None:
    plain, bounds, area = found
    pairs = np.empty(2 * _MOST + 2)
    copied = pairs.view(np.uint8)
    for k in range(len(plain)):
        start, size = ends[k], ends[k + 1] - ends[k]
        points = (size - 13) // 16
        if points < 4 or points > _MOST or size != 13 + 16 * points or raw[start] != 1:
            continue
        if _int(raw, start + 1) != 3 or _int(raw, start + 5) != 1:
            continue
        if _int(raw, start + 9) != points:
            continue
        copied[: 16 * points] = raw[start + 13 : start + 13 + 16 * points]
        surface = _surface(pairs, points, limits, bounds[k])
        if surface > 0 and _is_simple(pairs, points - 1):
            plain[k], area[k] = True, surface


@numba.njit(cache=True, nogil=True)
def _edges(raw: Bytes, ends: Numbers, bounds: Floats) -> None:
    point = np.empty(2)
    first, copied = np.empty(2), point.view(np.uint8)
    for k in range(len(bounds)):
        at, end = ends[k] + 9, ends[k + 1]
        if end < at or raw[at - 9] != 1 or _int(raw, at - 8) != 3:
            continue
        left = top = np.inf
        right = bottom = -np.inf
        sound = True
        for _ in range(_int(raw, at - 4)):
            points = _int(raw, at) if at + 4 <= end else 0
            at += 4
            if points < 4 or at + 16 * points > end:
                sound = False
                break
            for i in range(points):
                copied[:] = raw[at : at + 16]
                at += 16
                x, y = point
                sound &= np.isfinite(x) and np.isfinite(y)
                left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
                if i == 0:
                    first[:] = point
            sound &= first[0] == point[0] and first[1] == point[1]
        if sound and at == end and left <= right:
            bounds[k, 0], bounds[k, 1], bounds[k, 2], bounds[k, 3] = left, top, right, bottom


@numba.njit(cache=True, nogil=True)
def _int(raw: Bytes, at: int) -> int:
    return int(raw[at]) | int(raw[at + 1]) << 8 | int(raw[at + 2]) << 16 | int(raw[at + 3]) << 24


@numba.njit(cache=True, nogil=True)
def _surface(pairs: Floats, points: int, limits: tuple[float, float], bounds: Floats) -> float:
    """The area of a ring and its bounds; 0 if one of its points or corners is not plain."""
    farthest, thinnest = limits
    last = 2 * points - 2
    if pairs[0] != pairs[last] or pairs[1] != pairs[last + 1]:
        return 0.0
    x0, y0 = pairs[0], pairs[1]
    left = right = x0
    top = bottom = y0
    twice = length = 0.0
    back_x, back_y = pairs[last - 2] - x0, pairs[last - 1] - y0
    for i in range(points - 1):
        x, y = pairs[2 * i], pairs[2 * i + 1]
        if not (abs(x) <= farthest and abs(y) <= farthest):
            return 0.0
        left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
        on_x, on_y = pairs[2 * i + 2] - x, pairs[2 * i + 3] - y
        twice += (x - x0) * (y + on_y - y0) - (x + on_x - x0) * (y - y0)
        step = np.hypot(on_x, on_y)
        across = abs(back_x * on_y - back_y * on_x)
        folds = back_x * on_x + back_y * on_y > 0
        if step == 0 or (folds and across <= _SHARPEST * step * np.hypot(back_x, back_y)):
            return 0.0
        length += step
        back_x, back_y = -on_x, -on_y
    area = abs(twice) / 2
    if area < _LEAST or 2 * area <= 1.01 * thinnest * length:
        return 0.0
    bounds[0], bounds[1], bounds[2], bounds[3] = left, top, right, bottom
    return area


@numba.njit(cache=True, nogil=True)
def _is_simple(pairs: Floats, edges: int) -> bool:
    """Whether edges that are no neighbors stay clear of each other."""
    for i in range(edges - 2):
        ax, ay, bx, by = pairs[2 * i : 2 * i + 4]
        left, right, top, bottom = min(ax, bx), max(ax, bx), min(ay, by), max(ay, by)
        for j in range(i + 2, edges - (i == 0)):
            cx, cy, dx, dy = pairs[2 * j : 2 * j + 4]
            if max(cx, dx) < left - _NEAR or min(cx, dx) > right + _NEAR:
                continue
            if max(cy, dy) < top - _NEAR or min(cy, dy) > bottom + _NEAR:
                continue
            if not (
                _beside(ax, ay, bx, by, cx, cy, dx, dy) or _beside(cx, cy, dx, dy, ax, ay, bx, by)
            ):
                return False
    return True


@numba.njit(cache=True, nogil=True)
def _beside(ax, ay, bx, by, cx, cy, dx, dy):  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """Whether c and d lie clearly on one side of the line through a and b."""
    near = _NEAR * (abs(bx - ax) + abs(by - ay))
    c = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    d = (bx - ax) * (dy - ay) - (by - ay) * (dx - ax)
    return (c > near and d > near) or (c < -near and d < -near)


@numba.njit(cache=True, nogil=True)
def _neighbors(  # type: ignore[no-untyped-def]
    bounds: Floats, group: Numbers, order: Numbers, middle: Floats, limits
) -> tuple[Numbers, Numbers]:
    reach, overlap = limits
    own, other = np.empty(1024, np.int64), np.empty(1024, np.int64)
    count = 0
    for place in range(len(order)):
        row = order[place]
        left, top, right, bottom = bounds[row]
        far_x, far_y = reach * (right - left), reach * (bottom - top)
        for step in (-1, 1):
            at = place + step
            while 0 <= at < len(order) and abs(middle[at] - middle[place]) <= far_x:
                first = order[at]
                at += step
                if first > row or group[first] != group[row]:
                    continue
                if abs(top + bottom - bounds[first, 1] - bounds[first, 3]) > 2 * far_y:
                    continue
                if _overlap(bounds[row], bounds[first]) < overlap:
                    continue
                if count == len(own):
                    own = np.concatenate((own, np.empty_like(own)))
                    other = np.concatenate((other, np.empty_like(other)))
                own[count], other[count] = row, first
                count += 1
    return own[:count], other[:count]


@numba.njit(cache=True, nogil=True)
def _overlap(one: Floats, other: Floats) -> float:
    """Intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    union = (one[2] - one[0]) * (one[3] - one[1])
    union += (other[2] - other[0]) * (other[3] - other[1]) - shared
    return float(shared / max(union, 1e-12))
