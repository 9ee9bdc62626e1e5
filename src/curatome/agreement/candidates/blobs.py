"""Blobs of a stain: where nuclei may be."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_laplace, maximum_filter

Planes = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int64]

DIAMETERS_UM = (4.0, 6.0, 9.0, 13.0)
"""Diameters of nuclei that are looked for."""
FAINTEST = 0.03
"""Least response, in optical density, of a blob."""


@dataclass(frozen=True, eq=False)
class Blobs:
    """Bright blobs in a plane.

    Attributes:
        row: (N,) pixel of the center.
        column: (N,) pixel of the center.
        diameter_um: (N,) the size at which each stands out most.
        response: (N,) how strongly, in units of the plane.
        responses: (N, K) at every size.
    """

    row: Whole
    column: Whole
    diameter_um: npt.NDArray[np.float64]
    response: Planes
    responses: Planes

    def __len__(self) -> int:
        return len(self.row)


def find_blobs(
    plane: Planes,
    mpp: float,
    diameters_um: tuple[float, ...] = DIAMETERS_UM,
    faintest: float = FAINTEST,
) -> Blobs:
    """Maxima of the scale-normalized Laplacian of Gaussian over place and size.

    Lindeberg 1998 (10.1023/A:1008045108935). A disk of diameter d stands out most at
    sigma = d / (2 √2).

    Args:
        plane: (H, W) amount of a stain.
        mpp: µm per pixel.
        diameters_um: sizes that are looked for.
        faintest: least response.

    Raises:
        ValueError: mpp is not positive, or so coarse that a blob has less than two pixels.
    """
    if mpp <= 0 or min(diameters_um) / mpp < 2:
        raise ValueError(
            f"blobs of {min(diameters_um):g} µm need 2 px or more. Got {mpp:g} µm per pixel."
        )
    sigmas = [d / mpp / (2 * math.sqrt(2)) for d in diameters_um]
    stack = np.stack([-(s**2) * gaussian_laplace(plane, s, mode="nearest") for s in sigmas])
    best = stack.max(axis=0)
    reach = max(1, round(min(diameters_um) / mpp / 2))
    peak = (best == maximum_filter(best, size=2 * reach + 1)) & (best > faintest)
    row, column = np.nonzero(peak)
    responses = stack[:, row, column].T
    size = np.asarray(diameters_um)[responses.argmax(axis=1)]
    return Blobs(row, column, size, best[row, column], np.ascontiguousarray(responses))
