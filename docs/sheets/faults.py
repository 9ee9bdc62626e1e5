"""A sheet of planted faults: for each the rows it changed, as a map, a matrix or words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import shapely
from docs.sheets.layout import (
    INK,
    PALE,
    PAPER,
    TRUE,
    WRONG,
    captioned,
    font,
    grid,
    outlined,
    save,
)
from PIL import Image, ImageDraw

from curatome.phantom.faults import FAULTS, CleanDesign, Planted, Tables, make_tables
from curatome.phantom.objects import ObjectDesign

VIEW = (301, 190)
_SOFT = (238, 240, 243)
_HUES = ((66, 110, 190), (235, 160, 50), (120, 90, 160), (70, 160, 120), (200, 90, 110))
Painter = Callable[[Planted], Image.Image]


@lru_cache(maxsize=1)
def clean() -> Tables:
    """A small dataset without faults."""
    design = ObjectDesign(
        cases=10,
        slides_per_case=2,
        objects_per_slide=14,
        classes=("tumor", "lymphocyte", "stromal"),
        frequencies=(0.5, 0.3, 0.2),
        diameters_um=(34.0, 18.0, 26.0),
        size_um=(420.0, 262.0),
    )
    return make_tables(CleanDesign(design, boxes=0.5), 3)


def _sheet() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("RGB", VIEW, _SOFT)
    return picture, ImageDraw.Draw(picture)


def _changed(planted: Planted) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = planted.changes.to_pylist()
    return rows


def _map(planted: Planted) -> Image.Image:
    """A slide's annotations: as they were, and what became of them."""
    picture, draw = _sheet()
    held = clean().annotations.to_pylist()
    slide_of = {row["annotation"]: row["image"] for row in held}
    changes = _changed(planted)
    hit = Counter(slide_of[row["source"] or row["row"]] for row in changes)
    slide = min(hit, key=lambda s: (-hit[s], s))
    own = {r["annotation"]: shapely.from_wkb(r["geometry"]) for r in held if r["image"] == slide}
    after = {
        row["annotation"]: shapely.from_wkb(row["geometry"])
        for row in planted.tables.annotations.to_pylist()
        if row["image"] == slide
    }
    touched = {row["row"] for row in changes}
    images = [r for r in clean().images.to_pylist() if r["slide"] == slide]
    width = max(r["x"] + r["width"] for r in images)
    height = max(r["y"] + r["height"] for r in images)
    moved = [shape for key, shape in after.items() if key in touched]
    far = shapely.union_all(moved).bounds if moved else (0, 0, 0, 0)
    right, bottom = max(width, far[2]), max(height, far[3])
    scale = min((VIEW[0] - 12) / right, (VIEW[1] - 12) / bottom)

    def placed(shapes: list[shapely.Geometry]) -> list[shapely.Geometry]:
        return list(shapely.transform(np.array(shapes, object), lambda p: p * scale + 6))

    draw.rectangle((6, 6, 6 + width * scale, 6 + height * scale), fill=PAPER, outline=PALE)
    outlined(picture, placed(list(own.values())), TRUE, 1 if moved else 2)
    gone = [shape for key, shape in own.items() if key in touched and key not in after]
    for shape in placed(gone):
        x, y = shape.centroid.x, shape.centroid.y
        draw.line((x - 6, y - 6, x + 6, y + 6), WRONG, 3)
        draw.line((x - 6, y + 6, x + 6, y - 6), WRONG, 3)
    outlined(picture, placed(moved), WRONG, 2)
    return picture


def _matrix(column: str) -> Painter:
    """Images as squares, a row for each case, colored by a column; changed or added ones ringed."""

    def paint(planted: Planted) -> Image.Image:
        picture, draw = _sheet()
        after = planted.tables.images.to_pylist()
        source = {r["row"]: r["source"] for r in _changed(planted) if r["change"] == "added"}
        case = {r["image"]: r["case"] for r in clean().images.to_pylist()}
        values = sorted({row[column] for row in after}, key=_order)
        touched = {row["row"] for row in _changed(planted)}
        rows = sorted({case[source.get(r["image"], r["image"])] for r in after})
        filled = Counter[str]()
        for row in sorted(after, key=lambda r: source.get(r["image"], r["image"])):
            owner = case[source.get(row["image"], row["image"])]
            x, y = 44 + 15 * filled[owner], 8 + 16 * rows.index(owner)
            filled[owner] += 1
            draw.rectangle((x, y, x + 11, y + 11), fill=_HUES[values.index(row[column])])
            if row["image"] in touched:
                draw.rectangle((x - 2, y - 2, x + 13, y + 13), outline=WRONG, width=2)
        for k, owner in enumerate(rows):
            draw.text((6, 14 + 16 * k), owner, PALE, font(12), anchor="lm")
        x = 8
        for value in values:
            draw.rectangle((x, 174, x + 10, 184), fill=_HUES[values.index(value)])
            draw.text((x + 15, 180), value, INK, font(12), anchor="lm")
            x += 30 + round(font(12).getlength(value))
        return picture

    return paint


def _order(value: str) -> tuple[int, str]:
    known = ("train", "val", "test", "benign", "in situ", "invasive")
    return (known.index(value) if value in known else len(known), value)


def _words(planted: Planted) -> Image.Image:
    """Values before and after."""
    picture, draw = _sheet()
    pairs = list(
        dict.fromkeys(
            (_plain(row["before"]), _plain(row["after"]))
            for row in sorted(
                _changed(planted), key=lambda r: (r["column"] != "guideline", r["row"])
            )
            if row["change"] == "changed"
        )
    )
    for k, (before, after) in enumerate(pairs[:7]):
        y = 20 + 25 * k
        draw.text((8, y), before, TRUE, font(13), anchor="lm")
        draw.text((140, y), "→", PALE, font(13), anchor="mm")
        draw.text((156, y), after.replace(" ", "␣"), WRONG, font(13), anchor="lm")
    return picture


