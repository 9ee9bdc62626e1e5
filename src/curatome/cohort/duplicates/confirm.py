"""Pairs whose hashes nearly agree, looked at again: are the pixels alike too?

A hash sees the coarse picture only. Two images that are one image, compressed or brightened, also
agree in what it does not see: the detail between 1/64 and 1/16 of their width. Two that happen to
have one coarse picture do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curatome.cohort.duplicates.reduce import Pixels, reduced
from curatome.cohort.duplicates.search import Pairs, near_pairs
from curatome.cohort.duplicates.symmetry import turned
from curatome.tables import NEAR_DUPLICATES

Reals = npt.NDArray[np.float32]
Load = Callable[[int], Pixels]
"""The pixels of an item."""

LEAST_SIMILARITY = 0.85
"""Similarity from which on two images are taken for one.

Of the thyroid cells, 99 % of copies that were turned, brightened by 4 % and compressed again at
JPEG quality 70 had at least 0.88, and of 2,665 pairs of different cells within 6 bits none had more
than 0.82.
"""

MOST_TINT = 30.0
"""Most by which the mean colors of two images may differ beyond their brightness, gray levels.

Edges of two pen strokes have one shape, and hardly any detail; a black one is no copy of a red one.
Scanners and stains of one tissue differ by less.
"""

_FINE, _COARSE = 64, 16
_KEPT = 16_384


def detail(image: Pixels) -> Reals:
    """What a perceptual hash does not see of an image, with mean 0 and norm 1.

    Args:
        image: (H, W, 3) RGB or (H, W) gray, uint8, of any size.

    Returns:
        (64, 64) float32: luminance less its mean over each block of 4 × 4; all 0 where there is
        no detail.
    """
    fine = reduced(image, _FINE).astype(np.float32)
    step = _FINE // _COARSE
    blocks = fine.reshape(_COARSE, step, _COARSE, step)
    rest = (blocks - blocks.mean(axis=(1, 3), keepdims=True)).reshape(_FINE, _FINE)
    norm = np.sqrt(np.square(rest, dtype=np.float64).sum())
    return np.asarray(rest / norm if norm > 0 else rest, np.float32)


def tint(image: Pixels) -> Reals:
    """(3,) mean of each channel less the mean of all, gray levels; 0 of a gray picture."""
    if image.ndim == 2:
        return np.zeros(3, np.float32)
    mean = image.reshape(-1, 3).mean(axis=0)
    return np.asarray(mean - mean.mean(), np.float32)


def similarity(first: Reals, second: Reals, symmetry: int = 0) -> float:
    """Correlation, -1 to 1, of the details of two images.

    Args:
        first: (64, 64) of `detail`, of an image that is turned by the symmetry.
        second: (64, 64), of the other one.
        symmetry: 0 to 7.
    """
    return float(np.vdot(turned(first, symmetry), second))


def similarities(pairs: Pairs, load: Load) -> Reals:
    """The similarity of each pair of images under its symmetry; 0 where their tints differ.

    Args:
        pairs: the pairs.
        load: gives the pixels that an item's hash was made of. An item that is in many pairs may
            be asked for more than once; the last 16,384 are kept, in 256 MB.

    Returns:
        (P,) float32.
    """

    @lru_cache(_KEPT)
    def kept(item: int) -> tuple[Reals, Reals]:
        image = load(item)
        return detail(image), tint(image)

    found = np.zeros(len(pairs.first), np.float32)
    columns = (pairs.first.tolist(), pairs.second.tolist(), pairs.symmetry.tolist())
    for place, (i, j, turn) in enumerate(zip(*columns, strict=True)):
        (one, color), (other, second) = kept(i), kept(j)
        if np.abs(color - second).max() <= MOST_TINT:
            found[place] = similarity(one, other, turn)
    return found


def near_duplicates(
    names: Sequence[str],
    hashes: npt.ArrayLike,
    load: Load,
    *,
    distance: int = 6,
    least: float = LEAST_SIMILARITY,
) -> pa.Table:
    """Images that are another one, perhaps turned, compressed again or brightened.

    Args:
        names: (N,) names of the items.
        hashes: (N,) uint64, their perceptual hashes.
        load: gives the pixels that an item's hash was made of.
        distance: the most bits in which hashes may differ.
        least: the least similarity of the pixels.

    Returns:
        table `tables.NEAR_DUPLICATES`, in order of the first, then of the second. Of items that
        have one hash, up to symmetry, the first stands for all: it is listed with each of them
        and, alone, with others.

    Raises:
        ValueError: there is not one hash for each name, or the distance is out of range.
        TooManyPairs: more pairs are near than `search.LIMIT`.
    """
    if len(names) != np.size(hashes):
        raise ValueError(f"{len(names)} names need as many hashes. Got {np.size(hashes)}.")
    pairs = near_pairs(hashes, distance, every=False)
    alike = similarities(pairs, load)
    kept, alike = pairs.where(alike >= least), alike[alike >= least]
    return NEAR_DUPLICATES.from_columns(
        {
            "first": [names[i] for i in kept.first.tolist()],
            "second": [names[j] for j in kept.second.tolist()],
            "distance": kept.distance,
            "symmetry": kept.symmetry,
            "similarity": alike,
        }
    )
