"""What a section shows of a nucleus: bodies are cut at random heights and in random directions.

A nucleus is a spheroid, and a slide a slab a few µm thick that holds only part of it. Its outline
is that part as seen from above, so that profiles are smaller and vary more than the bodies do
(Wicksell 1925, 10.1093/biomet/17.1-2.84; for slabs Bach 1963).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SECTION_UM = 3.5
"""Thickness of a section; 3 to 5 are cut, mostly 3 to 4."""
_FAINTEST = 0.80
"""Caps beyond this part of the half height are too faint to be seen."""


def heights(rng: np.random.Generator, form: Floats, tilt: Floats) -> Floats:
    """Heights (N,) of the bodies' centers over the middle of the section, µm.

    Args:
        rng: source of randomness.
        form: (N, 2), half axes of the spheroids: of revolution, and across, µm.
        tilt: (N,), of the axis of revolution out of the section, radians.
    """
    reach = SECTION_UM / 2 + _FAINTEST * _half_height(form, tilt)
    out: Floats = rng.uniform(-1, 1, len(form)) * reach
    return out


def _half_height(form: Floats, tilt: Floats) -> Floats:
    out: Floats = np.hypot(form[:, 0] * np.sin(tilt), form[:, 1] * np.cos(tilt))
    return out


def profiles(form: Floats, tilt: Floats, height: Floats) -> Floats:
    """Half axes (N, 2) of what the slab shows of each spheroid: along its axis, and across, µm.

    At height z over its center, a spheroid of half axes a and b is cut in an ellipse with its
    middle at kz and a half axis c √(1 - z²/h²), where h is its half height, c = ab/h and
    k = (a² - b²) sin(tilt) cos(tilt) / h². The profile reaches as far as any of these within the
    slab. Bodies wholly within it show their silhouette.

    Args:
        form: as for `heights`.
        tilt: as for `heights`.
        height: (N,), of the centers over the middle of the section, µm.
    """
    a, b = form.T
    half = _half_height(form, tilt)
    middle = a * b / half
    lean = (a * a - b * b) * np.sin(tilt) * np.cos(tilt) / half
    low = ((-SECTION_UM / 2 - height) / half).clip(-1, 1)
    high = ((SECTION_UM / 2 - height) / half).clip(-1, 1)
    steepest = lean / np.hypot(lean, middle)

    def reach(sign: int) -> Floats:
        z = (sign * steepest).clip(low, high)
        out: Floats = sign * lean * z + middle * np.sqrt(1 - z * z)
        return out

    widest = np.clip(0.0, low, high)
    return np.column_stack([(reach(1) + reach(-1)) / 2, b * np.sqrt(1 - widest**2)])
