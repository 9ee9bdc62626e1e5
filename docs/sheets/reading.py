"""A sheet of what readers do: each picture is drawn by a reader with one habit."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pyarrow.compute  # noqa: F401 - `objects_of` uses it and does not load it
import shapely
from docs.sheets.histology import FINE, place_of, scene_of, view
from docs.sheets.layout import (
    DRAWN,
    INK,
    PAPER,
    TRUE,
    WRONG,
    Color,
    captioned,
    font,
    grid,
    outlined,
    save,
    scale_bar,
)
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from curatome.phantom import Scene, truth_tables
from curatome.phantom.contours import outlines
from curatome.phantom.objects import Objects, objects_of
from curatome.phantom.outlines import redraw
from curatome.phantom.readers import Drift, Habit, Reader
from curatome.phantom.reading import read
from curatome.phantom.reads import Reads, Session

Shapes = NDArray[np.object_]
Painter = Callable[[Image.Image], None]

VIEW, ZOOM = (304, 228), 2
_BOX_UM = (VIEW[0] / ZOOM * FINE.mpp, VIEW[1] / ZOOM * FINE.mpp)
_LATE = ((250, 200, 90), (240, 150, 20), (214, 92, 0), (150, 40, 10))


@lru_cache(maxsize=1)
def _field() -> tuple[Scene, tuple[float, float], Shapes]:
    """A scene, the left top of the view (µm) and the outlines of all nuclei, px of the view."""
    scene = scene_of("tumor")
    x, y = _crowded(scene)
    corner = (x - _BOX_UM[0] / 2, y - _BOX_UM[1] / 2)
    near = np.hypot(scene.nuclei.x - x, scene.nuclei.y - y) < 60
    shapes = outlines(scene.nuclei)
    shapes = np.array([s if s.geom_type == "Polygon" else s.convex_hull for s in shapes[near]])
    return scene, corner, shapes


def _crowded(scene: Scene) -> tuple[float, float]:
    """The middle of a view (µm) that holds more nuclei than any other in the lesion."""
    x0, y0 = place_of(scene, "tumor")
    steps = np.arange(-150.0, 151.0, 10.0)
    places = [(x0 + dx, y0 + dy) for dx in steps for dy in steps]
    half = np.array(_BOX_UM)[:, None] / 2 - 4.0
    nuclei = np.stack([scene.nuclei.x, scene.nuclei.y])
    counts = [(np.abs(nuclei - np.array(p)[:, None]) < half).all(axis=0).sum() for p in places]
    return places[int(np.argmax(counts))]


def _on_view(shapes: Shapes) -> list[shapely.Geometry]:
    _, corner, _ = _field()
    scale = ZOOM / FINE.mpp
    return list(shapely.transform(shapes, lambda points: (points - corner) * scale))


def background() -> Image.Image:
    """The field that everybody reads."""
    scene, corner, _ = _field()
    middle = (corner[0] + _BOX_UM[0] / 2, corner[1] + _BOX_UM[1] / 2)
    size = (VIEW[0] // ZOOM, VIEW[1] // ZOOM)
    small = Image.fromarray(view(scene, middle, FINE, size))
    return small.resize(VIEW, Image.Resampling.BICUBIC)


def _drawn_by(habit: Habit) -> Painter:
    """Truth, and the lines of somebody with a habit."""

    def paint(picture: Image.Image) -> None:
        _, _, shapes = _field()
        outlined(picture, _on_view(shapes), TRUE)
        outlined(picture, _on_view(redraw(shapes, habit, 4).shapes), DRAWN)

    return paint


def _wandering(picture: Image.Image) -> None:
    """The lines of one reader at four times."""
    _, _, shapes = _field()
    outlined(picture, _on_view(shapes), TRUE)
    for months, color in zip((3, 6, 9, 12), _LATE, strict=True):
        margin = np.full(len(shapes), Drift(margin_um=0.17).margin_um * months)
        outlined(picture, _on_view(redraw(shapes, Habit(), 4, margin).shapes), color, 1)


@lru_cache(maxsize=1)
def _objects() -> Objects:
    scene, _, _ = _field()
    tables = truth_tables([scene], {scene.plan.name: "slide.svs"})
    return objects_of(tables["slides"], tables["nuclei"], seed=2)


def _reads(**habits: float) -> Reads:
    objects = _objects()
    miss, error = habits.pop("miss", 0.0), habits.pop("error", 0.0)
    reader = Reader.even("ada", objects.classes, miss, error, location_um=0.7, **habits)
    return read(objects, reader, 5, Session())


def _crosses(picture: Image.Image, places: NDArray[np.float64], color: Color) -> None:
    draw = ImageDraw.Draw(picture)
    for point in _on_view(shapely.points(places)):
        x, y = point.x, point.y
        for shade, width in ((PAPER, 5), (color, 3)):
            draw.line((x - 6, y, x + 6, y), shade, width)
            draw.line((x, y - 6, x, y + 6), shade, width)


def _marked(which: str, **habits: float) -> Painter:
    """Truth, and the marks of a reader; those of a kind stand out."""

    def paint(picture: Image.Image) -> None:
        scene, _, shapes = _field()
        reads, objects = _reads(**habits), _objects()
        outlined(picture, _on_view(shapes), TRUE)
        marks = reads.marks
        places = np.stack([marks.x, marks.y], axis=1)
        false, wrong = marks.item < 0, marks.label != objects.kind[marks.item]
        odd = {"missed": np.zeros(len(false), bool), "false": false, "wrong": wrong & ~false}[which]
        _crosses(picture, places[~odd], DRAWN)
        _crosses(picture, places[odd], WRONG)
        if which == "missed":
            own = outlines(scene.nuclei.chosen(reads.judged.label < 0))
            outlined(picture, _on_view(own), WRONG, 3)

    return paint


READER_FAULTS: dict[str, tuple[Painter, str]] = {
    "loose": (_drawn_by(Habit(margin_um=1.2)), "1.2 µm outside"),
    "too small": (_drawn_by(Habit(margin_um=-1.0)), "1 µm inside"),
    "shifted": (_drawn_by(Habit(shift_um=(1.6, 1.0))), "1.6 µm right, 1 µm down"),
    "rough": (_drawn_by(Habit(roughness_um=0.35, wobble_um=3.0)), "wobbles by 0.35 µm"),
    "cut": (_drawn_by(Habit(cut_rate=0.7)), "10 to 50 % of the area left out"),
    "merged": (_drawn_by(Habit(merge_rate=0.8)), "neighbors in one outline"),
    "split": (_drawn_by(Habit(split_rate=0.7)), "one object drawn as two"),
    "drift over time": (_wandering, "months 3, 6, 9, 12: pale to dark"),
    "missed": (_marked("missed", miss=0.4), "red: no mark; 40 % planted"),
    "false positive": (_marked("false", false_per_mm2=3500.0), "red: marks where nothing is"),
    "wrong class": (_marked("wrong", error=0.35), "red: another class; 35 % planted"),
}
"""What a reader does wrong: who paints it, and how much of it was planted."""


def _legend() -> Image.Image:
    """What the colors mean, as high as a picture."""
    out = Image.new("RGB", VIEW, PAPER)
    draw = ImageDraw.Draw(out)
    said = (
        (TRUE, "the truth"),
        (DRAWN, "the reader's line or mark"),
        (WRONG, "missed, false or wrong"),
    )
    for k, (color, words) in enumerate(said):
        y = 48 + 44 * k
        draw.line((4, y, 44, y), color, 4)
        draw.text((58, y), words, INK, font(16), anchor="lm")
    draw.text((4, 182), "0.25 µm/px, enlarged twice", INK, font(14))
    return captioned(out, "", "", 1)


def readers() -> None:
    """One field of tumor cells, read with each fault."""
    cells = []
    for name, (paint, words) in READER_FAULTS.items():
        picture = background()
        paint(picture)
        scale_bar(picture, FINE.mpp / ZOOM, 10.0)
        cells.append(captioned(picture, name, words))
    save(grid([*cells, _legend()], 4), "readers.jpg")
