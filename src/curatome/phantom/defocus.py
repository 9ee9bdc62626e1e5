"""What lies out of focus: light blurred by an amount that changes from place to place."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from curatome.phantom.compiled import compiled
from curatome.phantom.optics import Planes

Floats = NDArray[np.float64]

SIGMAS_UM = (0.0, 0.6, 1.2, 2.4, 4.8, 9.6)
"""Standard deviations at which the light is blurred as a whole; between them it is mixed."""
_TRUNCATE = 2.5
_DARKEST = 1e-5


def blur_reach(mpp: float) -> int:
    """How many pixels beyond a block its own pixels depend on where it is out of focus."""
    return math.ceil(_TRUNCATE * SIGMAS_UM[-1] / mpp) + 1


@compiled
def _light(dyes: Planes, vectors: Floats) -> Planes:
    """Beer-Lambert: (D, H, W) dyes and (D, 3) vectors to (3, H, W) light, 0 to 1."""
    count, height, width = dyes.shape
    out = np.empty((3, height, width), np.float32)
    for channel in range(3):
        for j in range(height):
            for i in range(width):
                density = 0.0
                for dye in range(count):
                    density += vectors[dye, channel] * dyes[dye, j, i]
                out[channel, j, i] = np.float32(math.pow(10.0, -density))
    return out


@compiled
def _add_share(light: Planes, sigma: Planes, sigmas: Floats, step: int, out: Planes) -> None:
    """Add what light blurred by `sigmas[step]` contributes at each pixel."""
    for j in range(sigma.shape[0]):
        for i in range(sigma.shape[1]):
            place = 0.0
            for k in range(sigmas.shape[0] - 1):
                if sigma[j, i] >= sigmas[k]:
                    place = k + min(1.0, (sigma[j, i] - sigmas[k]) / (sigmas[k + 1] - sigmas[k]))
            share = 1.0 - abs(place - step)
            if share > 0.0:
                for channel in range(3):
                    out[channel, j, i] += np.float32(share * light[channel, j, i])


@compiled
def densities(dyes: Planes, vectors: Floats) -> Planes:
    """Optical density (3, H, W) in red, green, blue of (3, H, W) dyes with (3, 3) vectors."""
    _, height, width = dyes.shape
    out = np.empty((3, height, width), np.float32)
    for channel in range(3):
        a, b = np.float32(vectors[0, channel]), np.float32(vectors[1, channel])
        c = np.float32(vectors[2, channel])
        for j in range(height):
            for i in range(width):
                out[channel, j, i] = a * dyes[0, j, i] + b * dyes[1, j, i] + c * dyes[2, j, i]
    return out


def defocused(dyes: Planes, vectors: Floats, sigma: Planes, mpp: float) -> Planes:
    """Optical density of a block after its light was blurred.

    Args:
        dyes: (D, H + 2r, W + 2r), dyes with a margin of r = `blur_reach(mpp)` px.
        vectors: (D, 3), optical density of each in red, green, blue.
        sigma: (H, W), standard deviation of the blur at each pixel, µm, up to the last of
            `SIGMAS_UM`.
        mpp: µm per pixel.

    Returns:
        (3, H, W), optical density in red, green, blue.
    """
    margin = blur_reach(mpp)
    light = _light(dyes, vectors)
    out = np.zeros((3, *sigma.shape), np.float32)
    most = float(sigma.max())
    for step, wide in enumerate(SIGMAS_UM):
        if step and SIGMAS_UM[step - 1] >= most:
            break
        blurred = light
        if wide:
            blurred = np.stack([gaussian_filter(p, wide / mpp, truncate=_TRUNCATE) for p in light])
        inner = blurred[:, margin:-margin, margin:-margin]
        _add_share(np.ascontiguousarray(inner), sigma, np.array(SIGMAS_UM), step, out)
    # What is sharp stays, to the last bit, as it is in a block that is sharp all over.
    sharp = densities(dyes, vectors)[:, margin:-margin, margin:-margin]
    return np.where(sigma > 0, -np.log10(np.maximum(out, np.float32(_DARKEST))), sharp)
