"""What tissue is at many points (N, 2), µm: the questions that placing nuclei asks of it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from curatome.phantom import fabric
from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture
from curatome.phantom.shapes import radius_toward

Floats = NDArray[np.float64]


@compiled
def depths(blobs: tuple[Floats, Floats], index: int, points: Floats) -> Floats:
    """How deep (µm) points lie in outline `index`; negative outside."""
    center, radii = blobs
    out = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        dx, dy = points[n, 0] - center[index, 0], points[n, 1] - center[index, 1]
        away = math.hypot(dx, dy)
        out[n] = radii[index, 0] if away < 1e-6 else radius_toward(radii, index, dx, dy) - away
    return out


@compiled
def fiber_angles(field: Texture, look: Floats, points: Floats) -> Floats:
    """Direction of the fibers at points (N, 2), radians."""
    out = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        x, y = points[n, 0], points[n, 1]
        across_x = fabric.along_fibers(field, look, x + 6, y)[1]
        across_x -= fabric.along_fibers(field, look, x - 6, y)[1]
        across_y = fabric.along_fibers(field, look, x, y + 6)[1]
        across_y -= fabric.along_fibers(field, look, x, y - 6)[1]
        out[n] = math.atan2(across_x, -across_y)
    return out


@compiled
def nest_values(field: Texture, look: Floats, points: Floats) -> Floats:
    """Distance from the middle of a septum between tumor nests, about 0 to 1."""
    out = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        out[n] = fabric.between_nests(field, look, points[n, 0], points[n, 1])
    return out


@compiled
def holes(look: Floats, points: Floats, depth: Floats) -> Floats:
    """How deep (µm) points lie in a punched-out lumen of an in-situ lesion, or < 0."""
    out = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        out[n] = fabric.in_hole(look, points[n, 0], points[n, 1], depth[n])
    return out


@compiled
def fat_walls(look: Floats, points: Floats) -> Floats:
    """(N, 3): distance from the nearest wall between fat cells and its gradient."""
    out = np.empty((points.shape[0], 3))
    for n in range(points.shape[0]):
        x, y = points[n, 0], points[n, 1]
        out[n, 0] = fabric.fat_wall(look, x, y)[0]
        out[n, 1] = fabric.fat_wall(look, x + 1, y)[0] - out[n, 0]
        out[n, 2] = fabric.fat_wall(look, x, y + 1)[0] - out[n, 0]
    return out


@compiled
def crowded_glands(field: Texture, look: Floats, points: Floats) -> Floats:
    """(N, 3): depth in an adenoma's glands and its gradient."""
    out = np.empty((points.shape[0], 3))
    for n in range(points.shape[0]):
        x, y = points[n, 0], points[n, 1]
        out[n, 0] = fabric.crowded_gland(field, look, x, y)
        out[n, 1] = fabric.crowded_gland(field, look, x + 2, y)
        out[n, 1] -= fabric.crowded_gland(field, look, x - 2, y)
        out[n, 2] = fabric.crowded_gland(field, look, x, y + 2)
        out[n, 2] -= fabric.crowded_gland(field, look, x, y - 2)
    return out


@compiled
def mucin(field: Texture, look: Floats, points: Floats) -> Floats:
    """(N, 4): depth in a floating cluster, depth in a septum and the latter's gradient."""
    out = np.empty((points.shape[0], 4))
    for n in range(points.shape[0]):
        x, y = points[n, 0], points[n, 1]
        out[n, 0], out[n, 1] = fabric.in_mucin(field, look, x, y)
        out[n, 2] = fabric.in_mucin(field, look, x + 2, y)[1]
        out[n, 2] -= fabric.in_mucin(field, look, x - 2, y)[1]
        out[n, 3] = fabric.in_mucin(field, look, x, y + 2)[1]
        out[n, 3] -= fabric.in_mucin(field, look, x, y - 2)[1]
    return out


@compiled
def fascicles(field: Texture, look: Floats, points: Floats) -> Floats:
    """Direction of the fascicle at points, below -9 where it is cut across."""
    out = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        out[n] = fabric.fascicle(field, look, points[n, 0], points[n, 1])[2]
    return out


@compiled
def macrophages(look: Floats, points: Floats) -> Floats:
    """How deep (µm) points lie in a pale macrophage, or < 0."""
    out = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        out[n] = fabric.in_macrophage(look, points[n, 0], points[n, 1])
    return out


@compiled
def lesion_shares(field: Texture, transition: float, points: Floats, depth: Floats) -> Floats:
    """How much of each place within an outline is the lesion, 0 to 1."""
    out = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        x, y = points[n, 0], points[n, 1]
        out[n] = fabric.lesion_share(field, transition, x, y, depth[n])
    return out
