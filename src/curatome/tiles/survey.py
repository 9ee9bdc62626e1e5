"""The first look at a slide in a build: its tissue, and with it the plan of its tiles."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from curatome.durable import write_file
from curatome.jobs import stage
from curatome.location import Location
from curatome.protocol import Protocol
from curatome.slides.opening import opened_slide
from curatome.slides.readers.base import Pixels, SlideReader
from curatome.slides.tissue import TissueMask, find_tissue, read_overview
from curatome.tiles.canvas import Canvas
from curatome.tiles.encode import encode
from curatome.tiles.grid import ScaleTiles, plan_tiles, unit_pixels, unit_tiles
from curatome.tiles.plane import Plane
from curatome.tiles.record import (
    ENGINE,
    SlideRecord,
    choose_planes,
    codec_versions,
    record_folder,
    save_mask,
    save_record,
)
from curatome.units import Mpp

_OVERVIEW_PIXELS = 6_000_000
"""Of the whole slide, at the most: finding tissue takes about 60 bytes for each of them.

It is a 100,000 x 60,000 px slide at 0.25 µm/px seen at 8 µm/px. Larger ones are looked at from
further away, so that memory does not grow with the slide.
"""

_THUMBNAIL_PX = 900
_SAMPLE_PX = 512


@dataclass(frozen=True)
class SlideSource:
    """A slide to be built.

    Attributes:
        path: its file, here or in a store.
        sha256: its content hash.
        key: `curatome.tiles.record.slide_key` of it.
        mpp: its resolved scale.
    """

    path: Location
    sha256: str
    key: str
    mpp: Mpp


def survey_slide(build: Path, source: SlideSource, protocol: Protocol) -> SlideRecord:
    """Find the tissue of a slide, plan its tiles, and keep both in the build folder.

    Raises:
        UnreadableSlide: the slide cannot be decoded.
        UnsupportedSlide: it is no bright-field RGB image.
        StorageError: it cannot be fetched from its store.
    """
    with opened_slide(source.path) as slide:
        stage("find tissue")
        wanted = _overview_mpp(slide, source.mpp, protocol.tissue.mpp)
        overview, step_x, step_y = read_overview(slide, source.mpp, wanted)
        found, facts = find_tissue(overview, source.mpp.x * step_x, protocol.tissue)
        mask = TissueMask(found, step_x, step_y, facts)
        stage("plan tiles")
        levels = slide.facts.levels
        planes, too_coarse = choose_planes(levels, source.mpp, protocol.scales, protocol.build)
        plan = plan_tiles(protocol.scales, planes, mask, protocol.build)
        stage("sample pixels")
        density = _bytes_per_pixel(slide, plan, protocol)
    folder = record_folder(build, source.key)
    write_file(folder / "overview.jpg", _thumbnail(overview))
    if slide.facts.icc_profile is not None:
        write_file(folder / "profile.icc", slide.facts.icc_profile)
    save_mask(build, source.key, mask)
    record = SlideRecord(
        slide=source.sha256[:16],
        sha256=source.sha256,
        mpp=(source.mpp.x, source.mpp.y),
        levels=levels,
        scales=protocol.scales,
        build=protocol.build,
        tissue=protocol.tissue,
        mask_step=(step_x, step_y),
        mask_facts=facts,
        tissue_mm2=_area_mm2(mask, source.mpp),
        icc=_icc(slide, protocol),
        tiles={name: len(tiles) for name, tiles in plan.items()},
        unit_tiles=tuple(unit_tiles(plan).tolist()),
        unit_pixels=tuple(unit_pixels(plan).tolist()),
        too_coarse=too_coarse,
        bytes_per_pixel=density,
        engine=ENGINE,
        versions=codec_versions(),
    )
    save_record(build, source.key, record)
    return record


def _overview_mpp(slide: SlideReader, mpp: Mpp, wanted: float) -> float:
    """The scale at which the whole slide is looked at, µm/px."""
    area_um2 = slide.facts.width * mpp.x * slide.facts.height * mpp.y
    return max(wanted, math.sqrt(area_um2 / _OVERVIEW_PIXELS))


def _icc(slide: SlideReader, protocol: Protocol) -> Literal["none", "kept", "srgb"]:
    if slide.facts.icc_profile is None:
        return "none"
    return "srgb" if protocol.build.icc == "srgb" else "kept"


def _area_mm2(mask: TissueMask, mpp: Mpp) -> float:
    pixel_um2 = mask.step_x * mpp.x * mask.step_y * mpp.y
    return float(mask.mask.sum()) * pixel_um2 / 1e6


def _thumbnail(overview: Pixels) -> bytes:
    image = Image.fromarray(overview)
    image.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.BOX, reducing_gap=None)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=85)
    return stream.getvalue()


def _bytes_per_pixel(
    slide: SlideReader, plan: Mapping[str, ScaleTiles], protocol: Protocol
) -> float:
    """Encoded bytes per pixel of one piece of tissue; 0 for a slide without tiles."""
    best: tuple[float, Plane, int, int] | None = None
    for tiles in plan.values():
        if len(tiles):
            at = int(np.argmax(tiles.tissue))
            middle = tiles.scale.side_px // 2
            candidate = (
                float(tiles.tissue[at]),
                tiles.plane,
                int(tiles.x[at]) + middle,
                int(tiles.y[at]) + middle,
            )
            best = candidate if best is None or candidate[0] > best[0] else best
    if best is None:
        return 0.0
    _, plane, x, y = best
    left = max(0, min(x, math.floor(plane.extent_x)) - _SAMPLE_PX // 2)
    top = max(0, min(y, math.floor(plane.extent_y)) - _SAMPLE_PX // 2)
    pixels = Canvas().tile(slide, plane, (left, top), _SAMPLE_PX)
    return len(encode(pixels, protocol.build)) / float(_SAMPLE_PX * _SAMPLE_PX)
