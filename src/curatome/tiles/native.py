"""Tiles that are tiles of the slide already: copied as they are, without decoding."""

from __future__ import annotations

from collections.abc import Iterator

from curatome.protocol import BuildSettings
from curatome.slides.readers.base import Level, SlideReader
from curatome.slides.readers.stored import StoredLevel, StoredTileReader
from curatome.tiles.grid import Indices, ScaleTiles


def native_level(
    slide: SlideReader, tiles: ScaleTiles, settings: BuildSettings
) -> StoredLevel | None:
    """The stored level whose tiles are a scale's tiles, or None if there is none.

    Scale, edge and grid must coincide: the canvas has the level's pixels, a tile is as large as
    the stored ones, and every tile begins where a stored one does.

    Args:
        slide: the open slide.
        tiles: the scale's tiles.
        settings: whether and how tiles are encoded.
    """
    if not settings.pass_through or settings.codec != "jpeg" or settings.icc != "keep":
        return None
    if not isinstance(slide, StoredTileReader):
        return None
    side, plane = tiles.scale.side_px, tiles.plane
    stored, level = slide.stored[plane.level], slide.facts.levels[plane.level]
    fits = stored.tile_width == stored.tile_height == side and tiles.scale.stride % side == 0
    return stored if fits and plane.shrink == 1 and _same_pixels(level, tiles) else None


def copied_tiles(
    stored: StoredLevel, tiles: ScaleTiles, indices: Indices
) -> Iterator[tuple[int, bytes]]:
    """Tiles as JPEG files of their own, each with its position in the scale's tiles.

    Tiles that the slide's border cuts are left out: beyond it a stored tile holds anything. So
    are tiles that are not stored as JPEG.
    """
    side = tiles.scale.side_px
    for index in indices.tolist():
        if tiles.inside[index] == 1:
            data = stored.jpeg(int(tiles.x[index]) // side, int(tiles.y[index]) // side)
            if data is not None:
                yield index, data


def _same_pixels(level: Level, tiles: ScaleTiles) -> bool:
    plane = tiles.plane
    return plane.step_x == level.downsample_x and plane.step_y == level.downsample_y
