"""Pixels painted from the phantom's objects: their true class decides what they look like."""

from __future__ import annotations

import numpy as np
import shapely
from scipy.ndimage import gaussian_filter
from shapely.strtree import STRtree

from curatome.phantom.faults import Tables
from curatome.rules.rule import PixelsOf

GROUND = np.array([236.0, 205.0, 224.0])
COLORS = {
    "tumor": (120.0, 90.0, 160.0),
    "lymphocyte": (60.0, 45.0, 120.0),
    "stromal": (170.0, 110.0, 160.0),
    "mitosis": (45.0, 30.0, 60.0),
}
_NOISE = 6.0


def painted(tables: Tables, seed: int, shown: tuple[str, ...] = tuple(COLORS)) -> PixelsOf:
    """Objects on an even ground, blurred by half a µm and with noise.

    Args:
        tables: clean ones; their classes are the true ones.
        seed: of colors of single objects and of the noise.
        shown: classes that are painted.
    """
    rng = np.random.default_rng([seed, 0xBA])
    trees = {}
    image = np.array(tables.annotations["image"].to_pylist())
    shapes = shapely.from_wkb(np.array(tables.annotations["geometry"].to_pylist(), object))
    labels = [one[0] for one in tables.annotations["labels"].to_pylist()]
    colors = np.array([COLORS[one] for one in labels]) + rng.normal(0, 8, (len(labels), 3))
    visible = np.array([one in shown for one in labels])
    for name in np.unique(image):
        rows = np.flatnonzero((image == name) & visible)
        trees[name] = (STRtree(shapes[rows]), shapes[rows], colors[rows])
    mpp = dict(
        zip(tables.images["slide"].to_pylist(), tables.images["mpp"].to_pylist(), strict=True)
    )

    def pixels(image: str, box: tuple[float, float, float, float], scale: float) -> np.ndarray:
        left, top, right, bottom = box
        width, height = (
            max(1, round(d * mpp[image] / scale)) for d in (right - left, bottom - top)
        )
        x = left + (np.arange(width) + 0.5) / width * (right - left)
        y = top + (np.arange(height) + 0.5) / height * (bottom - top)
        canvas = np.tile(GROUND, (height, width, 1))
        tree, own, color = trees[image]
        for k in tree.query(shapely.box(*box)).tolist():
            x0, y0, x1, y1 = own[k].bounds
            columns = np.flatnonzero((x >= x0) & (x <= x1))
            rows = np.flatnonzero((y >= y0) & (y <= y1))
            if len(rows) and len(columns):
                inside = shapely.contains_xy(own[k], *np.meshgrid(x[columns], y[rows]))
                part = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
                part[inside] = color[k]
        canvas = gaussian_filter(canvas, (0.5 / scale, 0.5 / scale, 0))
        noise = np.random.default_rng([seed, int(abs(left)), int(abs(top))])
        canvas += noise.normal(0, _NOISE, canvas.shape)
        return np.clip(canvas, 0, 255).astype(np.uint8)

    return pixels
