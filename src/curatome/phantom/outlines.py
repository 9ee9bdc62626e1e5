"""Outlines as readers draw them: loose, shifted, too small, rough, cut, merged and split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from curatome.phantom.objects import Floats, Whole
from curatome.phantom.readers import Habit
from curatome.tables import Column, TableSpec

Shapes = NDArray[np.object_]

_REAL = pa.float64()
_ITEMS = pa.list_(pa.field("item", pa.int64(), nullable=False))

OUTLINES = TableSpec(
    "phantom_outlines",
    (
        Column("outline", pa.int64(), "number of the drawn outline"),
        Column("items", _ITEMS, "the objects it shows; several if they were merged"),
        Column("kind", pa.string(), "whole, merged or split"),
        Column("margin_um", _REAL, "how far outside the true border it was drawn", "µm"),
        Column("shift_x_um", _REAL, "to the right", "µm"),
        Column("shift_y_um", _REAL, "down", "µm"),
        Column("scale", _REAL, "factor about its middle"),
        Column("cut_fraction", _REAL, "share of its area that was left out"),
    ),
)

_GAP_UM = 0.6
"""Between the two halves of an object that is drawn as two."""
_QUARTER = 12
"""Edges per quarter of a circle where a border is moved outward round a corner."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """Outlines and what is known about them.

    Attributes:
        shapes: (M,) valid polygons, µm.
        table: table `OUTLINES`, in the same order.
    """

    shapes: Shapes
    table: pa.Table


@dataclass(frozen=True, eq=False)
class _Draft:
    """Outlines on their way: shapes (M,), the true objects of each, and what they are."""

    shapes: Shapes
    items: list[list[int]]
    kind: list[str]


def redraw(shapes: Shapes, habit: Habit, seed: int, margins: Floats | None = None) -> Drawn:
    """Draw objects as somebody with a habit would.

    The line runs at the margin from the true border, then is scaled about its middle, shifted,
    roughened and cut. What a habit shrinks to nothing is not drawn.

    Args:
        shapes: (N,) valid polygons, µm.
        habit: how they are drawn.
        seed: decides everything.
        margins: (N,) the mean margin of each instead of the habit's, µm.

    Raises:
        ValueError: a shape is not a valid polygon.
    """
    sound = shapely.is_valid(shapes) & (shapely.get_type_id(shapes) == 3)
    if not sound.all():
        raise ValueError(f"shape {int(np.argmin(sound))} is not a valid polygon.")
    rng = np.random.default_rng([seed, 0x07])
    draft = _split(_merged(shapes, habit, rng), habit, rng)
    count = len(draft.shapes)
    mean = np.full(len(shapes), habit.margin_um) if margins is None else margins
    margin = np.array([mean[items].mean() for items in draft.items])
    margin = margin + habit.margin_sd_um * rng.standard_normal(count)
    shift = np.asarray(habit.shift_um) + habit.shift_sd_um * rng.standard_normal((count, 2))
    moved = _largest(shapely.buffer(draft.shapes, margin, quad_segs=_QUARTER))
    moved = _placed(moved, habit.scale, shift)
    moved = _rough(moved, habit, rng)
    moved, cut = _cut(moved, habit.cut_rate, rng)
    keep = np.flatnonzero(~shapely.is_empty(moved))
    table = OUTLINES.from_columns(
        {
            "outline": np.arange(len(keep)),
            "items": [draft.items[i] for i in keep],
            "kind": [draft.kind[i] for i in keep],
            "margin_um": margin[keep],
            "shift_x_um": shift[keep, 0],
            "shift_y_um": shift[keep, 1],
            "scale": np.full(len(keep), habit.scale),
            "cut_fraction": cut[keep],
        }
    )
    return Drawn(moved[keep], table)


def scaled(shapes: Shapes, factor: Floats) -> Shapes:
    """Shapes (N,) with all coordinates times a factor (N,), from one unit into another."""
    points, owner = shapely.get_coordinates(shapes, return_index=True)
    out: Shapes = shapely.set_coordinates(shapes.copy(), points * factor[owner][:, None])
    return out


def _largest(shapes: Shapes) -> Shapes:
    """The largest polygon of each shape; an empty one where there is none."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    flat = shapely.get_type_id(parts) == 3
    parts, owner = parts[flat], owner[flat]
    order = np.lexsort((shapely.area(parts), owner))
    out = np.full(len(shapes), shapely.Polygon(), object)
    out[owner[order]] = parts[order]  # the last one written for an owner is the largest
    return out


