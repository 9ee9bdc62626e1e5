"""How much dye a place takes up: by its kind, its tone and its distance to a border.

Each kind of tissue has a tone, a slow unevenness of both dyes whose correlation length is planted,
with a power-law tail below it (`noise.tones`), and a zone within its outline in which it gives way
to the stroma around.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curatome.phantom import lesion, normal
from curatome.phantom.collagen import stroma
from curatome.phantom.compiled import compiled
from curatome.phantom.fabric import KINDS, Place, lesion_share
from curatome.phantom.noise import Texture

Floats = NDArray[np.float64]

_TRANSITION_UM = {
    **{"gland": 1.2, "vessel": 1.2, "in_situ": 1.2, "adenoma": 5.0, "fat": 24.0},
    **{"tumor": 45.0, "inflammation": 70.0, "necrosis": 36.0},
    **{"mucinous": 14.0, "spindle": 55.0, "lymphoma": 80.0},
}
TRANSITION_UM = np.array([_TRANSITION_UM.get(kind, 0.0) for kind in KINDS])
"""Usual width (µm) of the zone in which each kind gives way to what lies around it."""
_CORRELATION_UM = {
    **{"stroma": 16.0, "gland": 10.0, "fat": 30.0, "tumor": 18.0, "in_situ": 14.0},
    **{"inflammation": 24.0, "necrosis": 12.0, "vessel": 8.0, "adenoma": 20.0},
    **{"mucinous": 34.0, "spindle": 22.0, "lymphoma": 28.0},
}
CORRELATION_UM = np.array([_CORRELATION_UM[kind] for kind in KINDS])
"""Usual correlation length (µm) of each kind's tone."""
_UNEVEN = {"gland": 0.14, "fat": 0.20, "vessel": 0.12}
UNEVENNESS = np.array([_UNEVEN.get(kind, 0.20) for kind in KINDS])
"""Standard deviation of the logarithm of each kind's tone."""


@compiled
def _kind(  # noqa: PLR0911 - one line per kind
    field: Texture, look: Floats, nodes: Floats, place: Place, kind: int
) -> tuple[float, float]:
    x, y, depth = place[0], place[1], place[2]
    if kind == 0:
        return stroma(field, look, nodes, place)
    if kind == 1:
        return normal.gland(field, look, x, y, depth)
    if kind == 2:
        return normal.fat(field, look, x, y)
    if kind == 3:
        return lesion.tumor(field, look, nodes, place)
    if kind == 4:
        return lesion.in_situ(field, look, x, y, depth)
    if kind == 5:
        return normal.inflammation(field, look, x, y, depth)
    if kind == 6:
        return normal.necrosis(field, look, x, y)
    if kind == 7:
        return normal.vessel(field, look, x, y, depth)
    if kind == 8:
        return lesion.adenoma(field, look, nodes, place)
    if kind == 9:
        return lesion.mucinous(field, look, nodes, place)
    if kind == 10:
        return lesion.spindle(field, look, x, y)
    return lesion.lymphoma(field, look, x, y)


@compiled
def uptake(
    field: Texture, look: Floats, nodes: Floats, place: Place, region: tuple[int, float]
) -> tuple[float, float]:
    """Hematoxylin and eosin at a place of a region with a kind and a transition width (µm)."""
    kind, transition = region
    share = 1.0
    if kind != 0:
        share = lesion_share(field, transition, place[0], place[1], place[2])
    if share == 0.0:
        h, e = stroma(field, look, nodes, place)
    else:
        h, e = _kind(field, look, nodes, place, kind)
        if share < 1.0:
            other_h, other_e = stroma(field, look, nodes, place)
            h, e = other_h + share * (h - other_h), other_e + share * (e - other_e)
    return h * place[5], e * place[5]
