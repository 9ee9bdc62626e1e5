"""Reading tiles back: from shards, or from the slide where a build keeps coordinates only."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curatome.errors import BuildError, CuratomeError
from curatome.location import Location, joined, located
from curatome.slides.files import slide_at
from curatome.slides.opening import local_slide, opened_slide
from curatome.slides.readers.base import Pixels, SlideReader
from curatome.slides.stamp import slide_stamps
from curatome.tiles.canvas import Canvas
from curatome.tiles.encode import ToSrgb, decode
from curatome.tiles.plane import Plane
from curatome.tiles.record import SlideRecord, choose_planes, load_records
from curatome.tiles.shards import read_member, shards_of
from curatome.tiles.state import check_whole, reading
from curatome.units import Mpp


def open_tiles(build: Path) -> TileSource:
    """The tiles of a finished build.

    Args:
        build: the build folder of a project.

    Raises:
        BuildError: the folder holds no finished build, or its files are not of the same one.
    """
    build = Path(os.path.abspath(build))  # noqa: PTH100 - beside a link to it lies the project
    check_whole(build)
    table = build / "slides.parquet"
    with reading(table):
        slides = pq.read_table(table, columns=["slide", "path"])
    paths = dict(zip(slides["slide"].to_pylist(), slides["path"].to_pylist(), strict=True))
    records = load_records(build)
    bare = any(record.build.output == "coordinates" for record in records.values())
    stamps = _registered_stamps(build.parent, paths) if bare else {}
    return TileSource(build, records, lambda slide: located(paths[slide], build.parent), stamps)


def _registered_stamps(project: Path, paths: Mapping[str, str]) -> dict[str, str]:
    """Stamps of slides when they were registered; none if the build lies in no project."""
    from curatome.project import open_project  # a database: not for those who read shards

    try:
        files = open_project(project).store.files()
    except (CuratomeError, OSError):
        return {}
    return {slide: files[path][1] for slide, path in paths.items() if path in files}


class TileSource:
    """Pixels of tiles by their row of the manifest.

    Args:
        build: the build folder.
        records: the build's record of each slide, by slide id.
        locate: path or URL of a slide's file, by slide id; used for coordinates only.
        stamps: `slide_stamps` of slides when they were registered, by slide id. A slide without,
            or with another one now, must have the content hash of its record.
    """

    def __init__(
        self,
        build: Path,
        records: Mapping[str, SlideRecord],
        locate: Callable[[str], Location],
        stamps: Mapping[str, str] | None = None,
    ) -> None:
        self._manifest = build / "tiles.parquet"
        self._records = records
        self._locate = locate
        self._stamps = stamps or {}
        self._sound: set[str] = set()
        self._open: tuple[str, SlideReader] | None = None
        self._held = ExitStack()

    def pixels(self, row: Mapping[str, Any]) -> Pixels:
        """The tile's pixels, (side_px, side_px, 3) uint8, RGB.

        Args:
            row: columns of `tables.TILES`.

        Raises:
            BuildError: the build has no record of the tile's slide, or the slide has changed.
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
        slide = self._slide(record)
        side = row["side_px"]
        plane = self._plane(row, record)
        step_x, step_y = plane.step_x, plane.step_y
        x, y = round(row["x"] / step_x), round(row["y"] / step_y)
        pixels = Canvas().tile(slide, plane, (x, y), side)
        profile = slide.facts.icc_profile
        if record.icc == "srgb" and profile is not None:
            return ToSrgb(profile)(pixels)
        return pixels

    def _plane(self, row: Mapping[str, Any], record: SlideRecord) -> Plane:
        planes, _ = choose_planes(record.levels, Mpp(*record.mpp), record.scales, record.build)
        return planes[row["scale"]]

    def _slide(self, record: SlideRecord) -> SlideReader:
        if self._open is None or self._open[0] != record.slide:
            self.close()
            place = self._locate(record.slide)
            if record.slide not in self._sound:
                _check_unchanged(place, record, self._stamps.get(record.slide))
                self._sound.add(record.slide)
            self._open = (record.slide, self._held.enter_context(opened_slide(place)))
        return self._open[1]


def _check_unchanged(place: Location, record: SlideRecord, stamp: str | None) -> None:
    now = slide_stamps([place])
    if place in now and now[place] is None:
        raise BuildError(
            f"{place} is not there any more. Run `curatome add` with its present place, then "
            "`curatome build`."
        )
    if stamp is not None and now.get(place) == stamp:
        return
    with local_slide(slide_at(place)) as here:
        if here.sha256() != record.sha256:
            raise BuildError(
                f"{place} has changed since the build, so its tiles would show something else. "
                "Put the former file back, or run `curatome add` and `curatome build`."
            )
