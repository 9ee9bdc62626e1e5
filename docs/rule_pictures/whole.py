"""CMP002 to CMP004 and ACQ: regions that were searched, and whole slides."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import shapely
from docs.rule_pictures.charts import bars
from docs.rule_pictures.panel import FAIL, INK, PALE, PASS, RATIO, SOFT, Pair, Panel
from docs.rule_pictures.scenes import in_px, tumor, with_tumor
from docs.rule_pictures.strokes import outline, tissue, view, words
from matplotlib.axes import Axes
from tests.rules.clean.pictures import served
from tests.rules.datasets import annotations_of, near_of, protocol_of, slides_of
from tests.rules.made import annotation, slide
from tests.rules.made import inputs as made_inputs
from tests.rules.test_completeness import GATE, regions_of

from curatome.rules.rule import Inputs
from curatome.tables import ITEMS


def bare() -> Pair:
    """CMP002."""
    field = with_tumor()
    mpp = field.scene.plan.mpp
    own = tumor(field)
    x, y = own.centroid.x, own.centroid.y
    side = 520.0
    region = shapely.box(
        x - side * RATIO / 2 + 20, y - side / 2 + 20, x + side * RATIO / 2 - 20, y + side / 2 - 20
    )
    section = field.scene.tissue_outline()
    stroma = region.intersection(section).difference(own)

    def panel(shapes: list[tuple[Any, str]], told: str, color: str) -> Panel:
        def draw(axes: Axes) -> None:
            box = (x - side * RATIO / 2, y - side / 2, x + side * RATIO / 2, y + side / 2)
            tissue(axes, field.rgb, tuple(v / mpp for v in box), mpp, 100)  # type: ignore[arg-type]
            outline(axes, in_px(field, region), INK, dashed=True, width=2)
            for shape, label in shapes:
                outline(axes, in_px(field, shape), color, width=2.4, halo=True)
                inner = max(shapely.get_parts(shape), key=lambda one: one.area)
                at = shapely.maximum_inscribed_circle(inner).coords[0]
                words(axes, at[0] / mpp, at[1] / mpp, label, color, size=8.5, weight="bold")
            if len(shapes) == 1:
                words(
                    axes,
                    (x - 250) / mpp,
                    (y + 170) / mpp,
                    "no class",
                    FAIL,
                    size=8.5,
                    weight="bold",
                )

        inputs = field.inputs(
            np.array([one for one, _ in shapes], object), [name for _, name in shapes]
        )
        protocol = protocol_of(
            dataset={"title": "t", "task": "segmentation"},
            classes=[{"name": "tumor"}, {"name": "stromal"}],
        )
        searched = regions_of({"shape": in_px(field, region), "classes": ["tumor", "stromal"]})
        return Panel(replace(inputs, protocol=protocol, exhaustive=searched), draw, told)

    return (
        panel([(own, "tumor")], "All classes were to be drawn here; most tissue has none.", FAIL),
        panel([(own, "tumor"), (stroma, "stromal")], "Every piece of tissue has a class.", PASS),
    )


def unscreened() -> Pair:
    """CMP003."""
    rng = np.random.default_rng(8)
    x, y = rng.uniform(40, 960, 44), rng.uniform(40, 660, 44)

    def panel(points: np.ndarray, told: str, color: str) -> Panel:
        rows = [{"shape": shapely.Point(*point).buffer(9), "labels": ["tumor"]} for point in points]
        region = shapely.box(0, 0, 1000, 700)

        def draw(axes: Axes) -> None:
            view(axes, (-40, -40, 1040, 740))
            axes.set_facecolor(SOFT)
            outline(axes, region, INK, dashed=True, fill="#f7e6ef", width=1.8)
            for row in rows:
                outline(axes, row["shape"], color, width=1.8)
            if color == FAIL:
                words(axes, 740, 350, "nothing here", FAIL, size=9, weight="bold")

        inputs = Inputs(
            protocol_of(),
            slides=slides_of([{"slide": "s", "width": 1000, "height": 700}]),
            annotations=annotations_of(rows),
            exhaustive=regions_of({"shape": region}),
        )
        return Panel(inputs, draw, told)

    points = np.stack([x, y], axis=1)
    return (
        panel(points[x < 450], "Declared as searched, but the right half is empty.", FAIL),
        panel(points, "Objects lie all over the region.", PASS),
    )


def below_gate() -> Pair:
    """CMP004."""

    def panel(both: int, alone: int, told: str, color: str) -> Panel:
        rows = []
        for k in range(both + 2 * alone):
            disk = shapely.Point(30 + 60 * (k % 15), 30 + 60 * (k // 15)).buffer(10)
            if k < both + alone:
                rows.append({"shape": disk})
            if k < both or k >= both + alone:
                rows.append({"shape": disk, "reader": "joe"})
        inputs = Inputs(
            protocol_of(gates=GATE),
            slides=slides_of([{"slide": "s"}]),
            annotations=annotations_of(rows),
        )
        told_ = [f"{n}" for n in (both, alone, alone)]
        draw = partial(
            bars,
            names=["both readers", "only ann", "only joe"],
            values=[both, alone, alone],
            colors=["#8b949c", color, color],
            told=told_,
        )
        return Panel(inputs, draw, told)

    return (
        panel(30, 30, "They miss much: of about 119 objects, 90 were found.", FAIL),
        panel(96, 6, "They miss little: with both, nearly all are found.", PASS),
    )


def scale() -> Pair:
    """ACQ020."""
    rng = np.random.default_rng(3)
    slides, each = 12, 12
    sizes = np.exp(rng.normal(0, 0.08, slides))[:, None] * np.exp(
        rng.normal(0, 0.2, (slides, each))
    )

    def panel(told: str, odd: bool) -> Panel:
        rows, of, means = [], [], []
        for number in range(slides):
            mpp = 0.5 if odd and number == 7 else 0.25
            of.append(slide(f"s{number}", mpp_x=mpp, mpp_y=mpp))
            for label, size in (("lymphocyte", 7.0), ("tumor", 12.0)):
                for k in range(each):
                    radius = size * sizes[number, k] / 2 / 0.25
                    shape = shapely.Point(500 + 100 * k, 700).buffer(radius, quad_segs=16)
                    rows.append(
                        annotation(
                            f"{number}-{label}-{k}", shape, labels=[label], image=f"s{number}"
                        )
                    )
            means.append(7.0 * sizes[number].mean() * mpp / 0.25)

        def draw(axes: Axes) -> None:
            view(axes, (0, 0, 139, 100))
            for number, mean in enumerate(means):
                own = odd and number == 7
                color = FAIL if own else PASS if number == 7 else PALE
                at = (14 + 22 * (number % 6), 27 + 48 * (number // 6))
                circle = shapely.Point(at).buffer(0.76 * mean, quad_segs=32)
                outline(
                    axes,
                    circle,
                    color,
                    fill="#fbe9df" if own else "#e8edf1",
                    width=2 if number == 7 else 1,
                )
                words(axes, at[0], at[1] + 16, f"S{number + 1}", PALE, size=7)
                words(axes, at[0], at[1] - 15, f"{mean:.0f} µm", color, size=7.5)

        return Panel(made_inputs(rows, of=of), draw, told)

    return (
        panel("Lymphocytes of S8 are twice as large: its scale is wrong.", odd=True),
        panel("Lymphocytes of about 7 µm on every slide.", odd=False),
    )


def two_cases() -> Pair:
    """ACQ021."""

    def panel(seeds: tuple[int, int], content: tuple[str, str], told: str, color: str) -> Panel:
        of = [slide("s1", case="c1"), slide("s2", case="c2")]
        items = ITEMS.from_rows(
            [
                {
                    "item": f"{name}-{k}",
                    "kind": "tile",
                    "slide": name,
                    "case": case,
                    "labels": [],
                    "hash": f"{text}-{k}",
                }
                for (name, case), text in zip((("s1", "c1"), ("s2", "c2")), content, strict=True)
                for k in range(10)
            ]
        )
        same = content[0] == content[1]
        pairs = [(f"s1-{k}", f"s2-{k}") for k in range(6)] if same else [("s1-0", "nowhere")]

        def draw(axes: Axes) -> None:
            view(axes, (0, 0, 100 * RATIO, 100))
            for k, (seed, name) in enumerate(
                zip(seeds, ("S12, case C07", "S31, case C09"), strict=True)
            ):
                left = 4 + 68 * k
                rgb = with_tumor(seed).rgb[::6, ::6]
                axes.imshow(
                    np.fliplr(rgb) if same and k else rgb,
                    extent=(left, left + 62, 82, 27),
                    zorder=2,
                )
                words(axes, left + 31, 15, name, color, size=8.5, weight="bold")
            view(axes, (0, 0, 100 * RATIO, 100))

        return Panel(made_inputs(of=of, items=items, near=near_of(pairs)), draw, told)

    return (
        panel((1005, 1005), ("a", "a"), "One section, scanned twice, under two patients.", FAIL),
        panel((1005, 1002), ("a", "b"), "Two patients, two pieces of tissue.", PASS),
    )


def little() -> Pair:
    """ACQ022."""
    field = with_tumor()
    mpp = 4.0
    factor = round(mpp / field.scene.plan.mpp)
    height, width = (n // factor for n in field.rgb.shape[:2])
    shrunk = field.rgb[: height * factor, : width * factor].reshape(
        height, factor, width, factor, 3
    )
    small = shrunk.mean(axis=(1, 3)).astype(np.uint8)
    rows, across = np.mgrid[:36, :48]
    blob = np.hypot((rows - 18) / 15, (across - 24) / 20) < 1 + 0.12 * np.sin(across / 3)

    def panel(least: bool, told: str) -> Panel:
        rgb = np.pad(small, ((140, 140), (275, 275), (0, 0)), mode="edge")
        if least:
            rgb[:] = small[0, 0]
            rgb[300:336, 470:518][blob] = small[190:226, 150:198][blob]
        tall, long = rgb.shape[:2]
        wide = slides_of(
            [{"slide": "s", "width": long, "height": tall, "mpp_x": mpp, "mpp_y": mpp}]
        )

        def draw(axes: Axes) -> None:
            tissue(axes, rgb, (0, 0, tall * RATIO, tall), mpp, 500)

        return Panel(Inputs(protocol_of(), slides=wide, pixels=served(rgb, mpp)), draw, told)

    return (
        panel(True, "Less tissue than one field of a microscope."),
        panel(False, "Enough tissue to be cut into tiles."),
    )


PICTURES = {
    "CMP002": bare,
    "CMP003": unscreened,
    "CMP004": below_gate,
    "ACQ020": scale,
    "ACQ021": two_cases,
    "ACQ022": little,
}
