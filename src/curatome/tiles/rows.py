"""The manifest's rows of a unit's tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curatome.tables import TILES
from curatome.tiles.grid import Indices, ScaleTiles
from curatome.tiles.record import SlideRecord


@dataclass(frozen=True)
class Stored:
    """Where the bytes of tiles lie, one value for each tile; None where no pixels are kept.

    Attributes:
        shard: the tar file, relative to the build folder.
        offset: first byte in the shard.
        length: bytes.
        hash: content hash.
        native: whether the bytes are the scanner's own.
    """

    shard: str | None
    offset: Sequence[int | None]
    length: Sequence[int | None]
    hash: Sequence[str | None]
    native: Sequence[bool]


def nothing_stored(count: int) -> Stored:
    """For a build that keeps coordinates only."""
    return Stored(None, [None] * count, [None] * count, [None] * count, [False] * count)


def tile_id(slide: str, scale: str, x: int, y: int) -> str:
    """A tile's name: unique, since canvas coordinates are unique within a slide's scale."""
    return f"{slide}_{scale}_{x}_{y}"


def tile_rows(
    record: SlideRecord,
    plan: Mapping[str, ScaleTiles],
    name: str,
    indices: Indices,
    stored: Stored,
) -> pa.Table:
    """Rows of `tables.TILES`, without the case, which may change after a build.

    Args:
        record: the slide's record.
        plan: its tiles.
        name: the scale.
        indices: which tiles of it.
        stored: where their bytes lie.
    """
    tiles = plan[name]
    plane, scale, count = tiles.plane, tiles.scale, len(indices)
    x, y = tiles.x[indices], tiles.y[indices]
    return TILES.from_columns(
        {
            "tile_id": [
                tile_id(record.slide, name, *corner)
                for corner in zip(x.tolist(), y.tolist(), strict=True)
            ],
            "slide": [record.slide] * count,
            "case": [None] * count,
            "scale": [name] * count,
            "x": x * plane.step_x,
            "y": y * plane.step_y,
            "width": np.full(count, scale.side_px * plane.step_x),
            "height": np.full(count, scale.side_px * plane.step_y),
            "side_px": np.full(count, scale.side_px, np.int32),
            "side_um": np.full(count, scale.side_px * plane.mpp_x),
            "mpp_x": np.full(count, plane.mpp_x),
            "mpp_y": np.full(count, plane.mpp_y),
            "level": np.full(count, plane.level, np.int16),
            "enlargement": np.full(count, plane.enlargement, np.float32),
            "tissue_fraction": tiles.tissue[indices],
            "inside_fraction": tiles.inside[indices],
            "parent": _parents(record.slide, plan, tiles, indices),
            "shard": [stored.shard] * count,
            "offset": stored.offset,
            "length": stored.length,
            "hash": stored.hash,
            "native": stored.native,
        }
    )


def _parents(
    slide: str, plan: Mapping[str, ScaleTiles], tiles: ScaleTiles, indices: Indices
) -> list[str | None]:
    outer = plan.get(tiles.scale.parent or "", tiles)
    return [
        None if at < 0 else tile_id(slide, outer.scale.name, int(outer.x[at]), int(outer.y[at]))
        for at in tiles.parent[indices].tolist()
    ]
