"""The edge that an image shows beside an outline: the best closed path near the line.

Along each normal, an edge is as strong as the likeness drops from the window inside of a place to
the window outside of it. Dynamic programming finds the closed path, a place on each normal, with
the strongest edges and the fewest jumps (Amini, Weymouth & Jain 1990, 10.1109/34.57681).
"""

from __future__ import annotations

import numba
import numpy as np

from curatome.rules.clean.likeness import Flags, Floats, Reals, Whole
from curatome.rules.clean.profiles import PLACES, STEP, WINDOW

OFFSETS = PLACES[round(WINDOW / STEP) : -round(WINDOW / STEP)]
"""Where an edge may lie, px from the line; negative is inside."""

_WINDOW = round(WINDOW / STEP)
_JUMP = 0.02
"""Cost of a step of `STEP` from one normal to the next, in drop of likeness; it grows squared."""
_FAR = 0.002
"""Cost of a px² away from the line: of two equal edges, the nearer one is the object's."""
_UNSEEN = -0.2
"""Drop that counts where there is too little to see."""
_WIDEST = 2
"""Steps from one normal to the next."""


def drops(profiles: Reals) -> tuple[Reals, Flags]:
    """How much likeness drops at each of `OFFSETS`, (..., K), and whether that can be seen.

    Args:
        profiles: (..., P) at `PLACES`, NaN where nothing is seen.
    """
    seen = np.isfinite(profiles)
    total = _running(np.where(seen, profiles, 0.0))
    many = _running(seen.astype(np.float32))
    k = np.arange(_WINDOW, _WINDOW + len(OFFSETS))
    with np.errstate(invalid="ignore", divide="ignore"):
        inside = (total[..., k] - total[..., k - _WINDOW]) / (many[..., k] - many[..., k - _WINDOW])
        beyond = k + 1 + _WINDOW
        outside = (total[..., beyond] - total[..., k + 1]) / (many[..., beyond] - many[..., k + 1])
    least = np.minimum(many[..., k] - many[..., k - _WINDOW], many[..., beyond] - many[..., k + 1])
    good = 2 * least >= _WINDOW
    return np.where(good, inside - outside, 0.0).astype(np.float32), good


def closed_paths(drop: Reals, good: Flags) -> Whole:
    """Index into `OFFSETS` of the best edge on each normal, (M, N) int.

    Args:
        drop: (M, N, K) of `drops`.
        good: (M, N, K) bool, whether it can be seen.
    """
    worth = np.where(good, drop, _UNSEEN) - _FAR * OFFSETS**2
    out: Whole = np.zeros(worth.shape[:2], np.int64)
    _paths(np.ascontiguousarray(worth, np.float64), _JUMP, out)
    return out


def _running(values: Reals) -> Reals:
    out = np.zeros((*values.shape[:-1], values.shape[-1] + 1), np.float32)
    np.cumsum(values, axis=-1, out=out[..., 1:])
    return out


@numba.njit(cache=True, nogil=True)
def _paths(worth: Floats, jump: float, out: Whole) -> None:  # pragma: no cover - compiled
    """Twice around: the first open path finds a place to close the second one at."""
    rounds, normals = worth.shape[0], worth.shape[1]
    half = normals // 2
    for m in range(rounds):
        open_path = _path(worth[m], 0, -1, jump)
        closed = _path(worth[m], half, open_path[half], jump)
        for n in range(normals):
            out[m, (n + half) % normals] = closed[n]


@numba.njit(cache=True, nogil=True)
def _path(worth: Floats, first: int, start: int, jump: float) -> Whole:  # pragma: no cover
    """The best path around from a normal; it begins and ends at `start` unless that is -1."""
    normals, places = worth.shape
    best = np.full((normals + 1, places), -1e18)
    back = np.zeros((normals + 1, places), np.int64)
    for k in range(places):
        if start < 0 or k == start:
            best[0, k] = worth[first, k]
    for n in range(1, normals + 1):
        for k in range(places):
            for other in range(max(k - _WIDEST, 0), min(k + _WIDEST + 1, places)):
                value = best[n - 1, other] - jump * (other - k) ** 2
                if value > best[n, k]:
                    best[n, k], back[n, k] = value, other
            if n < normals:
                best[n, k] += worth[(first + n) % normals, k]
    k = int(np.argmax(best[normals])) if start < 0 else start
    out = np.zeros(normals, np.int64)
    for n in range(normals, 0, -1):
        k = back[n, k]
        out[n - 1] = k
    return out
