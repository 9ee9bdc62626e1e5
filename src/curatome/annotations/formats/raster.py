"""Objects in labelled pixels, and labelled pixels of objects, for all formats that hold pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from scipy import ndimage
from shapely import affinity

from curatome.annotations.doubts import OTHER, THIS
from curatome.annotations.formats.base import Doubt, Frame, Options
from curatome.geometry import outlines, rasterize

Labels = npt.NDArray[Any]
Tile = tuple[int, int, npt.NDArray[np.bool_]]

TILE = 512
_TOUCHING = np.ones((3, 3), int)


def objects(labels: Labels, whole: bool) -> Iterator[tuple[int, shapely.Geometry]]:
    """Label and outline, in pixels of the image, of every object, from top to bottom.

    Args:
        labels: (H, W) of whole numbers, 0 is background.
        whole: whether a label is one object; else each of its pieces is one, of which pixels that
            touch at a corner are part.
    """
    values = np.unique(labels[labels != 0])
    if whole:
        # The values may be large and few; their ranks are as many as the objects.
        ranks = np.where(labels == 0, 0, np.searchsorted(values, labels) + 1)
        yield from zip(values.tolist(), _pieces(ranks), strict=True)
        return
    for value in values.tolist():
        for shape in _pieces(ndimage.label(labels == value, _TOUCHING)[0]):
            yield value, shape


def _pieces(numbered: Labels) -> Iterator[shapely.Geometry]:
    """The outline of each of the labels 1, 2, 3, …, cut out before it is traced."""
    for number, part in enumerate(ndimage.find_objects(numbered), 1):
        shape = outlines((numbered[part] == number).astype(np.uint8))[1]
        yield affinity.translate(shape, part[1].start, part[0].start)


def moved(shape: shapely.Geometry, corner: tuple[int, int]) -> shapely.Geometry:
    """A shape of a part of a raster in pixels of the whole."""
    return affinity.translate(shape, *corner)


def to_level0(shape: shapely.Geometry, scale: tuple[float, float]) -> shapely.Geometry:
    """A shape in pixels of a raster in level-0 px."""
    return shape if scale == (1.0, 1.0) else affinity.scale(shape, *scale, origin=(0, 0))


def kind_of(shape: shapely.Geometry) -> str:
    """`polygon` or `multipolygon`."""
    return "polygon" if shape.geom_type == "Polygon" else "multipolygon"


def scale_to(
    frame: Frame | None, size: tuple[int, int], options: Options
) -> tuple[tuple[float, float], tuple[Doubt, ...]]:
    """Level-0 px per pixel of a raster that covers the whole image, along x and y.

    Args:
        frame: the image; without it, and without word of the user, a pixel is a pixel.
        size: width and height of the raster, px.
        options: what the user said.

    Returns:
        the scale, and a doubt if the raster's shape is not the image's.
    """
    if options.downsample is not None:
        return (options.downsample, options.downsample), ()
    if frame is None:
        return (1.0, 1.0), ()
    for downsample in frame.downsamples:
        # Levels are rounded up or down to whole pixels.
        if all(
            abs(full / downsample - part) < 1 for full, part in zip(_size(frame), size, strict=True)
        ):
            return (downsample, downsample), ()
    x, y = (full / part for full, part in zip(_size(frame), size, strict=True))
    if abs(x / y - 1) < 0.01:
        return (x, y), ()
    told = (
        f"the mask has {size[0]:,} × {size[1]:,} px, {frame.name} has {frame.width:,} × "
        f"{frame.height:,} px, which is of another shape."
    )
    return (1.0, 1.0), (Doubt("image", OTHER, THIS, told),)


def _size(frame: Frame) -> tuple[int, int]:
    return frame.width, frame.height


def tiles(shapes: Iterable[shapely.Geometry], frame: Frame) -> Iterator[Tile]:
    """Column, row and pixels of every tile of level 0 that shapes cover some pixel of.

    Args:
        shapes: surfaces in level-0 px.
        frame: their image; pixels beyond it are not set.

    Yields:
        left, top, (TILE, TILE) bool.
    """
    held = np.array(list(shapes), object)
    tree = shapely.STRtree(held)
    left, top, right, bottom = shapely.total_bounds(held)
    for y in range(max(0, int(top) // TILE * TILE), min(frame.height, int(bottom) + 1), TILE):
        for x in range(max(0, int(left) // TILE * TILE), min(frame.width, int(right) + 1), TILE):
            pixels = np.zeros((TILE, TILE), np.bool_)
            for number in tree.query(shapely.box(x, y, x + TILE, y + TILE)):
                pixels |= rasterize(held[number], (x, y), (1.0, 1.0), TILE)
            pixels[frame.height - y :], pixels[:, frame.width - x :] = False, False
            if pixels.any():
                yield x, y, pixels
