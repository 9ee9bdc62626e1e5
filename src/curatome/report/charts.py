"""Charts as SVG that is inlined into the page and takes its colors from the page's style.

matplotlib lays them out; `_inline` then strips what a fragment of HTML must not carry (prolog,
metadata, a style sheet that would reach the whole page), makes ids unique, and swaps the
placeholder colors below for the page's variables, so that one chart serves light, dark and print.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from curatome.report.wording import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, RULE, SERIES, LIMIT = "#1d2328", "#59636d", "#dcd9d2", "#2f6f9f", "#b4530a"
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    SERIES: "var(--series)",
    LIMIT: "var(--limit)",
}
DOTS_AT_MOST = 200
"""Slides up to which every slide is drawn as a dot."""
SPREAD_FROM = 20
"""Slides from which percentiles are drawn."""
_BINS = 20


def tissue_histogram(
    fractions: NDArray[np.floating], min_tissue: float, chart: str, scale: str
) -> Markup:
    """Tiles by tissue fraction, with the threshold a tile had to reach.

    Args:
        fractions: tissue fraction of every tile, `(N,)`.
        min_tissue: the threshold, a fraction.
        chart: a name for this chart, unique on the page.
        scale: the scale's name.
    """
    values = np.clip(np.asarray(fractions, dtype=float), 0.0, 1.0)
    counts, edges = np.histogram(values, bins=_BINS, range=(0.0, 1.0))
    figure, axes = _figure(4.6, 1.9)
    edge, width = 0.04 / _BINS, 0.92 / _BINS
    axes.bar(edges[:-1] + edge, counts, width=width, align="edge", color=SERIES, linewidth=0)
    top = max(int(counts.max()), 1)
    axes.set_ylim(0, top * 1.22)
    axes.set_xlim(0, 1)
    axes.plot([min_tissue, min_tissue], [0, top * 1.22], color=LIMIT, linewidth=1.4)
    left = min_tissue > 0.6
    axes.annotate(
        f"kept from {percent(min_tissue)}",
        (min_tissue, top * 1.13),
        xytext=(-4 if left else 4, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        color=LIMIT,
        fontsize=8.5,
    )
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.set_xlabel("tissue within the tile, % of its area")
    axes.set_ylabel("tiles")
    _count_axis(axes.yaxis)
    about = f"{count(values.size)} tiles, kept from {percent(min_tissue)} tissue"
    if values.size:
        about += f"; the median tile holds {percent(float(np.median(values)))}"
    return _inline(figure, chart, f"Tissue fraction of the tiles at {scale}", about + ".")


def tiles_per_slide(tiles: Mapping[str, Sequence[int]], chart: str = "tiles-per-slide") -> Markup:
    """How many tiles the slides gave at each scale: every slide a dot, with the median.

    From 20 slides on the percentiles are drawn too; beyond 200 they stand without the dots.

    Args:
        tiles: by scale, the number of tiles of every slide.
        chart: a name for this chart, unique on the page.
    """
    figure, axes = _figure(9.4, 0.8 + 0.52 * max(len(tiles), 1))
    about = []
    for row, (scale, numbers) in enumerate(tiles.items()):
        values = np.asarray(numbers, dtype=float)
        if values.size:
            about.append(f"{scale}: {_draw_spread(axes, row, values)}")
    biggest = max((max(n, default=0) for n in tiles.values()), default=0)
    axes.set_xscale("symlog", linthresh=1.0, linscale=0.4)
    axes.set_xlim(-0.15, max(biggest, 1) * 1.6)
    axes.set_xticks([0, *(10**k for k in range(len(str(max(biggest, 1)))))])
    axes.xaxis.set_major_formatter(lambda value, _: count(int(value)))
    axes.xaxis.set_minor_locator(_no_ticks())
    axes.set_ylim(max(len(tiles), 1) - 0.45, -0.6)
    axes.set_yticks(range(len(tiles)), [_plain(scale) for scale in tiles])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=RULE, linewidth=0.7)
    axes.set_xlabel("tiles per slide (logarithmic)")
    return _inline(figure, chart, "Tiles per slide at each scale", ". ".join(about) or "No tiles.")


def _draw_spread(axes: Axes, row: int, values: NDArray[np.float64]) -> str:
    """Draw one row; what it shows, in words."""
    low, first, middle, third, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
    if values.size >= SPREAD_FROM:
        axes.plot([low, high], [row, row], color=SERIES, linewidth=1.2, alpha=0.55)
        axes.plot([first, third], [row, row], color=SERIES, linewidth=7, alpha=0.28)
    if values.size <= DOTS_AT_MOST:
        axes.scatter(
            values, np.full(values.size, row), s=15, color=SERIES, alpha=0.75, linewidths=0
        )
    axes.plot([middle, middle], [row - 0.24, row + 0.24], color=INK, linewidth=1.6)
    axes.annotate(
        f"median {count(round(middle))}",
        (middle, row - 0.24),
        xytext=(0, 2.5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=8,
        color=INK,
    )
    return (
        f"median {count(round(middle))} tiles per slide, "
        f"90 % of slides between {count(round(low))} and {count(round(high))}"
    )


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A bare chart, in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    axes.patch.set_visible(False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(RULE)
    axes.tick_params(colors=RULE, labelcolor=MUTED, labelsize=8.5, length=3)
    axes.xaxis.label.set(color=MUTED, fontsize=9)
    axes.yaxis.label.set(color=MUTED, fontsize=9)
    return figure, axes


def _no_ticks() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _count_axis(axis: Any) -> None:
    """Few ticks, on whole numbers, with thousands set apart."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    axis.set_major_formatter(lambda value, _: count(int(value)))


def _plain(text: str) -> str:
    """A label that matplotlib takes as text, not as mathematics."""
    return text.replace("$", r"\$")


def _inline(figure: Figure, chart: str, title: str, description: str) -> Markup:
    """The figure as a fragment of HTML."""
    import matplotlib

    stream = io.StringIO()
    settings: Any = {"svg.hashsalt": chart, "svg.fonttype": "none", "font.family": "sans-serif"}
    with matplotlib.rc_context(settings):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.S)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{chart}-\1"', svg)
    svg = re.sub(r'xlink:href="#', f'href="#{chart}-', svg)
    svg = re.sub(r"url\(#", f"url(#{chart}-", svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, variable)
    head, body = svg.split(">", 1)
    box = re.search(r'viewBox="([^"]+)"', head)
    size = box.group(1) if box else "0 0 1 1"
    return Markup(
        f'<svg class="chart" role="img" viewBox="{size}" style="--w:{float(size.split()[2]):.0f}"'
        f' aria-labelledby="{chart}-title {chart}-desc">'
        f'<title id="{chart}-title">{escape(title)}</title>'
        f'<desc id="{chart}-desc">{escape(description)}</desc>{body}'
    )
