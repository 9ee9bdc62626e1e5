"""Stroma: wavy bundles of collagen with clefts between them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.compiled import compiled
from curatome.phantom.fabric import Place, along_fibers
from curatome.phantom.noise import Texture, ramp, sample

Floats = NDArray[np.float64]

NODE_UM = 4.0
"""Spacing of the nodes on which slow noise is computed."""


@compiled
def lattice(
    field: Texture, look: Floats, grid: tuple[float, float, float], shape: tuple[int, int]
) -> tuple[Floats, int, int]:
    """What changes slowly in stroma, at whole multiples of 4 µm around a block.

    Args:
        field: the noise texture.
        look: look numbers.
        grid: x and y of the block's first pixel center and the pixel's edge, µm.
        shape: the block's rows and columns.

    Returns:
        (rows, columns, 3) along the fibers, across them (µm), looseness; and the first node's
        column and row.
    """
    x0, y0, mpp = grid
    left, top = math.floor(x0 / NODE_UM), math.floor(y0 / NODE_UM)
    columns = math.floor((x0 + mpp * shape[1]) / NODE_UM) - left + 2
    rows = math.floor((y0 + mpp * shape[0]) / NODE_UM) - top + 2
    nodes = np.empty((rows, columns, 3))
    for j in range(rows):
        for i in range(columns):
            x, y = (left + i) * NODE_UM, (top + j) * NODE_UM
            nodes[j, i, 0], nodes[j, i, 1] = along_fibers(field, look, x, y)
            nodes[j, i, 2] = sample(field, x / 31.0 + look[3], y / 31.0 + look[2])
    return nodes, left, top


@compiled
def slow(nodes: Floats, column: float, row: float) -> tuple[float, float, float]:
    """The lattice's three values at a fractional column and row, bilinear."""
    i, j = int(column), int(row)
    fx, fy = column - i, row - j
    a, b, c, d = (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy
    return (
        a * nodes[j, i, 0]
        + b * nodes[j, i + 1, 0]
        + c * nodes[j + 1, i, 0]
        + d * nodes[j + 1, i + 1, 0],
        a * nodes[j, i, 1]
        + b * nodes[j, i + 1, 1]
        + c * nodes[j + 1, i, 1]
        + d * nodes[j + 1, i + 1, 1],
        a * nodes[j, i, 2]
        + b * nodes[j, i + 1, 2]
        + c * nodes[j + 1, i, 2]
        + d * nodes[j + 1, i + 1, 2],
    )


@compiled
def stroma(
    field: Texture, look: Floats, nodes: Floats, place: Place, open_part: float = 1.0
) -> tuple[float, float]:
    """Hematoxylin and eosin of collagen: fibrils in bundles, with clefts along the bundles.

    `open_part` is how far the clefts open; the thin septa within lesions have hardly any.
    """
    u, v, loose = slow(nodes, place[3], place[4])
    fibril = sample(field, u / 3.2, v / 0.30)
    bundle = sample(field, u / 13.0 + 131.0, v / 1.9 + 17.0)
    layer = sample(field, u / 9.0 + 31.0, v / 0.9 + 77.0)
    # Clefts open where a bundle's profile passes its middle, wider where the tissue is loose.
    slack = look[5] * (0.06 + 0.95 * ramp(0.40, 1.0, loose)) * (0.5 + 0.9 * layer)
    gap = ramp(slack + 0.03, slack - 0.05, abs(bundle - 0.5) + 0.14 * fibril)
    gap *= open_part
    # Fibrils part from each other in fine light lines.
    apart = ramp(0.16, 0.02, abs(sample(field, u / 5.0 + 61.0, v / 0.75 + 29.0) - 0.5))
    eosin = look[4] * (0.12 + 0.19 * fibril + 0.07 * bundle + 0.12 * layer) * (1.0 - 0.5 * apart)
    hematoxylin = 0.02 + 0.07 * (1.0 - fibril) + 0.02 * loose
    return hematoxylin * (1.0 - 0.85 * gap), eosin * (1.0 - 0.90 * gap)
