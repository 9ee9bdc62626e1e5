"""What a slide's bare glass looks like: its color, how unevenly it is lit, and its noise.

Everything is in optical density, -log10 of the transmitted share, because stain and lamp add up
there. Arrays of a picture are planes, (3, H, W), red, green, blue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curatome.slides.readers.base import Pixels

Real = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

_DENSITY = -np.log10((np.arange(256, dtype=np.float64) + 1) / 256).astype(np.float32)

_MAX_BLOCKS = 30_000
_MIN_BLOCK_PX = 4
_MAX_ROUGHNESS = 0.015  # OD; five gray levels of noise on glass of gray level 150
_MAX_DENSITY = 0.15  # OD; glass lets through 70 % or more
_MAX_GREEN = 0.02  # OD by which green may exceed red and blue: eosin, not lamps
_PINK_FOR_ROUGH = 1.5
_MAX_RED = 0.03  # OD by which red may exceed green and blue: hematoxylin
_MAX_BLUE = 0.10  # OD by which blue may exceed red and green: lamps do turn yellow
_ONE_LEVEL = 0.0015  # OD; what rounding to gray levels alone can do to a block
_PEAK_SHARE = 0.05
_BRIGHTEST_SHARE = 0.02
_ORDERS = (1, 3, 3, 3, 3, 6, 6, 6, 6, 6, 6)  # terms of the surface in each round of the fit
_DARKER, _BRIGHTER = 0.015, 0.06  # OD; how far glass may lie off the running fit
_ASSUMED = 0.03  # OD of glass where none is seen: gray level 238


@dataclass(frozen=True)
class Glass:
    """The glass of one slide.

    Attributes:
        seen: False where no glass was found and a usual one is assumed.
        coefficients: (6, 3) OD, a surface per channel: 1, x, y, x², y², xy, with x and y
            from -1 to 1 over the longer side of the picture.
        noise: standard deviation of single pixels on glass, OD.
        misfit: standard deviation of the glass about the surface, OD.
        share: part of the picture's blocks that are glass.
    """

    seen: bool
    coefficients: npt.NDArray[np.float64]
    noise: float
    misfit: float
    share: float

    def subtract_from(self, od: Real) -> None:
        """Take the glass away from (3, H, W) OD, in place."""
        y, x = (axis.astype(np.float32) for axis in _axes(od.shape[1], od.shape[2], 1))
        for channel, c in enumerate(self.coefficients.T.astype(np.float32)):
            od[channel] -= c[0] + c[1] * x + c[3] * x * x
            od[channel] -= (c[2] * y + c[4] * y * y)[:, None]
            od[channel] -= (c[5] * y)[:, None] * x


def density(planes: Pixels) -> Real:
    """Optical density against full white, -log10((v + 1) / 256), of the planes' shape."""
    return _DENSITY[planes]


