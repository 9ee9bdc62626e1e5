"""Images reduced to a small square of luminance, by area, in whole numbers.

Whole numbers make the result the same on every machine, and the small picture of a turned image
exactly the turned small picture.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Whole = npt.NDArray[np.int64]

UNITS = 1 << 12
"""Steps per gray level of a reduced picture."""

_RGB = np.array([299, 587, 114], np.int64)
_GRAY = np.array([1000], np.int64)


def reduced(image: Pixels, side: int) -> Whole:
    """The mean luminance of each cell of a grid that divides an image.

    A cell is the area of the image that it covers, so that pixels on its edge count in part; an
    image smaller than the grid is enlarged to it. Luminance is that of ITU-R BT.601, which JPEG
    and Pillow use: 0.299 R + 0.587 G + 0.114 B.

    Args:
        image: (H, W, 3) RGB, (H, W, 1) or (H, W) gray, uint8; any size, rows and columns of the
            grid follow those of the image whatever its shape.
        side: rows and columns of the grid.

    Returns:
        (side, side) int64, in `UNITS` steps per gray level.

    Raises:
        ValueError: the image is empty, of another shape or not uint8.
    """
    pixels = _channels_last(image)
    height, width, channels = pixels.shape
    flat = np.ascontiguousarray(pixels).reshape(height, width * channels)
    cells = np.empty((side, side), np.int64)
    _reduce(flat, _RGB if channels == 3 else _GRAY, cells)
    return cells


def without_ground(image: Pixels, darker: int = 40) -> Pixels:
    """The part of an image that is not plain bright ground, such as a cell cut out on white.

    Cells of one size on white all have nearly the same coarse picture, which is that of a spot;
    hashes of what is left tell them apart.

    Args:
        image: (H, W, 3) RGB, (H, W, 1) or (H, W) gray, uint8.
        darker: pixels at least so many gray levels below the brightest are no ground. Outlines
            are cut sharply, so that their place hardly depends on it.

    Returns:
        the smallest rectangle that holds all those pixels, a view; the image if there are none.

    Raises:
        ValueError: the image is empty, of another shape or not uint8.
    """
    pixels = _channels_last(image)
    light = pixels.astype(np.int64) @ (_RGB if pixels.shape[2] == 3 else _GRAY)
    dark = light <= light.max() - 1000 * darker
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    if not len(rows):
        return image
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def is_cut_out(image: Pixels, brightest: int = 250) -> bool:
    """Whether all that touches the image's edges is white, as it is around what was cut out.

    Glass is never so bright all around, and a tile has something at its edges.

    Args:
        image: (H, W, 3) RGB, (H, W, 1) or (H, W) gray, uint8.
        brightest: least value of white; JPEG leaves a few gray levels less than 255.
    """
    edges = (image[0], image[-1], image[:, 0], image[:, -1])
    return all(int(edge.min()) >= brightest for edge in edges)


def _channels_last(image: Pixels) -> Pixels:
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in {1, 3}:
        raise ValueError(
            "an image must be (H, W, 3) or (H, W) of uint8. "
            f"Got {np.shape(image)} of {pixels.dtype}."
        )
    if not pixels.size:
        raise ValueError(f"an image must have pixels. Got {np.shape(image)}.")
    return pixels


@numba.njit(cache=True, nogil=True)
def _reduce(flat: Pixels, weights: Whole, out: Whole) -> None:  # pragma: no cover - compiled
    # A pixel is `side` units wide and a cell as many as the image has pixels, so that what a cell
    # covers of a pixel is a whole number of units.
    side, channels = out.shape[0], weights.shape[0]
    height, length = flat.shape
    width = length // channels
    line = np.empty(length, np.uint32)
    scale = np.int64(height) * width * 1000
    for row in range(side):
        line[:] = 0
        top, bottom = row * height, (row + 1) * height
        for y in range(top // side, (bottom + side - 1) // side):
            part = np.uint32(min(bottom, (y + 1) * side) - max(top, y * side))
            source = flat[y]
            for k in range(length):
                line[k] += part * source[k]
        for column in range(side):
            left, right = column * width, (column + 1) * width
            total = np.int64(0)
            for x in range(left // side, (right + side - 1) // side):
                part = min(right, (x + 1) * side) - max(left, x * side)
                light = np.int64(0)
                for c in range(channels):
                    light += weights[c] * np.int64(line[x * channels + c])
                total += part * light
            out[row, column] = (total * UNITS + scale // 2) // scale
