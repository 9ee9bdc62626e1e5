"""What a film, a speck or a rim on the glass leaves of the light that has passed the tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.compiled import compiled

Floats = NDArray[np.float64]


@compiled
def dimmed(pixels: NDArray[np.uint8], j: int, i: int, factor: Floats) -> None:
    """Multiply one pixel of (H, W, 3) by (3,) factors, rounded and kept within 0 to 255."""
    for channel in range(3):
        level = pixels[j, i, channel] * factor[channel] + 0.5
        pixels[j, i, channel] = np.uint8(min(255.0, max(0.0, level)))
