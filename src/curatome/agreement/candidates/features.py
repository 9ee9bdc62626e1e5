"""What a blob looks like: color, size, shape and texture, as numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude, maximum_filter

from curatome.agreement.candidates.blobs import DIAMETERS_UM, Blobs
from curatome.stain import optical_density

Planes = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

_RADII_UM = (1.0, 2.5, 5.0)
"""Standard deviations of the windows that planes are averaged in."""
_PLANES = ("nuclear", "other", "residual", "density")
NAMES = (
    *(f"LoG {d:g} µm" for d in DIAMETERS_UM),
    "diameter",
    *(f"{plane} {r:g} µm" for plane in _PLANES for r in _RADII_UM),
    *(f"{plane} ring" for plane in _PLANES),
    *(f"nuclear sd {r:g} µm" for r in _RADII_UM[:2]),
    "darkest",
    *(f"edge {r:g} µm" for r in _RADII_UM[:2]),
    *(f"{part} {r:g} µm" for r in (1.2, 2.5) for part in ("long curvature", "short curvature")),
    *(f"elongation {r:g} µm" for r in (1.2, 2.5)),
    "dark area",
    "crowding",
)


def features(rgb: Pixels, amounts: Planes, blobs: Blobs, mpp: float) -> Planes:
    """(N, F) features `NAMES` of blobs.

    Args:
        rgb: (H, W, 3) uint8.
        amounts: (H, W, 3) of `stain.separate`, the stain of nuclei first.
        blobs: where, found at the default sizes.
        mpp: µm per pixel.
    """
    at = (blobs.row, blobs.column)
    density = optical_density(rgb).mean(axis=2)
    planes = [amounts[..., 0], amounts[..., 1], amounts[..., 2], density]
    nuclear = planes[0]
    smooth = {(k, r): gaussian_filter(planes[k], r / mpp) for k in range(4) for r in _RADII_UM}
    out = [*blobs.responses.T, np.log(blobs.diameter_um)]
    out += [smooth[k, r][at] for k in range(4) for r in _RADII_UM]
    out += [smooth[k, _RADII_UM[1]][at] - smooth[k, _RADII_UM[2]][at] for k in range(4)]
    for r in _RADII_UM[:2]:
        square = gaussian_filter(nuclear**2, r / mpp)[at] - smooth[0, r][at] ** 2
        out.append(np.sqrt(np.maximum(square, 0)))
    fine = gaussian_filter(nuclear, 0.5 / mpp)
    out.append(maximum_filter(fine, size=2 * round(2.0 / mpp) + 1)[at])
    for r in _RADII_UM[:2]:
        out.append(gaussian_filter(gaussian_gradient_magnitude(nuclear, 0.6 / mpp), r / mpp)[at])
    curved = [_curvatures(nuclear, 1.2 / mpp, at), _curvatures(nuclear, 2.5 / mpp, at)]
    out += [part for pair in curved for part in pair]
    out += [(a - b) / np.maximum(np.abs(a) + np.abs(b), 1e-3) for a, b in curved]
    dark = nuclear > 0.6 * np.percentile(nuclear, 99.5)
    out.append(gaussian_filter(dark.astype(np.float32), 3.0 / mpp)[at])
    out.append(gaussian_filter(np.maximum(nuclear, 0), 12.0 / mpp)[at])
    return np.stack(out, axis=1).astype(np.float32)


def _curvatures(
    plane: Planes, sigma: float, at: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
) -> tuple[Planes, Planes]:
    """Minus the eigenvalues of the Hessian at points, the larger first: across and along."""
    parts = [gaussian_filter(plane, sigma, order=o)[at] for o in ((2, 0), (0, 2), (1, 1))]
    yy, xx, xy = (part * sigma**2 for part in parts)
    middle, half = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + xy**2)
    return half - middle, -half - middle
