"""From a scene to pixels, block by block: a pixel is the same whichever block it is drawn in."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from curatome.phantom import artifacts, collagen, fabric, staining
from curatome.phantom.compiled import compiled
from curatome.phantom.defocus import blur_reach, defocused, densities
from curatome.phantom.noise import Texture, ramp, sample, sample_tone, tone_scale, tones
from curatome.phantom.optics import Planes, Scanner, reach, scan
from curatome.phantom.paint import paint_nuclei
from curatome.phantom.scene import Scene
from curatome.phantom.shapes import locate
from curatome.phantom.uptake import UNEVENNESS, uptake

Floats = NDArray[np.float64]
Grid = tuple[float, float, float]
"""x and y of the first pixel's center and the pixel's edge, µm."""

_FRAYED_UM = 18.0


@compiled
def _stain_tissue(
    textures: tuple[Texture, Texture],
    look: Floats,
    grid: Grid,
    where: tuple[NDArray[np.int32], Planes, NDArray[np.int32], Planes],
    job: tuple[Floats, Planes],
) -> None:
    """Fill the first two of the (3, H, W) dyes where there is tissue.

    The regions are (N + 1, 5), the last one the stroma around them: kind, transition width (µm),
    which tone, its texel (µm), its unevenness.
    """
    field, tones = textures
    piece, edge, region, depth = where
    regions, dyes = job
    x0, y0, mpp = grid
    nodes, left, top = collagen.lattice(field, look, grid, piece.shape)
    spacing = collagen.NODE_UM
    for j in range(piece.shape[0]):
        y = y0 + j * mpp
        for i in range(piece.shape[1]):
            if piece[j, i] < 0:
                continue
            x = x0 + i * mpp
            n = region[j, i] if region[j, i] >= 0 else regions.shape[0] - 1
            u, v = look[0] * x + look[1] * y, look[0] * y - look[1] * x
            texel = regions[n, 3]
            value = sample_tone(tones[int(regions[n, 2])], u / texel + look[2], v / texel + look[3])
            tone = math.exp(regions[n, 4] * value) * (0.68 + 0.64 * sample(field, x / 0.3, y / 0.3))
            place = (x, y, depth[j, i], x / spacing - left, y / spacing - top, tone)
            h, e = uptake(field, look, nodes, place, (int(regions[n, 0]), regions[n, 1]))
            if edge[j, i] < _FRAYED_UM:
                cover, rim = _frayed(field, x, y, edge[j, i])
                h, e = h * cover, e * (cover + rim)
            dyes[0, j, i], dyes[1, j, i] = np.float32(h), np.float32(e)


@compiled
def _frayed(field: Texture, x: float, y: float, edge: float) -> tuple[float, float]:
    """The share of tissue `edge` µm within its outline, and how much dye its rim adds."""
    torn = sample(field, x / 9.0 + 40.0, y / 9.0 + 200.0)
    fray = 9.0 * sample(field, x / 2.6, y / 2.6 + 200.0) ** 2 + 6.0 * torn**4
    cover = ramp(fray - 0.5, fray + 0.8, edge)
    return cover, 0.35 * cover * ramp(3.0, 0.0, abs(edge - fray - 2))


def _region_numbers(scene: Scene) -> Floats:
    """(N + 1, 5), as `_stain_tissue` takes them."""
    kinds = np.append(scene.regions.kind, fabric.STROMA)
    lengths = np.append(scene.regions.correlation, scene.correlation)
    scales = np.array([tone_scale(float(length)) for length in lengths])
    transition = np.append(scene.regions.transition, 0.0)
    return np.column_stack([kinds, transition, scales, UNEVENNESS[kinds]])


def dyes_of(scene: Scene, grid: Grid, shape: tuple[int, int]) -> Planes:
    """Hematoxylin, eosin or DAB, and nothing (3, H, W) in a block, before any optics.

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
        textures = (scene.field, tones())
        _stain_tissue(textures, scene.look, grid, where, (_region_numbers(scene), dyes))
    paint_nuclei(scene.field, scene.nuclei, grid, dyes)
    staining.stain(scene, grid, dyes)
    artifacts.before_optics(scene, grid, piece, dyes)
    return dyes


def stain_vectors(scene: Scene) -> Floats:
    """Optical density (3, 3) per unit of each dye in red, green, blue; the third absorbs nothing.

    Ink has no plane of its own here: it lies on the coverslip, and `artifacts` draws it there.
    """
    return np.stack([*staining.vectors(scene.plan), np.zeros(3)])


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
    shape = (height + 2 * margin, width + 2 * margin)
    vectors = stain_vectors(scene)
    sigma = artifacts.focus(scene, grid, shape)
    if sigma is None or not sigma.any():
        density = densities(dyes_of(scene, grid, shape), vectors)
    else:
        more = blur_reach(mpp)
        wide = (grid[0] - more * mpp, grid[1] - more * mpp, mpp)
        dyes = dyes_of(scene, wide, (shape[0] + 2 * more, shape[1] + 2 * more))
        density = defocused(dyes, vectors, sigma, mpp)
    pixels = scan(density, np.eye(3), scanner, scene.field, (x, y))
    artifacts.after_optics(scene, scanner, box, pixels)
    return pixels
