"""Synthetic overviews at 8 µm/px whose tissue is known exactly.

Optical densities add up: glass (with a lamp's gradient) and stain are drawn as densities, turned
into gray levels, and the camera's noise is added last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

MPP = 8.0
EOSIN = np.array([0.25, 1.0, 0.55])
HEMATOXYLIN = np.array([1.0, 0.95, 0.45])
DAB = np.array([0.70, 0.85, 1.0])

Real = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Picture:
    overview: npt.NDArray[np.uint8]
    truth: Bools
    cells: Real | None = None
    """(N, 2) centers of cells as (row, column), where there are single cells."""


@dataclass(frozen=True)
class Camera:
    """What a slide is seen through: glass, lamp and noise."""

    glass: tuple[int, int, int] = (242, 240, 228)
    gradient: float = 0.04
    noise: float = 1.5
    gain: float = 1.0
    """Strength of the stain."""


def render(od: Real, camera: Camera, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Density of the stain (H, W, 3) as gray levels on unevenly lit glass."""
    height, width = od.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    lamp = np.cos(angle) * x + np.sin(angle) * y + 0.5 * (x**2 + y**2 - 1)
    light = np.array(camera.glass) * 10 ** -(camera.gradient / 2 * (lamp[..., None] + 1))
    pixels = light * 10 ** (-camera.gain * od) + rng.normal(0, camera.noise, od.shape)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def blobs(shape: tuple[int, int], share: float, size: float, rng: np.random.Generator) -> Bools:
    """Irregular pieces that cover `share` of the picture."""
    field = gaussian_filter(rng.normal(size=shape), size, mode="constant")
    return np.asarray(field > np.quantile(field, 1 - share))


def texture(shape: tuple[int, int], rng: np.random.Generator) -> Real:
    """A positive field about 1 that varies over a few pixels by about 30 %."""
    field = gaussian_filter(rng.normal(size=shape), 1.0)
    return np.clip(1 + 0.3 * field / field.std(), 0.3, 2.0)


def _mixture(mask: Bools, rng: np.random.Generator) -> Real:
    eosin = 0.22 * texture(mask.shape, rng)[..., None] * EOSIN
    hematoxylin = 0.15 * texture(mask.shape, rng)[..., None] * HEMATOXYLIN
    return (eosin + hematoxylin) * mask[..., None]


def he(rng: np.random.Generator, camera: Camera) -> Picture:
    mask = blobs((300, 420), 0.3, 20, rng)
    return Picture(render(_mixture(mask, rng), camera, rng), mask)


def pale_ihc(rng: np.random.Generator, camera: Camera) -> Picture:
    """Counterstain so faint that tissue lies 0.03 to 0.06 OD above glass."""
    mask = blobs((300, 420), 0.3, 20, rng)
    strength = np.clip(0.045 * texture(mask.shape, rng), 0.03, 0.06)
    return Picture(render((strength * mask)[..., None] * DAB, camera, rng), mask)


def cytology(rng: np.random.Generator, camera: Camera) -> Picture:
    """500 single cells of 10 to 15 µm, drawn eight times finer and then averaged."""
    height, width, fine = 200, 260, 8
    od = np.zeros((height * fine, width * fine))
    centers = rng.uniform((10, 10), (height - 10, width - 10), (500, 2))
    y, x = np.mgrid[-8:9, -8:9]
    for row, column in centers:
        radius = rng.uniform(5.0, 7.5)
        disc = (x**2 + y**2 <= radius**2) * 0.2 + (x**2 + y**2 <= (0.5 * radius) ** 2) * 0.4
        r, c = int(row * fine), int(column * fine)
        np.maximum(od[r - 8 : r + 9, c - 8 : c + 9], disc, out=od[r - 8 : r + 9, c - 8 : c + 9])
    light = (10 ** -(od[..., None] * HEMATOXYLIN)).reshape(height, fine, width, fine, 3)
    cover = (od > 0).reshape(height, fine, width, fine).mean((1, 3))
    overview = render(-np.log10(light.mean((1, 3))), camera, rng)
    return Picture(overview, cover >= 0.25, centers)


