"""Stain separation: how much hematoxylin, eosin or DAB each pixel of a bright-field image holds.

Light is taken away in proportion to the stain (Beer-Lambert), so optical densities add up:
density = amounts · vectors. The vectors are those of Ruifrok & Johnston (Anal Quant Cytol Histol
2001, 23:291), or are estimated from the pixels after Macenko et al. (10.1109/ISBI.2009.5193250).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Planes = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

HEMATOXYLIN = (0.650, 0.704, 0.286)
EOSIN = (0.072, 0.990, 0.105)
DAB = (0.268, 0.570, 0.776)

_STAINED = 0.15
"""Optical density, of natural logarithms over all channels, above which Macenko's method looks."""
_LEAST = 100


def unit_vectors(*stains: tuple[float, float, float]) -> Floats:
    """(3, 3) unit vectors of two or three stains in red, green, blue.

    With two, the third is at right angles to both: what neither explains.

    Raises:
        ValueError: not two or three stains, or stains that cannot be told apart.
    """
    if len(stains) not in (2, 3):
        raise ValueError(f"two or three stains can be told apart in RGB. Got {len(stains)}.")
    rows = [np.asarray(stain, np.float64) for stain in stains]
    if len(rows) == 2:
        rows.append(np.cross(rows[0], rows[1]))
    length = [float(np.linalg.norm(row)) for row in rows]
    if min(length) < 1e-6:
        raise ValueError("stains must be different and must absorb light.")
    out = np.stack([row / size for row, size in zip(rows, length, strict=True)])
    if abs(float(np.linalg.det(out))) < 1e-3:
        raise ValueError("three stains that lie in one plane cannot be told apart.")
    return out


HE = unit_vectors(HEMATOXYLIN, EOSIN)
H_DAB = unit_vectors(HEMATOXYLIN, DAB)
H_E_DAB = unit_vectors(HEMATOXYLIN, EOSIN, DAB)


def optical_density(rgb: Pixels, white: tuple[float, float, float] = (255, 255, 255)) -> Planes:
    """Optical density, -log10 of light over white; black counts as gray level 1.

    Args:
        rgb: (..., 3) uint8.
        white: gray levels of clean glass.

    Returns:
        (..., 3) float32; 0 is clean glass, brighter pixels are below it.
    """
    levels = np.maximum(np.arange(256), 1)[:, None]
    table = -np.log10(levels / np.asarray(white, np.float64)).astype(np.float32)
    out: Planes = np.stack([table[rgb[..., k], k] for k in range(3)], axis=-1)
    return out


def separate(
    rgb: Pixels, vectors: Floats = HE, white: tuple[float, float, float] = (255, 255, 255)
) -> Planes:
    """Amounts of each stain.

    Args:
        rgb: (..., 3) uint8.
        vectors: (3, 3) unit vectors, a stain in each row: `HE`, `H_DAB`, `unit_vectors`.
        white: gray levels of clean glass.

    Returns:
        (..., 3) float32, in optical density along each vector. Noise can make them negative.
    """
    inverse = np.linalg.inv(vectors).astype(np.float32)
    out: Planes = optical_density(rgb, white) @ inverse
    return out


def compose(
    amounts: npt.ArrayLike,
    vectors: Floats = HE,
    white: tuple[float, float, float] = (255, 255, 255),
) -> Pixels:
    """The image that has these amounts of stain: the inverse of `separate`, rounded to uint8."""
    density = np.asarray(amounts, np.float64) @ vectors
    light = np.asarray(white, np.float64) * 10.0**-density
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)


def macenko(rgb: Pixels, percentile: float = 1.0) -> Floats | None:
    """Stain vectors of an H&E image, estimated from its own pixels.

    The optical densities of stained pixels lie in a plane; the directions at both ends of their
    angles in it are the stains. It needs pixels with nearly one stain alone of both kinds.

    Args:
        rgb: (..., 3) uint8.
        percentile: of the angles that is left out at each end.

    Returns:
        (3, 3) as `unit_vectors`, hematoxylin, the redder absorber, first; None where too little
        is stained, or in one way only.
    """
    density = optical_density(rgb).reshape(-1, 3).astype(np.float64)
    stained = density[(density > _STAINED / np.log(10)).all(axis=1)]
    if len(stained) < _LEAST:
        return None
    _, axes = np.linalg.eigh(np.cov(stained.T))
    plane = axes[:, [2, 1]].T
    plane = plane * np.where(plane.sum(axis=1, keepdims=True) < 0, -1, 1)
    angle = np.arctan2(stained @ plane[1], stained @ plane[0])
    ends = np.percentile(angle, [percentile, 100 - percentile])
    found = np.cos(ends)[:, None] * plane[0] + np.sin(ends)[:, None] * plane[1]
    first, second = found[np.argsort(-found[:, 0])]
    if np.linalg.norm(np.cross(first, second)) < 1e-3:
        return None
    return unit_vectors(tuple(first), tuple(second))
