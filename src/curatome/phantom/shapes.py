"""Star-shaped outlines in µm: exact as polygons and cheap to ask about at any pixel.

An outline is a table of radii over the *diamond angle* t = dy / (|dx| + |dy|), unrolled to
0 ≤ t < 4, which needs no trigonometry in the inner loop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from curatome.phantom.compiled import compiled

Floats = NDArray[np.float64]

STEPS = 256
"""Radii of an outline."""


@dataclass(frozen=True)
class Blobs:
    """Star-shaped outlines.

    Attributes:
        center: (N, 2), µm.
        radii: (N, K), µm, at K even steps of the diamond angle.
        kind: (N,), what each one is (`fabric.KINDS`).
    """

    center: Floats
    radii: Floats
    kind: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.center)

    @staticmethod
    def joined(parts: list[Blobs], steps: int = STEPS) -> Blobs:
        """All parts in order, later ones above earlier ones."""
        full = [p for p in parts if len(p)]
        if not full:
            return Blobs(np.zeros((0, 2)), np.ones((0, steps)), np.zeros(0, np.int64))
        return Blobs(
            np.concatenate([p.center for p in full]),
            np.concatenate([p.radii for p in full]),
            np.concatenate([p.kind for p in full]),
        )

    def polygons(self) -> NDArray[np.object_]:
        """The outlines as shapely polygons, in µm."""
        points = self.center[:, None, :] + self.radii[:, :, None] * directions(self.radii.shape[1])
        closed = np.concatenate([points, points[:, :1]], axis=1)
        out: NDArray[np.object_] = shapely.polygons(closed)
        return out


@dataclass(frozen=True)
class Regions(Blobs):
    """Outlines of tissue of one kind each.

    Attributes:
        transition: (N,), width of the zone within the outline in which it gives way to its
            surroundings, µm.
        correlation: (N,), correlation length of its texture, µm.
    """

    transition: Floats
    correlation: Floats


def directions(steps: int) -> Floats:
    """Unit vectors (steps, 2) at even steps of the diamond angle."""
    t = 4.0 * np.arange(steps) / steps
    dx = np.where(t < 2, 1 - t, t - 3)
    dy = np.where(t < 1, t, np.where(t < 3, 2 - t, t - 4))
    return np.stack([dx, dy], axis=1) / np.hypot(dx, dy)[:, None]


@dataclass(frozen=True)
class Form:
    """How outlines vary.

    Attributes:
        aspect: greatest length over width.
        unevenness: standard deviation of the logarithm of the radius, coarsest wave.
        fade: how fast the waves fade with detail.
        harmonics: how many waves.
        lobes: depth of the clefts between lobes, as a share of the radius.
        lobe_count: greatest number of lobes.
    """

    aspect: float = 1.2
    unevenness: float = 0.12
    fade: float = 1.3
    harmonics: int = 12
    lobes: float = 0.0
    lobe_count: int = 7


def random_radii(
    rng: np.random.Generator, largest: Floats, form: Form, steps: int = STEPS
) -> Floats:
    """Uneven ellipses (N, steps) whose greatest radius is `largest` (N,), turned at random."""
    n = len(largest)
    angle = np.arctan2(*directions(steps).T[::-1])
    turn = rng.uniform(0, math.pi, n)
    aspect = 1 + (form.aspect - 1) * rng.uniform(0.4, 1.0, n)
    along = angle[None, :] - turn[:, None]
    radii = 1 / np.hypot(np.cos(along), aspect[:, None] * np.sin(along))
    order = np.arange(2, 2 + form.harmonics)
    size = form.unevenness * rng.standard_normal((n, form.harmonics)) / (order / 2) ** form.fade
    phase = rng.uniform(0, 2 * math.pi, (n, form.harmonics))
    waves = np.zeros((n, steps))
    for k, harmonic in enumerate(order):
        waves += size[:, k, None] * np.cos(harmonic * angle[None, :] + phase[:, k, None])
    if form.lobes:
        waves -= _clefts(rng, angle, form, n)
    radii *= np.exp(waves)
    out: Floats = radii / radii.max(axis=1, keepdims=True) * largest[:, None]
    return out


def _clefts(rng: np.random.Generator, angle: Floats, form: Form, count: int) -> Floats:
    """(N, steps): 0 on top of a lobe, `lobes` in a cleft; lobes of uneven width, and lobes on them.

    Billows, |sin|, over an angle that is itself bent: K. Perlin and E. Hoffert, Hypertexture
    (SIGGRAPH 1989, 10.1145/74334.74359).
    """
    out = np.zeros((count, len(angle)))
    for share, times in ((0.65, 1), (0.35, 3)):
        lobes = times * rng.integers(3, form.lobe_count + 1, count)
        phase = rng.uniform(0, 2 * math.pi, (3, count, 1))
        bent = angle + 0.35 * np.sin(angle + phase[0]) + 0.18 * np.sin(2 * angle + phase[1])
        # Half a turn of sin a lobe: an even number of halves closes around the circle.
        wave = np.abs(np.sin(lobes[:, None] * bent / 2 + phase[2] / 2))
        closing = np.abs(np.sin((lobes[:, None] + 1) * bent / 2 + phase[2] / 2))
        wave = np.where(lobes[:, None] % 2 == 0, wave, closing)
        out += form.lobes * share * (1 - np.sqrt(wave)) * rng.uniform(0.4, 1.0, (count, 1))
    return out


@compiled
def radius_toward(radii: Floats, index: int, dx: float, dy: float) -> float:
    """Radius of outline `index` in the direction (dx, dy), which is not (0, 0)."""
    steps = radii.shape[1]
    t = dy / (abs(dx) + abs(dy))
    if dx < 0:
        t = 2.0 - t
    elif dy < 0:
        t = 4.0 + t
    place = t * (steps / 4.0)
    k = int(place)
    fraction = place - k
    k = k % steps
    after = k + 1 if k + 1 < steps else 0
    out: float = radii[index, k] + fraction * (radii[index, after] - radii[index, k])
    return out


@compiled
def locate(
    center: Floats,
    radii: Floats,
    grid: tuple[float, float, float],
    index: NDArray[np.int32],
    depth: NDArray[np.float32],
) -> None:
    """Write, for each pixel, the topmost outline that holds it and how deep inside it lies.

    Args:
        center: (N, 2), µm.
        radii: (N, K), µm.
        grid: x and y of the first pixel's center and the pixel's edge, µm.
        index: (H, W), changed in place where an outline covers a pixel.
        depth: (H, W), µm along the ray from the outline's center, changed likewise.
    """
    height, width = index.shape
    x0, y0, mpp = grid
    for n in range(center.shape[0]):
        cx, cy, reach = center[n, 0], center[n, 1], radii[n].max()
        left = max(0, math.ceil((cx - reach - x0) / mpp))
        right = min(width - 1, math.floor((cx + reach - x0) / mpp))
        top = max(0, math.ceil((cy - reach - y0) / mpp))
        bottom = min(height - 1, math.floor((cy + reach - y0) / mpp))
        inner = radii[n].min()
        for j in range(top, bottom + 1):
            dy = y0 + j * mpp - cy
            for i in range(left, right + 1):
                dx = x0 + i * mpp - cx
                squared = dx * dx + dy * dy
                if squared > reach * reach:
                    continue
                if squared < 1e-12:
                    index[j, i], depth[j, i] = n, inner
                    continue
                inside = radius_toward(radii, n, dx, dy) - math.sqrt(squared)
                if inside > 0.0:
                    index[j, i], depth[j, i] = n, inside