def _pairs(shapes: Shapes, habit: Habit, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Neighbors that become one: each object in one pair at most."""
    tree = shapely.STRtree(shapes)
    left, right = tree.query(shapes, predicate="dwithin", distance=habit.merge_reach_um)
    near = left < right
    left, right = left[near], right[near]
    chosen = rng.permutation(len(left))
    taken: set[int] = set()
    out = []
    for k in chosen[rng.random(len(left)) < habit.merge_rate]:
        pair = int(left[k]), int(right[k])
        if taken.isdisjoint(pair):
            taken.update(pair)
            out.append(pair)
    return sorted(out)


def _merged(shapes: Shapes, habit: Habit, rng: np.random.Generator) -> _Draft:
    """Pairs first, as the closing of both, then all the others."""
    pairs = _pairs(shapes, habit, rng) if habit.merge_rate > 0 else []
    reach = habit.merge_reach_um / 2 + 0.5
    both = [shapely.union(shapes[a], shapes[b]) for a, b in pairs]
    closed = [_closed(shape, reach) for shape in both]
    alone = np.setdiff1d(np.arange(len(shapes)), np.array(pairs, int).ravel())
    held = np.array([*closed, *shapes[alone]], object)
    kind = ["merged"] * len(pairs) + ["whole"] * len(alone)
    return _Draft(held, [list(p) for p in pairs] + [[int(i)] for i in alone], kind)


def _closed(shape: shapely.Geometry, reach: float) -> shapely.Polygon:
    """A gap is bridged by growing and shrinking; shapes that only just touch by their hull."""
    out = shapely.buffer(shapely.buffer(shape, reach), -reach)
    whole = shapely.get_type_id(out) == 3
    return out if whole else shapely.convex_hull(shape)


def _middles(shapes: Shapes) -> Floats:
    centers: Floats = shapely.get_coordinates(shapely.centroid(shapes))
    return centers


def _sides(shapes: Shapes, through: Floats, angle: Floats) -> Shapes:
    """(N,) rectangles that hold all of a shape on one side of a line through a point (N, 2)."""
    box = shapely.bounds(shapes)
    reach = 2 * np.hypot(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]) + 1
    along = np.stack([np.cos(angle), np.sin(angle)], axis=1) * reach[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    corners = [through - along, through + along, through + along + across, through - along + across]
    out: Shapes = shapely.polygons(np.stack(corners, axis=1))
    return out


def _split(draft: _Draft, habit: Habit, rng: np.random.Generator) -> _Draft:
    """Some whole objects fall in two along a line through their middle."""
    whole = np.array([kind == "whole" for kind in draft.kind], bool)
    hit = np.flatnonzero(whole & (rng.random(len(whole)) < habit.split_rate))
    shapes, angle = draft.shapes[hit], rng.uniform(0, np.pi, len(hit))
    middle = _middles(shapes) if len(hit) else np.empty((0, 2))
    aside = np.stack([-np.sin(angle), np.cos(angle)], axis=1) * _GAP_UM / 2
    halves = [
        _largest(shapely.intersection(shapes, _sides(shapes, middle + sign * aside, turned)))
        for sign, turned in ((1, angle), (-1, angle + np.pi))
    ]
    fine = ~shapely.is_empty(halves[0]) & ~shapely.is_empty(halves[1])
    hit = hit[fine]
    rest = np.setdiff1d(np.arange(len(whole)), hit)
    held = np.concatenate([draft.shapes[rest], halves[0][fine], halves[1][fine]])
    items = [draft.items[i] for i in [*rest, *hit, *hit]]
    return _Draft(held, items, [draft.kind[i] for i in rest] + ["split"] * (2 * len(hit)))


def _placed(shapes: Shapes, scale: float, shift: Floats) -> Shapes:
    """Scaled about their centroids and shifted."""
    out = shapes.copy()
    full = np.flatnonzero(~shapely.is_empty(shapes))
    if len(full):
        points, owner = shapely.get_coordinates(shapes[full], return_index=True)
        middle = _middles(shapes[full])[owner]
        points = middle + scale * (points - middle) + shift[full][owner]
        out[full] = shapely.set_coordinates(shapes[full].copy(), points)
    return out


def _rough(shapes: Shapes, habit: Habit, rng: np.random.Generator) -> Shapes:
    """Wobble across the line: waves around each ring, the shortest of `wobble_um`."""
    if habit.roughness_um == 0 or shapely.is_empty(shapes).all():
        return shapes
    fine = shapely.segmentize(shapes, habit.wobble_um / 4)
    rings, polygon = shapely.get_rings(fine, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    wave, normal = _waves(points, ring, habit.wobble_um, rng)
    bent = shapely.linearrings(points + habit.roughness_um * wave[:, None] * normal, indices=ring)
    return _largest(shapely.make_valid(_refilled(bent, polygon, len(shapes))))


def _refilled(rings: Shapes, polygon: Whole, count: int) -> Shapes:
    """Polygons from rings, whose first is the outer one."""
    out = np.full(count, shapely.Polygon(), object)
    held, first, rows = np.unique(polygon, return_index=True, return_counts=True)
    for owner, start, many in zip(held, first, rows, strict=True):
        out[owner] = shapely.Polygon(rings[start], list(rings[start + 1 : start + many]))
    return out


def _waves(
    points: Floats, ring: Whole, shortest: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Of every point: a smooth periodic value of unit variance, and the normal to the line."""
    first = np.flatnonzero(np.diff(ring, prepend=-1))
    last = np.append(first[1:], len(ring)) - 1
    step = np.hypot(*np.diff(points, axis=0, prepend=points[:1]).T)
    step[first] = 0.0
    walked = np.cumsum(step)
    walked -= walked[first][ring]
    length = walked[last]
    highest = np.maximum(2, (length / shortest).astype(int))
    value = np.zeros(len(points))
    for k in range(2, int(highest.max(initial=2)) + 1):
        size = np.where(k <= highest, np.sqrt(2 / (highest - 1)), 0.0)
        phase = rng.uniform(0, 2 * np.pi, len(first))
        value += size[ring] * np.cos(2 * np.pi * k * walked / length[ring] + phase[ring])
    after = np.where(np.isin(np.arange(len(ring)), last), first[ring] + 1, np.arange(len(ring)) + 1)
    before = np.where(
        np.isin(np.arange(len(ring)), first), last[ring] - 1, np.arange(len(ring)) - 1
    )
    way = points[after] - points[before]
    normal = np.stack([way[:, 1], -way[:, 0]], axis=1)
    normal /= np.maximum(np.hypot(*normal.T), 1e-12)[:, None]
    return value, normal


def _cut(shapes: Shapes, rate: float, rng: np.random.Generator) -> tuple[Shapes, Floats]:
    """Some lack what lies behind a line; the share of the area that is gone, 0.1 to 0.5."""
    out, gone = shapes.copy(), np.zeros(len(shapes))
    hit = np.flatnonzero((rng.random(len(shapes)) < rate) & ~shapely.is_empty(shapes))
    if len(hit):
        angle, wanted = rng.uniform(0, 2 * np.pi, len(hit)), rng.uniform(0.1, 0.5, len(hit))
        out[hit] = _reduced(shapes[hit], angle, wanted)
        gone[hit] = 1 - shapely.area(out[hit]) / shapely.area(shapes[hit])
    return out, gone


def _reduced(shapes: Shapes, angle: Floats, wanted: Floats) -> Shapes:
    """Shapes without a share of their area, behind a line found by bisection."""
    box = shapely.bounds(shapes)
    reach = np.hypot(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
    across = np.stack([-np.sin(angle), np.cos(angle)], axis=1)
    low, high = -reach, reach
    middle, area = _middles(shapes), shapely.area(shapes)
    for _ in range(10):  # to a thousandth of its extent
        place = (low + high) / 2
        kept = shapely.intersection(shapes, _sides(shapes, middle + across * place[:, None], angle))
        less = 1 - shapely.area(kept) / area > wanted
        low, high = np.where(less, low, place), np.where(less, place, high)
    return _largest(kept)
