"""CLN: outlines on the phantom's tissue, whose nuclei are known."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import shapely
from docs.rule_pictures.panel import FAIL, PAPER, PASS, Pair, Panel, found
from docs.rule_pictures.strokes import around, outline, tissue
from matplotlib.axes import Axes
from numpy.typing import NDArray
from shapely import affinity
from tests.rules.clean.pictures import HAND, Field, field, redrawn

Shapes = NDArray[np.object_]
Change = Callable[[shapely.Geometry], shapely.Geometry]
_SEED = 21
_SIDE_UM = 30.0


@cache
def _field(code: str) -> Field:
    """Nuclei as a careful reader draws them, those left out that the rule takes exception to."""
    held = field(_SEED)
    shapes = redrawn(held.shapes, HAND, _SEED)
    kept = np.array([one is not None and one.is_valid for one in shapes])
    while True:
        classes = [c for c, k in zip(held.classes, kept, strict=True) if k]
        careful = Field(held.scene, held.rgb, shapes[kept], classes)
        told = found(code, Panel(careful.inputs(careful.shapes), lambda _: None, code))
        if not told:
            return careful
        rows = np.flatnonzero(kept)
        named = re.compile(r"\ba(\d+)\b")
        kept[[rows[int(one[1])] for text in told for one in named.finditer(text)]] = False


def _changed(code: str, change: Change, fails: str, passes: str) -> Pair:
    """One nucleus outlined wrongly among others: the first of which the rule says so."""
    held = _field(code)
    for row in _alone(held.shapes):
        wrong = held.shapes.copy()
        wrong[row] = change(held.shapes[row])
        if len(found(code, Panel(held.inputs(wrong), lambda _: None, fails))) == 1:
            break
    return (
        Panel(held.inputs(wrong), partial(_nuclei, held, wrong, row, FAIL), fails),
        Panel(held.inputs(held.shapes), partial(_nuclei, held, held.shapes, row, PASS), passes),
    )


def _nuclei(held: Field, shapes: Shapes, row: int, color: str, axes: Axes) -> None:
    """Outlines (µm) around that of a row."""
    mpp = held.scene.plan.mpp
    scaled = shapely.transform(shapes, lambda points: points / mpp)
    box = around(shapely.transform(held.shapes[row], lambda points: points / mpp), _SIDE_UM / mpp)
    tissue(axes, held.rgb, box, mpp, 10)
    for k in np.flatnonzero(shapely.intersects(scaled, shapely.box(*box))):
        own = k == row
        width = 2.4 if own else 1.1
        outline(axes, scaled[k], color if own else PAPER, width=width, halo=own)


def _alone(shapes: Shapes) -> list[int]:
    """Outlines of some size with room around, the roundest first."""
    tree = shapely.STRtree(shapes)
    room = [k for k, s in enumerate(shapes) if len(tree.query(s.buffer(2.5), "intersects")) == 1]
    large = [k for k in room if 30 < shapes[k].area < 90]
    return sorted(large, key=lambda k: shapes[k].length ** 2 / shapes[k].area)


def loose() -> Pair:
    """CLN001."""
    return _changed(
        "CLN001",
        lambda s: s.buffer(2.0),
        "The line runs 2 µm outside of the nucleus.",
        "The line runs on the nuclear membrane.",
    )


def cut() -> Pair:
    """CLN002."""

    def half(shape):
        left, top, right, bottom = shape.bounds
        return shape.intersection(shapely.box(left, top, left + 0.55 * (right - left), bottom))

    return _changed(
        "CLN002", half, "The line cuts through the nucleus.", "The line holds the whole nucleus."
    )


def shifted() -> Pair:
    """CLN003."""
    return _changed(
        "CLN003",
        lambda s: affinity.translate(s, 3.0, 1.0),
        "The line has the right shape, but lies 3 µm beside.",
        "Line and nucleus have the same middle.",
    )


PICTURES = {"CLN001": loose, "CLN002": cut, "CLN003": shifted}
