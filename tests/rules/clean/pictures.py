"""Pictures with known outlines, served as a project serves pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import shapely
from PIL import Image
from scipy.ndimage import gaussian_filter

from curatome.phantom import Scene, make_scene, render
from curatome.phantom.cells import CLASSES
from curatome.phantom.contours import outlines
from curatome.phantom.design import CohortDesign
from curatome.phantom.designed import design_cohort
from curatome.phantom.outlines import redraw
from curatome.phantom.readers import Habit
from curatome.rules.rule import Inputs
from curatome.stain import compose
from tests.rules.datasets import annotations_of, protocol_of, slides_of

HAND = Habit(margin_sd_um=0.1, roughness_um=0.1)
"""A careful reader."""


def served(rgb, mpp=1.0):
    """Pixels of the image `s` as `rule.PixelsOf`; white beyond it."""
    height, width = rgb.shape[:2]

    def pixels(image, box, step):
        assert image == "s"
        left, top, right, bottom = box
        size = (
            max(round((right - left) * mpp / step), 1),
            max(round((bottom - top) * mpp / step), 1),
        )
        x0, y0 = int(np.floor(left)) - 2, int(np.floor(top)) - 2
        x1, y1 = int(np.ceil(right)) + 2, int(np.ceil(bottom)) + 2
        wide = np.full((y1 - y0, x1 - x0, 3), 255, np.uint8)
        here = np.s_[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]
        part = rgb[here]
        at = max(-y0, 0), max(-x0, 0)
        wide[at[0] : at[0] + part.shape[0], at[1] : at[1] + part.shape[1]] = part
        area = (left - x0, top - y0, right - x0, bottom - y0)
        return np.asarray(Image.fromarray(wide).resize(size, Image.Resampling.BOX, box=area))

    return pixels


def given(rgb, shapes, labels, mpp=1.0, known=True, **parts):
    """Outlines on one image `s`, named `a0`, `a1`, …; `known` says whether it has a scale."""
    rows = [
        {"annotation": f"a{k}", "labels": [label], "shape": shape}
        for k, (shape, label) in enumerate(zip(shapes, labels, strict=True))
    ]
    height, width = rgb.shape[:2]
    scale = mpp if known else None
    slide = {"slide": "s", "width": width, "height": height, "mpp_x": scale, "mpp_y": scale}
    held = {"annotations": annotations_of(rows), "slides": slides_of([slide])}
    return Inputs(protocol_of(), pixels=served(rgb, mpp), **(held | parts))


def stained(hematoxylin, eosin, seed=0, noise=0.02):
    """(H, W, 3) uint8 of amounts of both stains, with some grain."""
    rng = np.random.default_rng(seed)
    grain = noise * rng.standard_normal((*hematoxylin.shape, 2))
    amounts = np.stack([hematoxylin, eosin, np.zeros_like(hematoxylin)], axis=-1)
    amounts[..., :2] += grain
    return compose(np.maximum(amounts, 0))


def disks(centers, radius=12.0, size=(160, 200), blur=1.0):
    """Dark disks on pink ground, (H, W, 3) uint8."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    inside = np.zeros(size)
    for cx, cy in centers:
        inside = np.maximum(inside, np.clip(radius - np.hypot(x - cx, y - cy) + 0.5, 0, 1))
    inside = gaussian_filter(inside, blur)
    return stained(0.1 + 0.7 * inside, np.full(size, 0.3))


def circles(centers, radius=12.0):
    """Polygons of 64 corners."""
    return shapely.buffer(shapely.points(np.asarray(centers, float)), radius, quad_segs=16)


@dataclass(frozen=True, eq=False)
class Field:
    """A field of the phantom with its true nuclei: shapes (N,) in µm and their classes."""

    scene: Scene
    rgb: np.ndarray
    shapes: np.ndarray
    classes: list[str]

    def inputs(self, shapes, classes=None):
        """Outlines in µm on it."""
        mpp = self.scene.plan.mpp
        scaled = shapely.transform(shapes, lambda xy: xy / mpp)
        return given(self.rgb, scaled, self.classes if classes is None else classes, mpp)


@cache
def field(seed, side_um=400.0, most=150):
    """A slide of the phantom with at most so many nuclei outlined."""
    design = CohortDesign(cases=1, slides_per_case=(1.0,), biopsies=0.0)
    scene = make_scene(design_cohort(design, seed).plans(side_um)[0])
    plan, nuclei = scene.plan, scene.nuclei
    shapes = outlines(nuclei)
    low, high = 10.0, np.array([plan.width_um, plan.height_um]) - 10.0
    whole = (nuclei.x > low) & (nuclei.x < high[0]) & (nuclei.y > low) & (nuclei.y < high[1])
    sound = shapely.is_valid(shapes) & (shapely.get_type_id(shapes) == 3)
    rows = np.flatnonzero(whole & sound)
    rows = np.sort(np.random.default_rng([seed, 5]).permutation(rows)[:most])
    rgb = render(scene, plan.optics, (0, 0, plan.width, plan.height))
    return Field(scene, rgb, shapes[rows], [CLASSES[k] for k in nuclei.kind[rows]])


def planted(seed, habit=None, share=0.2):
    """A field drawn by a careful reader, some outlines by another habit; and which those are."""
    held = field(seed)
    rng = np.random.default_rng([seed, 6])
    shapes = redrawn(held.shapes, HAND, seed)
    hit = np.zeros(len(shapes), bool)
    if habit is not None:
        hit[rng.permutation(len(shapes))[: round(share * len(shapes))]] = True
        bad = redrawn(held.shapes, habit, seed + 1)
        hit &= bad != None  # noqa: E711 - one by one
        shapes = np.where(hit, bad, shapes)
    return held.inputs(shapes), {f"a{k}" for k in np.flatnonzero(hit)}


def redrawn(shapes, habit, seed):
    """Redrawn shapes in the order of the true ones; None for those that vanish."""
    drawn = redraw(shapes, habit, seed)
    out = np.full(len(shapes), None, object)
    for items, shape in zip(drawn.table["items"].to_pylist(), drawn.shapes, strict=True):
        out[items[0]] = shape
    return out
