"""The engine: one unit of work, from a level of the slide to finished shards."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curatome.durable import new_file
from curatome.errors import BuildError
from curatome.hashes import bytes_hash
from curatome.jobs import progress, stage
from curatome.location import Location, joined
from curatome.slides.opening import opened_slide
from curatome.slides.readers.base import Pixels, SlideReader
from curatome.tiles.canvas import Boxes, Canvas, as_stored
from curatome.tiles.encode import EXTENSION, ToSrgb, encode
from curatome.tiles.grid import Indices, ScaleTiles
from curatome.tiles.native import copied_tiles, native_level
from curatome.tiles.record import (
    SlideRecord,
    load_mask,
    load_record,
    part_path,
    plan_of,
    shard_name,
)
from curatome.tiles.rows import Stored, nothing_stored, tile_id, tile_rows
from curatome.tiles.shards import ShardWriter, new_shard

Plan = Mapping[str, ScaleTiles]
Chosen = Mapping[str, Indices]
"""For each scale, which of its tiles are meant."""


def build_unit(
    build: Path, path: Location, key: str, unit: int, shards: Location | None = None
) -> dict[str, int]:
    """Make the tiles of one unit: shards first, then the part that makes them count.

    Args:
        build: the build folder.
        path: the slide's file.
        key: the slide's key in the build.
        unit: which unit.
        shards: the folder that shards lie under, if it is not the build folder.

    Returns:
        How many `tiles`, `pixels` of them and `bytes` were written.

    Raises:
        BuildError: the slide has not been surveyed.
        UnreadableSlide: pixels cannot be decoded.
        StorageError: the slide cannot be fetched from its store, or a shard not be stored.
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
    stored = {name: nothing_stored(len(indices)) for name, indices in chosen.items()}
    if record.build.output == "shards":
        places = _shards(build if shards is None else shards, key, unit, chosen)
        with opened_slide(path) as slide:
            stored = _write_shards(slide, record, plan, chosen, places)
    stage("write manifest part")
    rows = [
        tile_rows(record, plan, name, indices, stored[name]) for name, indices in chosen.items()
    ]
    with new_file(part_path(build, key, unit)) as stream:
        pq.write_table(pa.concat_tables(rows), stream, compression="zstd")
    return {
        "tiles": sum(len(indices) for indices in chosen.values()),
        "pixels": sum(plan[n].scale.side_px ** 2 * len(indices) for n, indices in chosen.items()),
        "bytes": sum(length or 0 for placed in stored.values() for length in placed.length),
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
    memory = Canvas(convert)
    for block in _blocks(plan, chosen):
        stage("cut tiles")
        name, *others = block
        tiles, side = plan[name], plan[name].scale.side_px
        apart = not others and tiles.scale.stride >= side
        if apart and as_stored(slide, tiles.plane):
            for index in block[name].tolist():
                corner = int(tiles.x[index]), int(tiles.y[index])
                yield name, index, memory.tile(slide, tiles.plane, corner, side)
        else:
            yield from _cut_block(slide, plan, block, memory)


def _cut_block(
    slide: SlideReader, plan: Plan, block: Chosen, memory: Canvas
) -> Iterator[tuple[str, int, Pixels]]:
    plane = plan[next(iter(block))].plane
    boxes = np.concatenate([_boxes(plan[name], indices) for name, indices in block.items()])
    waiting = {name: deque(indices.tolist()) for name, indices in block.items()}
    for rendered in memory.render(slide, plane, boxes):
        for name, queue in waiting.items():
            tiles, side = plan[name], plan[name].scale.side_px
            while queue and tiles.y[queue[0]] + side <= rendered.done:
                index = queue.popleft()
                x, y = tiles.x[index] - rendered.left, tiles.y[index] - rendered.top
                yield name, index, rendered.canvas[y : y + side, x : x + side]


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


def _encoded_tiles(
    slide: SlideReader, record: SlideRecord, plan: Plan, chosen: Chosen
) -> Iterator[tuple[str, int, bytes, bool]]:
    """Scale, position, bytes, and whether these are the scanner's own, of all chosen tiles."""
    left = {name: set(indices.tolist()) for name, indices in chosen.items()}
    for name, indices in chosen.items():
        level = native_level(slide, plan[name], record.build)
        if level is not None:
            for index, data in copied_tiles(level, plan[name], indices):
                left[name].discard(index)
                yield name, index, data, True
    profile = slide.facts.icc_profile if record.icc == "srgb" else None
    convert = ToSrgb(profile) if profile is not None else None
    rest = {name: np.array(sorted(indices), np.int64) for name, indices in left.items() if indices}
    # Encoders want whole arrays; memory that is used again costs half as much as fresh memory.
    whole = {name: np.empty((plan[name].scale.side_px,) * 2 + (3,), np.uint8) for name in rest}
    for name, index, view in cut_tiles(slide, plan, rest, convert):
        pixels = view
        if not view.flags.c_contiguous:
            pixels = whole[name]
            np.copyto(pixels, view)
        yield name, index, encode(pixels, record.build), False


def _shards(
    folder: Location, key: str, unit: int, chosen: Chosen
) -> dict[str, tuple[Location, str]]:
    names = {scale: shard_name(scale, key, unit) for scale in chosen}
    return {scale: (joined(folder, name), name) for scale, name in names.items()}


def _write_shards(
    slide: SlideReader,
    record: SlideRecord,
    plan: Plan,
    chosen: Chosen,
    shards: Mapping[str, tuple[Location, str]],
) -> dict[str, Stored]:
    placed: dict[str, dict[int, tuple[int, int, str, bool]]] = {name: {} for name in chosen}
    extension = EXTENSION[record.build.codec]
    with ExitStack() as stack:
        writers = {
            scale: ShardWriter(stack.enter_context(new_shard(path)))
            for scale, (path, _) in shards.items()
        }
        for scale, index, data, native in _encoded_tiles(slide, record, plan, chosen):
            tiles = plan[scale]
            name = tile_id(record.slide, scale, int(tiles.x[index]), int(tiles.y[index]))
            offset = writers[scale].add(f"{name}.{extension}", data)
            placed[scale][index] = (offset, len(data), bytes_hash(data), native)
            progress(tiles=1, bytes=len(data))
        for writer in writers.values():
            writer.finish()
        stage("write shards")
    return {
        scale: _stored(shards[scale][1], [placed[scale][index] for index in indices.tolist()])
        for scale, indices in chosen.items()
    }


def _stored(shard: str, placed: Sequence[tuple[int, int, str, bool]]) -> Stored:
    offset, length, content, native = (list(column) for column in zip(*placed, strict=True))
    return Stored(shard, offset, length, content, native)
