"""Reading tiles back: from shards, or from the slide where a build keeps coordinates only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curatome.errors import BuildError
from curatome.location import Location, joined, located
from curatome.slides.opening import opened_slide
from curatome.slides.readers.base import Pixels, SlideReader
from curatome.tiles.canvas import render_tile
from curatome.tiles.encode import ToSrgb, decode
from curatome.tiles.plane import Plane
from curatome.tiles.record import SlideRecord, choose_planes, load_records
from curatome.tiles.shards import read_member, shards_of
from curatome.units import Mpp


def open_tiles(build: Path) -> TileSource:
    """The tiles of a finished build.

    Args:
        build: the build folder of a project.

    Raises:
        BuildError: the folder holds no finished build.
    """
    table = build / "slides.parquet"
    if not table.exists():
        raise BuildError(f"{build} holds no finished build. Run `curatome build` first.")
    slides = pq.read_table(table, columns=["slide", "path"])
    paths = dict(zip(slides["slide"].to_pylist(), slides["path"].to_pylist(), strict=True))
    return TileSource(build, load_records(build), lambda slide: located(paths[slide], build.parent))


class TileSource:
    """Pixels of tiles by their row of the manifest.

    Args:
        build: the build folder.
        records: the build's record of each slide, by slide id.
        locate: path or URL of a slide's file, by slide id; used for coordinates only.
    """

    def __init__(
        self,
        build: Path,
        records: Mapping[str, SlideRecord],
        locate: Callable[[str], Location],
    ) -> None:
        self._manifest = build / "tiles.parquet"
        self._records = records
        self._locate = locate
        self._open: tuple[str, SlideReader] | None = None
        self._held = ExitStack()

    def pixels(self, row: Mapping[str, Any]) -> Pixels:
        """The tile's pixels, (side_px, side_px, 3) uint8, RGB.

        Args:
            row: columns of `tables.TILES`.

        Raises:
            BuildError: the build has no record of the tile's slide.
            OSError: the shard cannot be read.
            StorageError: shard or slide lie in a store that does not give them.
            UnreadableSlide: the slide cannot be decoded.
        """
        if row["shard"] is not None:
            shard = joined(self._shards, row["shard"])
            return decode(read_member(shard, row["offset"], row["length"]))
        record = self._records.get(row["slide"])
        if record is None:
            raise BuildError(f"tile {row['tile_id']}: the build has no record of its slide.")
        return self._render(row, record)

    @cached_property
    def _shards(self) -> Location:
        return shards_of(self._manifest)

    def close(self) -> None:
        """Free the slide that is open, if any."""
        self._open = None
        self._held.close()

    def _render(self, row: Mapping[str, Any], record: SlideRecord) -> Pixels:
        slide = self._slide(row["slide"])
        side = row["side_px"]
        plane = self._plane(row, record)
        step_x, step_y = plane.step_x, plane.step_y
        x, y = round(row["x"] / step_x), round(row["y"] / step_y)
        pixels = render_tile(slide, plane, (x, y), side)
        profile = slide.facts.icc_profile
        if record.icc == "srgb" and profile is not None:
            return ToSrgb(profile)(pixels)
        return pixels

    def _plane(self, row: Mapping[str, Any], record: SlideRecord) -> Plane:
        planes, _ = choose_planes(record.levels, Mpp(*record.mpp), record.scales, record.build)
        return planes[row["scale"]]

    def _slide(self, slide: str) -> SlideReader:
        if self._open is None or self._open[0] != slide:
            self.close()
            opened = self._held.enter_context(opened_slide(self._locate(slide)))
            self._open = (slide, opened)
        return self._open[1]
