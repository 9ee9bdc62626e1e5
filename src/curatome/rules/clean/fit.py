"""How well outlines fit the edges that the image shows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from curatome.rules.clean import likeness as looks
from curatome.rules.clean.edges import OFFSETS, closed_paths, drops
from curatome.rules.clean.likeness import Contrast, Cover, Floats, Pixels, Reals, Shapes
from curatome.rules.clean.profiles import PLACES, POINTS, contours, profiles

ACROSS_PX = (-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5)
_RING = (2.0, 7.0)
"""Outside the line, px: what lies around an object."""
_LEAST_CONTRAST = 0.25
"""An object that differs less from its surroundings, as a part of what is usual on its image,
is measured as if it differed by this."""
_LEAST_WEIGHT = 0.02
_GAP = 3.0
_LIMITS = (-0.3, 1.3)
"""Beyond these, likeness says nothing more."""


@dataclass(frozen=True, eq=False)
class Fit:
    """How M outlines fit. Lengths are px of the field; likeness is 1 in the object, 0 around it.

    Attributes:
        seen: (M,) part of the line beside which an edge can be seen.
        offset: (M,) how far the line runs outside the edge; negative is inside.
        shift: (M, 2) how far the line lies right of and below the edge.
        misfit: (M,) how far the line is off beside its offset, root mean square.
        beyond: (M,) likeness that goes on without a gap for 3 px outside the line, on the quarter
            of it where it does most: the object is cut there.
        at_line: (M,) by how much likeness drops across the line.
        at_edge: (M,) by how much it drops across the edge.
        inner: (M,) how much the 2 px inside the line look like what lies around.
        deeper: (M,) the same of the 3 px inside the line.
        outer: (M,) how much the 2 px outside the line look like the object.
        across: (M, 8) mean likeness at `ACROSS_PX` from the line.
        contrast: (M,) between object and surroundings, 1 is usual on the image.
    """

    seen: Floats
    offset: Floats
    shift: Floats
    misfit: Floats
    beyond: Floats
    at_line: Floats
    at_edge: Floats
    inner: Floats
    deeper: Floats
    outer: Floats
    across: Floats
    contrast: Floats

    def __len__(self) -> int:
        return len(self.seen)


def fit_field(rgb: Pixels, shapes: Shapes) -> Fit | None:
    """Fit of all outlines of one field, measured by its own colors.

    Args:
        rgb: (H, W, 3) uint8.
        shapes: (M,) polygons, px of the field.

    Returns:
        None where objects and surroundings cannot be told apart.
    """
    where = looks.cover(shapes, rgb.shape[:2])
    seen = looks.contrast(*looks.samples(rgb, where))
    return None if seen is None else fit(rgb, shapes, where, seen)


def fit(rgb: Pixels, shapes: Shapes, where: Cover, seen: Contrast) -> Fit:
    """Fit of outlines.

    Args:
        rgb: (H, W, 3) uint8.
        shapes: (M,) polygons, px of the field.
        where: where all outlines of the field lie, these among them.
        seen: what tells objects from surroundings.
    """
    lines = contours(shapes)
    along, contrast = _normalized(profiles(seen.of(rgb), where.count, lines), lines.depth)
    drop, good = drops(along)
    path = closed_paths(drop, good)
    edge = np.take_along_axis(drop, path[..., None], axis=-1)[..., 0].astype(np.float64)
    sure = np.take_along_axis(good, path[..., None], axis=-1)[..., 0]
    weight = np.where(sure, np.maximum(edge, _LEAST_WEIGHT), 0.0)
    place = OFFSETS[path]
    middle = _mean(place, weight)
    wave = -2 * _mean(place[..., None] * lines.normals, np.ones_like(weight)[..., None])
    rest = place - middle[:, None] + (lines.normals * wave[:, None]).sum(axis=-1)
    zero = len(OFFSETS) // 2
    return Fit(
        seen=sure.mean(axis=1),
        offset=-middle,
        shift=wave,
        misfit=np.sqrt(_mean(rest**2, weight)),
        beyond=_beyond(along),
        at_line=_mean(drop[:, :, zero].astype(np.float64), good[:, :, zero].astype(np.float64)),
        at_edge=_mean(edge, sure.astype(np.float64)),
        inner=1 - _band(along, -2, -0.1),
        deeper=1 - _band(along, -3, -0.1),
        outer=_band(along, 0.1, 2),
        across=np.stack([_band(along, t - 0.3, t + 0.3) for t in ACROSS_PX], axis=1),
        contrast=contrast,
    )


def _normalized(along: Reals, depth: Floats) -> tuple[Reals, Floats]:
    """Profiles with 1 in each object's own core and 0 around it, and the contrast between."""
    outside = (_RING[0] < PLACES) & (_RING[1] > PLACES)
    deep = PLACES[None, None] < -0.7 * depth[:, None, None]
    around = _median(along[:, :, outside], 0.0)
    core = _median(np.where(deep, along, np.nan), 1.0)
    contrast = core - around
    scale = np.maximum(contrast, _LEAST_CONTRAST)[:, None, None]
    value = np.clip((along - around[:, None, None]) / scale, *_LIMITS)
    return value.astype(np.float32), contrast


def _median(values: Reals, otherwise: float) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = np.nanmedian(values.reshape(len(values), -1), axis=1).astype(np.float64)
    return np.where(np.isnan(found), otherwise, found)


def _band(along: Reals, low: float, high: float) -> Floats:
    """Mean likeness between two distances from the line; halfway where nothing is seen."""
    part = along[:, :, (low <= PLACES) & (high >= PLACES)]
    seen = np.isfinite(part)
    total = np.where(seen, part, 0.0).sum(axis=(1, 2), dtype=np.float64)
    many = seen.sum(axis=(1, 2))
    return np.where(many > 0, total / np.maximum(many, 1), 0.5)


def _beyond(along: Reals) -> Floats:
    from scipy.ndimage import uniform_filter1d

    outside = np.where(np.isnan(along), 0.0, along)[:, :, (PLACES >= 0) & (PLACES <= _GAP)]
    quarter = uniform_filter1d(outside.min(axis=2), POINTS // 4, axis=1, mode="wrap")
    return np.asarray(quarter.max(axis=1), np.float64)


def _mean(values: Floats, weight: Floats) -> Floats:
    """Weighted mean over the points; 0 without weight."""
    total = weight.sum(axis=1)
    out: Floats = (values * weight).sum(axis=1) / np.where(total > 0, total, 1.0)
    return out
