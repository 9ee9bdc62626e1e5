"""SIZ002, SIZ003, COR, CMP001, CON: single objects and images on the phantom's tissue."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import shapely
from docs.rule_pictures.charts import bars
from docs.rule_pictures.panel import FAIL, INK, PALE, PAPER, PASS, RATIO, Pair, Panel
from docs.rule_pictures.scenes import in_px, tumor, with_tumor
from docs.rule_pictures.strokes import around, outline, tissue, view, words
from matplotlib.axes import Axes
from shapely import affinity
from tests.rules.clean.pictures import Field, field
from tests.rules.datasets import annotations_of, items_of, near_of, protocol_of, slides_of

from curatome.rules.rule import Inputs

_SEED = 21


@cache
def _nucleus() -> tuple[Field, int]:
    """A field, and a large round nucleus in it."""
    held = field(_SEED)
    roundness = shapely.length(held.shapes) ** 2 / shapely.area(held.shapes)
    large = shapely.area(held.shapes) > 40
    inner = shapely.within(held.shapes, shapely.box(60, 60, 300, 300))
    return held, int(np.argmin(np.where(large & inner, roundness, np.inf)))


def _on_nucleus(marks: Sequence[tuple[float, str, str, bool]], axes: Axes) -> None:
    """Outlines of the nucleus, widened by so many µm, with words at the side."""
    held, row = _nucleus()
    mpp = held.scene.plan.mpp
    shape = in_px(held, held.shapes[row])
    left, top, right, bottom = around(shape, 24 / mpp)
    aside = 0.14 * (right - left)
    box = (left - aside, top, right - aside, bottom)
    tissue(axes, held.rgb, box, mpp, 5)
    for k, (wider, text, color, dashed) in enumerate(marks):
        outline(axes, shape.buffer(wider / mpp), color, width=2.2, dashed=dashed, halo=True)
        x = box[0] + 0.04 * (box[2] - box[0])
        y = box[1] + (0.1 + 0.12 * k) * (box[3] - box[1])
        words(axes, x, y, text, color, ha="left", size=8.5, weight="bold")


def _marks(*rows: dict[str, Any], **protocol: Any) -> Inputs:
    held, row = _nucleus()
    shape = in_px(held, held.shapes[row])
    slides = slides_of([{"slide": "s"}])
    given = [{"shape": shape.buffer(k)} | one for k, one in enumerate(rows)]
    return Inputs(protocol_of(**protocol), slides=slides, annotations=annotations_of(given))


_ANN = (0.15, "ann: tumor", FAIL, False)


def unresolved() -> Pair:
    """COR002."""
    ann, joe = {"labels": ["tumor"]}, {"labels": ["mitosis"], "reader": "joe"}
    decided = {"labels": ["tumor"], "basis": "adjudicated", "reader": "mia"}
    both = [(0.9, "ann: tumor", INK, False), (0.2, "joe: mitosis", INK, True)]
    return (
        Panel(
            _marks(ann, joe),
            partial(_on_nucleus, [(w, t, FAIL, d) for w, t, _, d in both]),
            "Two readers, two classes, and nobody decided.",
        ),
        Panel(
            _marks(ann, joe, decided),
            partial(_on_nucleus, [*both, (1.6, "mia decided: tumor", PASS, False)]),
            "mia has adjudicated it.",
        ),
    )


def repeat() -> Pair:
    """CON003."""
    first, second = {"labels": ["mitosis"]}, {"labels": ["lymphocyte"], "read": 2}
    return (
        Panel(
            _marks(first, second),
            partial(
                _on_nucleus,
                [
                    (0.9, "ann, read 1: mitosis", FAIL, False),
                    (0.2, "ann, read 2: lymphocyte", FAIL, True),
                ],
            ),
            "The same reader says something else the second time.",
        ),
        Panel(
            _marks(first, first | {"read": 2}),
            partial(
                _on_nucleus,
                [
                    (0.9, "ann, read 1: mitosis", PASS, False),
                    (0.2, "ann, read 2: mitosis", PASS, True),
                ],
            ),
            "Both reads agree.",
        ),
    )


def contradiction() -> Pair:
    """CON004."""
    return (
        Panel(
            _marks({"labels": ["tumor"]}, {"labels": ["stromal"]}),
            partial(
                _on_nucleus, [(0.9, "ann: tumor", FAIL, False), (0.2, "ann: stromal", FAIL, True)]
            ),
            "One reader gave one nucleus two classes.",
        ),
        Panel(
            _marks({"labels": ["tumor"]}),
            partial(_on_nucleus, [(0.2, "ann: tumor", PASS, False)]),
            "One outline, one class.",
        ),
    )


def two_crops(
    left: tuple[str, str], right: tuple[str, str], turned: int, color: str, axes: Axes
) -> None:
    """One crop twice, the second turned by quarters, each with its name above and label beneath."""
    held, row = _nucleus()
    mpp = held.scene.plan.mpp
    shape = in_px(held, held.shapes[row])
    x, y, half = round(shape.centroid.x), round(shape.centroid.y), round(9 / mpp)
    crop = held.rgb[y - half : y + half, x - half : x + half]
    view(axes, (0, 0, 100 * RATIO, 100))
    for at, (name, label), one in (
        (8, left, crop),
        (RATIO * 100 - 66, right, np.rot90(crop, turned)),
    ):
        axes.imshow(one, extent=(at, at + 58, 80, 22), interpolation="bicubic", zorder=2)
        words(axes, at + 29, 12, name, PALE)
        words(axes, at + 29, 90, label, color, size=8.5, weight="bold")
    view(axes, (0, 0, 100 * RATIO, 100))


def _copies(turned: int, told: tuple[str, str]) -> Pair:
    same = ("x", "x") if not turned else ("x", "y")
    panels = []
    for labels, color, words_ in zip(
        (("mitosis", "tumor"), ("tumor", "tumor")), (FAIL, PASS), told, strict=True
    ):
        items = items_of(
            [{"hash": h, "labels": [label]} for h, label in zip(same, labels, strict=True)]
        )
        near = near_of([("i0", "i1")]) if turned else None
        draw = partial(two_crops, ("cell_1", labels[0]), ("cell_72", labels[1]), turned, color)
        panels.append(Panel(Inputs(protocol_of(), items=items, near=near), draw, words_))
    return panels[0], panels[1]


def identical() -> Pair:
    """CON001."""
    return _copies(0, ("The same pixels under two labels.", "Copies have the same label."))


def similar() -> Pair:
    """CON002."""
    return _copies(
        1, ("The same crop, turned by 90°, under another label.", "Both have the same label.")
    )


def field_of_view() -> Pair:
    """SIZ003."""
    scene = with_tumor()
    own = tumor(scene)
    mpp = scene.scene.plan.mpp

    def panel(side_px: int, told: str, color: str) -> Panel:
        side = 0.5 * side_px
        x, y = own.centroid.x, own.centroid.y
        tile = shapely.box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)

        def draw(axes: Axes) -> None:
            box = around(in_px(scene, own), 760 / mpp)
            tissue(axes, scene.rgb, box, mpp, 100)
            outline(axes, in_px(scene, own), INK, halo=True)
            outline(axes, in_px(scene, tile), color, width=2.6, halo=True)
            words(
                axes,
                x / mpp,
                (y - side / 2 + (30 if side > 300 else -24)) / mpp,
                f"{side:g} µm",
                color,
                size=8.5,
                weight="bold",
            )

        rows = [{"annotation": f"a{k}", "shape": in_px(scene, own)} for k in range(8)]
        protocol = protocol_of(
            dataset={"title": "t", "task": "detection"},
            scales=[{"name": "S", "mpp": 0.5, "side_px": side_px}],
        )
        slides = slides_of([{"slide": "s", "mpp_x": mpp, "mpp_y": mpp}])
        return Panel(Inputs(protocol, slides=slides, annotations=annotations_of(rows)), draw, told)

    return (
        panel(256, "No tile can show a whole lesion.", FAIL),
        panel(1300, "One scale has a field that holds it.", PASS),
    )


def reader() -> Pair:
    """COR003."""

    def given(joe: float) -> tuple[Inputs, list[float]]:
        rng = np.random.default_rng(5)
        right = {"ann": 0.94, "joe": joe, "mia": 0.94}
        rows, slides, said = [], [], []
        for case in range(60):
            for item in range(5):
                name, truth = f"s{case}_{item}", rng.integers(3)
                slides.append({"slide": name, "case": f"c{case}"})
                calls = [
                    truth if rng.random() < share else (truth + rng.integers(1, 3)) % 3
                    for share in right.values()
                ]
                said.append(calls)
                rows += [
                    {"image": name, "labels": ["abc"[call]], "reader": who}
                    for who, call in zip(right, calls, strict=True)
                ]
        calls = np.array(said)
        agreed = [
            100 * float(np.mean(calls[:, a] == calls[:, b])) for a, b in ((0, 2), (0, 1), (1, 2))
        ]
        inputs = Inputs(protocol_of(), slides=slides_of(slides), annotations=annotations_of(rows))
        return inputs, agreed

    panels = []
    for joe, color, told in (
        (0.65, FAIL, "joe agrees with both far less than they with each other."),
        (0.94, PASS, "All three pairs agree about as often."),
    ):
        inputs, agreed = given(joe)
        draw = partial(
            bars,
            names=["ann and mia", "ann and joe", "joe and mia"],
            values=agreed,
            colors=["#8b949c", color, color],
            told=[f"{share:.0f} %" for share in agreed],
        )
        panels.append(Panel(inputs, draw, told))
    return panels[0], panels[1]


def odd_size() -> Pair:
    """SIZ002."""
    held = field(_SEED)
    areas = shapely.area(held.shapes)
    usual = held.shapes[(areas > np.quantile(areas, 0.2)) & (areas < np.quantile(areas, 0.8))]
    mpp = held.scene.plan.mpp
    middle = _crowd(usual)
    cluster = shapely.union_all(usual[shapely.distance(usual, middle) < 14]).convex_hull.buffer(2)
    shown = affinity.scale(shapely.Point(middle.x, middle.y), 1, 1)

    def panel(odd: shapely.Geometry | None, told: str) -> Panel:
        shapes = [*usual] if odd is None else [*usual[~shapely.within(usual, odd)], odd]
        placed = in_px(held, np.array(shapes, object))

        def draw(axes: Axes) -> None:
            box = around(in_px(held, shown), 60 / mpp)
            tissue(axes, held.rgb, box, mpp, 10)
            for k, shape in enumerate(placed):
                own = odd is not None and k == len(placed) - 1
                color = FAIL if own else PAPER if odd is not None else PASS
                width = 2.4 if own else 1.6
                outline(axes, shape, color, width=width, halo=own or odd is None)

        inputs = held.inputs(np.array(shapes, object), ["stromal"] * len(shapes))
        return Panel(inputs, draw, told)

    return (
        panel(cluster, "One line runs round a whole cluster of nuclei."),
        panel(None, "Each nucleus has a line of its own."),
    )


def _crowd(shapes: np.ndarray) -> shapely.Point:
    """The middle of the nucleus with the most others near it."""
    points = shapely.centroid(shapes)
    inner = shapely.within(points, shapely.box(60, 60, 300, 300))
    near = [int((shapely.distance(points, one) < 16).sum()) for one in points]
    return points[int(np.argmax(np.where(inner, near, 0)))]


PICTURES = {
    "SIZ002": odd_size,
    "SIZ003": field_of_view,
    "COR002": unresolved,
    "COR003": reader,
    "CON001": identical,
    "CON002": similar,
    "CON003": repeat,
    "CON004": contradiction,
}
