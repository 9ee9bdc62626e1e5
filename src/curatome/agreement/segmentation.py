"""How well two outlines of one region agree: overlap, and distance of their borders in µm.

- Dice (10.2307/1932409) and IoU of the areas.
- The 95 % Hausdorff distance: of each border, the distance to the other that 95 % of it do not
  exceed; the larger of the two (as in DeepMind's surface-distance; some tools pool both borders).
- The normalized surface distance at a tolerance: the share of both borders, together, that lie no
  farther than that from the other (Nikolov et al., 10.2196/26151).

The border of a mask is its pixels that touch a pixel outside it with an edge, or the edge of the
image; distances are those of pixel centers, and all border pixels count alike (as with
SimpleITK's LabelContour and distance maps). The border of a shape is its rings, holes included,
looked at every `step_um`.

Where both are empty nothing is defined and all is NaN: nobody drew anything, which says nothing
about outlines. Where one is empty, Dice, IoU and the surface share are 0 and the Hausdorff
distance is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from scipy import ndimage

from curatome.agreement.intervals import Floats, bootstrap, case_sums
from curatome.agreement.ratings import Whole
from curatome.errors import TableError
from curatome.findings import Measure

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Overlap:
    """Two outlines of one region.

    Attributes:
        dice: 0 to 1; NaN where both are empty, as all others.
        iou: 0 to 1.
        hd95_um: 95 % Hausdorff distance; infinite where one is empty.
        surface_share: 0 to 1, the normalized surface distance at `tolerance_um`.
        tolerance_um: how far borders may lie apart and still agree.
        areas_um2: of the first, the second, and what they share.
    """

    dice: float
    iou: float
    hd95_um: float
    surface_share: float
    tolerance_um: float
    areas_um2: tuple[float, float, float]


def compare_masks(
    first: npt.NDArray[np.generic],
    second: npt.NDArray[np.generic],
    spacing_um: tuple[float, float],
    tolerance_um: float = 1.0,
) -> Overlap:
    """Two masks of one image.

    Args:
        first: (H, W), not zero inside the region.
        second: (H, W).
        spacing_um: between pixel centers, down and across.
        tolerance_um: of the normalized surface distance.

    Raises:
        TableError: they are not of one shape, or the spacing is not positive.
    """
    one, other = np.asarray(first) != 0, np.asarray(second) != 0
    if one.shape != other.shape or one.ndim != 2:
        raise TableError(f"masks must be of one shape. Got {one.shape} and {other.shape}.")
    if min(spacing_um) <= 0:
        raise TableError(f"the spacing must be positive. Got {spacing_um}.")
    pixel = spacing_um[0] * spacing_um[1]
    areas = tuple(float(np.count_nonzero(each)) * pixel for each in (one, other, one & other))
    if not one.any() or not other.any():
        return _overlap((areas[0], areas[1], areas[2]), (np.empty(0),) * 4, tolerance_um)
    one, other = _cropped(one, other)
    borders = _border(one), _border(other)
    away = [ndimage.distance_transform_edt(~each, sampling=spacing_um) for each in borders]
    there, back = away[1][borders[0]], away[0][borders[1]]
    parts = (there, np.ones(len(there)), back, np.ones(len(back)))
    return _overlap((areas[0], areas[1], areas[2]), parts, tolerance_um)


def compare_shapes(
    first: shapely.Geometry,
    second: shapely.Geometry,
    tolerance_um: float = 1.0,
    step_um: float = 0.25,
) -> Overlap:
    """Two polygons, or multipolygons, with coordinates in µm.

    Args:
        first: valid; `curatome.annotations.repair` makes them so.
        second: the same.
        tolerance_um: of the normalized surface distance.
        step_um: borders are looked at in the middle of pieces no longer than that.

    Raises:
        TableError: a shape is not valid, or the step is not positive.
    """
    for name, shape in (("first", first), ("second", second)):
        if not shape.is_valid:
            raise TableError(
                f"the {name} shape is not valid: {shapely.is_valid_reason(shape)}. Repair it first."
            )
    if step_um <= 0:
        raise TableError(f"step_um must be positive. Got {step_um}.")
    areas = (first.area, second.area, first.intersection(second).area)
    if not first.area or not second.area:
        return _overlap(areas, (np.empty(0),) * 4, tolerance_um)
    there, back = (
        _to_border(one.boundary, other.boundary, step_um)
        for one, other in ((first, second), (second, first))
    )
    return _overlap(areas, (*there, *back), tolerance_um)


def overlap_measures(
    overlaps: Iterable[Overlap],
    cases: Whole,
    subject: str = "all",
    *,
    level: float = 0.95,
    seed: int = 0,
) -> list[Measure]:
    """The means over regions, with intervals from drawing cases.

    Regions where both are empty do not count; the mean Hausdorff distance is that of regions that
    both outlined (`n` says how many), since one that is missed is infinitely far.

    Args:
        overlaps: (N,) of one class, domain or reader.
        cases: (N,) whole numbers, equal for regions of one case.
        subject: what they are about, `class tumor`.
        level: of the interval.
        seed: decides the draws.
    """
    known = list(overlaps)
    found = []
    for name, field, unit in (
        ("dice", "dice", "fraction"),
        ("iou", "iou", "fraction"),
        ("hausdorff_95", "hd95_um", "µm"),
        ("normalized_surface_distance", "surface_share", "fraction"),
    ):
        values = np.array([getattr(one, field) for one in known], np.float64)
        found.append(_mean(name, subject, values, cases, unit=unit, level=level, seed=seed))
    return found


def _mean(
    name: str, subject: str, values: Floats, cases: Whole, *, unit: str, level: float, seed: int
) -> Measure:
    kept = np.isfinite(values)
    if not kept.any():
        method = "mean over regions; undefined: no region was outlined"
        return Measure(name, subject, math.nan, level=level, n=0, clusters=0, method=method)
    sums = case_sums(np.column_stack([values[kept], np.ones(kept.sum())]), cases[kept])
    ends = bootstrap(sums, lambda drawn: drawn[:, 0] / drawn[:, 1], level=level, seed=seed)
    return Measure(
        name,
        subject,
        float(values[kept].mean()),
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
        level=level,
        n=int(kept.sum()),
        clusters=len(sums),
        unit=unit,
        method="mean over regions" + ("; cases drawn 2000 times" if ends else ""),
    )


def _overlap(
    areas: tuple[float, float, float],
    borders: tuple[Floats, ...],
    tolerance_um: float,
) -> Overlap:
    """From areas, and distances and lengths of the pieces of both borders."""
    first, second, shared = areas
    if not first and not second:
        return Overlap(math.nan, math.nan, math.nan, math.nan, tolerance_um, areas)
    if not first or not second:
        return Overlap(0.0, 0.0, math.inf, 0.0, tolerance_um, areas)
    there, there_long, back, back_long = borders
    near = there_long[there <= tolerance_um].sum() + back_long[back <= tolerance_um].sum()
    return Overlap(
        2 * shared / (first + second),
        shared / (first + second - shared),
        max(_percentile(there, there_long), _percentile(back, back_long)),
        float(near / (there_long.sum() + back_long.sum())),
        tolerance_um,
        areas,
    )


def _percentile(distances: Floats, lengths: Floats, share: float = 0.95) -> float:
    """The least distance that `share` of a border does not exceed."""
    order = np.argsort(distances)
    reached = np.cumsum(lengths[order])
    at = int(np.searchsorted(reached, share * reached[-1] * (1 - 1e-12)))
    return float(distances[order[min(at, len(order) - 1)]])


def _cropped(one: Mask, other: Mask) -> tuple[Mask, Mask]:
    """Both, without the rows and columns that neither uses; a margin tells them from the edge."""
    either = one | other
    down, across = np.flatnonzero(either.any(axis=1)), np.flatnonzero(either.any(axis=0))
    box = np.s_[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
    return np.pad(one[box], 1), np.pad(other[box], 1)


def _border(mask: Mask) -> Mask:
    """Pixels that touch one outside with an edge."""
    border: Mask = mask & ~ndimage.binary_erosion(mask)
    return border


def _to_border(
    border: shapely.Geometry, other: shapely.Geometry, step_um: float
) -> tuple[Floats, Floats]:
    """Distances from the middles of pieces of a border to the other, and the pieces' lengths."""
    points, lengths = [], []
    for ring in shapely.get_parts(border):
        corners = shapely.get_coordinates(ring)
        sides = np.diff(corners, axis=0)
        long = np.hypot(sides[:, 0], sides[:, 1])
        pieces = np.maximum(np.ceil(long / step_um), 1).astype(np.int64)
        side = np.repeat(np.arange(len(sides)), pieces)
        place = np.arange(len(side)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        points.append(corners[side] + sides[side] * ((place + 0.5) / pieces[side])[:, None])
        lengths.append((long / pieces)[side])
    sides_of_other = shapely.STRtree(_sides(other))
    _, distances = sides_of_other.query_nearest(
        shapely.points(np.concatenate(points)), return_distance=True, all_matches=False
    )
    return distances, np.concatenate(lengths)


def _sides(border: shapely.Geometry) -> npt.NDArray[np.object_]:
    """Each side of each ring as a line of its own."""
    rings = [shapely.get_coordinates(ring) for ring in shapely.get_parts(border)]
    pairs = [np.stack([corners[:-1], corners[1:]], axis=1) for corners in rings]
    lines: npt.NDArray[np.object_] = shapely.linestrings(np.concatenate(pairs))
    return lines
