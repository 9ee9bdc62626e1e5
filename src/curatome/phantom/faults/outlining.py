"""Lines that do not run where the object ends: too wide, too narrow, beside it."""

from __future__ import annotations

import numpy as np
import shapely

from curatome.phantom.faults.tables import Draft, Fault, picked
from curatome.phantom.outlines import redraw, scaled
from curatome.phantom.readers import Habit


def drawn_so(draft: Draft, strength: float, rng: np.random.Generator, *, habit: Habit) -> Draft:
    """Polygons are redrawn by a habit; one that it would shrink to nothing stays.

    Args:
        draft: the tables.
        strength: share of the polygons.
        rng: decides which.
        habit: how; it may not merge or split.
    """
    held, images = draft.tables.annotations, draft.tables.images
    scale = dict(zip(images["slide"].to_pylist(), images["mpp"].to_pylist(), strict=True))
    able = np.flatnonzero(np.asarray(held["kind"]) == "polygon")
    hit = picked(rng, len(able), strength)
    shapes = shapely.from_wkb(np.array(held["geometry"].take(able).to_pylist(), object))
    mpp = np.array([scale[name] for name in held["image"].take(able).to_pylist()])
    # All are redrawn, so that an outline is the same at every strength that holds it.
    drawn = redraw(scaled(shapes, mpp), habit, int(rng.integers(1 << 32)))
    items = np.array([one[0] for one in drawn.table["items"].to_pylist()], np.int64)
    news = shapely.to_wkb(scaled(drawn.shapes, 1 / mpp[items]))
    chosen = np.isin(items, hit)
    return draft.change("annotations", able[items[chosen]], {"geometry": news[chosen].tolist()})


FAULTS = tuple(
    Fault(name, "outlines", f"share of the polygons whose line {what}", drawn_so, {"habit": habit})
    for name, what, habit in (
        ("loose_outlines", "runs 2 µm outside", Habit(margin_um=2.0)),
        ("tight_outlines", "runs 1 µm inside", Habit(margin_um=-1.0)),
        ("shifted_outlines", "lies 3 µm to the right", Habit(shift_um=(3.0, 0.0))),
        ("rough_outlines", "wobbles by 0.4 µm", Habit(roughness_um=0.4)),
        ("cut_outlines", "leaves a piece out", Habit(cut_rate=1.0)),
    )
)