def _plain(said: str) -> str:
    return ", ".join(json.loads(said)) if said.startswith("[") else said[:16]


def _bars(planted: Planted) -> Image.Image:
    """Annotations of each class, before and after."""
    picture, draw = _sheet()
    counts = [
        Counter(labels[0] for labels in tables.annotations["labels"].to_pylist())
        for tables in (clean(), planted.tables)
    ]
    for k, label in enumerate(sorted(counts[0])):
        y, top = 26 + 54 * k, max(counts[0].values())
        draw.text((8, y + 12), label, INK, font(13), anchor="lm")
        for count, color, shift in zip(counts, (TRUE, WRONG), (0, 14), strict=True):
            width = 150 * count[label] / top
            draw.rectangle((100, y + shift, 100 + width, y + shift + 10), fill=color)
            draw.text((106 + width, y + shift + 5), f"{count[label]}", INK, font(12), anchor="lm")
    return picture


def _table(planted: Planted) -> Image.Image:
    """How often diagnosis and site go together, in cases."""
    picture, draw = _sheet()
    before, counts = (_together(tables) for tables in (clean(), planted.tables))
    labels = sorted({label for label, _ in counts}, key=_order)
    sites = sorted({site for _, site in [*before, *counts]})
    for i, site in enumerate(sites):
        draw.text((108 + 50 * i, 18), site, INK, font(13), anchor="mm")
    for j, label in enumerate(labels):
        y = 34 + 46 * j
        draw.text((8, y + 20), label, INK, font(13), anchor="lm")
        for i, site in enumerate(sites):
            count = counts[label, site]
            color = INK if count == before[label, site] else WRONG
            draw.rectangle((84 + 50 * i, y, 130 + 50 * i, y + 42), fill=PAPER)
            draw.text((107 + 50 * i, y + 21), f"{count}", color, font(16, True), anchor="mm")
    draw.text((8, 180), "cases", PALE, font(12), anchor="lm")
    return picture


def _together(tables: Tables) -> Counter[tuple[str, str]]:
    held = tables.images.to_pylist()
    return Counter(
        (label, site) for _, label, site in {(r["case"], r["label"], r["site"]) for r in held}
    )


def _timeline(planted: Planted) -> Image.Image:
    """When each annotation was made, and under which version."""
    picture, draw = _sheet()
    held = planted.tables.annotations
    times, versions = held["time"].to_pylist(), held["guideline"].to_pylist()
    first, last = min(times), max(times)
    for k, (time, version) in enumerate(zip(times, versions, strict=True)):
        x = 16 + 265 * (time - first) / (last - first)
        y = 34 + 37 * (k * 7 % 100) / 100 + (0 if version == "2.0" else 68)
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=TRUE if version == "2.0" else WRONG)
    for text, y in (("version 2.0", 18), ("version 1.0", 92)):
        draw.text((8, y), text, INK, font(13), anchor="lm")
    draw.line((12, 158, 289, 158), PALE, 2)
    draw.text((12, 174), f"{first:%Y-%m}", PALE, font(12), anchor="lm")
    draw.text((289, 174), f"{last:%Y-%m}", PALE, font(12), anchor="rm")
    return picture


PICTURES: dict[str, tuple[Painter, float]] = {
    "leak_case": (_matrix("split"), 0.3),
    "leak_slide": (_matrix("split"), 0.2),
    "leak_image": (_matrix("split"), 0.1),
    "leak_overlap": (_matrix("split"), 0.1),
    "leak_near": (_matrix("split"), 0.1),
    "duplicate_image": (_matrix("label"), 0.1),
    "duplicate_relabeled": (_matrix("label"), 0.1),
    "duplicate_turned": (_matrix("label"), 0.1),
    "duplicate_turned_relabeled": (_matrix("label"), 0.1),
    "stale_guideline": (_timeline, 0.3),
    "wrong_level": (_map, 0.3),
    "wrong_unit": (_map, 0.3),
    "swapped_axes": (_map, 0.3),
    "box_size_as_corner": (_map, 0.3),
    "box_corner_as_size": (_map, 0.3),
    "label_spelling": (_words, 0.2),
    "scanner_spelling": (_words, 0.5),
    "site_spelling": (_words, 0.5),
    "rare_class": (_bars, 0.8),
    "confounded_site": (_table, 1.0),
    "random_label": (_words, 0.1),
    "confused_label": (_words, 0.1),
    "image_label": (_matrix("label"), 0.1),
    "overlapping_classes": (_map, 0.3),
    "missed_objects": (_map, 0.3),
    "unscreened_fields": (_map, 0.4),
    "loose_outlines": (_map, 0.5),
    "tight_outlines": (_map, 0.5),
    "shifted_outlines": (_map, 0.5),
    "rough_outlines": (_map, 0.5),
    "cut_outlines": (_map, 0.5),
    "merged_outlines": (_map, 0.5),
    "split_outlines": (_map, 0.5),
}
"""Fault: who paints it, and the strength at which it is planted."""


def faults() -> None:
    """Every fault, family by family."""
    cells = []
    for name, (paint, strength) in PICTURES.items():
        fault = FAULTS[name]
        picture = paint(fault.plant(clean(), strength, 1))
        words = f"{fault.family}, {strength:g}: {fault.strength}"
        cells.append(captioned(picture, name, words, 3))
    save(grid(cells, 4), "faults.png")
