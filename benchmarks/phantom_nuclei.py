"""Sizes and shapes of nuclei, measured alike on real masks and on outlines of the phantom.

The real masks (dsb2018-brightfield, kind `he_purple_light`) come without a scale: images whose
median nucleus is 27 px or more across count as 0.25 µm/px, the others as 0.5 µm/px, which puts
both groups at 6 to 13 µm. Variation, axis ratio and solidity need no scale.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
from benchmarks.phantom_tiles import place, purple_images
from scipy.ndimage import find_objects

from curatome.phantom import Scene
from curatome.phantom.contours import outline

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

NAMES = ("diameter (µm)", "area CV", "axis ratio", "axis ratio sd", "solidity", "solidity p5")
_LARGE_PX, _LEAST = 27.0, 8
_FIELD = (256, 320)


def shape_of(mask: Mask) -> tuple[float, float, float]:
    """Area (px), short over long axis (of equal second moments) and solidity of one object."""
    rows, columns = np.nonzero(mask)
    area = len(rows)
    # A pixel is a square: 1/12 is its own second moment.
    moments = np.cov(rows, columns, bias=True) + np.eye(2) / 12
    low, high = np.linalg.eigvalsh(moments)
    corners = np.concatenate([[rows + a, columns + b] for a in (0, 1) for b in (0, 1)], axis=1)
    hull = shapely.convex_hull(shapely.multipoints(corners.T.astype(float))).area
    return float(area), float(np.sqrt(low / high)), float(area / hull)


def summary(shapes: Iterable[tuple[float, float, float]], mpp: float) -> dict[str, float]:
    """What is compared of one field: medians and spreads over its nuclei."""
    area, ratio, solidity = np.array(list(shapes)).T
    values = (
        np.median(2 * np.sqrt(area / np.pi)) * mpp,
        area.std() / area.mean(),
        np.median(ratio),
        ratio.std(),
        np.median(solidity),
        np.quantile(solidity, 0.05),
    )
    return dict(zip(NAMES, map(float, values), strict=True))


def real_fields(data: Path) -> list[dict[str, float]]:
    """One summary per real image with at least eight whole nuclei."""
    out = []
    for _, _, mask in purple_images(data):
        shapes = []
        for number, where in enumerate(find_objects(mask.astype(np.int32)), start=1):
            if where is None or any(
                part.start == 0 or part.stop == edge
                for part, edge in zip(where, mask.shape, strict=True)
            ):
                continue
            shape = mask[where] == number
            if shape.sum() >= 20:
                shapes.append(shape_of(shape))
        if len(shapes) >= _LEAST:
            median = np.median([2 * np.sqrt(area / np.pi) for area, _, _ in shapes])
            out.append(summary(shapes, 0.25 if median >= _LARGE_PX else 0.5))
    return out


def _drawn(polygon: shapely.Geometry, mpp: float) -> Mask:
    left, top, right, bottom = (b / mpp for b in polygon.bounds)
    x = np.arange(np.floor(left), np.ceil(right)) + 0.5
    y = np.arange(np.floor(top), np.ceil(bottom)) + 0.5
    shapely.prepare(polygon)
    return np.asarray(shapely.contains_xy(polygon, *np.meshgrid(x * mpp, y * mpp)))


def phantom_fields(scene: Scene, count: int, mpp: float) -> list[dict[str, float]]:
    """Summaries of fields of 320 × 256 px with at least eight whole nuclei, placed like tiles."""
    rng = np.random.default_rng([scene.plan.seed, 3])
    size = np.array(_FIELD[::-1]) * mpp
    nuclei, out = scene.nuclei, []
    for turn in range(4 * count):
        left, top = np.array(place(scene, rng, turn)) - size / 2
        inside = (nuclei.x - nuclei.long > left) & (nuclei.x + nuclei.long < left + size[0])
        inside &= (nuclei.y - nuclei.long > top) & (nuclei.y + nuclei.long < top + size[1])
        masks = [_drawn(outline(nuclei, int(i)), mpp) for i in np.flatnonzero(inside)]
        shapes = [shape_of(mask) for mask in masks if mask.sum() >= 20]
        if len(shapes) >= _LEAST:
            out.append(summary(shapes, mpp))
        if len(out) == count:
            break
    return out
