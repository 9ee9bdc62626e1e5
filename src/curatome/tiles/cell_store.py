"""Cells of one slide as a shard of crops and masks, and the rows that say where they lie."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from PIL import Image

from curatome.durable import new_file
from curatome.geometry import Mask
from curatome.hashes import bytes_hash
from curatome.jobs import progress, stage
from curatome.location import Location
from curatome.slides.opening import opened_slide
from curatome.slides.readers.base import SlideReader
from curatome.tables import CELLS
from curatome.tiles.cells import CellCrop, CellPlan, CellSettings, cut_cells, plan_cells
from curatome.tiles.duplicates import drawn_twice, turned_hash
from curatome.tiles.encode import EXTENSION, ToSrgb, encode
from curatome.tiles.shards import ShardWriter
from curatome.units import Mpp


@dataclass(frozen=True)
class CellTask:
    """The cells of one slide.

    Attributes:
        slide: the slide's id.
        path: its file, here or in a store.
        mpp: its µm per pixel.
        cells: ids of the cells.
        shapes: their outlines, boxes or points in level-0 pixels, as WKB.
    """

    slide: str
    path: Location
    mpp: Mpp
    cells: tuple[str, ...]
    shapes: tuple[bytes, ...]


def part_path(folder: Path, slide: str) -> Path:
    """The rows of a slide's cells; its presence says that the shard beside it is whole."""
    return folder / "parts" / f"{slide}.parquet"


def store_cells(folder: Path, task: CellTask, settings: CellSettings) -> int:
    """Cut the cells of a slide and write their shard, then their rows.

    Members are named `<cell>.jpg` and, for outlines and boxes, `<cell>.mask.png`.

    Returns:
        How many crops were written.

    Raises:
        TooCoarse: the slide would have to be enlarged by more than the settings allow.
        UnreadableSlide: its pixels cannot be decoded.
        ValueError: a shape cannot be cut out.
    """
    with opened_slide(task.path) as slide:
        shapes = [shapely.from_wkb(shape) for shape in task.shapes]
        plan = plan_cells(slide, task.mpp, shapes, settings)
        name = f"shards/{task.slide}.tar"
        stage("cut cells")
        with new_file(folder / name) as stream:
            placed = _write_shard(ShardWriter(stream), task, plan, slide)
    stage("find duplicates")
    again = drawn_twice(shapes, task.mpp)
    rows = [
        {
            **_row(task, plan, i),
            **placed[i],
            "shard": name,
            "drawn_again": None if again[i] < 0 else task.cells[again[i]],
            "copy_of": None,
        }
        for i in range(len(plan))
    ]
    with new_file(part_path(folder, task.slide)) as stream:
        pq.write_table(CELLS.from_rows(rows), stream, compression="zstd")
    return len(rows)


def _write_shard(
    shard: ShardWriter, task: CellTask, plan: CellPlan, slide: SlideReader
) -> list[dict[str, Any]]:
    profile = slide.facts.icc_profile
    convert = ToSrgb(profile) if plan.settings.build.icc == "srgb" and profile else None
    placed: list[dict[str, Any]] = [{} for _ in range(len(plan))]
    for crop in cut_cells(slide, plan, convert):
        placed[crop.index] = _write_crop(shard, task.cells[crop.index], crop, plan.settings)
        progress(tiles=1)
    shard.finish()
    return placed


def _write_crop(
    shard: ShardWriter, cell: str, crop: CellCrop, settings: CellSettings
) -> dict[str, Any]:
    data = encode(crop.pixels, settings.build)
    place: dict[str, Any] = {
        "offset": shard.add(f"{cell}.{EXTENSION[settings.build.codec]}", data),
        "length": len(data),
        "hash": bytes_hash(data),
        "turned_hash": turned_hash(crop.pixels),
        "mask_offset": None,
        "mask_length": None,
    }
    if crop.mask is not None:
        mask = mask_png(crop.mask)
        place["mask_offset"] = shard.add(f"{cell}.mask.png", mask)
        place["mask_length"] = len(mask)
    return place


def mask_png(mask: Mask) -> bytes:
    """A mask as a 1-bit PNG."""
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG")
    return stream.getvalue()


def read_mask(data: bytes) -> Mask:
    """The mask of `mask_png`, (H, W) bool."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("1"), dtype=np.bool_)


def _row(task: CellTask, plan: CellPlan, i: int) -> dict[str, Any]:
    plane, side = plan.plane, plan.settings.side_px
    left, top = (plan.corner[i] * plan.step).tolist()
    return {
        "cell": task.cells[i],
        "slide": task.slide,
        "x": float(plan.center[i, 0]),
        "y": float(plan.center[i, 1]),
        "shape": task.shapes[i],
        "left": left,
        "top": top,
        "width": side * plane.step_x,
        "height": side * plane.step_y,
        "side_px": side,
        "side_um": side * plane.mpp_x,
        "mpp_x": plane.mpp_x,
        "mpp_y": plane.mpp_y,
        "enlargement": plane.enlargement,
        "ground": plan.settings.ground,
        "inside_fraction": float(plan.inside[i]),
        "shown_fraction": float(plan.shown[i]),
    }


def collect_cells(folder: Path, slides: Sequence[str]) -> pa.Table:
    """The rows of several slides as one table, in the slides' order, exact copies marked."""
    whole = pa.concat_tables([pq.read_table(part_path(folder, slide)) for slide in slides])
    first: dict[str, str] = {}
    copies: list[str | None] = []
    names = zip(whole["slide"].to_pylist(), whole["cell"].to_pylist(), strict=True)
    for name, one in zip(names, whole["turned_hash"].to_pylist(), strict=True):
        known = first.setdefault(one, "/".join(name))
        copies.append(None if known == "/".join(name) else known)
    at = whole.schema.get_field_index("copy_of")
    return whole.set_column(at, whole.schema.field(at), pa.array(copies, pa.string()))
