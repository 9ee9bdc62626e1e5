"""Blood where it does not belong: red cells packed side by side over the tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.artifacts.artifact import (
    Artifact,
    Grid,
    Ground,
    Request,
    around,
    texture_origin,
)
from curatome.phantom.artifacts.blot import Blot, depth_in_blot, uneven_blot
from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, nearest_cell, ramp, sample
from curatome.phantom.optics import Planes

Floats = NDArray[np.float64]

_CELL_UM = 6.4
"""Pitch of packed red cells; fixed in paraffin they are about 6 to 7 µm wide."""
STRAY_UM = 4.0
"""No red cell lies further outside of the outline; half a cell's width."""
LOOSE_UM = 22.0
"""So far within it cells lie loosely; deeper they are packed."""


def make_blood(request: Request, ground: Ground, rng: np.random.Generator) -> list[Artifact]:
    """One pool in the tissue, dense in its middle, loose at its border."""
    left, top, right, bottom = ground.tissue.bounds
    middle = np.array([left + right, top + bottom]) / 2
    reach = np.array([right - left, bottom - top]) * 0.3
    center = middle + rng.uniform(-1, 1, 2) * reach
    radius = min(ground.size) * (0.05 + 0.12 * request.strength)
    blot = uneven_blot(rng, center, radius, 0.30, 8)
    return [
        Artifact(
            kind=request.kind,
            strength=request.strength,
            outline=blot.polygon().intersection(ground.tissue),
            shape=blot,
            bounds=around(blot.polygon(), STRAY_UM),
            texture=texture_origin(rng),
        )
    ]


@compiled
def _bleed(
    field: Texture,
    depth: NDArray[np.float32],
    look: Floats,
    grid: Grid,
    job: tuple[NDArray[np.int32], Planes],
) -> None:
    """Red cells on the second of the (3, H, W) dyes; nuclei below are partly hidden."""
    strength, u0, v0 = look[0], look[1], look[2]
    inside, dyes = job
    x0, y0, mpp = grid
    for j in range(depth.shape[0]):
        for i in range(depth.shape[1]):
            if depth[j, i] <= -STRAY_UM or inside[j, i] < 0:
                continue
            x, y = x0 + i * mpp, y0 + j * mpp
            near, wall, own = nearest_cell(x / _CELL_UM, y / _CELL_UM, 23)
            # Each cell is there or not: fewer where a slow cloud is thin, and toward the border.
            cloud = sample(field, x / 22.0 + u0, y / 22.0 + v0)
            chance = ramp(-STRAY_UM, LOOSE_UM, depth[j, i] + 24.0 * (cloud - 0.5))
            chance *= ramp(-STRAY_UM, 0.0, depth[j, i]) * (0.75 + 0.5 * strength)
            seen = ramp(0.0, 0.12, chance - 0.02 - 0.9 * ((own >> 7) & 255) / 255.0)
            disk = ramp(0.02, 0.12, wall) * ramp(0.62, 0.48, near) * seen
            tone = 0.82 + 0.30 * ramp(0.05, 0.40, near) + 0.12 * (((own >> 15) & 255) / 255.0 - 0.5)
            bare = 1.0 - 0.75 * disk
            dyes[0, j, i] = np.float32(dyes[0, j, i] * bare)
            dyes[1, j, i] = np.float32(dyes[1, j, i] * bare + 0.95 * tone * disk)


def bleed(
    artifact: Artifact, field: Texture, grid: Grid, inside: NDArray[np.int32], dyes: Planes
) -> None:
    """Lay blood on a block: (H, W) pieces of tissue, -1 for none, and (3, H, W) dyes."""
    blot = artifact.shape
    assert isinstance(blot, Blot)
    depth = np.empty(inside.shape, np.float32)
    if depth_in_blot(blot.center, blot.radii, grid, STRAY_UM, depth):
        look = np.array([artifact.strength, *artifact.texture])
        _bleed(field, depth, look, grid, (inside, dyes))