def unscanned(planes: Pixels) -> Bools:
    """Pixels that no camera saw: black or gray fill.

    A camera has noise and tissue has structure. What equals all its neighbors, is colorless and
    dark is fill, and so is all but black that varies by no more than a JPEG's rounding. The
    pixel around it is a mixture and counts with it.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    high = np.maximum(np.maximum(planes[0], planes[1]), planes[2])
    low = np.minimum(np.minimum(planes[0], planes[1]), planes[2])
    fill = (high < 200) & (high - low <= 3)
    if not fill.any():
        return np.asarray(fill, np.bool_)
    spread = maximum_filter(high, 3) - minimum_filter(low, 3)
    fill &= (spread <= high - low) | ((high <= 16) & (spread <= 6))
    return np.asarray(maximum_filter(fill, 5), np.bool_)


def padding(planes: Pixels) -> Bools:
    """Pixels of pure white all around: padding, or glass brighter than the camera can tell."""
    from scipy.ndimage import maximum_filter, minimum_filter

    white = (planes[0] == 255) & (planes[1] == 255) & (planes[2] == 255)
    if not white.any():
        return np.asarray(white, np.bool_)
    return np.asarray(maximum_filter(minimum_filter(white, 3), 5), np.bool_)


def estimate_glass(od: Real, no_glass: Bools, white: Bools) -> Glass:
    """Find the glass: the brightest common color that is smooth and could be a lamp's.

    A quadratic surface is fitted to blocks that look like glass. It starts at the brightest peak
    of their histogram and grows: blocks join while they lie close to the surface, closer on the
    dark side, because tissue only ever darkens. White padding stands in only where there is no
    other glass.

    Args:
        od: (3, H, W) optical density.
        no_glass: (H, W) pixels to leave out.
        white: (H, W) pixels of pure white.

    Returns:
        The glass; `seen` is False where fewer than 2 blocks, or 1 in 500, look like it.
    """
    height, width = no_glass.shape
    side = _block_side(height, width)
    means, rough = _block_moments(od, side)
    candidate = _looks_like_glass(means, rough) & ~_any_in_block(no_glass, side)
    real = candidate & ~_any_in_block(white, side)
    real &= rough <= _usual_roughness(rough[real])
    needed = max(2, candidate.size // 500)
    chosen = real if real.sum() >= needed else candidate
    if chosen.sum() < min(needed, candidate.size):
        return Glass(False, _constant(np.full(3, _ASSUMED)), 0.0, 0.0, 0.0)
    y, x = _axes(height, width, side)
    terms = np.stack([t.ravel() for t in _terms(*np.meshgrid(y, x, indexing="ij"))], axis=1)
    index = np.flatnonzero(chosen)
    values = means.reshape(3, -1)[:, index].T.astype(np.float64)
    coefficients, inliers = _best_fit(terms[index], values)
    residual = values - terms[index] @ coefficients
    return Glass(
        True,
        coefficients,
        float(np.median(rough.ravel()[index[inliers]])),
        _mirrored_deviation(residual),
        float(inliers.sum() / candidate.size),
    )


def _axes(height: int, width: int, side: int) -> tuple[npt.NDArray[np.floating], ...]:
    """Centers of the blocks along y and x, from -1 to 1 over the longer side of the picture."""
    half = max(height, width) / 2
    y = (np.arange(height // side) * side + (side - height) / 2) / half
    x = (np.arange(width // side) * side + (side - width) / 2) / half
    return y, x


def _terms(
    y: npt.NDArray[np.floating], x: npt.NDArray[np.floating]
) -> tuple[npt.NDArray[np.floating], ...]:
    return np.ones_like(x), x, y, x * x, y * y, x * y


def _constant(value: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    coefficients = np.zeros((6, 3))
    coefficients[0] = value
    return coefficients


def _block_side(height: int, width: int) -> int:
    side = max(_MIN_BLOCK_PX, int(np.ceil(np.sqrt(height * width / _MAX_BLOCKS))))
    return max(1, min(side, height, width))


def _in_blocks(plane: npt.NDArray[np.generic], side: int) -> npt.NDArray[np.generic]:
    """A plane as (rows of blocks, side, columns of blocks, side); what is left over is cut."""
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    return plane[: rows * side, : columns * side].reshape(rows, side, columns, side)


def _block_moments(od: Real, side: int) -> tuple[Real, Real]:
    """Mean (3, rows, columns) of every block, and its largest standard deviation of a channel."""
    means, roughness = [], []
    for plane in od:
        rows = _in_blocks(plane, side).astype(np.float32)
        mean = rows.sum(axis=1).sum(axis=-1) / side**2
        square = (rows * rows).sum(axis=1).sum(axis=-1) / side**2
        means.append(mean)
        roughness.append(np.sqrt(np.maximum(square - mean * mean, 0)))
    return np.stack(means), np.max(roughness, axis=0)


def _any_in_block(mask: Bools, side: int) -> Bools:
    return np.asarray(_in_blocks(mask, side).any(axis=1).any(axis=-1), np.bool_)


def _looks_like_glass(means: Real, rough: Real) -> Bools:
    """Smooth, bright, and of a tint that lamps have: neutral or yellow, not pink, not blue.

    Some scanners do see glass a little pink; then it is smooth. Pink and rough is pale stroma.
    """
    red, green, blue = means
    return np.asarray(
        (rough <= _MAX_ROUGHNESS)
        & (means.mean(axis=0) <= _MAX_DENSITY)
        & (green - (red + blue) / 2 <= _MAX_GREEN - _PINK_FOR_ROUGH * rough)
        & (red - (green + blue) / 2 <= _MAX_RED)
        & (blue - (red + green) / 2 <= _MAX_BLUE),
        np.bool_,
    )


def _usual_roughness(rough: Real) -> float:
    """What glass of this slide may have, from its smoothest blocks: pale tissue has more."""
    if not rough.size:
        return 0.0
    return 2 * float(np.quantile(rough, 0.05)) + _ONE_LEVEL


def _best_fit(
    terms: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], Bools]:
    """The surface grown from the brightest peak, or a clearly tighter one from above it.

    Where pale tissue covers most of an unevenly lit slide, its blocks drown the glass in the
    histogram and the peak is tissue. A surface through tissue fits its own blocks badly, one
    through glass does not. A bubble brighter than glass fits well too, but not better than glass.
    """
    lightness = values.mean(axis=1)
    brightest = values[lightness <= np.quantile(lightness, _BRIGHTEST_SHARE)].mean(axis=0)
    usual = _grow(terms, values, _brightest_peak(values))
    above = _grow(terms, values, brightest)
    clearly = 2 * _spread(terms, values, above) < _spread(terms, values, usual)
    return above if clearly else usual


def _spread(
    terms: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    fit: tuple[npt.NDArray[np.float64], Bools],
) -> float:
    coefficients, inliers = fit
    residual = values[inliers] - terms[inliers] @ coefficients
    return float(np.median(np.abs(residual))) if inliers.any() else np.inf


def _brightest_peak(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Median color (3,) at the brightest peak that is not negligible.

    Args:
        values: (N, 3) OD of blocks.
    """
    lightness = values.mean(axis=1)
    bins = np.floor(lightness / 0.003).astype(np.int64)
    counts = np.convolve(np.bincount(bins - bins.min()), [1, 2, 3, 2, 1])
    high = counts >= _PEAK_SHARE * counts.max()
    padded = np.concatenate([[0], counts, [0]])
    peak = high & (padded[1:-1] >= padded[:-2]) & (padded[1:-1] > padded[2:])
    center = (np.flatnonzero(peak)[0] - 2 + bins.min() + 0.5) * 0.003
    near = np.abs(lightness - center) <= 0.0075
    return np.asarray(np.median(values[near], axis=0), np.float64)


