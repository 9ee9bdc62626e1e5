"""Reading tiles back: from shards, or from the slide where a build keeps coordinates only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curatome.errors import BuildError
from curatome.slides.readers import open_slide
from curatome.slides.readers.base import Pixels, SlideReader
from curatome.tiles.canvas import render_tile
from curatome.tiles.encode import ToSrgb, decode
from curatome.tiles.plane import Plane
from curatome.tiles.record import SlideRecord, choose_planes, load_records
from curatome.tiles.shards import read_member
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
    return TileSource(build, load_records(build), lambda slide: build.parent / paths[slide])


class TileSource:
    """Pixels of tiles by their row of the manifest.

    Args:
        build: the build folder.
        records: the build's record of each slide, by slide id.
        locate: the file of a slide, by slide id; used for coordinates only.
    """

    def __init__(
        self,
        build: Path,
        records: Mapping[str, SlideRecord],
        locate: Callable[[str], Path],
    ) -> None:
        self._build = build
        self._records = records
        self._locate = locate
        self._open: tuple[str, SlideReader] | None = None

    def pixels(self, row: Mapping[str, Any]) -> Pixels:
        """The tile's pixels, (side_px, side_px, 3) uint8, RGB.

        Args:
            row: columns of `tables.TILES`.

        Raises:
            BuildError: the build has no record of the tile's slide.
            OSError: the shard cannot be read.
            UnreadableSlide: the slide cannot be decoded.
        """
        if row["shard"] is not None:
            return decode(read_member(self._build / row["shard"], row["offset"], row["length"]))
        record = self._records.get(row["slide"])
        if record is None:
            raise BuildError(f"tile {row['tile_id']}: the build has no record of its slide.")
        return self._render(row, record)

    def close(self) -> None:
        """Free the slide that is open, if any."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

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
            self._open = (slide, open_slide(self._locate(slide)))
        return self._open[1]
