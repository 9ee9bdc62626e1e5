"""Perceptual hashes: 64 bits that stay nearly the same when an image is compressed or brightened.

The hash is the DCT hash of Zauner ("Implementation and Benchmarking of Perceptual Image Hash
Functions", diploma thesis, Upper Austria University of Applied Sciences, Hagenberg, 2010; it has no
DOI) with one change: a coefficient is compared with zero instead of with the median of the
coefficients. Zero is the median of a distribution that is symmetric, as that of the coefficients
is; and only zero stays in place when a reflection changes signs. The luminance is reduced by area
to 32 × 32, and of its discrete cosine transform

    F(u, v) = Σ_y Σ_x L(y, x) cos(π (2 y + 1) u / 64) cos(π (2 x + 1) v / 64)

bit 8 u + v is set where F(u, v) > 0, for u and v from 0 to 7. Bit 0 would be the mean, which says
nothing; it is always set, except in an image without content, whose hash is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numba
import numpy as np
import numpy.typing as npt
import simplejpeg

from curatome.cohort.duplicates.reduce import UNITS, Pixels, Whole, reduced
from curatome.cohort.duplicates.symmetry import Hashes

NO_CONTENT = np.uint64(0)
"""The hash of an image in which nothing is to be seen."""

LEAST_CONTRAST = 2.0
"""Standard deviation, in gray levels, of the coarse picture below which it shows nothing."""

_GRID, _LOW = 32, 8
_COSINES = 1 << 14
_JPEG_SIDE = 3 * _GRID
_JPEG_BLOCK = 8


def _cosines() -> Whole:
    at = np.cos(np.pi * np.outer(np.arange(_LOW), 2 * np.arange(_GRID // 2) + 1) / (2 * _GRID))
    half = np.rint(at * _COSINES).astype(np.int64)
    signs = np.where(np.arange(_LOW) % 2, -1, 1)[:, None]
    return np.hstack([half, (half * signs)[:, ::-1]])  # exactly even or odd


_BASIS = _cosines()


@numba.njit(cache=True, nogil=True)
def _hash(cells: Whole, basis: Whole) -> tuple[np.uint64, float]:  # pragma: no cover - compiled
    low, grid = basis.shape
    mean = cells.sum() // cells.size
    down = np.zeros((low, grid), np.int64)
    for u in range(low):
        for y in range(grid):
            for x in range(grid):
                down[u, x] += basis[u, y] * (cells[y, x] - mean)
    coefficients = np.zeros((low, low), np.int64)
    for u in range(low):
        for v in range(low):
            for x in range(grid):
                coefficients[u, v] += basis[v, x] * down[u, x]
    bits = np.uint64(1)
    energy = 0.0
    for u in range(low):
        for v in range(u + 1):
            if u == 0:
                continue
            one, other = coefficients[u, v], coefficients[v, u]
            if one > 0:
                bits |= np.uint64(1) << np.uint64(low * u + v)
            if other > 0:
                bits |= np.uint64(1) << np.uint64(low * v + u)
            # Sums of pairs, so that transposing changes no rounding.
            square = np.float64(one) ** 2 + np.float64(other) ** 2
            energy += square * (0.5 if u == v else 1.0) * (1.0 if v else 0.5)
    scale = np.float64(grid) * grid * UNITS * _COSINES * _COSINES
    return bits, 2.0 * np.sqrt(energy) / scale


def perceptual_hash(
    images: Pixels | Sequence[Pixels], least_contrast: float = LEAST_CONTRAST
) -> Hashes:
    """The perceptual hashes of images.

    Args:
        images: (N, H, W, 3) uint8, or images (H, W, 3) or (H, W) of any sizes.
        least_contrast: an image whose coarse picture varies less shows nothing, gray levels.

    Returns:
        (N,) uint64, `NO_CONTENT` where an image shows nothing: empty glass looks like any other.

    Raises:
        ValueError: an image is empty, of another shape or not uint8.
    """
    return _hashes((reduced(image, _GRID) for image in _each(images)), least_contrast)


def jpeg_hash(files: Iterable[bytes], least_contrast: float = LEAST_CONTRAST) -> Hashes:
    """The perceptual hashes of JPEG files, decoded no larger than a hash needs.

    Only luminance is decoded and, where height and width are multiples of 8, at the smallest
    scale of at least 96 px that the decoder has; others would be stretched by it. Such a hash may
    differ from `perceptual_hash` of the full image in a bit or two.

    Args:
        files: the bytes of each file.
        least_contrast: as for `perceptual_hash`.

    Returns:
        (N,) uint64.

    Raises:
        ValueError: a file is no JPEG, or broken.
    """
    return _hashes((reduced(_small(data), _GRID) for data in files), least_contrast)


def _small(data: bytes) -> Pixels:
    height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    least = 0 if height % _JPEG_BLOCK or width % _JPEG_BLOCK else _JPEG_SIDE
    small: Pixels = simplejpeg.decode_jpeg(
        data, colorspace="GRAY", min_height=least, min_width=least
    )
    return small


def contrasts(images: Pixels | Sequence[Pixels]) -> npt.NDArray[np.float64]:
    """Standard deviation (N,) of the coarse picture that a hash is made of, gray levels."""
    return np.array([_hash(reduced(image, _GRID), _BASIS)[1] for image in _each(images)])


def _hashes(cells: Iterable[Whole], least_contrast: float) -> Hashes:
    found = (_hash(one, _BASIS) for one in cells)
    return np.array(
        [bits if contrast >= least_contrast else NO_CONTENT for bits, contrast in found], np.uint64
    )


def _each(images: Pixels | Sequence[Pixels]) -> Iterable[Pixels]:
    if isinstance(images, np.ndarray) and images.ndim != 4:
        raise ValueError(f"a batch of images must be (N, H, W, 3). Got {images.shape}.")
    return images
