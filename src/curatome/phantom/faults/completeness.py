"""What nobody marked: single objects, and whole fields that nobody searched."""

from __future__ import annotations

import numpy as np
import shapely

from curatome.phantom.faults.tables import Draft, Fault, picked


def miss(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
    """Annotations are left out, each as likely."""
    return draft.remove("annotations", picked(rng, draft.tables.annotations.num_rows, strength))


def unscreened(
    draft: Draft, strength: float, rng: np.random.Generator, *, slides_share: float = 0.5
) -> Draft:
    """On some slides nothing is marked right of a vertical line.

    Args:
        draft: the tables.
        strength: share of the width of each such slide's images that was not searched.
        rng: decides which slides.
        slides_share: share of the slides.
    """
    images, held = draft.tables.images, draft.tables.annotations
    slide = np.asarray(images["slide"]).astype(str)
    edges = np.asarray(images["x"]) + np.asarray(images["width"])
    slides = np.unique(slide)
    hit = slides[picked(rng, len(slides), slides_share)]
    line = {name: (1 - strength) * edges[slide == name].max() for name in hit}
    x = shapely.get_x(shapely.centroid(shapely.from_wkb(np.array(held["geometry"].to_pylist()))))
    on = held["image"].to_pylist()
    outside = [k for k, name in enumerate(on) if x[k] >= line.get(name, np.inf)]
    return draft.remove("annotations", np.array(outside, np.int64))


FAULTS = (
    Fault("missed_objects", "completeness", "share of the objects that are not marked", miss),
    Fault(
        "unscreened_fields",
        "completeness",
        "share of the width of half of the slides that nobody searched",
        unscreened,
    ),
)
