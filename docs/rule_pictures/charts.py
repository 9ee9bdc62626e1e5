"""Bars, tables, and courses over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from docs.rule_pictures.panel import FAIL, INK, LINE, PALE, PASS, SOFT
from docs.rule_pictures.strokes import words
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

GRAY = "#8b949c"


def bars(
    axes: Axes,
    names: Sequence[str],
    values: Sequence[float],
    colors: Sequence[str],
    told: Sequence[str] | None = None,
) -> None:
    """Horizontal bars with their values beside them."""
    rows = np.arange(len(names))
    axes.barh(rows, values, color=colors, height=0.58, zorder=3)
    widest = max(values)
    for row, (name, value) in enumerate(zip(names, values, strict=True)):
        words(axes, -0.03 * widest, row, name, ha="right", size=8)
        text = told[row] if told else f"{value:,.0f}"
        words(axes, value + 0.02 * widest, row, text, PALE, ha="left", size=8)
    axes.set(xlim=(-0.5 * widest, 1.38 * widest), ylim=(len(names) - 0.35, -0.65))
    axes.plot([0, 0], [-0.45, len(names) - 0.55], color=LINE, linewidth=1, zorder=2)


def columns(
    axes: Axes, values: Sequence[float], colors: Sequence[str], below: str, top: float = 0
) -> None:
    """A column for each case, with what they are beneath."""
    axes.bar(np.arange(len(values)), values, color=colors, width=0.7, zorder=3)
    highest = top or max(values)
    axes.set(xlim=(-1, len(values)), ylim=(-0.2 * highest, 1.2 * highest))
    axes.plot([-0.6, len(values) - 0.4], [0, 0], color=PALE, linewidth=1, zorder=4)
    words(axes, (len(values) - 1) / 2, -0.1 * highest, below, PALE, size=7.5)


def table(
    axes: Axes,
    *,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    wrong: Sequence[tuple[int, int]] = (),
    right: Sequence[tuple[int, int]] = (),
    widths: Sequence[float] | None = None,
) -> None:
    """A table; cells (row, column) that are wrong, or right where others are wrong, are marked."""
    shares = np.array(widths or [1] * len(head), float)
    left = np.concatenate([[0], np.cumsum(shares / shares.sum())])
    lines = len(rows) + 1
    axes.set(xlim=(-0.04, 1.04), ylim=(max(lines, 4) + 0.1, -0.25))
    for column, name in enumerate(head):
        words(axes, left[column] + 0.02, 0.5, name, PALE, ha="left", size=7.5)
    for row, cells in enumerate(rows):
        axes.plot([0, 1], [row + 1, row + 1], color=LINE, linewidth=0.8, zorder=1)
        for column, text in enumerate(cells):
            marked = (row, column) in wrong or (row, column) in right
            color = FAIL if (row, column) in wrong else PASS if marked else INK
            if marked:
                corner = (left[column] + 0.004, row + 1.12)
                size = (left[column + 1] - left[column] - 0.012, 0.76)
                style = "--" if (row, column) in wrong else "-"
                frame = Rectangle(
                    corner, *size, fill=False, edgecolor=color, linewidth=1.3, linestyle=style
                )
                axes.add_patch(frame)
            weight = "bold" if marked else "normal"
            words(
                axes,
                left[column] + 0.02,
                row + 1.5,
                text,
                color,
                ha="left",
                size=8.5,
                weight=weight,
            )


def course(
    axes: Axes, values: Sequence[float], color: str, unit: str, limits: tuple[float, float]
) -> None:
    """A value of each case over time, with the mean of each half."""
    days = np.arange(len(values))
    low, high = limits
    span = high - low
    axes.plot(days, values, "o", color=GRAY, markersize=3.6, zorder=3)
    half = len(values) // 2
    for some in (slice(0, half), slice(half, None)):
        mean = float(np.mean(values[some]))
        axes.plot(days[some][[0, -1]], [mean, mean], color=color, linewidth=3, zorder=5)
    before, after = (float(np.mean(part)) for part in (values[:half], values[half:]))
    for at, mean in ((half / 2, before), (half * 1.5, after)):
        words(axes, at, mean + 0.11 * span, unit.format(mean), color, size=9, weight="bold")
    axes.plot([half - 0.5] * 2, [low, high - 0.02 * span], color=LINE, linewidth=1, zorder=1)
    axes.set(xlim=(-2, len(values) + 1), ylim=(low - 0.17 * span, high))
    axes.plot([-1, len(values)], [low, low], color=PALE, linewidth=1)
    words(axes, half, low - 0.085 * span, "cases in the order in which they were read  →", PALE)


def chips(
    axes: Axes,
    rows: Sequence[tuple[str, Sequence[tuple[str, str]]]],
    ringed: Sequence[tuple[int, int]] = (),
) -> None:
    """Rows of small labelled squares, (text, color): slides or tiles of a case, and their split."""
    most = max(len(some) for _, some in rows)
    axes.set(xlim=(-1.75, max(most, 3) + 0.2), ylim=(len(rows) + 0.05, -0.2))
    for row, (name, some) in enumerate(rows):
        words(axes, -0.12, row + 0.45, name, ha="right", size=8)
        for column, (text, color) in enumerate(some):
            axes.add_patch(
                Rectangle((column + 0.05, row + 0.12), 0.9, 0.66, facecolor=color, edgecolor="none")
            )
            axes.text(
                column + 0.5, row + 0.45, text, color="white", size=7.5, ha="center", va="center",
                weight="bold",
            )  # fmt: skip
            if (row, column) in ringed:
                frame = Rectangle(
                    (column, row + 0.05), 1, 0.8, fill=False, edgecolor=FAIL, linewidth=2.2
                )
                axes.add_patch(frame)
    axes.set_facecolor(SOFT)
