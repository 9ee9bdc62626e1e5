"""COR001 and CMP001: rules that compare many objects, on nuclei painted by their true class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import shapely
from docs.rule_pictures.panel import FAIL, INK, PASS, RATIO, Pair, Panel
from docs.rule_pictures.strokes import outline, ring, tissue, view, words
from matplotlib.axes import Axes
from tests.rules.datasets import phantom_inputs
from tests.rules.painted import painted
from tests.rules.test_completeness import NUCLEI, whole_slides

from curatome.phantom.faults import FAULTS, CleanDesign, Tables, make_tables
from curatome.phantom.objects import ObjectDesign

_SEED = 3
_CROP_UM = 26.0
_TWO = ObjectDesign(
    cases=15,
    slides_per_case=1,
    objects_per_slide=16,
    classes=("tumor", "lymphocyte"),
    frequencies=(0.5, 0.5),
)


def _shape(row: dict[str, Any]) -> shapely.Geometry:
    return shapely.from_wkb(row["geometry"])


def _mpp(clean: Tables, image: str) -> float:
    return float({one["slide"]: one["mpp"] for one in clean.images.to_pylist()}[image])


def _sheet(clean: Tables, rows: Sequence[tuple[dict[str, Any], str]], axes: Axes) -> None:
    """Objects side by side, with the class that they were given; the first in color."""
    view(axes, (0, 0, 100 * RATIO, 100))
    for k, (row, given_color) in enumerate(rows):
        left, top = 3 + 34 * (k % 4), 4 + 49 * (k // 4)
        x, y = _shape(row).centroid.coords[0]
        mpp = _mpp(clean, row["image"])
        half = _CROP_UM / 2 / mpp
        rgb = painted(clean, _SEED)(row["image"], (x - half, y - half, x + half, y + half), mpp / 2)
        axes.imshow(rgb, extent=(left, left + 30, top + 36, top), interpolation="bicubic", zorder=2)
        scaled = shapely.transform(
            _shape(row), lambda p, x=x, y=y, half=half: (p - (x - half, y - half)) / (2 * half)
        )
        placed = shapely.transform(scaled, lambda p, left=left, top=top: p * (30, 36) + (left, top))
        outline(axes, placed, given_color, width=2.2 if k == 0 else 1.4, halo=True)
        bold = "bold" if k == 0 else "normal"
        words(axes, left + 15, top + 41, row["labels"][0], given_color, size=7.5, weight=bold)
    view(axes, (0, 0, 100 * RATIO, 100))


def label_error() -> Pair:
    """COR001."""
    clean = make_tables(CleanDesign(objects=_TWO), _SEED)
    planted = FAULTS["random_label"].plant(clean, 0.05, _SEED)
    rows = {one["annotation"]: one for one in clean.annotations.to_pylist()}
    changed = set(planted.changes["row"].to_pylist())
    row = next(rows[name] for name in sorted(changed) if rows[name]["labels"] == ["tumor"])
    others = [one for name, one in rows.items() if name not in changed and one["kind"] == "polygon"]
    sheet = [one for label in ("lymphocyte", "tumor") for one in others if one["labels"] == [label]]
    half = sum(one["labels"] == ["lymphocyte"] for one in sheet)
    shown = [*sheet[:3], *sheet[half : half + 4]]
    pixels = painted(clean, _SEED)
    wrong = row | {"labels": ["lymphocyte"]}
    return (
        Panel(
            phantom_inputs(planted.tables, pixels=pixels),
            partial(_sheet, clean, [(wrong, FAIL), *((one, INK) for one in shown)]),
            "The first one is called lymphocyte, and looks like a tumor cell.",
        ),
        Panel(
            phantom_inputs(clean, pixels=pixels),
            partial(_sheet, clean, [(row, PASS), *((one, INK) for one in shown)]),
            "Each is called what it looks like.",
        ),
    )


def _searched(
    tables: tuple[Tables, Tables], image: str, color: str, gone: shapely.Geometry | None, axes: Axes
) -> None:
    """A whole field as it is, with the outlines as they were drawn."""
    clean, drawn = tables
    mpp = _mpp(clean, image)
    shapes = [_shape(one) for one in drawn.annotations.to_pylist() if one["image"] == image]
    left, top, _, bottom = shapely.union_all([*shapes, *([gone] if gone else [])]).bounds
    box = (left - 30, top - 30, left - 30 + (bottom - top + 60) * RATIO, bottom + 30)
    rgb = painted(clean, _SEED)(image, box, mpp)
    tissue(axes, rgb, (0, 0, box[2] - box[0], box[3] - box[1]), mpp, 20)
    for shape in shapes:
        placed = shapely.transform(shape, lambda points: points - (box[0], box[1]))
        outline(axes, placed, color, width=1.6, halo=True)
    if gone is not None:
        ring(axes, gone.centroid.x - box[0], gone.centroid.y - box[1], 28)


def missed() -> Pair:
    """CMP001."""
    clean = make_tables(CleanDesign(objects=NUCLEI), _SEED)
    planted = FAULTS["missed_objects"].plant(clean, 0.1, _SEED)
    rows = {one["annotation"]: one for one in clean.annotations.to_pylist()}
    gone = [rows[name] for name in planted.changes["row"].to_pylist()]
    images = Counter(one["image"] for one in gone)
    row = next(one for one in gone if images[one["image"]] == 1)
    regions, pixels = whole_slides(clean, ["tumor"]), painted(clean, _SEED)
    return (
        Panel(
            phantom_inputs(planted.tables, exhaustive=regions, pixels=pixels),
            partial(_searched, (clean, planted.tables), row["image"], INK, _shape(row)),
            "One nucleus has no outline, though all were to be drawn.",
        ),
        Panel(
            phantom_inputs(clean, exhaustive=regions, pixels=pixels),
            partial(_searched, (clean, clean), row["image"], PASS, None),
            "Every nucleus of the class has its outline.",
        ),
    )


PICTURES = {"COR001": label_error, "CMP001": missed}
