"""SYN: shapes as points and lines, and where they lie on their image."""

from __future__ import annotations

import struct
from functools import partial
from typing import Any

import numpy as np
import shapely
from docs.rule_pictures.panel import FAIL, INK, PALE, PASS, SOFT, Pair, Panel
from docs.rule_pictures.strokes import Box, arrow, corners, outline, ring, view, words
from matplotlib.axes import Axes
from shapely import MultiPolygon, Polygon, affinity, box
from tests.rules.made import annotation, inputs

_CELL = Polygon(
    [(18, 32), (30, 14), (52, 9), (72, 16), (86, 34), (82, 58), (64, 76), (40, 78), (22, 62)]
)
_VIEW: Box = (0, 0, 100, 88)
_PINK, _BLUE = "#fbe9df", "#e3eef8"


def _fill(fails: bool) -> str:
    return _PINK if fails else _BLUE


def row(shape: shapely.Geometry, name: str = "a", **more: Any) -> dict[str, Any]:
    """A row of annotations."""
    kind = {"MultiPolygon": "multipolygon"}.get(shape.geom_type, "polygon")
    return annotation(name, shape, **{"kind": kind, **more})


def panel(rows: list[dict[str, Any]], draw: Any, words_: str) -> Panel:
    """A panel of annotations on slide s1."""
    return Panel(inputs(rows), draw, words_, "s1")


def _plain(shape: shapely.Geometry, axes: Axes, *, fails: bool, area: Box = _VIEW) -> None:
    """A shape with its points."""
    view(axes, area)
    outline(axes, shape, FAIL if fails else PASS, fill=_fill(fails))
    for part in shapely.get_parts(shape):
        for line in (part.exterior, *part.interiors):
            corners(axes, line.coords, FAIL if fails else PASS)


def _pass(words_: str, shape: shapely.Geometry = _CELL) -> Panel:
    return panel([row(shape)], partial(_plain, shape, fails=False), words_)


def open_ring() -> Pair:
    """SYN003."""
    points = list(_CELL.exterior.coords)[:-1]
    body = struct.pack("<BIII", 1, 3, 1, len(points))
    body += b"".join(struct.pack("<dd", *point) for point in points)

    def draw(axes: Axes) -> None:
        view(axes, _VIEW)
        outline(axes, shapely.LineString(points), FAIL)
        corners(axes, points, FAIL)
        middle = np.mean([points[0], points[-1]], axis=0)
        ring(axes, *middle, size=40)
        words(axes, middle[0] - 16, middle[1], "gap", FAIL)

    return (
        panel(
            [row(_CELL, geometry=body)], draw, "The last point is not the first: the ring is open."
        ),
        _pass("The line ends where it began."),
    )


def crossing() -> Pair:
    """SYN004."""
    wrong = Polygon([(14, 16), (40, 14), (84, 70), (88, 24), (62, 12), (22, 66)])
    at = shapely.LineString([(40, 14), (84, 70)]).intersection(
        shapely.LineString([(62, 12), (22, 66)])
    )

    def draw(axes: Axes) -> None:
        _plain(wrong, axes, fails=True)
        ring(axes, at.x, at.y, 22)

    return (
        panel([row(wrong)], draw, "The line crosses itself: which side is inside?"),
        _pass("A line that never meets itself."),
    )


def parts() -> Pair:
    """SYN005."""
    hole = affinity.scale(_CELL, 0.3, 0.3)
    away = affinity.translate(hole, 52, 0)
    wrong = Polygon(_CELL.exterior.coords, [list(away.exterior.coords)[::-1]])
    right = Polygon(_CELL.exterior.coords, [list(hole.exterior.coords)[::-1]])

    def draw(axes: Axes) -> None:
        view(axes, (0, 0, 118, 88))
        outline(axes, _CELL, FAIL, fill=_PINK)
        outline(axes, away, FAIL, dashed=True)
        words(axes, away.centroid.x, away.centroid.y, "hole", FAIL)

    def good(axes: Axes) -> None:
        _plain(right, axes, fails=False, area=(0, 0, 118, 88))
        words(axes, hole.centroid.x, hole.centroid.y, "hole", PASS)

    return (
        panel([row(wrong)], draw, "A hole that lies outside of its own outline."),
        panel([row(right)], good, "The hole lies inside."),
    )


def flat() -> Pair:
    """SYN006."""
    line = Polygon([(14, 66), (50, 44), (86, 22)])
    return (
        panel(
            [row(line)],
            partial(_plain, line, fails=True),
            "Three points on one line: no area at all.",
        ),
        _pass("A surface covers something."),
    )


def _edge(shape: shapely.Geometry, axes: Axes, *, fails: bool, area: Box) -> None:
    view(axes, area)
    axes.set_facecolor(SOFT)
    image = box(0, 0, 10_000, 8_000)
    outline(axes, image, PALE, fill="#f7e6ef", width=1.2)
    outline(axes, shape, FAIL if fails else PASS, width=2.2)


def outside() -> Pair:
    """SYN007."""
    area = (-900, -900, 15_200, 8_900)
    cell = affinity.scale(affinity.translate(_CELL, 4_000, 3_200), 14, 14)
    away = affinity.translate(cell, 8_600, 400)

    def draw(shape: shapely.Geometry, fails: bool, axes: Axes) -> None:
        _edge(shape, axes, fails=fails, area=area)
        words(axes, 5_000, 7_300, "the slide", PALE)

    return (
        panel([row(away)], partial(draw, away, True), "No part of the outline lies on the slide."),
        panel([row(cell)], partial(draw, cell, False), "Every outline lies on its slide."),
    )


