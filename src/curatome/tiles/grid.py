"""Where the tiles of a slide lie: pure arithmetic, no pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from curatome.protocol import BuildSettings, Scale
from curatome.slides.tissue import TissueMask, tissue_fraction
from curatome.tiles.plane import Plane

UNIT_PIXELS = 96 << 20
"""Canvas pixels of a unit of work: about ten seconds through a general reader."""

_BLOCK_PX = 4096
_SLACK = 1e-6  # a tile may stick out by this part of a pixel and still lie on the slide

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ScaleTiles:
    """The tiles of one scale that are kept, in the order in which they are written.

    Attributes:
        scale: the scale.
        plane: the canvas they are cut from.
        x: (N,) int64, left edges in canvas pixels.
        y: (N,) int64, top edges in canvas pixels.
        tissue: (N,) float32, fraction of the tile's area that is tissue.
        inside: (N,) float32, fraction of the tile's area that lies on the slide.
        block: (N,) int64, the block of canvas the tile is cut from; never decreasing.
        unit: (N,) int64, the unit of work that makes the tile; never decreasing.
        parent: (N,) int64, position of the containing tile in the parent's ScaleTiles, or -1.
    """

    scale: Scale
    plane: Plane
    x: Indices
    y: Indices
    tissue: npt.NDArray[np.float32]
    inside: npt.NDArray[np.float32]
    block: Indices
    unit: Indices
    parent: Indices

    def __len__(self) -> int:
        return len(self.x)


def positions(extent: float, side: int, stride: int, edge: str) -> Indices:
    """Where tiles start along one axis.

    With `edge="drop"` a tile lies wholly on the slide. With `"pad"` tiles go on until the slide
    is covered, and the last one may stick out.

    Args:
        extent: length of the slide in canvas pixels.
        side: edge of a tile in canvas pixels.
        stride: distance between tiles in canvas pixels.
        edge: `drop` or `pad`.
    """
    room = (extent - side) / stride
    if edge == "drop":
        count = math.floor(room + _SLACK / stride) + 1
    else:
        count = max(math.ceil(room - _SLACK / stride) + 1, 1)
        count = min(count, math.ceil(extent / stride - _SLACK / stride))
    return np.arange(max(count, 0), dtype=np.int64) * stride


def plan_tiles(
    scales: Sequence[Scale],
    planes: Mapping[str, Plane],
    mask: TissueMask,
    settings: BuildSettings,
) -> dict[str, ScaleTiles]:
    """The tiles of one slide, by scale, each with its unit of work and its parent.

    The plan depends on nothing but the arguments, so every worker that computes it gets the same.

    Args:
        scales: the protocol's scales.
        planes: the slide's plane for each scale; scales without one are left out.
        mask: the slide's tissue.
        settings: what is done at the border.
    """
    plan: dict[str, ScaleTiles] = {}
    first_block = first_unit = 0
    for plane in dict.fromkeys(planes.values()):
        members = [s for s in scales if planes.get(s.name) == plane]
        kept = [_kept(scale, plane, mask, settings.edge) for scale in members]
        for tiles in _with_units(kept, first_block, first_unit):
            plan[tiles.scale.name] = tiles
        first_block = 1 + max(int(tiles.block.max(initial=-1)) for tiles in plan.values())
        first_unit = len(unit_tiles(plan))
    return {
        scale.name: _with_parents(plan[scale.name], plan, settings.edge)
        for scale in scales
        if scale.name in plan
    }


def unit_tiles(plan: Mapping[str, ScaleTiles]) -> Indices:
    """Number of tiles of each unit of work."""
    units = 1 + max((int(tiles.unit.max(initial=-1)) for tiles in plan.values()), default=-1)
    counts = np.zeros(units, np.int64)
    for tiles in plan.values():
        counts += np.bincount(tiles.unit, minlength=units)
    return counts


def unit_pixels(plan: Mapping[str, ScaleTiles]) -> Indices:
    """Number of pixels that each unit of work encodes."""
    units = len(unit_tiles(plan))
    pixels = np.zeros(units, np.int64)
    for tiles in plan.values():
        pixels += np.bincount(tiles.unit, minlength=units) * tiles.scale.side_px**2
    return pixels


def _kept(scale: Scale, plane: Plane, mask: TissueMask, edge: str) -> ScaleTiles:
    side = scale.side_px
    columns = positions(_length(plane.extent_x, edge), side, scale.stride, edge)
    rows = positions(_length(plane.extent_y, edge), side, scale.stride, edge)
    x, y = np.tile(columns, len(rows)), np.repeat(rows, len(columns))
    tissue = tissue_fraction(
        mask,
        x * plane.step_x,
        y * plane.step_y,
        (x + side) * plane.step_x,
        (y + side) * plane.step_y,
    ).astype(np.float32)
    inside = _overlap(x, side, plane.extent_x) * _overlap(y, side, plane.extent_y)
    keep = tissue >= np.float32(scale.min_tissue)
    none = np.full(int(keep.sum()), -1, np.int64)
    return ScaleTiles(
        scale,
        plane,
        x[keep],
        y[keep],
        tissue[keep],
        inside[keep].astype(np.float32),
        none,
        none,
        none,
    )


def _length(extent: float, edge: str) -> float:
    # Padded tiles begin where there is a pixel of the slide, one with its center on it.
    return extent if edge == "drop" else math.floor(extent + 0.5)


def _overlap(start: Indices, side: int, extent: float) -> npt.NDArray[np.float64]:
    return np.asarray(np.clip((extent - start) / side, 0.0, 1.0))


def _with_units(kept: Sequence[ScaleTiles], first_block: int, first_unit: int) -> list[ScaleTiles]:
    # The canvas is cut into square blocks that hold at least the largest tile. A tile is made
    # with the block that holds its top-left corner; a unit is a run of blocks, row by row.
    largest = max(tiles.scale.side_px for tiles in kept)
    block = largest * max(1, _BLOCK_PX // largest)
    columns = 1 + max(int(tiles.x.max(initial=0)) // block for tiles in kept)
    keys = [tiles.y // block * columns + tiles.x // block for tiles in kept]
    blocks = np.unique(np.concatenate(keys))
    cost = np.zeros(len(blocks), np.int64)
    for tiles, key in zip(kept, keys, strict=True):
        area = tiles.scale.side_px**2
        cost = np.maximum(cost, np.bincount(np.searchsorted(blocks, key), None, len(blocks)) * area)
    unit = (np.cumsum(cost) - cost) // UNIT_PIXELS
    unit = np.unique(unit, return_inverse=True)[1]
    ordered = []
    for tiles, key in zip(kept, keys, strict=True):
        order = np.lexsort((tiles.x, tiles.y, key))
        block_index = np.searchsorted(blocks, key[order])
        ordered.append(
            replace(
                tiles,
                x=tiles.x[order],
                y=tiles.y[order],
                tissue=tiles.tissue[order],
                inside=tiles.inside[order],
                block=first_block + block_index,
                unit=first_unit + unit[block_index],
            )
        )
    return ordered


def _with_parents(tiles: ScaleTiles, plan: Mapping[str, ScaleTiles], edge: str) -> ScaleTiles:
    parents = plan.get(tiles.scale.parent or "")
    if parents is None or not len(parents):
        return tiles
    # Along each axis: the last place of the parent's grid at or before the child's left edge.
    # If the parent's tiles overlap, that one reaches furthest to the right (see protocol.nests).
    outer, inner = parents.plane, tiles.plane
    x = _last_before(tiles.x * inner.step_x / outer.step_x, outer.extent_x, parents.scale, edge)
    y = _last_before(tiles.y * inner.step_y / outer.step_y, outer.extent_y, parents.scale, edge)
    wanted = y << 32 | x
    known = parents.y << 32 | parents.x
    order = np.argsort(known)
    at = np.searchsorted(known[order], wanted).clip(max=len(known) - 1)
    found = order[at]
    inside = (known[found] == wanted) & _contains(parents, found, tiles)
    return replace(tiles, parent=np.where(inside, found, -1))


def _contains(parents: ScaleTiles, found: Indices, tiles: ScaleTiles) -> npt.NDArray[np.bool_]:
    # Scales that nest always pass, unless `mpp_tolerance` moved one of their grids.
    outer, inner = parents.plane, tiles.plane
    right = (parents.x[found] + parents.scale.side_px + _SLACK) * outer.step_x
    bottom = (parents.y[found] + parents.scale.side_px + _SLACK) * outer.step_y
    return np.asarray(
        ((tiles.x + tiles.scale.side_px) * inner.step_x <= right)
        & ((tiles.y + tiles.scale.side_px) * inner.step_y <= bottom)
    )


def _last_before(
    start: npt.NDArray[np.floating[Any]], extent: float, parent: Scale, edge: str
) -> Indices:
    """The last place of a parent's grid, in its canvas pixels, at or before each start."""
    places = positions(_length(extent, edge), parent.side_px, parent.stride, edge)
    if not len(places):
        return np.full(len(start), -1, np.int64)
    return np.asarray(places[np.searchsorted(places, start + _SLACK, side="right") - 1])
