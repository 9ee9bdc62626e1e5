"""Matching by distance between centers.

Mitoses are counted as found within 7.5 µm, half the diameter of a cell (Aubreville et al. 2023,
MIDOG challenge, 10.1016/j.media.2022.102699).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from curatome.agreement.matching.assignment import assign
from curatome.agreement.matching.graph import Candidates, items_of
from curatome.agreement.matching.order import Column, Objects, in_order
from curatome.errors import TableError

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MITOSIS_RADIUS_UM = 7.5

_ROUNDED = 1 + 1e-9  # a distance equal to the radius matches, however its sum was rounded


def match_points(
    x_um: Floats,
    y_um: Floats,
    reader: Column,
    image: Column,
    radius_um: float = MITOSIS_RADIUS_UM,
    *,
    label: Column | None = None,
    same_label: bool = False,
) -> Whole:
    """Match what several readers marked into items.

    An item holds at most one object of a reader, and any two of its objects are no farther apart
    than the radius. As many pairs as possible are matched, then at the least total distance;
    exactly so for two readers, and as `cliques` says for more. The result does not depend on the
    order of the rows, nor on names.

    Args:
        x_um: (M,) centers, µm.
        y_um: (M,) centers, µm.
        reader: (M,) who marked it.
        image: (M,) where; objects of different images never match.
        radius_um: farthest distance of a match, µm.
        label: (M,) what it is called. Of equal distances, equal labels are matched first.
        same_label: only objects of one label match. By default labels do not matter, so that
            confusion between them is seen.

    Returns:
        (M,) number of the item of each object, from 0, by image and from left to right.

    Raises:
        TableError: a coordinate is not finite, the radius is not positive, columns differ in
            length, or a reader or image has no value.
    """
    places = _places(x_um, y_um, radius_um)
    if not len(places):
        return np.empty(0, np.int64)
    objects = in_order(places, reader, image, label, same_label)
    return items_of(objects, _near(places[objects.row], objects, radius_um))


def pair_points(
    first: Floats,
    second: Floats,
    radius_um: float = MITOSIS_RADIUS_UM,
    *,
    images: tuple[Column, Column] | None = None,
) -> Whole:
    """Match the marks of two readers one to one: most matches, then the least total distance.

    Args:
        first: (N, 2) x and y of one reader's marks, µm.
        second: (M, 2) of the other's.
        radius_um: farthest distance of a match, µm.
        images: (N,) and (M,) where they lie; on one image by default.

    Returns:
        (P, 2) rows of `first` and of `second`, by the rows of `first`.

    Raises:
        TableError: as `match_points`.
    """
    x, y = np.concatenate([first.reshape(-1, 2), second.reshape(-1, 2)]).T
    reader, image = sides(len(first), len(second), images)
    return pairs_in(match_points(x, y, reader, image, radius_um), len(first))


def ranked_hits(
    first: Floats,
    second: Floats,
    score: Floats,
    radius_um: float = MITOSIS_RADIUS_UM,
    *,
    images: tuple[Column, Column] | None = None,
) -> Flags:
    """Which ranked candidates find an object of a reference.

    The hits among the k highest scores are as many as those candidates can have one to one: a
    better candidate keeps its hit, whatever comes after it.

    Args:
        first: (N, 2) x and y of candidates, µm.
        second: (M, 2) of the reference.
        score: (N,) of the candidates, high is likely.
        radius_um: farthest distance of a match, µm.
        images: (N,) and (M,) where they lie; on one image by default.

    Returns:
        (N,) bool.

    Raises:
        TableError: as `match_points`.
    """
    x, y = np.concatenate([first.reshape(-1, 2), second.reshape(-1, 2)]).T
    reader, image = sides(len(first), len(second), images)
    places = _places(x, y, radius_um)
    hits = np.zeros(len(first), np.bool_)
    if not len(first) or not len(second):
        return hits
    objects = in_order(places, reader, image, None, False)
    pairs = _near(places[objects.row], objects, radius_um)
    one, other = objects.row[pairs.first], objects.row[pairs.second]
    one, other = np.minimum(one, other), np.maximum(one, other) - len(first)
    position = np.empty(len(objects), np.int64)
    position[objects.row] = np.arange(len(objects))
    ranked = np.lexsort((position[: len(first)], -np.asarray(score, float)))
    rank = np.empty(len(first), np.int64)
    rank[ranked] = np.arange(len(first))
    grew = assign(rank[one], other, np.zeros(len(one)), len(first))[1]
    hits[ranked[: len(grew)]] = grew
    return hits


def sides(
    first: int, second: int, images: tuple[Column, Column] | None
) -> tuple[Whole, npt.NDArray[np.generic]]:
    """Reader (0 or 1) and image of the objects of two readers, one after the other."""
    reader = np.repeat([0, 1], [first, second])
    if images is None:
        return reader, np.zeros(first + second, np.int64)
    return reader, np.concatenate([np.asarray(images[0]), np.asarray(images[1])])


def pairs_in(items: Whole, count: int) -> Whole:
    """(P, 2) which of the first `count` objects shares an item with which of the others."""
    _, one, other = np.intersect1d(items[:count], items[count:], return_indices=True)
    order = np.argsort(one)
    return np.column_stack([one[order], other[order]]).astype(np.int64)


def _places(x_um: Floats, y_um: Floats, radius_um: float) -> Floats:
    if not radius_um > 0:
        raise TableError(f"the radius must be positive, in µm. Got {radius_um:g}.")
    places = np.column_stack([np.asarray(x_um, np.float64), np.asarray(y_um, np.float64)]) + 0.0
    odd = np.flatnonzero(~np.isfinite(places).all(axis=1))
    if len(odd):
        x, y = places[odd[0]]
        raise TableError(f"object in row {odd[0] + 1}: no place. Got x {x}, y {y} µm.")
    return places


def _near(places: Floats, objects: Objects, radius_um: float) -> Candidates:
    """All pairs within the radius; images lie apart along a third axis, so that one tree does."""
    apart = 4.0 * radius_um * objects.image
    tree = cKDTree(np.column_stack([places, apart]))
    near = tree.query_pairs(radius_um * _ROUNDED, output_type="ndarray").astype(np.int64)
    first, second = near.min(axis=1, initial=len(places)), near.max(axis=1, initial=-1)
    fits = objects.may_match(first, second)
    first, second = first[fits], second[fits]
    distance = np.hypot(*(places[first] - places[second]).T)
    return Candidates(first, second, distance / radius_um)
