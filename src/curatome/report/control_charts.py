"""Control charts of readers as one SVG: a small panel for each reader and quantity."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curatome.report.charts import INK, LIMIT, MUTED, RULE, SERIES

_COLUMNS = 3
_MOST = 48
"""Panels of one picture; those with a signal come first."""


def draw_control_charts(charts: pa.Table, changes: pa.Table) -> str:
    """The charts as SVG.

    Points that break a rule are filled; a dashed line marks a change that chance hardly explains.

    Args:
        charts: `agreement.drift.CONTROL_CHART`.
        changes: `agreement.drift.CHANGES`.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    panels = _panels(charts, changes)
    rows = max(1, -(-len(panels) // _COLUMNS))
    style: Any = {"svg.hashsalt": "curatome", "svg.fonttype": "none", "font.size": 8}
    with rc_context(style):
        figure = Figure(figsize=(3.5 * _COLUMNS, 1.9 * rows + 0.4), layout="constrained")
        axes = figure.subplots(rows, _COLUMNS, squeeze=False)
        for place, panel in zip(axes.flat, panels, strict=False):
            _draw(place, charts, changes, panel)
        for place in axes.flat[len(panels) :]:
            place.set_axis_off()
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def _panels(charts: pa.Table, changes: pa.Table) -> list[tuple[str, str]]:
    changed = {(row["reader"], row["quantity"]) for row in changes.to_pylist()}
    signals: dict[tuple[str, str], int] = {}
    for row in charts.select(["reader", "quantity", "signal"]).to_pylist():
        key = (row["reader"], row["quantity"])
        signals[key] = signals.get(key, 0) + (row["signal"] is not None)
    order = sorted(signals, key=lambda key: (key not in changed, -signals[key], key))
    return order[:_MOST]


def _draw(axes: Any, charts: pa.Table, changes: pa.Table, panel: tuple[str, str]) -> None:
    def of(table: pa.Table) -> pa.Table:
        same = (pc.equal(table[n], v) for n, v in zip(("reader", "quantity"), panel, strict=True))
        return table.filter(pc.and_(*same))

    mine = of(charts)
    time = mine["start"].cast(pa.timestamp("us")).to_numpy()
    value, center, low, high = (mine[n].to_numpy() for n in ("value", "center", "low", "high"))
    broken = np.array([one is not None for one in mine["signal"].to_pylist()])
    axes.fill_between(time, low, high, color=SERIES, alpha=0.1, linewidth=0, step="mid")
    axes.plot(time, center, color=MUTED, linewidth=0.8)
    axes.plot(time, value, color=SERIES, linewidth=1.2)
    axes.scatter(time[~broken], value[~broken], s=12, facecolor="white", edgecolor=SERIES)
    axes.scatter(time[broken], value[broken], s=16, color=LIMIT, zorder=3)
    for moment in of(changes)["time"].cast(pa.timestamp("us")).to_numpy():
        axes.axvline(moment, color=LIMIT, linewidth=1, linestyle="--")
    axes.set_title(f"{panel[0]}: {panel[1].replace('_um', ' (µm)')}", fontsize=8.5, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    axes.tick_params(colors=MUTED, labelsize=7)
    for label in axes.get_xticklabels():
        label.set_rotation(30)
        label.set_horizontalalignment("right")
