"""Single cells: crops of one field in µm around contours, boxes or points, with their masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pydantic
import shapely

from curatome.geometry import Mask, rasterize
from curatome.protocol import BuildSettings
from curatome.protocol.settings import Integer, Number, Settings
from curatome.slides.readers.base import Pixels, SlideReader
from curatome.tiles.canvas import PAD_VALUE, Boxes, Canvas
from curatome.tiles.encode import ToSrgb
from curatome.tiles.plane import Plane, choose_plane
from curatome.units import Mpp

_BLOCK_PX = 2048  # crops whose centers lie in one square of this edge are read together

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class CellSettings(Settings):
    """How cells are cut out. Every crop has the same field, so sizes can be compared.

    Attributes:
        side_px: edge of a crop, px.
        mpp: µm per pixel of a crop.
        ground: what surrounds the cell, its context or white.
        build: how crops are encoded, and how far images may be enlarged.
    """

    side_px: Integer = pydantic.Field(default=96, ge=8)
    mpp: Number = pydantic.Field(default=0.25, gt=0)
    ground: Literal["context", "white"] = "context"
    build: BuildSettings = BuildSettings()

    @property
    def side_um(self) -> float:
        """Edge of the field, µm."""
        return self.side_px * self.mpp


@dataclass(frozen=True)
class CellPlan:
    """Where the crops of an image lie, in the order of their shapes.

    Attributes:
        settings: how they are cut out.
        plane: the canvas they are cut from.
        shapes: (N,) outlines, boxes or points in level-0 pixels.
        center: (N, 2) float64, middle of each shape's bounds, level-0 pixels.
        corner: (N, 2) int64, left and top edge of the crop in canvas pixels.
        inside: (N,) float64, part of the crop that lies on the image.
        shown: (N,) float64, part of the shape's bounds that the crop holds; below 1, the cell is
            larger than the field.
    """

    settings: CellSettings
    plane: Plane
    shapes: Sequence[shapely.Geometry]
    center: Floats
    corner: Indices
    inside: Floats
    shown: Floats

    def __len__(self) -> int:
        return len(self.center)

    @property
    def step(self) -> tuple[float, float]:
        """Level-0 pixels per pixel of a crop, along x and y."""
        return self.plane.step_x, self.plane.step_y


@dataclass(frozen=True)
class CellCrop:
    """A cell.

    Attributes:
        index: its position in the plan.
        pixels: (side_px, side_px, 3) uint8, RGB.
        mask: (side_px, side_px) bool, pixels whose center lies in the outline; None for a point.
    """

    index: int
    pixels: Pixels
    mask: Mask | None


def plan_cells(
    slide: SlideReader, mpp: Mpp, shapes: Sequence[shapely.Geometry], settings: CellSettings
) -> CellPlan:
    """Where to cut.

    Crops lie on the grid of the image at the settings' scale, each within half a pixel of the
    middle of its shape's bounds, so that crops that overlap have the same pixels.

    Args:
        slide: the open slide or region image.
        mpp: its µm per pixel.
        shapes: outlines or boxes (polygons), or points, in level-0 pixels.
        settings: field, scale and ground.

    Raises:
        TooCoarse: the image would have to be enlarged by more than the settings allow.
        ValueError: a shape is empty, or neither area nor point, or a point is to lie on white.
    """
    _check(shapes, settings)
    plane = choose_plane(slide.facts.levels, mpp, settings.mpp, settings.build)
    bounds = np.array([shapely.bounds(shape) for shape in shapes]).reshape(-1, 4)
    center = (bounds[:, :2] + bounds[:, 2:]) / 2
    step, side = np.array([plane.step_x, plane.step_y]), settings.side_px
    corner = np.floor(center / step - side / 2 + 0.5).astype(np.int64)
    extent = np.array([plane.extent_x, plane.extent_y])
    return CellPlan(
        settings=settings,
        plane=plane,
        shapes=shapes,
        center=center,
        corner=corner,
        inside=_share(corner, corner + side, np.zeros(2), extent),
        shown=_share(bounds[:, :2] / step, bounds[:, 2:] / step, corner, corner + side),
    )


def cut_cells(
    slide: SlideReader, plan: CellPlan, convert: ToSrgb | None = None
) -> Iterator[CellCrop]:
    """The crops of a plan, neighbours together, so in another order than the plan's.

    What lies beyond the image is white, and so is, on a white ground, what lies outside the
    outline.

    Args:
        slide: the open slide or region image.
        plan: where to cut.
        convert: brings colors to sRGB, if given.

    Raises:
        UnreadableSlide: pixels cannot be decoded.
    """
    canvas, side = Canvas(convert), plan.settings.side_px
    size = np.array([plan.plane.width, plan.plane.height])
    for group in _groups(plan):
        corners = plan.corner[group]
        boxes = np.hstack([np.clip(corners, 0, size), np.clip(corners + side, 0, size)])
        on_image = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        source, left, top = _rendered(slide, plan.plane, canvas, boxes[on_image])
        for index, box in zip(group.tolist(), boxes.tolist(), strict=True):
            x, y = plan.corner[index].tolist()
            x0, y0, x1, y1 = box
            pixels = np.full((side, side, 3), PAD_VALUE, np.uint8)
            if x1 > x0 and y1 > y0:
                part = source[y0 - top : y1 - top, x0 - left : x1 - left]
                pixels[y0 - y : y1 - y, x0 - x : x1 - x] = part
            yield _crop(plan, index, pixels)


def _crop(plan: CellPlan, index: int, pixels: Pixels) -> CellCrop:
    shape, step = plan.shapes[index], plan.step
    if shapely.area(shape) == 0:
        return CellCrop(index, pixels, None)
    x, y = (plan.corner[index] * step).tolist()
    mask = rasterize(shape, (x, y), step, plan.settings.side_px)
    if plan.settings.ground == "white":
        pixels[~mask] = PAD_VALUE
    return CellCrop(index, pixels, mask)


def _rendered(
    slide: SlideReader, plane: Plane, canvas: Canvas, boxes: Boxes
) -> tuple[Pixels, int, int]:
    if not len(boxes):
        return np.empty((0, 0, 3), np.uint8), 0, 0
    *_, last = canvas.render(slide, plane, boxes)
    return last.canvas, last.left, last.top


def _groups(plan: CellPlan) -> Iterator[Indices]:
    """Crops by squares of the canvas, from the top, from left to right."""
    square = (plan.corner + plan.settings.side_px // 2) // _BLOCK_PX
    order = np.lexsort((np.arange(len(plan)), square[:, 0], square[:, 1]))
    if len(order):
        change = np.flatnonzero((np.diff(square[order], axis=0) != 0).any(axis=1)) + 1
        yield from np.split(order, change)


def shape_problem(shape: shapely.Geometry, ground: str) -> str:
    """Why a shape cannot be cut out, in words and with what to do; empty if it can."""
    if shapely.is_empty(shape) or not np.isfinite(shapely.bounds(shape)).all():
        return "is empty or not finite. Leave it out."
    if shapely.area(shape) > 0:
        return ""
    if shapely.get_type_id(shape) != shapely.GeometryType.POINT:
        return f"is a {shape.geom_type} without area. Give polygons or points."
    if ground == "white":
        return (
            "is a point, which has no outline to leave white around. "
            'Use ground = "context", or give contours.'
        )
    return ""


def _check(shapes: Sequence[shapely.Geometry], settings: CellSettings) -> None:
    for number, shape in enumerate(shapes):
        problem = shape_problem(shape, settings.ground)
        if problem:
            raise ValueError(f"shape {number} {problem}")


def _share(
    low: npt.NDArray[np.number], high: npt.NDArray[np.number],
    from_: npt.NDArray[np.number], to: npt.NDArray[np.number],
) -> Floats:  # fmt: skip
    """Part of boxes that lies in others, (N,); 1 for boxes without extent that lie inside."""
    extent = np.maximum(high - low, 1e-9)
    middle = np.clip((low + high) / 2, from_, to) == (low + high) / 2
    common = np.minimum(high, to) - np.maximum(low, from_)
    part = np.where(high > low, np.clip(common / extent, 0.0, 1.0), middle)
    return np.asarray(part.prod(axis=1), np.float64)