def fat(rng: np.random.Generator, camera: Camera) -> Picture:
    """Adipose tissue: lumens of 55 to 75 µm between walls of 4 µm, drawn four times finer."""
    from scipy.spatial import cKDTree

    shape, fine, pitch = (240, 300), 4, 8.0
    rows, columns = np.mgrid[0 : shape[0] : pitch, 0 : shape[1] : pitch]
    points = np.stack([rows.ravel(), columns.ravel()], 1)
    points += rng.uniform(-1.6, 1.6, points.shape)
    y, x = (np.mgrid[: shape[0] * fine, : shape[1] * fine] + 0.5) / fine
    near, _ = cKDTree(points).query(np.stack([y.ravel(), x.ravel()], 1), k=2)
    wall = (near[:, 1] - near[:, 0] < 0.5).reshape(y.shape)
    mask = blobs(shape, 0.35, 25, rng)
    od = 0.25 * wall * mask.repeat(fine, 0).repeat(fine, 1)
    light = 10 ** -(od[..., None] * EOSIN)
    light = light.reshape(shape[0], fine, shape[1], fine, 3).mean((1, 3))
    return Picture(render(-np.log10(light), camera, rng), mask)


def near_empty(rng: np.random.Generator, camera: Camera) -> Picture:
    """One fragment that covers 0.1 % of the slide."""
    mask = np.zeros((400, 500), np.bool_)
    row, column = rng.integers(30, 370), rng.integers(30, 470)
    y, x = np.ogrid[:400, :500]
    mask |= (y - row) ** 2 + (x - column) ** 2 <= 8**2
    return Picture(render(_mixture(mask, rng), camera, rng), mask)


def empty(rng: np.random.Generator, camera: Camera) -> Picture:
    mask = np.zeros((400, 500), np.bool_)
    return Picture(render(np.zeros((400, 500, 3)), camera, rng), mask)


def covered(rng: np.random.Generator, camera: Camera) -> Picture:
    mask = np.ones((200, 240), np.bool_)
    return Picture(render(_mixture(mask, rng), camera, rng), mask)


def black_area(rng: np.random.Generator, camera: Camera) -> Picture:
    """A third of the slide was never scanned; the scanner left it black."""
    picture = he(rng, camera)
    overview, truth = picture.overview.copy(), picture.truth.copy()
    overview[:, 280:], truth[:, 280:] = 0, False
    return Picture(overview, truth)


def white_padding(rng: np.random.Generator, camera: Camera) -> Picture:
    """Two thirds of the slide are padding of pure white, brighter than its glass."""
    picture = he(rng, camera)
    overview = np.full((500, 700, 3), 255, np.uint8)
    truth = np.zeros((500, 700), np.bool_)
    overview[60:360, 90:510], truth[60:360, 90:510] = picture.overview, picture.truth
    return Picture(overview, truth)


KINDS: dict[str, Callable[[np.random.Generator, Camera], Picture]] = {
    kind.__name__: kind
    for kind in (
        he,
        pale_ihc,
        cytology,
        fat,
        near_empty,
        empty,
        covered,
        black_area,
        white_padding,
    )
}
CAMERAS = {
    "plain": Camera(),
    "quiet, neutral": Camera((246, 246, 246), 0.0, 0.6),
    "gray": Camera((205, 206, 208), 0.03, 1.5),
    "yellow": Camera((245, 238, 208), 0.05, 1.0),
    "noisy": Camera((240, 239, 236), 0.04, 4.0),
    "weak stain": Camera(gain=0.8),
    "strong stain": Camera(gain=1.5),
}


def iou(mask: Bools, truth: Bools) -> float:
    """Intersection over union; 1 where both are empty."""
    union = (mask | truth).sum()
    return float((mask & truth).sum() / union) if union else 1.0


def cells_found(mask: Bools, centers: Real) -> float:
    """Share of the cells whose center lies on the mask."""
    rows, columns = centers.astype(np.int64).T
    return float(mask[rows, columns].mean())
