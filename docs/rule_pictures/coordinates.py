"""SYN023 and SYN024: coordinates that mean something else than was read."""

from __future__ import annotations

from functools import partial

import numpy as np
import shapely
from docs.rule_pictures.panel import FAIL, LINE, PALE, PASS, SOFT, Pair
from docs.rule_pictures.strokes import outline, view
from docs.rule_pictures.syntax import panel, row
from matplotlib.axes import Axes
from shapely import affinity, box


def _scattered(count: int = 60) -> np.ndarray:
    """Squares all over an oval section."""
    rng = np.random.default_rng(4)
    angle, reach = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
    x = 5_000 + 4_150 * reach * np.cos(angle)
    y = 4_000 + 3_250 * reach * np.sin(angle)
    return shapely.box(x, y, x + 60, y + 60)


def _overview(shapes: np.ndarray, fails: bool, axes: Axes) -> None:
    view(axes, (-500, -400, 10_500, 8_400))
    axes.set_facecolor(SOFT)
    outline(axes, box(0, 0, 10_000, 8_000), PALE, fill="#ffffff", width=1.2)
    section = affinity.scale(shapely.Point(5_000, 4_000).buffer(1), 4_400, 3_500)
    outline(axes, section, LINE, fill="#f7e6ef", width=0.8)
    points = shapely.centroid(shapes)
    axes.plot(
        shapely.get_x(points),
        shapely.get_y(points),
        "s" if fails else "o",
        color=FAIL if fails else PASS,
        markersize=3.4,
        zorder=5,
    )


def frame() -> Pair:
    """SYN023."""
    good = _scattered()
    wrong = shapely.transform(good, lambda points: points / 4)
    told = ("All lie in the upper left: pixels of level 1.", "Annotations lie where the tissue is.")
    return tuple(  # type: ignore[return-value]
        panel(
            [row(one, f"a{k}") for k, one in enumerate(shapes)],
            partial(_overview, shapes, fails),
            words_,
        )
        for shapes, fails, words_ in zip((wrong, good), (True, False), told, strict=True)
    )


def dialect() -> Pair:
    """SYN024."""
    good = shapely.box(*(np.array([[x, y, x + 520, y + 460] for x, y in _PLACES]).T))
    left, top, right, bottom = shapely.bounds(good).T
    wrong = shapely.box(left, top, left + right, top + bottom)

    def draw(shapes: np.ndarray, fails: bool, axes: Axes) -> None:
        view(axes, (-500, -400, 12_500, 9_400))
        axes.set_facecolor(SOFT)
        outline(axes, box(0, 0, 10_000, 8_000), PALE, fill="#f7e6ef", width=1.2)
        for one in shapes:
            outline(axes, one, FAIL if fails else PASS, width=1.4)

    told = (
        "Corners read as width and height: boxes grow with x and y.",
        "Boxes as large as what they hold.",
    )
    return tuple(  # type: ignore[return-value]
        panel(
            [row(one, f"a{k}", kind="box") for k, one in enumerate(shapes)],
            partial(draw, shapes, fails),
            words_,
        )
        for shapes, fails, words_ in zip((wrong, good), (True, False), told, strict=True)
    )


_PLACES = [
    (900, 900),
    (2_600, 1_900),
    (1_300, 3_700),
    (4_300, 2_300),
    (3_100, 4_400),
    (5_200, 900),
    (2_000, 5_600),
    (5_600, 4_300),
    (4_200, 6_100),
    (6_500, 2_600),
]

PICTURES = {"SYN023": frame, "SYN024": dialect}