def beyond() -> Pair:
    """SYN008."""
    area = (-46, 60, 84, 150)
    over = affinity.translate(_CELL, -44, 62)
    cut = over.intersection(box(0, 0, 10_000, 8_000))

    def draw(shape: shapely.Geometry, fails: bool, axes: Axes) -> None:
        _edge(shape, axes, fails=fails, area=area)
        words(axes, 66, 142, "the slide", PALE)
        words(axes, -28, 142, "beyond it", PALE)

    return (
        panel(
            [row(over)],
            partial(draw, over, True),
            "The outline runs on beyond the edge of the slide.",
        ),
        panel([row(cut)], partial(draw, cut, False), "It ends at the edge. `--fix` cuts it there."),
    )


def spike() -> Pair:
    """SYN009."""
    points = list(_CELL.exterior.coords)[:-1]
    tip = (132, 22)
    wrong = Polygon([*points[:5], tip, points[4], *points[5:]])
    area = (6, 0, 146, 88)

    def draw(axes: Axes) -> None:
        _plain(wrong, axes, fails=True, area=area)
        ring(axes, *tip)

    return (
        panel([row(wrong)], draw, "The line goes out and comes back on itself: a hair."),
        panel(
            [row(_CELL)],
            partial(_plain, _CELL, fails=False, area=area),
            "The line follows the object.",
        ),
    )


def sliver() -> Pair:
    """SYN010."""
    strip = affinity.rotate(box(92, 30, 92.3, 80), 12)
    wrong = MultiPolygon([_CELL, strip])

    def draw(axes: Axes) -> None:
        view(axes, (4, 0, 112, 88))
        outline(axes, wrong, FAIL, fill=_PINK)
        arrow(axes, (104, 22), (92, 46), FAIL)
        words(axes, 100, 16, "0.3 px wide", FAIL)

    return (
        panel([row(wrong)], draw, "A second part that is too thin to be seen."),
        panel(
            [row(_CELL)],
            partial(_plain, _CELL, fails=False, area=(4, 0, 112, 88)),
            "Only parts that are wide enough to be seen.",
        ),
    )


def repeated() -> Pair:
    """SYN011."""
    points = list(_CELL.exterior.coords)[:-1]
    wrong = Polygon([*points[:3], points[2], points[2], *points[3:]])

    def draw(axes: Axes) -> None:
        _plain(wrong, axes, fails=True)
        ring(axes, *points[2], 15)
        words(axes, points[2][0], points[2][1] + 11, "three times", FAIL)

    return (
        panel([row(wrong)], draw, "One point stands in the outline three times."),
        _pass("Each point is another one."),
    )


def winding() -> Pair:
    """SYN012."""
    hole = affinity.scale(_CELL, 0.4, 0.4)
    shell = list(_CELL.exterior.coords)
    inner = list(hole.exterior.coords)
    wrong, right = Polygon(shell, [inner]), Polygon(shell, [inner[::-1]])

    def draw(shape: Polygon, fails: bool, axes: Axes) -> None:
        view(axes, _VIEW)
        color = FAIL if fails else PASS
        outline(axes, shape, color, fill=_fill(fails))
        for line in (shape.exterior, *shape.interiors):
            for share in (0.1, 0.43, 0.76):
                ends = [line.interpolate(share + d, normalized=True) for d in (0, 0.06)]
                arrow(axes, *[(p.x, p.y) for p in ends], color, 2)

    return (
        panel([row(wrong)], partial(draw, wrong, True), "Outline and hole run the same way round."),
        panel([row(right)], partial(draw, right, False), "The hole runs against its outline."),
    )


def _twice(second: shapely.Geometry, label: str, told: str) -> Pair:
    def draw(axes: Axes) -> None:
        view(axes, _VIEW)
        outline(axes, _CELL, FAIL, fill=_PINK, width=2.6)
        outline(axes, second, INK, dashed=True, width=1.6)
        words(axes, 50, 38, "tumor", FAIL)
        words(axes, 50, 50, label, INK)

    def good(axes: Axes) -> None:
        _plain(_CELL, axes, fails=False)
        words(axes, 50, 44, "tumor", PASS)

    rows = [row(_CELL), row(second, "b", labels=[label])]
    return panel(rows, draw, told), panel(rows[:1], good, "Every object is there once.")


def twice() -> Pair:
    """SYN013."""
    return _twice(_CELL, "stroma", "One outline stands there twice, under two classes.")


def nearly_twice() -> Pair:
    """SYN014."""
    return _twice(
        affinity.scale(_CELL, 1.015, 1.015),
        "tumor",
        "The same object from two files, with rounded numbers.",
    )


PICTURES = {
    "SYN003": open_ring,
    "SYN004": crossing,
    "SYN005": parts,
    "SYN006": flat,
    "SYN007": outside,
    "SYN008": beyond,
    "SYN009": spike,
    "SYN010": sliver,
    "SYN011": repeated,
    "SYN012": winding,
    "SYN013": twice,
    "SYN014": nearly_twice,
}
