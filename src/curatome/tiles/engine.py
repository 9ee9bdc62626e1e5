"""The engine: one unit of work, from a level of the slide to finished shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curatome.durable import new_file
from curatome.errors import BuildError
from curatome.hashes import bytes_hash
from curatome.jobs import progress, stage
from curatome.protocol import BuildSettings
from curatome.slides.readers import open_slide
from curatome.slides.readers.base import Pixels, SlideReader
from curatome.tables import TILES
from curatome.tiles.canvas import Boxes, Canvas
from curatome.tiles.encode import EXTENSION, ToSrgb, encode
from curatome.tiles.grid import Indices, ScaleTiles
from curatome.tiles.record import SlideRecord, load_mask, load_record, plan_of
from curatome.tiles.shards import ShardWriter

Plan = Mapping[str, ScaleTiles]
Chosen = Mapping[str, Indices]
"""For each scale, which of its tiles are meant."""


def part_path(build: Path, key: str, unit: int) -> Path:
    """The rows of a unit's tiles; its presence says that the unit is done."""
    return build / "parts" / f"{key}-{unit:05d}.parquet"


def shard_name(scale: str, key: str, unit: int) -> str:
    """A shard's path relative to the build folder. It never mixes slides or scales."""
    return f"shards/{scale}/{key}-{unit:05d}.tar"


def tile_id(slide: str, scale: str, x: int, y: int) -> str:
    """A tile's name: unique, since canvas coordinates are unique within a slide's scale."""
    return f"{slide}_{scale}_{x}_{y}"


def build_unit(build: Path, path: Path, key: str, unit: int) -> dict[str, int]:
    """Make the tiles of one unit: shards first, then the part that makes them count.

    Args:
        build: the build folder.
        path: the slide's file.
        key: the slide's key in the build.
        unit: which unit.

    Returns:
        How many `tiles`, `pixels` of them and `bytes` were written.

    Raises:
        BuildError: the slide has not been surveyed.
        UnreadableSlide: pixels cannot be decoded.
    """
    record = load_record(build, key)
    if record is None:
        raise BuildError(f"slide {key} has not been surveyed. Run `curatome build` again.")
    plan = plan_of(record, load_mask(build, key, record))
    chosen = {
        name: indices
        for name, tiles in plan.items()
        if len(indices := np.flatnonzero(tiles.unit == unit))
    }
    names = {name: shard_name(name, key, unit) for name in chosen}
    members: dict[str, _Members] = {}
    if record.build.output == "shards":
        stage("open")
        slide = open_slide(path)
        try:
            members = _write_shards(slide, record, plan, chosen, _absolute(build, names))
        finally:
            slide.close()
    stage("write manifest part")
    rows = [
        _rows(record, plan, name, indices, _placed(names[name], members.get(name), len(indices)))
        for name, indices in chosen.items()
    ]
    with new_file(part_path(build, key, unit)) as stream:
        pq.write_table(pa.concat_tables(rows), stream, compression="zstd")
    return {
        "tiles": sum(len(indices) for indices in chosen.values()),
        "pixels": sum(plan[n].scale.side_px ** 2 * len(indices) for n, indices in chosen.items()),
        "bytes": sum(sum(member.length) for member in members.values()),
    }


def cut_tiles(
    slide: SlideReader, plan: Plan, chosen: Chosen, convert: ToSrgb | None = None
) -> Iterator[tuple[str, int, Pixels]]:
    """The pixels of tiles, block of canvas by block, each block read once for all its scales.

    Args:
        slide: the open slide.
        plan: the slide's tiles.
        chosen: which of them.
        convert: brings colors to sRGB, if given.

    Yields:
        Scale, position in the scale's tiles, and pixels (side_px, side_px, 3) uint8, a view.

    Raises:
        UnreadableSlide: pixels cannot be decoded.
    """
    memory = Canvas()
    for block in _blocks(plan, chosen):
        stage("read pixels")
        plane = plan[next(iter(block))].plane
        boxes = np.concatenate([_boxes(plan[name], indices) for name, indices in block.items()])
        canvas, left, top = memory.render(slide, plane, boxes)
        if convert is not None:
            canvas = convert(canvas)
        stage("encode tiles")
        for name, indices in block.items():
            tiles, side = plan[name], plan[name].scale.side_px
            for index in indices.tolist():
                x, y = tiles.x[index] - left, tiles.y[index] - top
                yield name, index, canvas[y : y + side, x : x + side]


def _blocks(plan: Plan, chosen: Chosen) -> Iterator[dict[str, Indices]]:
    blocks: dict[int, dict[str, Indices]] = {}
    for name, indices in chosen.items():
        keys = plan[name].block[indices]
        for block in np.unique(keys).tolist():
            blocks.setdefault(block, {})[name] = indices[keys == block]
    for block in sorted(blocks):
        yield blocks[block]


def _boxes(tiles: ScaleTiles, indices: Indices) -> Boxes:
    side = tiles.scale.side_px
    x, y = tiles.x[indices], tiles.y[indices]
    return np.stack([x, y, x + side, y + side], axis=1)


@dataclass
class _Members:
    """Where the tiles of one shard lie, in the order in which they were written."""

    offset: list[int] = field(default_factory=list)
    length: list[int] = field(default_factory=list)
    hash: list[str] = field(default_factory=list)


def _absolute(build: Path, names: Mapping[str, str]) -> dict[str, Path]:
    return {scale: build / name for scale, name in names.items()}


def _write_shards(
    slide: SlideReader, record: SlideRecord, plan: Plan, chosen: Chosen, paths: Mapping[str, Path]
) -> dict[str, _Members]:
    profile = slide.facts.icc_profile if record.icc == "srgb" else None
    convert = ToSrgb(profile) if profile is not None else None
    members = {name: _Members() for name in chosen}
    with ExitStack() as stack:
        shards = {
            name: ShardWriter(stack.enter_context(new_file(path))) for name, path in paths.items()
        }
        for name, index, pixels in cut_tiles(slide, plan, chosen, convert):
            tiles = plan[name]
            data = encode(pixels, record.build)
            member = _member_name(record.slide, tiles, index, record.build)
            members[name].offset.append(shards[name].add(member, data))
            members[name].length.append(len(data))
            members[name].hash.append(bytes_hash(data))
            progress(tiles=1, bytes=len(data))
        for shard in shards.values():
            shard.finish()
        stage("write shards")
    return members


def _member_name(slide: str, tiles: ScaleTiles, index: int, settings: BuildSettings) -> str:
    name = tile_id(slide, tiles.scale.name, int(tiles.x[index]), int(tiles.y[index]))
    return f"{name}.{EXTENSION[settings.codec]}"


def _placed(shard: str, members: _Members | None, count: int) -> dict[str, list[object]]:
    if members is None:
        return {name: [None] * count for name in ("shard", "offset", "length", "hash")}
    return {
        "shard": [shard] * count,
        "offset": list(members.offset),
        "length": list(members.length),
        "hash": list(members.hash),
    }


def _rows(
    record: SlideRecord,
    plan: Plan,
    name: str,
    indices: Indices,
    placed: Mapping[str, list[object]],
) -> pa.Table:
    tiles = plan[name]
    plane, scale, count = tiles.plane, tiles.scale, len(indices)
    x, y = tiles.x[indices], tiles.y[indices]
    outer = plan.get(scale.parent or "", tiles)
    parent = [
        None
        if at < 0
        else tile_id(record.slide, outer.scale.name, int(outer.x[at]), int(outer.y[at]))
        for at in tiles.parent[indices].tolist()
    ]
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
            "parent": parent,
            **placed,
        }
    )
