"""From a scene to pixels, block by block: a pixel is the same whichever block it is drawn in."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from curatome.phantom import fabric
from curatome.phantom.artifacts import crease, lay_ink, line_distance
from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, hashed, ramp, sample
from curatome.phantom.optics import INKS, SITES, Planes, Scanner, reach, scan
from curatome.phantom.scene import Scene
from curatome.phantom.shapes import locate

Floats = NDArray[np.float64]
Grid = tuple[float, float, float]
"""x and y of the first pixel's center and the pixel's edge, µm."""


@compiled
def _stain_tissue(
    field: Texture,
    look: Floats,
    grid: Grid,
    where: tuple[NDArray[np.int32], Planes, NDArray[np.int32], Planes],
    job: tuple[NDArray[np.int64], Planes],
) -> None:
    """Fill the first two of the (3, H, W) dyes where there is tissue."""
    piece, edge, region, depth = where
    kinds, dyes = job
    x0, y0, mpp = grid
    nodes, left, top = fabric.lattice(field, look, grid, piece.shape)
    spacing = fabric.NODE_UM
    for j in range(piece.shape[0]):
        y = y0 + j * mpp
        for i in range(piece.shape[1]):
            if piece[j, i] < 0:
                continue
            x = x0 + i * mpp
            place = (x, y, depth[j, i], x / spacing - left, y / spacing - top)
            if region[j, i] < 0:
                h, e = fabric.stroma(field, look, nodes, place)
            else:
                h, e = fabric.uptake(field, look, nodes, place, kinds[region[j, i]])
            mottle = 0.80 + 0.40 * sample(field, x / 0.36, y / 0.36 + 300.0)
            h, e = h * mottle, e * mottle
            if edge[j, i] < 14.0:
                fray = 13.0 * sample(field, x / 3.3, y / 3.3 + 200.0) ** 2
                cover = ramp(fray - 0.5, fray + 0.8, edge[j, i])
                h, e = h * cover, e * (cover + 0.35 * ramp(3.0, 0.0, abs(edge[j, i] - fray - 2)))
            dyes[0, j, i], dyes[1, j, i] = np.float32(h), np.float32(e)


# For each class: hematoxylin, eosin, chromatin contrast, paleness of the middle, unevenness.
_NUCLEAR = np.array(
    [
        [0.78, 0.24, 0.45, 0.18, 0.10],
        [0.84, 0.26, 0.62, 0.40, 0.22],
        [1.00, 0.24, 0.42, 0.05, 0.08],
        [0.80, 0.26, 0.40, 0.05, 0.14],
        [1.25, 0.22, 0.20, 0.00, 0.45],
        [0.75, 0.30, 0.20, 0.00, 0.30],
    ]
)


@compiled
def _paint_nuclei(
    field: Texture, nuclei: Floats, nuclear: Floats, grid: Grid, dyes: Planes
) -> None:
    """Paint nuclei (N, 6) over the (3, H, W) dyes, in the order of the table."""
    _, height, width = dyes.shape
    x0, y0, mpp = grid
    for n in range(nuclei.shape[0]):
        cx, cy, a, b = nuclei[n, 0], nuclei[n, 1], nuclei[n, 2], nuclei[n, 3]
        out = a * 1.35 + 0.8
        left = max(0, math.ceil((cx - out - x0) / mpp))
        right = min(width - 1, math.floor((cx + out - x0) / mpp))
        top = max(0, math.ceil((cy - out - y0) / mpp))
        bottom = min(height - 1, math.floor((cy + out - y0) / mpp))
        if left > right or top > bottom:
            continue
        kind = int(nuclei[n, 5])
        bits = hashed(int(cx * 64.0), int(cy * 64.0), 5)
        place_u, place_v = float(bits & 511), float((bits >> 9) & 511)
        dark = nuclear[kind, 0] * (0.80 + 0.40 * ((bits >> 18) & 255) / 255.0)
        pale = nuclear[kind, 3] * ((bits >> 26) & 63) / 63.0
        cosine, sine = math.cos(nuclei[n, 4]), math.sin(nuclei[n, 4])
        soft = min(0.30, 0.42 / b)
        for j in range(top, bottom + 1):
            dy = y0 + j * mpp - cy
            for i in range(left, right + 1):
                dx = x0 + i * mpp - cx
                u, v = (cosine * dx + sine * dy) / a, (cosine * dy - sine * dx) / b
                r = math.sqrt(u * u + v * v)
                if r > 1.4:
                    continue
                turn = 1.6 / max(r, 0.05)
                r *= 1.0 + nuclear[kind, 4] * (
                    sample(field, place_u + u * turn * 2.2, place_v + v * turn * 2.2) - 0.5
                )
                cover = ramp(1.0 + soft, 1.0 - soft, r)
                if cover <= 0.0:
                    continue
                grain = sample(field, place_u + dx * 3.3, place_v + dy * 3.3) - 0.5
                h = dark * (1.0 + nuclear[kind, 2] * grain)
                h *= 1.0 - pale * ramp(0.85, 0.55, r) + 0.10 * ramp(0.7, 0.9, r)
                e = nuclear[kind, 1]
                if kind == 1:
                    du, dv = u - 0.25, v + 0.2
                    spot = ramp(1.5, 0.9, math.sqrt(du * du * a * a + dv * dv * b * b))
                    h, e = h + spot * 0.35 * pale / 0.4, e + 0.25 * spot
                dyes[0, j, i] += np.float32(cover * (h - dyes[0, j, i]))
                dyes[1, j, i] += np.float32(cover * (e - dyes[1, j, i]))


def _strokes(scene: Scene, grid: Grid, inside: NDArray[np.int32], dyes: Planes) -> None:
    distance = np.empty(inside.shape, np.float32)
    for stroke in scene.strokes:
        half = stroke.width / 2
        if not line_distance(stroke.points, grid, half, distance):
            continue
        if stroke.kind == "pen":
            lay_ink(scene.field, distance, grid, half, dyes[2])
        else:
            crease(distance, half, inside, dyes)


def dyes_of(scene: Scene, grid: Grid, shape: tuple[int, int]) -> Planes:
    """Hematoxylin, eosin and ink (3, H, W) of a block, before any optics.

    Args:
        scene: the scene.
        grid: x and y of the first pixel's center and the pixel's edge, µm.
        shape: rows and columns.
    """
    dyes = np.zeros((3, *shape), np.float32)
    piece, region = np.full((2, *shape), -1, np.int32)
    edge, depth = np.zeros((2, *shape), np.float32)
    locate(scene.tissue.center, scene.tissue.radii, grid, piece, edge)
    if (piece >= 0).any():
        locate(scene.regions.center, scene.regions.radii, grid, region, depth)
        where = (piece, edge, region, depth)
        _stain_tissue(scene.field, scene.look, grid, where, (scene.regions.kind, dyes))
    _paint_nuclei(scene.field, scene.nuclei.columns(), _NUCLEAR, grid, dyes)
    _strokes(scene, grid, piece, dyes)
    return dyes


def stain_vectors(scene: Scene) -> Floats:
    """Optical density (3, 3) per unit of hematoxylin, eosin and ink in red, green, blue."""
    site = SITES[scene.plan.site]
    inks = [stroke.ink for stroke in scene.strokes if stroke.ink]
    hematoxylin, eosin = (
        np.array(v) * s for v, s in zip((site.hematoxylin, site.eosin), site.strength, strict=True)
    )
    return np.stack([hematoxylin, eosin, np.array(INKS[inks[0]] if inks else (0.0, 0.0, 0.0))])


def render(scene: Scene, scanner: Scanner, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Pixels of a block as the scanner sees it.

    Args:
        scene: the scene.
        scanner: decides scale, sharpness, white, grain.
        box: x, y, width, height in the scanner's level-0 px.

    Returns:
        (height, width, 3) uint8, the same for a pixel in whatever block it is asked for.

    Raises:
        ValueError: the box is empty.
    """
    x, y, width, height = box
    if width < 1 or height < 1:
        raise ValueError(f"a block must have at least one pixel. Got {width} × {height}.")
    margin, mpp = reach(scanner), scanner.mpp
    grid = ((x - margin + 0.5) * mpp, (y - margin + 0.5) * mpp, mpp)
    dyes = dyes_of(scene, grid, (height + 2 * margin, width + 2 * margin))
    return scan(dyes, stain_vectors(scene), scanner, scene.field, (x, y))
