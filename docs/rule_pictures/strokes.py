"""What is drawn into panels: outlines, tissue, arrows and words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from docs.rule_pictures.panel import FAIL, INK, PALE, PAPER, RATIO
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

Box = tuple[float, float, float, float]


def view(axes: Axes, box: Box) -> None:
    """Show a box (left, top, right, bottom), y downwards, widened to the shape of the panel."""
    left, top, right, bottom = box
    width = max(right - left, (bottom - top) * RATIO)
    height = max(bottom - top, (right - left) / RATIO)
    x, y = (left + right) / 2, (top + bottom) / 2
    axes.set(xlim=(x - width / 2, x + width / 2), ylim=(y + height / 2, y - height / 2))
    axes.set_aspect("equal", adjustable="box")


def around(shape: shapely.Geometry, side: float) -> Box:
    """A box of the panel's form in the middle of a shape, `side` high."""
    x, y = shape.centroid.x, shape.centroid.y
    return x - side * RATIO / 2, y - side / 2, x + side * RATIO / 2, y + side / 2


def tissue(axes: Axes, rgb: NDArray[np.uint8], box: Box, mpp: float, bar_um: float) -> None:
    """Show a part of an image, box in its px, with a bar of a length."""
    left, top = (max(int(np.floor(v)) - 1, 0) for v in box[:2])
    right, bottom = (int(np.ceil(v)) + 1 for v in box[2:])
    part = rgb[top:bottom, left:right]
    extent = (left, left + part.shape[1], top + part.shape[0], top)
    axes.imshow(part, extent=extent, interpolation="bicubic", aspect="equal", zorder=0)
    axes.set(xlim=(box[0], box[2]), ylim=(box[3], box[1]))
    _bar(axes, box, bar_um / mpp, f"{bar_um:g} µm")


def _bar(axes: Axes, box: Box, length: float, name: str) -> None:
    width, height = box[2] - box[0], box[3] - box[1]
    right, bottom = box[2] - 0.04 * width, box[3] - 0.05 * height
    plate = max(length, 0.13 * width)
    corner = (right - plate - 0.02 * width, bottom - 0.085 * height)
    size = (plate + 0.04 * width, 0.115 * height)
    axes.add_patch(Rectangle(corner, *size, facecolor=PAPER, alpha=0.85, zorder=6))
    middle = right - plate / 2
    line = [middle - length / 2, middle + length / 2]
    axes.plot(line, [bottom, bottom], color=INK, linewidth=2, solid_capstyle="butt", zorder=7)
    at = (middle, bottom - 0.018 * height)
    axes.text(*at, name, size=6.5, color=INK, ha="center", va="bottom", zorder=7)


def outline(
    axes: Axes,
    shape: shapely.Geometry,
    color: str = INK,
    *,
    width: float = 1.8,
    dashed: bool = False,
    halo: bool = False,
    fill: str | None = None,
) -> None:
    """Draw the lines of a shape, and fill it where a color is given."""
    style: Any = (0, (3, 2)) if dashed else "solid"
    effects = [withStroke(linewidth=width + 2, foreground=PAPER)] if halo else None
    for part in shapely.get_parts(shape):
        if part.geom_type != "Polygon":
            line = {"color": color, "linewidth": width, "linestyle": style}
            axes.plot(*part.xy, path_effects=effects, zorder=4, **line)
            continue
        if fill:
            axes.fill(*part.exterior.xy, color=fill, linewidth=0, zorder=1)
            for hole in part.interiors:
                axes.fill(*hole.xy, color=PAPER, linewidth=0, zorder=1)
        look = {"edgecolor": color, "linewidth": width, "linestyle": style, "joinstyle": "round"}
        for line in (part.exterior, *part.interiors):
            patch = Polygon(line.coords, closed=True, fill=False, path_effects=effects, **look)
            axes.add_patch(patch).set_zorder(4)


def corners(axes: Axes, points: Sequence[Sequence[float]], color: str = INK) -> None:
    """Draw the points of a line."""
    x, y = np.asarray(points, float).T
    axes.plot(x, y, "o", color=color, markersize=4, zorder=5)


def ring(axes: Axes, x: float, y: float, size: float = 16, color: str = FAIL) -> None:
    """Draw a ring round what matters; `size` in points."""
    axes.plot(
        [x], [y], "o", markersize=size, markerfacecolor="none", markeredgecolor=color,
        markeredgewidth=1.8, path_effects=[withStroke(linewidth=3.4, foreground=PAPER)], zorder=8,
    )  # fmt: skip


def cross(axes: Axes, x: float, y: float, size: float = 9) -> None:
    """Draw a cross, for what is wrong or missing."""
    axes.plot([x], [y], "x", markersize=size, markeredgewidth=2.4, color=FAIL, zorder=8)


def arrow(
    axes: Axes, start: Sequence[float], end: Sequence[float], color: str = PALE, width: float = 1.4
) -> None:
    """Draw an arrow."""
    patch = FancyArrowPatch(
        tuple(start), tuple(end), arrowstyle="-|>", mutation_scale=10, color=color,
        linewidth=width, shrinkA=0, shrinkB=0, zorder=7,
    )  # fmt: skip
    axes.add_patch(patch)


def words(
    axes: Axes, x: float, y: float, text: str, color: str = INK, *, size: float = 7.5, **how: Any
) -> None:
    """Write, with a rim of paper so that it can be read on anything."""
    effects = [withStroke(linewidth=2.5, foreground=PAPER)]
    given = {"ha": "center", "va": "center", **how}
    axes.text(x, y, text, color=color, size=size, path_effects=effects, zorder=9, **given)
