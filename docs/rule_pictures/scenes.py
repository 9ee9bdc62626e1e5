"""Tissue of the phantom with regions whose outlines are known."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import shapely
from scipy.ndimage import gaussian_filter
from tests.rules.clean.pictures import Field

from curatome.phantom import fabric, make_scene, render
from curatome.phantom.design import CohortDesign
from curatome.phantom.designed import design_cohort
from curatome.rules.rule import Pixels

_SIDE_UM, _ACROSS_UM = 1600.0, 520.0
SEED = 1005
_PALE, _DARK = np.array([228.0, 184, 208]), np.array([112.0, 80, 150])


@cache
def with_tumor(seed: int = SEED) -> Field:
    """A section of 1.6 mm with a tumor; its outline, µm, is the only shape."""
    design = CohortDesign(cases=1, slides_per_case=(1.0,), biopsies=0.0)
    plan = design_cohort(design, seed).plans(_SIDE_UM)[0]
    plan = dataclasses.replace(plan, lesions=(("tumor", 1, _ACROSS_UM),), artifacts=())
    scene = make_scene(plan)
    tumors = scene.regions.polygons()[scene.regions.kind == fabric.KINDS.index("tumor")]
    largest = shapely.make_valid(max(tumors, key=lambda one: one.area))
    rgb = render(scene, plan.optics, (0, 0, plan.width, plan.height))
    return Field(scene, rgb, np.array([largest], object), ["tumor"])


def tumor(field: Field) -> shapely.Polygon:
    """The tumor's outline without its small teeth, as a person would draw it, µm."""
    return max(
        shapely.get_parts(field.shapes[0].buffer(-25).buffer(40).buffer(-15)),
        key=lambda one: one.area,
    )


def in_px(field: Field, shape: shapely.Geometry) -> shapely.Geometry:
    """A shape in µm as px of the image."""
    mpp = field.scene.plan.mpp
    return shapely.transform(shape, lambda points: points / mpp)


def nests(reach_px: float = 8.0, side: int = 600) -> Pixels:
    """Nests of dark tissue in pale stroma, as far apart as a texture reaches: (side, side, 3)."""
    rng = np.random.default_rng(7)
    smooth = gaussian_filter(rng.standard_normal((side, side)), reach_px, mode="wrap")
    nest = 0.5 + 0.5 * np.tanh(2.5 * smooth / smooth.std())
    grain = gaussian_filter(rng.standard_normal((side, side)), 1.2, mode="wrap")
    dark = np.clip(nest * (0.85 + 0.15 * grain / grain.std()), 0, 1)[..., None]
    rgb: Pixels = (_PALE * (1 - dark) + _DARK * dark).astype(np.uint8)
    return rgb
