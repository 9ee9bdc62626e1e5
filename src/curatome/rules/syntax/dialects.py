"""What the four numbers of boxes were meant as, judged by all boxes of one image.

A box may have been written as corners, as a corner and a size, or as a center and a size, in
pixels or as parts of the image, and read as another of these. Each misreading leaves a trace:

    written          read as          what is seen
    corners          corner, size     boxes larger than their distance from the edges
    corner, size     corners          left and upper edges are as small as sizes
    center, size     corner, size     boxes leave the image to the right and below only
    corner, size     center, size     boxes leave it to the left and above only
    parts, per cent  pixels           all lie in the first pixels, and all over the image as parts

Nothing is said where few boxes could look so by chance, once in `_ODDS` times or more often.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from curatome.annotations.doubts import Ground, box_doubt
from curatome.annotations.formats.base import Frame

Floats = npt.NDArray[np.float64]

_ODDS = 1000.0
_LEAST = 4
"""Boxes in different places below which edges say nothing."""
_PLACES = 20
"""Lower right corners that share a cell of a grid of so many cells on a side count as one: several
readers draw one box alike."""
_LARGE = 50.0
"""Px on each side of an image from which on boxes within its first two px are parts."""
_SPREAD = 0.5
"""Part of the image that boxes in per cent must reach across, to be no boxes in its corner."""


@dataclass(frozen=True)
class Dialect:
    """Another reading of boxes that fits better.

    Attributes:
        assumed: the reading, such as `x1y1x2y2`.
        instead: what they were read as.
        told: what the numbers seem to be, to follow "if".
        evidence: why, a sentence.
    """

    assumed: str
    instead: str
    told: str
    evidence: str


def dialect(bounds: Floats, frame: Frame) -> Dialect | None:
    """The reading of an image's boxes that fits better than the one they were read by.

    Args:
        bounds: (N, 4) left, top, right, bottom as read, level-0 px.
        frame: the image.
    """
    size = np.array([frame.width, frame.height], np.float64)
    for found in (_parts(bounds, size), _corners(bounds, frame), *_edges(bounds, size)):
        if found is not None:
            return found
    return None


def _parts(bounds: Floats, size: Floats) -> Dialect | None:
    """Numbers between 0 and 1, or 0 and 100, of an image that is much larger."""
    most = float(np.abs(bounds).max())
    if most <= 2 and size.min() >= _LARGE:  # corners that were added up as sizes reach to 2
        name = "parts of the image's width and height"
    elif most <= 100 and _in_per_cent(bounds, size):
        name = "per cent of the image's width and height"
    else:
        return None
    evidence = f"all {len(bounds):,} boxes lie in the first {most:.3g} pixels."
    return Dialect("parts", "pixels", f"their numbers are {name}", evidence)


def _in_per_cent(bounds: Floats, size: Floats) -> bool:
    """Whether boxes in the upper left corner would be spread over the image as per cent.

    Boxes come in clusters: k places count as √k, as in `curatome.annotations.doubts`.
    """
    grown = size / 100
    if grown.min() <= 1:
        return False
    scaled = bounds * np.tile(grown, 2)
    middle = (scaled[:, :2] + scaled[:, 2:]) / 2
    reach = (middle.max(axis=0) - middle.min(axis=0)) / size
    weight = np.log(grown).sum() * np.sqrt(len(_apart(scaled, size)))
    return bool((reach >= _SPREAD).all() and weight >= np.log(_ODDS))


def _corners(bounds: Floats, frame: Frame) -> Dialect | None:
    numbers = np.hstack([bounds[:, :2], bounds[:, 2:] - bounds[:, :2]])
    doubt = box_doubt(numbers, Ground.of([frame], np.zeros(len(numbers), np.int64)))
    if doubt is None:
        return None
    told = "width and height are the right and lower edge"
    return Dialect(doubt.assumed, doubt.instead, told, doubt.evidence)


def _edges(bounds: Floats, size: Floats) -> Iterator[Dialect | None]:
    yield _sizes(bounds, size)
    half = np.tile(bounds[:, 2:] - bounds[:, :2], 2) / 2
    far = np.asarray((bounds[:, 2:] > size).any(axis=1))
    near = np.asarray((bounds[:, :2] < 0).any(axis=1))
    for one, other, moved, words in (
        (far, near, bounds - half, ("center", "corner", "right or lower")),
        (near, far, bounds + half, ("corner", "center", "left or upper")),
    ):
        yield _off_center(one, other, _on(moved, size), words)


def _sizes(bounds: Floats, size: Floats) -> Dialect | None:
    """Whether left and upper edges are sizes, and right and lower ones places.

    Of a box that may lie anywhere, left / (image's width - own width) is uniform on 0 to 1. Where
    all are near 0, along both axes, the left edges are no places (Fisher's method).
    """
    corner, far = bounds[:, :2], bounds[:, 2:]
    if (corner <= 0).any() or not _on(np.hstack([far - corner / 2, far + corner / 2]), size):
        return None
    apart = _apart(bounds, size)
    if len(apart) < _LEAST:
        return None
    part = corner[apart] / np.maximum(size - (far - corner)[apart], corner[apart])
    chance = stats.chi2.sf(-2 * np.log(part).sum(axis=0), 2 * len(part))
    if (chance >= 1 / _ODDS).any():
        return None
    evidence = (
        f"the left and upper edges of all {len(bounds):,} boxes lie within {corner.max():,.0f} px "
        "of the image's, however far they reach."
    )
    told = "the left and upper edge are width and height, and the right and lower edge x and y"
    return Dialect("xywh", "x1y1x2y2", told, evidence)


def _off_center(
    one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_], fits: bool, words: tuple[str, ...]
) -> Dialect | None:
    """Whether boxes leave the image on two of its sides only, which chance does once in 2^n."""
    assumed, instead, sides = words
    if not fits or other.any() or 2.0 ** int(one.sum()) < _ODDS:
        return None
    evidence = f"{int(one.sum()):,} boxes cross the {sides} edge of the image and none the others."
    told = f"x and y are the {assumed} of the box and not its {instead}"
    return Dialect(f"{assumed}, size", f"{instead}, size", told, evidence)


def _on(bounds: Floats, size: Floats) -> bool:
    return bool((bounds[:, :2] >= 0).all() and (bounds[:, 2:] <= size).all())


def _apart(bounds: Floats, size: Floats) -> npt.NDArray[np.int64]:
    """Boxes whose lower right corners lie in different places, one of each place."""
    cells = np.floor(bounds[:, 2:] / size * _PLACES)
    found: npt.NDArray[np.int64] = np.unique(cells, axis=0, return_index=True)[1]
    return found
