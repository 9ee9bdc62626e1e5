"""Pictures, outlines and grids, cut down so that the page stays one reasonable file.

The rules, for any number of slides: thumbnails together take at most 24 MB of JPEG (shrunk evenly
where they would take more), all outlines 1,500,000 points (drawn more coarsely where they would
take more), and all tile grids 250,000 boxes (coarse scales first; a grid that does not fit is left
out whole). A contact sheet shows at most 60 tiles.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curatome.report.model import Box, Ring, SlideCard

THUMBNAIL_BYTES = 24_000_000
OUTLINE_POINTS = 1_500_000
GRID_BOXES = 250_000
SAMPLES = 60
UNITS = 2000
"""The long side of a slide in the units in which outlines and grids are drawn."""

_SIDES = (480, 400, 320, 256, 200, 160, 128, 96)
_BYTES_PER_PIXEL = 0.3
_QUALITY = 72
_DETAILS = (1.5, 6.0, 24.0, 96.0, 384.0, 1536.0)


def data_uri(jpeg: bytes) -> str:
    """A JPEG as an address that holds the picture itself."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def thumbnail_side(slides: Sequence[SlideCard], budget: int = THUMBNAIL_BYTES) -> int | None:
    """The long side, in pixels, that thumbnails must shrink to; None if they may stay."""
    sizes = [len(s.thumbnail) for s in slides if s.thumbnail]
    if sum(sizes) <= budget:
        return None
    room = budget / len(sizes)
    return next((side for side in _SIDES if side * side * _BYTES_PER_PIXEL <= room), _SIDES[-1])


def shrink(jpeg: bytes, side: int | None) -> bytes | None:
    """A thumbnail no longer than `side` pixels, or None if it is no picture."""
    try:
        with Image.open(io.BytesIO(jpeg)) as image:
            if side is None or max(image.size) <= side:
                image.verify()
                return jpeg
            image.draft("RGB", (2 * side, 2 * side))
            small = image.convert("RGB")
            small.thumbnail((side, side), Image.Resampling.LANCZOS)
            stream = io.BytesIO()
            small.save(stream, "JPEG", quality=_QUALITY, optimize=True)
    except (OSError, SyntaxError):
        return None
    return stream.getvalue()


def picture_size(jpeg: bytes | None) -> tuple[int, int] | None:
    """Width and height in pixels of a JPEG that `shrink` let through."""
    if jpeg is None:
        return None
    with Image.open(io.BytesIO(jpeg)) as image:
        return image.size


def outline_path(rings: Sequence[Ring], unit: float, points: int) -> str:
    """Rings as the `d` of an SVG path, in whole drawing units.

    Args:
        rings: in level-0 pixels.
        unit: level-0 pixels per drawing unit.
        points: the most points to draw; beyond them the outline is drawn more coarsely.
    """
    drawn = [np.asarray(ring, dtype=float) / unit for ring in rings if len(ring) > 2]
    for detail in _DETAILS:
        drawn = [_simplified(ring, detail) for ring in drawn]
        drawn = [ring for ring in drawn if len(ring) > 2]
        if sum(map(len, drawn)) <= points:
            break
    return "".join(_ring_path(np.rint(ring).astype(np.int64)) for ring in drawn)


def outline_points(slides: int) -> int:
    """The most points of one slide's outline, so that all of them fit."""
    return min(2_500, max(150, OUTLINE_POINTS // max(slides, 1)))


def _simplified(ring: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """A closed ring without the corners whose triangle is smaller than `least`.

    After Visvalingam and Whyatt (doi 10.1179/000870493786962263), but in each round every second
    of the corners that are no larger than their neighbors goes. `least` is in square drawing units.
    """
    ring = ring[np.any(ring != np.roll(ring, 1, axis=0), axis=1)]
    while len(ring) > 2:
        before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
        areas = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) / 2
        lowest = (areas <= np.roll(areas, 1)) & (areas <= np.roll(areas, -1)) & (areas < least)
        if not lowest.any():
            break
        ring = ring[~_every_second(lowest)]
    return ring


def _every_second(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Part of what is chosen on a ring, never two neighbors, and never none of some."""
    even = np.arange(len(chosen)) % 2 == 0
    part: NDArray[np.bool_] = chosen & even
    if len(chosen) % 2 and chosen[0]:
        part[-1] = False
    if not part.any():
        part = chosen & ~even
    return part


def _ring_path(ring: NDArray[np.int64]) -> str:
    """One ring, each point relative to the one before."""
    (x, y), steps = ring[0], np.diff(ring, axis=0)
    return f"M{x} {y}l" + " ".join(f"{dx} {dy}" for dx, dy in steps) + "z"


def grid_runs(boxes: Sequence[Box], unit: float) -> list[list[float]]:
    """Boxes grouped by size: `[width, height, x, y, x, y, …]` in drawing units.

    Args:
        boxes: in level-0 pixels.
        unit: level-0 pixels per drawing unit.
    """
    runs: dict[tuple[float, float], list[float]] = {}
    for x, y, width, height in boxes:
        size = (round(width / unit, 1), round(height / unit, 1))
        runs.setdefault(size, [*size]).extend((round(x / unit, 1), round(y / unit, 1)))
    return list(runs.values())


def affordable_grids(
    slides: Sequence[SlideCard], scales: Sequence[str], budget: int = GRID_BOXES
) -> set[tuple[int, str]]:
    """Which grids, as (slide's position, scale), fit: `scales` names the first to be served."""
    kept: set[tuple[int, str]] = set()
    for scale in scales:
        for position, slide in enumerate(slides):
            number = len(slide.tile_boxes.get(scale, ()))
            if 0 < number <= budget:
                kept.add((position, scale))
                budget -= number
    return kept
