"""Sections of the phantom at 1 µm per pixel: a tumor, the tissue around it, and glass."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import shapely
from PIL import Image

from curatome.phantom import fabric, make_scene, render
from curatome.phantom.design import CohortDesign
from curatome.phantom.designed import design_cohort
from curatome.rules.rule import Inputs
from tests.rules.clean.pictures import given

MPP = 1.0
_SIDE_UM = 1600.0


@dataclass(frozen=True, eq=False)
class Section:
    """A section.

    Attributes:
        rgb: (H, W, 3) uint8 at `MPP`.
        tumor: its largest tumor, µm.
        tissue: all tissue, µm.
    """

    rgb: np.ndarray
    tumor: shapely.Geometry
    tissue: shapely.Geometry

    def inputs(self, shapes: list[shapely.Geometry], **parts: object) -> Inputs:
        """Regions in µm on it, a0, a1, …, all of class tumor."""
        return given(self.rgb, shapes, ["tumor"] * len(shapes), MPP, **parts)


@lru_cache(maxsize=32)
def section(seed: int) -> Section:
    """A section with a tumor in its tissue, and no artifacts."""
    design = CohortDesign(cases=1, slides_per_case=(1.0,), biopsies=0.0)
    plan = design_cohort(design, seed).plans(_SIDE_UM)[0]
    plan = dataclasses.replace(plan, lesions=(("tumor", 1, 520.0),), artifacts=())
    scene = make_scene(plan)
    tumors = scene.regions.polygons()[scene.regions.kind == fabric.KINDS.index("tumor")]
    rgb = render(scene, plan.optics, (0, 0, plan.width, plan.height))
    size = round(plan.width_um / MPP), round(plan.height_um / MPP)
    small = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BOX))
    largest = shapely.make_valid(max(tumors, key=lambda one: one.area))
    return Section(small, largest, shapely.make_valid(scene.tissue_outline()))


def beside(section: Section, share: float, angle: float) -> shapely.Geometry | None:
    """The tumor's outline moved until so much of it is other tissue; None where glass is met."""
    tumor, tissue = section.tumor, section.tissue.buffer(-20)
    way = np.array([np.cos(angle), np.sin(angle)])
    for step in np.arange(5.0, 400.0, 5.0):
        moved = shapely.transform(tumor, lambda xy, by=step * way: xy + by)
        if not tissue.contains(moved):
            return None
        if tumor.intersection(moved).area <= (1 - share) * tumor.area:
            return moved
    return None


def on_the_edge(
    section: Section, share: float, at: float, radius: float = 120.0
) -> shapely.Polygon:
    """A disc on the tissue's edge, of which so much is glass.

    Args:
        section: the section.
        share: of the disc that is glass; 0 gives one wholly on tissue.
        at: 0 to 1, how far along the edge it is looked for first.
        radius: of the disc, µm.

    Raises:
        ValueError: there is no such place.
    """
    outline = shapely.union_all([shapely.Polygon(one.exterior) for one in _pieces(section.tissue)])
    edge = max(_pieces(outline), key=lambda one: one.area).exterior
    height, width = section.rgb.shape[:2]
    image = shapely.box(0, 0, width * MPP, height * MPP)
    for further in np.arange(0.0, 1.0, 0.01):
        start = edge.interpolate((at + further) % 1, normalized=True)
        line = shapely.LineString([start, outline.representative_point()])
        for step in np.arange(0.0, min(line.length, 3 * radius), 2.0):
            disc = line.interpolate(step).buffer(radius)
            glass = 1 - disc.intersection(outline).area / disc.area
            if abs(glass - share) < 0.005 and image.contains(disc):
                return disc
    raise ValueError("no disc fits on the tissue.")


def _pieces(shape: shapely.Geometry) -> list[shapely.Polygon]:
    return [one for one in shapely.get_parts(shape) if one.geom_type == "Polygon"]
