"""Lines that do not run where the object ends: too wide, beside it, round two, through one."""

from __future__ import annotations

import uuid

import numpy as np
import shapely
from numpy.typing import NDArray

from curatome.phantom.faults.tables import Draft, Fault, Whole, picked
from curatome.phantom.objects import Floats
from curatome.phantom.outlines import Drawn, Shapes, redraw, scaled
from curatome.phantom.readers import Habit


def drawn_so(draft: Draft, strength: float, rng: np.random.Generator, *, habit: Habit) -> Draft:
    """Polygons are redrawn by a habit; one that it would shrink to nothing stays.

    Args:
        draft: the tables.
        strength: share of the polygons.
        rng: decides which.
        habit: how; it may not merge or split.
    """
    able, shapes, mpp = _polygons(draft)
    hit = picked(rng, len(able), strength)
    # All are redrawn, so that an outline is the same at every strength that holds it.
    drawn = redraw(shapes, habit, int(rng.integers(1 << 32)))
    items = np.array([one[0] for one in drawn.table["items"].to_pylist()], np.int64)
    news = shapely.to_wkb(scaled(drawn.shapes, 1 / mpp[items]))
    chosen = np.isin(items, hit)
    return draft.change("annotations", able[items[chosen]], {"geometry": news[chosen].tolist()})


def _polygons(draft: Draft) -> tuple[Whole, Shapes, Floats]:
    """Rows that are polygons, their outlines in µm, and µm per px of each one's slide."""
    held, images = draft.tables.annotations, draft.tables.images
    scale = dict(zip(images["slide"].to_pylist(), images["mpp"].to_pylist(), strict=True))
    able = np.flatnonzero(np.asarray(held["kind"]) == "polygon")
    shapes = shapely.from_wkb(np.array(held["geometry"].take(able).to_pylist(), object))
    mpp = np.array([scale[name] for name in held["image"].take(able).to_pylist()], float)
    return able, scaled(shapes, mpp), mpp


def merge(
    draft: Draft, strength: float, rng: np.random.Generator, *, reach_um: float = 120.0
) -> Draft:
    """Two neighbors lie in one outline: the first one's, which keeps its label; the other is gone.

    Args:
        draft: the tables.
        strength: share of the pairs of neighbors; each object is in one pair at most.
        rng: decides which.
        reach_um: how far apart neighbors may be. Clean tables hold no objects that touch.
    """
    able, shapes, mpp = _polygons(draft)
    slides = np.array(draft.tables.annotations["image"].take(able).to_pylist())
    pairs = _neighbors(shapes, slides, reach_um)
    hit = pairs[picked(rng, len(pairs), strength)]
    # Round both like a rubber band: that is how one line runs about two bodies.
    both = shapely.convex_hull(shapely.union(shapes[hit[:, 0]], shapes[hit[:, 1]]))
    news = shapely.to_wkb(scaled(both, 1 / mpp[hit[:, 0]]))
    changed = draft.change("annotations", able[hit[:, 0]], {"geometry": news.tolist()})
    return changed.remove("annotations", np.sort(able[hit[:, 1]]))


def _neighbors(shapes: Shapes, slides: NDArray[np.str_], reach: float) -> Whole:
    """Disjoint pairs (M, 2) of shapes of one slide at most `reach` apart, nearest first."""
    near = [np.zeros((0, 2), np.int64)]
    for slide in np.unique(slides):
        own = np.flatnonzero(slides == slide)
        left, right = shapely.STRtree(shapes[own]).query(
            shapes[own], predicate="dwithin", distance=reach
        )
        once = left < right
        near.append(np.column_stack([own[left[once]], own[right[once]]]))
    pairs = np.concatenate(near)
    order = np.argsort(shapely.distance(*shapes[pairs.T]), kind="stable")
    taken: set[int] = set()
    out = []
    for one, other in pairs[order].tolist():
        if taken.isdisjoint((one, other)):
            taken.update((one, other))
            out.append((one, other))
    return np.array(out, np.int64).reshape(-1, 2)


def split(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
    """One object is drawn as two: its outline becomes one half, and the other half is added."""
    able, shapes, mpp = _polygons(draft)
    drawn = redraw(shapes, Habit(split_rate=1.0), int(rng.integers(1 << 32)))
    ids = [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in able]
    halves = _halves(drawn)
    hit = np.array([k for k in picked(rng, len(able), strength) if k in halves], np.int64)
    parts = [scaled(np.array(halves[k], object), np.full(2, 1 / mpp[k])) for k in hit]
    rows = draft.tables.annotations.take(able[hit]).to_pylist()
    added = [
        row | {"annotation": ids[k], "geometry": shapely.to_wkb(pair[1])}
        for k, row, pair in zip(hit, rows, parts, strict=True)
    ]
    firsts = [shapely.to_wkb(pair[0]) for pair in parts]
    changed = draft.change("annotations", able[hit], {"geometry": firsts})
    return changed.add("annotations", added, [row["annotation"] for row in rows])


def _halves(drawn: Drawn) -> dict[int, list[shapely.Geometry]]:
    """Both halves of each object that fell in two."""
    out: dict[int, list[shapely.Geometry]] = {}
    for items, kind, shape in zip(
        drawn.table["items"].to_pylist(), drawn.table["kind"].to_pylist(), drawn.shapes, strict=True
    ):
        if kind == "split":
            out.setdefault(items[0], []).append(shape)
    return out


_DRAWN = tuple(
    Fault(name, "outlines", f"share of the polygons whose line {what}", drawn_so, {"habit": habit})
    for name, what, habit in (
        ("loose_outlines", "runs 2 µm outside", Habit(margin_um=2.0)),
        ("tight_outlines", "runs 1 µm inside", Habit(margin_um=-1.0)),
        ("shifted_outlines", "lies 3 µm to the right", Habit(shift_um=(3.0, 0.0))),
        ("rough_outlines", "wobbles by 0.4 µm", Habit(roughness_um=0.4)),
        ("cut_outlines", "leaves a piece out", Habit(cut_rate=1.0)),
    )
)
FAULTS = (
    *_DRAWN,
    Fault("merged_outlines", "outlines", "share of the pairs of neighbors in one outline", merge),
    Fault("split_outlines", "outlines", "share of the polygons that are drawn as two", split),
)