def _grow(
    terms: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    start: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], Bools]:
    """Fit, let blocks join or leave, and fit again, first a plane and then a quadratic."""
    coefficients = _constant(start)
    inliers = np.zeros(len(values), np.bool_)
    for order in _ORDERS:
        residual = values - terms @ coefficients
        offset = residual.mean(axis=1)
        tint = np.abs(residual - offset[:, None]).max(axis=1)
        joined = (offset <= _DARKER) & (offset >= -_BRIGHTER) & (tint <= _DARKER)
        if not joined.any():
            break
        inliers = joined
        coefficients = np.zeros_like(coefficients)
        coefficients[:order] = _ridge(terms[inliers, :order], values[inliers])
    return coefficients, inliers


def _ridge(
    terms: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Least squares; slope and curvature are held back where the glass is too small to tell."""
    normal = terms.T @ terms
    penalty = 1e-3 * len(terms) * np.eye(terms.shape[1])
    penalty[0, 0] = 0.0
    return np.asarray(np.linalg.solve(normal + penalty, terms.T @ values), np.float64)


def _mirrored_deviation(residual: npt.NDArray[np.float64]) -> float:
    """Standard deviation from the bright side alone, which tissue never touches."""
    brighter = [-channel[channel < 0] for channel in residual.T]
    return max((1.4826 * float(np.median(side)) for side in brighter if len(side)), default=0.0)
