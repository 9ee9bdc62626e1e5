"""CLN004 to CLN006, SIZ and CMP002: regions on a section with a tumor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import shapely
from docs.rule_pictures.panel import FAIL, INK, PASS, RATIO, Pair, Panel, found
from docs.rule_pictures.scenes import in_px, nests, tumor, with_tumor
from docs.rule_pictures.strokes import Box, outline, tissue, words
from matplotlib.axes import Axes
from shapely import affinity
from tests.rules.clean.pictures import Field, given

Region = tuple[shapely.Geometry, str]


def _draw(field: Field, regions: Sequence[Region], box: Box, color: str, axes: Axes) -> None:
    """Regions (µm), the first of them in color, on a part of the section (µm)."""
    mpp = field.scene.plan.mpp
    tissue(axes, field.rgb, tuple(v / mpp for v in box), mpp, 100)  # type: ignore[arg-type]
    for k, (shape, name) in reversed(list(enumerate(regions))):
        outline(axes, in_px(field, shape), INK if k else color, width=1.8 if k else 2.4, halo=True)
        inner = in_px(field, shapely.intersection(shape, shapely.box(*box)))
        largest = max(shapely.get_parts(inner), key=lambda one: one.area)
        x, y = shapely.maximum_inscribed_circle(largest).coords[0]
        words(axes, x, y, name, INK if k else color, size=8.5, weight="bold")


def _box(middle: tuple[float, float], side: float) -> Box:
    x, y = middle
    return x - side * RATIO / 2, y - side / 2, x + side * RATIO / 2, y + side / 2


def _panel(regions: Sequence[Region], box: Box, told: str, *, fails: bool, **more: Any) -> Panel:
    field = with_tumor()
    shapes = np.array([shape for shape, _ in regions], object)
    inputs = replace(field.inputs(shapes, [name for _, name in regions]), **more)
    draw = partial(_draw, field, regions, box, FAIL if fails else PASS)
    return Panel(inputs, draw, told)


def overlap() -> Pair:
    """CLN004."""
    own = tumor(with_tumor())
    x, y = own.centroid.x, own.centroid.y
    left, top, _, bottom = own.bounds
    stroma = shapely.box(left - 130, top + 40, x - 60, bottom - 20).buffer(-20).buffer(20)
    box = _box((left + 110, y), 460)
    return (
        _panel(
            [(stroma, "stromal"), (own, "tumor")],
            box,
            "Stroma and tumor share an area: which of them is it?",
            fails=True,
        ),
        _panel(
            [(stroma.difference(own), "stromal"), (own, "tumor")],
            box,
            "They share a border, and no area.",
            fails=False,
        ),
    )


def mixed() -> Pair:
    """CLN005."""
    own = tumor(with_tumor()).buffer(-8)
    box = _box((own.centroid.x, own.centroid.y - 40), 640)
    told = "Nearly half of this tumor is the stroma beside it."
    for angle in np.arange(0.0, 6.2, 0.4):
        moved = _beside(own, float(angle))
        wrong = _panel([(moved, "tumor")], box, told, fails=True)
        if found("CLN005", wrong):
            break
    return wrong, _panel([(own, "tumor")], box, "The region holds one tissue.", fails=False)


def _beside(own: shapely.Polygon, angle: float) -> shapely.Polygon:
    """The outline moved until 45 % of it is other tissue."""
    for step in range(5, 400, 5):
        moved = affinity.translate(own, step * np.cos(angle), step * np.sin(angle))
        if own.intersection(moved).area <= 0.55 * own.area:
            break
    return moved


def glass() -> Pair:
    """CLN006."""
    section = with_tumor().scene.tissue_outline()
    middle = (400.0, 720.0)
    loose = shapely.Point(middle).buffer(150)
    box = _box(middle, 400)
    return (
        _panel(
            [(loose, "stromal")],
            box,
            "The line runs through the glass beside the tissue.",
            fails=True,
        ),
        _panel(
            [(loose.intersection(section.buffer(-10)), "stromal")],
            box,
            "The line follows the edge of the tissue.",
            fails=False,
        ),
    )


def small() -> Pair:
    """SIZ001."""
    rgb, mpp = nests(), 2.0
    large = shapely.box(290, 20, 580, 580)
    view = (60, 60, 60 + 200 * RATIO, 260)

    def panel(side_um: float, told: str, color: str) -> Panel:
        half = side_um / mpp / 2
        own = shapely.box(160 - half, 160 - half, 160 + half, 160 + half)

        def draw(axes: Axes) -> None:
            tissue(axes, rgb, view, mpp, 100)
            outline(axes, own, color, width=2.4, halo=True)
            words(axes, 160, 160 - half - 9, "tumor", color, size=8.5, weight="bold")

        return Panel(given(rgb, [own, large], ["tumor"] * 2, mpp), draw, told)

    return (
        panel(60, "60 µm of a tumor whose nests are as large.", FAIL),
        panel(250, "A region that holds many nests and what lies between.", PASS),
    )


def transition() -> Pair:
    """SIZ004."""
    own = tumor(with_tumor())
    y = own.centroid.y
    left, top, right, bottom = own.bounds
    around = shapely.box(left - 150, top - 60, right + 90, bottom + 60)
    core, rim = own.buffer(-14), own.buffer(14)
    stroma = around.difference(rim)
    front = rim.difference(core)
    box = _box((left + 70, y), 420)
    fails = [(core, "tumor"), (stroma, "stromal")]
    return (
        _panel(fails, box, "Nothing says what the front between both is.", fails=True),
        _panel(
            [(front, "border"), *fails],
            box,
            "The front has a class of its own.",
            fails=False,
        ),
    )


PICTURES = {
    "CLN004": overlap,
    "CLN005": mixed,
    "CLN006": glass,
    "SIZ001": small,
    "SIZ004": transition,
}
