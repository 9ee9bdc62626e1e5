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
from benchmarks.phantom_tiles import purple_images
from scipy.ndimage import find_objects

from curatome.phantom import Scene
from curatome.phantom.contours import outlines
from curatome.phantom.fabric import (
    ADENOMA,
    GLAND,
    IN_SITU,
    INFLAMMATION,
    LYMPHOMA,
    SPINDLE,
    STROMA,
    TUMOR,
)
from curatome.phantom.nuclei import Nuclei

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]

NAMES = ("diameter (µm)", "area CV", "axis ratio", "axis ratio sd", "solidity", "solidity p5")
_LARGE_PX, _LEAST = 27.0, 8
_FIELD = (256, 320)
_EPITHELIUM = (GLAND, ADENOMA, TUMOR, IN_SITU)
_DRAWN = (
    ((INFLAMMATION, LYMPHOMA), 0.5, 22),
    (_EPITHELIUM, 0.25, 19),
    (_EPITHELIUM, 0.5, 10),
    ((STROMA, SPINDLE), 0.5, 10),
)
"""In what tissue and at what scale (µm/px) fields of the phantom are drawn, and how often.

As often as among the 61 real fields: 22 show marrow or lymphoid cells on white ground; of the
others, epithelium with what lies under it, 19 count as 0.25 µm/px, and of those at 0.5 µm/px ten
have a median axis ratio under 0.5: fibers and smooth muscle. None shows necrosis, mucin, fat or
larger vessels.
"""


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


def shapes_in(labels: Labels) -> list[tuple[float, float, float]]:
    """`shape_of` every object of at least 20 px that does not touch the border of the image."""
    out = []
    for number, where in enumerate(find_objects(labels), start=1):
        if where is None or any(
            part.start == 0 or part.stop == edge
            for part, edge in zip(where, labels.shape, strict=True)
        ):
            continue
        shape = labels[where] == number
        if shape.sum() >= 20:
            out.append(shape_of(shape))
    return out


def real_fields(data: Path) -> list[dict[str, float]]:
    """One summary per real image with at least eight whole nuclei."""
    out = []
    for _, _, mask in purple_images(data):
        shapes = shapes_in(mask.astype(np.int32))
        if len(shapes) >= _LEAST:
            median = np.median([2 * np.sqrt(area / np.pi) for area, _, _ in shapes])
            out.append(summary(shapes, 0.25 if median >= _LARGE_PX else 0.5))
    return out


def _place(
    scene: Scene, rng: np.random.Generator, kinds: tuple[int, ...], mpp: float
) -> tuple[float, float] | None:
    """The center (µm) of a field in a tissue of these kinds; None if there is none of it there."""
    regions, margin = scene.regions, np.array(_FIELD[::-1]) * mpp / 2
    size = np.array((scene.plan.width_um, scene.plan.height_um))
    kind = rng.choice(kinds)
    center = rng.uniform(margin, size - margin)
    if kind == STROMA:
        lies_in = shapely.contains_xy(regions.polygons(), *center).any()
        return None if lies_in else (float(center[0]), float(center[1]))
    own = np.flatnonzero(regions.kind == kind)
    if not len(own):
        return None
    x, y = np.clip(regions.center[rng.choice(own)] + rng.normal(0, 20.0, 2), margin, size - margin)
    return float(x), float(y)


def _labels(nuclei: Nuclei, corner: Floats, mpp: float) -> Labels:
    """The label image (256, 320) of a field from its upper left corner (µm).

    As in the masks, each pixel belongs to one nucleus; as they are painted, later ones lie above.
    """
    size = np.array(_FIELD[::-1]) * mpp
    reach = 1.5 * nuclei.long.max()
    near = (np.abs(nuclei.x - corner[0] - size[0] / 2) < size[0] / 2 + reach) & (
        np.abs(nuclei.y - corner[1] - size[1] / 2) < size[1] / 2 + reach
    )
    out = np.zeros(_FIELD, np.int32)
    x, y = (
        (np.arange(n) + 0.5) * mpp + start for n, start in zip(_FIELD[::-1], corner, strict=True)
    )
    for number, polygon in enumerate(outlines(nuclei.chosen(near)), start=1):
        left, top, right, bottom = polygon.bounds
        i = slice(*np.searchsorted(x, (left, right)))
        j = slice(*np.searchsorted(y, (top, bottom)))
        shapely.prepare(polygon)
        out[j, i][shapely.contains_xy(polygon, *np.meshgrid(x[i], y[j]))] = number
    return out


def phantom_fields(scene: Scene, count: int) -> list[dict[str, float]]:
    """Summaries of `count` fields of 320 × 256 px with at least eight whole nuclei, as `_DRAWN`."""
    rng = np.random.default_rng([scene.plan.seed, 3])
    part = np.array([times for _, _, times in _DRAWN]) / sum(times for _, _, times in _DRAWN)
    out: list[dict[str, float]] = []
    for _ in range(12 * count):
        kinds, mpp, _ = _DRAWN[rng.choice(len(_DRAWN), p=part)]
        center = _place(scene, rng, kinds, mpp)
        if center is None:
            continue
        corner = np.array(center) - np.array(_FIELD[::-1]) * mpp / 2
        shapes = shapes_in(_labels(scene.nuclei, corner, mpp))
        if len(shapes) >= _LEAST:
            out.append(summary(shapes, mpp))
        if len(out) == count:
            break
    return out
