"""What a build knows about one slide: everything its tiles follow from, and what came of it."""

from __future__ import annotations

import functools
import io
import json
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import pydantic
from PIL import Image

from curatome.durable import write_file
from curatome.errors import BuildError
from curatome.hashes import settings_hash
from curatome.protocol import BuildSettings, Protocol, Scale, TissueSettings
from curatome.slides.readers.base import Level
from curatome.slides.tissue import TissueMask
from curatome.tables import TILES
from curatome.tiles.grid import ScaleTiles, plan_tiles
from curatome.tiles.plane import Plane, TooCoarse, choose_plane
from curatome.tiles.state import reading
from curatome.units import Mpp

ENGINE = 1
"""Raised whenever the same inputs would give other pixels, tiles or shards."""

_CODECS = ("imagecodecs", "numba", "numpy", "openslide-bin", "pillow", "simplejpeg", "tifffile")


class SlideRecord(pydantic.BaseModel):
    """The inputs of a slide's build and its plan, kept as `slides/<key>/record.json`.

    Attributes:
        slide: first 16 digits of the content hash.
        sha256: content hash.
        mpp: resolved µm per pixel along x and y; who said so is in `slides.parquet`.
        levels: the slide's levels.
        scales: the protocol's scales.
        build: the protocol's settings of builds.
        tissue: the protocol's settings of the tissue mask.
        mask_step: level-0 pixels per pixel of the mask, along x and y.
        mask_facts: what was estimated to find the tissue.
        tissue_mm2: area of the tissue.
        icc: whether the slide has a color profile, and what was done with it.
        tiles: number of tiles of each scale.
        unit_tiles: number of tiles of each unit of work.
        unit_pixels: number of pixels that each unit encodes.
        too_coarse: for scales the slide cannot give, how often it would have to be enlarged.
        bytes_per_pixel: encoded size of a sample of the tissue, for estimates.
        engine: version of the engine.
        versions: versions of the libraries that decoded, resampled and encoded.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    slide: str
    sha256: str
    mpp: tuple[float, float]
    levels: tuple[Level, ...]
    scales: tuple[Scale, ...]
    build: BuildSettings
    tissue: TissueSettings
    mask_step: tuple[float, float]
    mask_facts: dict[str, float]
    tissue_mm2: float
    icc: Literal["none", "kept", "srgb"]
    tiles: dict[str, int]
    unit_tiles: tuple[int, ...]
    unit_pixels: tuple[int, ...]
    too_coarse: dict[str, float]
    bytes_per_pixel: float
    engine: int
    versions: dict[str, str]

    @property
    def units(self) -> int:
        """Number of units of work."""
        return len(self.unit_tiles)


def slide_key(sha256: str, mpp: Mpp, protocol: Protocol) -> str:
    """What a slide's part of a build is known by: the slide, and a hash of all it depends on.

    The columns of the manifest's rows are part of it, since parts hold such rows. Library versions
    are recorded but no part of it: an update must not redo a dataset.
    """
    columns = [[column.name, str(column.type)] for column in TILES.columns]
    inputs = [ENGINE, columns, sha256, mpp.x, mpp.y, protocol.build_key_material()]
    return f"{sha256[:16]}-{settings_hash(inputs)[:8]}"


def choose_planes(
    levels: tuple[Level, ...], mpp: Mpp, scales: tuple[Scale, ...], settings: BuildSettings
) -> tuple[dict[str, Plane], dict[str, float]]:
    """The plane of each scale, and the enlargement of those the slide is too coarse for."""
    planes, too_coarse = {}, {}
    for scale in scales:
        try:
            planes[scale.name] = choose_plane(levels, mpp, scale.mpp, settings)
        except TooCoarse as error:
            too_coarse[scale.name] = error.enlargement
    return planes, too_coarse


def plan_of(record: SlideRecord, mask: TissueMask) -> dict[str, ScaleTiles]:
    """The tiles of a surveyed slide; the same wherever it is computed."""
    planes, _ = choose_planes(record.levels, Mpp(*record.mpp), record.scales, record.build)
    return plan_tiles(record.scales, planes, mask, record.build)


def record_folder(build: Path, key: str) -> Path:
    """Where a build keeps what it knows about a slide."""
    return build / "slides" / key


def save_record(build: Path, key: str, record: SlideRecord) -> None:
    """Write the record; its presence says that the slide has been surveyed."""
    write_file(record_folder(build, key) / "record.json", record.model_dump_json(indent=1))


def load_record(build: Path, key: str) -> SlideRecord | None:
    """The record of a slide, or None if it has not been surveyed.

    Raises:
        BuildError: the record cannot be understood.
    """
    path = record_folder(build, key) / "record.json"
    if not path.exists():
        return None
    try:
        return SlideRecord.model_validate_json(path.read_bytes())
    except pydantic.ValidationError as error:
        raise BuildError(
            f"{path} is damaged ({error.error_count()} problems). Remove its folder and build "
            "again; the slide is then surveyed once more."
        ) from error


def load_records(build: Path) -> dict[str, SlideRecord]:
    """The records of all slides in a finished build, by slide id.

    Raises:
        BuildError: the run record, or that of a slide, cannot be understood.
    """
    path = build / "build.json"
    with reading(path):
        keys = list(json.loads(path.read_bytes())["slides"])
    found = [load_record(build, key) for key in keys]
    return {record.slide: record for record in found if record is not None}


def part_path(build: Path, key: str, unit: int) -> Path:
    """The rows of a unit's tiles; its presence says that the unit is done."""
    return build / "parts" / part_name(key, unit)


def part_name(key: str, unit: int) -> str:
    """The name of a unit's part."""
    return f"{key}-{unit:05d}.parquet"


def shard_name(scale: str, key: str, unit: int) -> str:
    """A shard's path relative to the build folder. It never mixes slides or scales."""
    return f"shards/{scale}/{key}-{unit:05d}.tar"


def save_mask(build: Path, key: str, mask: TissueMask) -> None:
    """Keep the tissue mask as a 1-bit PNG."""
    stream = io.BytesIO()
    Image.fromarray(mask.mask).save(stream, "PNG", optimize=False)
    write_file(record_folder(build, key) / "tissue.png", stream.getvalue())


def load_mask(build: Path, key: str, record: SlideRecord) -> TissueMask:
    """The tissue mask of a surveyed slide.

    Raises:
        BuildError: it is damaged.
    """
    path = record_folder(build, key) / "tissue.png"
    try:
        with Image.open(path) as image:
            mask = np.asarray(image.convert("1"), dtype=np.bool_)
    except (OSError, SyntaxError) as error:  # Pillow's words for a picture cut short
        raise BuildError(
            f"{path} cannot be read ({error}). Remove its folder and build again; the slide is "
            "then surveyed once more."
        ) from error
    return TissueMask(mask, *record.mask_step, record.mask_facts)


@functools.cache
def codec_versions() -> dict[str, str]:
    """Versions of the libraries that pixels pass through."""
    return {name: version(name) for name in _CODECS}
