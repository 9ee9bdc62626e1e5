"""Cells of the thyroid dataset: what its published crops are, and ours of the same nuclei."""

import json

import numpy as np
import pytest
import shapely
from PIL import Image
from scipy.signal import fftconvolve

from curatome.protocol import BuildSettings
from curatome.slides.readers import open_slide
from curatome.tiles.cells import CellSettings, cut_cells, plan_cells
from curatome.tiles.duplicates import drawn_twice
from curatome.units import Mpp

UNKNOWN = Mpp(1.0, 1.0, "user")  # the fields carry no scale, so lengths are in their pixels


def contours(path):
    rings = [c["points"] for c in json.loads(path.read_text()) if len(c["points"]) > 2]
    return [p for p in map(shapely.Polygon, rings) if p.area > 0]


def place(field, crop):
    """Where a published crop lies in its field, and the correlation there.

    The crop is the field upside down at twice its scale; only what is not white is compared.
    """
    turned = np.asarray(crop.transpose(Image.Transpose.FLIP_TOP_BOTTOM))
    drawn = turned.min(axis=2) < 235
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    y, x = rows[0] // 2 * 2, columns[0] // 2 * 2
    h, w = (rows[-1] - y + 2) // 2, (columns[-1] - x + 2) // 2
    cut = np.s_[y : y + 2 * h, x : x + 2 * w]
    small = turned[cut].mean(axis=2).reshape(h, 2, w, 2).mean(axis=(1, 3))
    mask = drawn[cut].reshape(h, 2, w, 2).all(axis=(1, 3)).astype(float)
    gray, n = field.mean(axis=2), mask.sum()
    template = (small - (small * mask).sum() / n) * mask

    def over(image, kernel):
        return fftconvolve(image, kernel[::-1, ::-1], "valid")

    spread = over(gray**2, mask) - over(gray, mask) ** 2 / n
    match = over(gray, template) / np.sqrt(np.maximum(spread, 1) * (template**2).sum())
    top, left = np.unravel_index(match.argmax(), match.shape)
    return match.max(), (left - x / 2 + 56, top - y / 2 + 56)


@pytest.mark.parametrize("name", ["B5_213", "B5_219"])
def test_published_crops_are_the_field_upside_down_at_twice_its_scale(data, name):
    folder = data / "cells" / "thyroid"
    paths = sorted((folder / "crops").glob(f"{name}_cell_*.jpg"))[:10]
    slide = open_slide(folder / "fields" / "images" / f"{name}.jpg")
    field = np.asarray(Image.open(folder / "fields" / "images" / f"{name}.jpg"))
    published = [Image.open(path) for path in paths]
    found = [place(field, crop) for crop in published]
    assert np.median([match for match, _ in found]) > 0.97
    assert min(match for match, _ in found) > 0.9
    # Ours at the same scale, in context: the published pixels, where those are not white.
    settings = CellSettings(side_px=224, mpp=0.5, build=BuildSettings(max_enlargement=2.0))
    plan = plan_cells(slide, UNKNOWN, [shapely.Point(at) for _, at in found], settings)
    differences = []
    for crop in cut_cells(slide, plan):
        theirs = np.asarray(published[crop.index])[::-1].astype(int)
        inside = theirs.min(axis=2) < 200
        inside &= np.roll(inside, 4, 0) & np.roll(inside, -4, 0)
        inside &= np.roll(inside, 4, 1) & np.roll(inside, -4, 1)
        differences.append(np.abs(crop.pixels.astype(int) - theirs)[inside].mean())
    assert np.median(differences) < 8


def test_a_small_nucleus_stays_small(data):
    """Sizes within crops are those of the contours, in one field for all."""
    folder = data / "cells" / "thyroid" / "fields"
    slide = open_slide(folder / "images" / "B5_141.jpg")
    shapes = contours(folder / "contour" / "B5_141_contours.json")
    plan = plan_cells(slide, UNKNOWN, shapes, CellSettings(side_px=80, mpp=1.0, ground="white"))
    crops = {crop.index: crop for crop in cut_cells(slide, plan)}
    whole = [i for i in range(len(plan)) if plan.shown[i] == 1 and plan.inside[i] == 1]
    assert len(whole) > 100
    areas = np.array([crops[i].mask.sum() for i in whole])
    drawn = np.array([shapes[i].area for i in whole])
    assert np.abs(areas / drawn - 1)[drawn > 100].max() < 0.05
    assert drawn.max() / drawn.min() > 3
    for i in whole:
        assert (crops[i].pixels[~crops[i].mask] == 255).all()


def test_planted_second_drawings_are_found_among_7511_contours(data):
    folder = data / "cells" / "thyroid" / "fields" / "contour"
    rng = np.random.default_rng(8)
    planted = caught = cells = wrong = 0
    for path in sorted(folder.iterdir()):
        shapes = contours(path)
        chosen = list(range(0, len(shapes), 10))
        shifted = [
            shapely.transform(shapes[i], lambda at: at + rng.uniform(-2, 2, 2)) for i in chosen
        ]
        found = drawn_twice([*shapes, *shifted], UNKNOWN)
        pairs = list(zip(chosen, range(len(shapes), len(found)), strict=True))
        caught += sum(found[i] == copy or found[copy] == i for i, copy in pairs)
        wrong += sum(found[i] >= 0 for i in range(len(shapes)) if i not in chosen)
        planted += len(pairs)
        cells += len(shapes)
    assert (cells, wrong) == (7511, 0)  # three of the 7,514 have no area; none is drawn twice
    assert planted > 700
    assert caught >= 0.99 * planted
