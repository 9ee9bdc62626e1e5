"""LEK: what lies in which split, and what two splits share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import shapely
from docs.rule_pictures.charts import chips
from docs.rule_pictures.objects import two_crops
from docs.rule_pictures.panel import FAIL, PASS, RATIO, SPLITS, Pair, Panel
from docs.rule_pictures.scenes import with_tumor
from docs.rule_pictures.strokes import outline, tissue, words
from matplotlib.axes import Axes
from tests.rules.datasets import items_of, near_of, protocol_of

from curatome.rules.rule import Inputs

Rows = Sequence[tuple[str, Sequence[str]]]


def _chips(rows: Rows, ringed: Sequence[tuple[int, int]], axes: Axes) -> None:
    chips(axes, [(name, [(s, SPLITS[s]) for s in some]) for name, some in rows], ringed)


def _items(rows: Sequence[dict[str, Any]], near: Any = None) -> Inputs:
    return Inputs(protocol_of(), items=items_of(rows), near=near)


def _of(rows: Rows, column: str, one: str) -> Inputs:
    """Items of each row; a row is a case with a slide each, or a slide with its crops."""
    made = []
    for name, splits in rows:
        for k, split in enumerate(splits):
            slide = f"{name}-{k}" if one == "slide" else name
            made.append({column: name, "case": name, "slide": slide, "split": split})
    return _items(made)


def case() -> Pair:
    """LEK001."""
    wrong = [
        ("case C11", ["train"] * 3),
        ("case C12", ["train", "test"]),
        ("case C13", ["test"] * 2),
    ]
    right = [wrong[0], ("case C12", ["train", "train"]), wrong[2]]
    return (
        Panel(
            _of(wrong, "case", "slide"),
            partial(_chips, wrong, [(1, 0), (1, 1)]),
            "One patient's slides lie in train and in test.",
        ),
        Panel(
            _of(right, "case", "slide"),
            partial(_chips, right, []),
            "All slides of a patient are in one split.",
        ),
    )


def slide() -> Pair:
    """LEK002."""
    wrong = [
        ("B5_140", ["train"] * 4),
        ("B5_141", ["train", "test", "train", "val"]),
        ("B5_142", ["test"] * 4),
    ]
    right = [wrong[0], ("B5_141", ["train"] * 4), wrong[2]]
    return (
        Panel(
            _of(wrong, "slide", "crop"),
            partial(_chips, wrong, [(1, k) for k in range(4)]),
            "Crops of one field were shuffled into three splits.",
        ),
        Panel(
            _of(right, "slide", "crop"),
            partial(_chips, right, []),
            "All crops of a field are in one split.",
        ),
    )


def overlap() -> Pair:
    """LEK003."""
    field = with_tumor()
    mpp = field.scene.plan.mpp
    side, top = 256.0, 1500.0

    def panel(splits: Sequence[str], told: str) -> Panel:
        lefts = [1120 + 128.0 * k for k in range(4)]
        rows = [
            {
                "case": "c",
                "slide": "s",
                "x": x,
                "y": top,
                "width": side,
                "height": side,
                "split": split,
            }
            for x, split in zip(lefts, splits, strict=True)
        ]

        def draw(axes: Axes) -> None:
            middle = (lefts[0] + lefts[-1] + side) / 2
            height = 560.0
            box = (
                middle - height * RATIO / 2,
                top - 150,
                middle + height * RATIO / 2,
                top - 150 + height,
            )
            tissue(axes, field.rgb, box, mpp, 50)
            for k, (x, split) in enumerate(zip(lefts, splits, strict=True)):
                shape = shapely.box(x, top + 8 * (k % 2), x + side, top + side + 8 * (k % 2))
                outline(axes, shape, SPLITS[split], width=2.6, dashed=split == "test", halo=True)
                at = (
                    x + side / 2 - 64 + 32 * (k % 2) * 2,
                    top - 26 if k % 2 == 0 else top + side + 34,
                )
                words(axes, *at, split, SPLITS[split], size=8.5, weight="bold")

        return Panel(_items(rows), draw, told)

    return (
        panel(["train", "test"] * 2, "Tiles overlap by half, and every second one is in test."),
        panel(["train"] * 4, "However much they overlap, all are in one split."),
    )


def _crops(turned: int, told: tuple[str, str]) -> Pair:
    same = ("x", "y") if turned else ("x", "x")
    panels = []
    for splits, color, words_ in zip(
        (("train", "test"), ("train", "train")), (FAIL, PASS), told, strict=True
    ):
        rows = [
            {"case": f"c{k}", "slide": f"s{k}", "split": split, "hash": content}
            for k, (split, content) in enumerate(zip(splits, same, strict=True))
        ]
        draw = partial(two_crops, ("cell_1", splits[0]), ("cell_72", splits[1]), turned, color)
        near = near_of([("i0", "i1")]) if turned else None
        panels.append(Panel(_items(rows, near), draw, words_))
    return panels[0], panels[1]


def identical() -> Pair:
    """LEK004."""
    return _crops(
        0,
        ("The same pixels in train and in test.", "Copies are in one split, or there is only one."),
    )


def near() -> Pair:
    """LEK005."""
    return _crops(
        1,
        (
            "A crop of test is one of train, turned by 90°.",
            "Copies of one picture are in one split.",
        ),
    )


def _sites(rows: Rows) -> Inputs:
    made = []
    for site, splits in rows:
        for split in splits:
            k = len(made)
            made.append(
                {"case": f"c{k}", "slide": f"s{k}", "site": site, "scanner": "x", "split": split}
            )
    return _items(made)


def domain() -> Pair:
    """LEK006."""
    wrong = [
        ("Bonn", ["train"] * 4),
        ("Ulm", ["train", "train", "val", "test"]),
        ("Graz", ["train", "val", "test", "test"]),
    ]
    right = [("Bonn", ["train", "train", "val", "test"]), *wrong[1:]]
    return (
        Panel(
            _sites(wrong),
            partial(_chips, wrong, [(0, k) for k in range(4)]),
            "No case of Bonn is in val or test.",
        ),
        Panel(_sites(right), partial(_chips, right, []), "Every site is in every split."),
    )


def confounded() -> Pair:
    """LEK007."""
    wrong = [("Bonn", ["train"] * 6), ("Ulm", ["train"] * 6), ("Graz", ["test"] * 6)]
    right = [(site, ["train"] * 4 + ["test"] * 2) for site in ("Bonn", "Ulm", "Graz")]
    return (
        Panel(
            _sites(wrong),
            partial(_chips, wrong, [(2, k) for k in range(6)]),
            "Train is from Bonn and Ulm, test from Graz.",
        ),
        Panel(_sites(right), partial(_chips, right, []), "Each site is divided alike."),
    )


PICTURES = {
    "LEK001": case,
    "LEK002": slide,
    "LEK003": overlap,
    "LEK004": identical,
    "LEK005": near,
    "LEK006": domain,
    "LEK007": confounded,
}
