"""The truth about a synthetic cohort, as tables. Coordinates are level-0 px unless named _um."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from shapely import affinity

from curatome.phantom import fabric
from curatome.phantom.contours import areas_um2, outlines
from curatome.phantom.nuclei import CLASSES, PHASES
from curatome.phantom.scene import Scene
from curatome.phantom.traits import MARKED, TRAITS
from curatome.tables import Column, TableSpec

_TEXT, _REAL, _BYTES, _SHORT = pa.string(), pa.float64(), pa.binary(), pa.float32()
_SLIDE = Column("slide", _TEXT, "name of the slide")

SLIDES = TableSpec(
    "phantom_slides",
    (
        _SLIDE,
        Column("file", _TEXT, "path relative to the cohort's folder"),
        Column("case", _TEXT, "patient"),
        Column("block", _TEXT, "tissue block"),
        Column("diagnosis", _TEXT, "the case's diagnosis"),
        Column("site", _TEXT, "laboratory that stained it"),
        Column("scanner", _TEXT, "scanner"),
        Column("stain", _TEXT, "stain"),
        Column("tissue", _TEXT, "resection or biopsy"),
        Column("mpp", _REAL, "true scale", "µm/px"),
        Column("mpp_in_file", pa.bool_(), "whether the file says its scale"),
        Column("width", pa.int64(), "width of level 0", "level-0 px"),
        Column("height", pa.int64(), "height of level 0", "level-0 px"),
        Column("tissue_area_um2", _REAL, "area within the outline", "µm²"),
        Column("outline", _BYTES, "outline of the tissue, WKB", "level-0 px"),
    ),
)
REGIONS = TableSpec(
    "phantom_regions",
    (
        _SLIDE,
        Column("region", pa.int64(), "number within the slide"),
        Column("class", _TEXT, ", ".join(fabric.KINDS)),
        Column("area_um2", _REAL, "area", "µm²"),
        Column("transition_um", _REAL, "width within the outline of the way to stroma", "µm"),
        Column("correlation_um", _REAL, "correlation length of the texture", "µm"),
        Column("polygon", _BYTES, "outline, WKB", "level-0 px"),
    ),
)
NUCLEI = TableSpec(
    "phantom_nuclei",
    (
        _SLIDE,
        Column("nucleus", pa.int64(), "number within the slide"),
        Column("x_um", _REAL, "center from the left edge", "µm"),
        Column("y_um", _REAL, "center from the top edge", "µm"),
        Column("class", _TEXT, ", ".join(CLASSES)),
        Column("phase", _TEXT, f"of a mitosis: {', '.join(PHASES[1:])}", nullable=True),
        Column("long_um", _REAL, "long axis, whole length", "µm"),
        Column("short_um", _REAL, "short axis, whole length", "µm"),
        Column("angle", _REAL, "long axis against x, clockwise as seen, 0 to π", "rad"),
        Column("area_um2", _REAL, "area within the outline", "µm²"),
        Column("coarseness", _SHORT, "of the chromatin, 0 fine to 1 clumped"),
        Column("darkness", _SHORT, "uptake of hematoxylin", "optical density"),
        Column("nucleoli", pa.int8(), "how many"),
        *(Column(t, _SHORT, f"strength of {t}, 0 to 1, if graded", nullable=True) for t in TRAITS),
        *(Column(f"has_{t}", pa.bool_(), f"{t} is marked", nullable=True) for t in TRAITS),
    ),
)
OUTLINES = TableSpec(
    "phantom_outlines",
    (
        _SLIDE,
        Column("nucleus", pa.int64(), "number within the slide, as in phantom_nuclei"),
        Column("outline", _BYTES, "as it is painted, WKB", "level-0 px"),
    ),
)
ARTIFACTS = TableSpec(
    "phantom_artifacts",
    (
        _SLIDE,
        Column("artifact", pa.int64(), "number within the slide"),
        Column("kind", _TEXT, "key of artifacts.KINDS"),
        Column("strength", _REAL, "0 barely to be seen, 1 as bad as it gets"),
        Column("polygon", _BYTES, "what it covers, WKB", "level-0 px"),
        Column("color", _TEXT, "ink or thread on clean glass, #rrggbb", nullable=True),
        Column("blur_um", _REAL, "greatest standard deviation of its blur", "µm"),
        Column("shift_x", _REAL, "what is seen at x belongs at x + this", "level-0 px"),
        Column("shift_y", _REAL, "what is seen at y belongs at y + this", "level-0 px"),
        Column("gain", _REAL, "factor on the brightness"),
    ),
)


def in_pixels(geometry: shapely.Geometry, mpp: float) -> bytes:
    """A geometry in µm as WKB in level-0 px."""
    scaled = affinity.scale(geometry, 1 / mpp, 1 / mpp, origin=(0, 0))
    out: bytes = shapely.to_wkb(scaled)
    return out


def slide_row(scene: Scene, file: str) -> dict[str, Any]:
    """A row of `SLIDES`."""
    plan, outline = scene.plan, scene.tissue_outline()
    return {
        "slide": plan.name,
        "file": file,
        "case": plan.case.name,
        "block": plan.block,
        "diagnosis": plan.case.diagnosis,
        "site": plan.site,
        "scanner": plan.scanner,
        "stain": plan.stain,
        "tissue": plan.tissue,
        "mpp": plan.mpp,
        "mpp_in_file": plan.mpp_in_file,
        "width": plan.width,
        "height": plan.height,
        "tissue_area_um2": outline.area,
        "outline": in_pixels(outline, plan.mpp),
    }


def region_rows(scene: Scene) -> list[dict[str, Any]]:
    """Rows of `REGIONS`: every outline, then the stroma that is left of each piece of tissue."""
    shapes = [shapely.make_valid(p) for p in scene.regions.polygons()]
    kinds = [fabric.KINDS[int(kind)] for kind in scene.regions.kind]
    widths, lengths = scene.regions.transition.tolist(), scene.regions.correlation.tolist()
    taken = shapely.union_all(shapes)
    for piece in scene.tissue.polygons():
        shapes.append(shapely.make_valid(piece).difference(taken))
        kinds.append("stroma")
        widths.append(0.0)
        lengths.append(scene.correlation)
    return [
        {
            "slide": scene.plan.name,
            "region": number,
            "class": kind,
            "area_um2": shape.area,
            "transition_um": width,
            "correlation_um": length,
            "polygon": in_pixels(shape, scene.plan.mpp),
        }
        for number, (shape, kind, width, length) in enumerate(
            zip(shapes, kinds, widths, lengths, strict=True)
        )
    ]


def nuclei_table(scene: Scene) -> pa.Table:
    """The slide's part of `NUCLEI`."""
    nuclei = scene.nuclei
    ungraded = np.isnan(nuclei.strength)
    strength = {
        name: pa.array(nuclei.strength[:, k], mask=ungraded[:, k]) for k, name in enumerate(TRAITS)
    }
    marked = {
        f"has_{name}": pa.array(nuclei.strength[:, k] >= MARKED, mask=ungraded[:, k])
        for k, name in enumerate(TRAITS)
    }
    return NUCLEI.from_columns(
        {
            "slide": [scene.plan.name] * len(nuclei),
            "nucleus": np.arange(len(nuclei)),
            "x_um": nuclei.x,
            "y_um": nuclei.y,
            "class": np.array(CLASSES, dtype=object)[nuclei.kind],
            "phase": np.array([None, *PHASES[1:]], dtype=object)[nuclei.phase],
            "long_um": nuclei.long,
            "short_um": nuclei.short,
            "angle": nuclei.angle,
            "area_um2": areas_um2(nuclei),
            "coarseness": nuclei.coarse,
            "darkness": nuclei.dark,
            "nucleoli": nuclei.nucleoli,
            **strength,
            **marked,
        }
    )


def outlines_table(scene: Scene) -> pa.Table:
    """The slide's part of `OUTLINES`, made on request: 1.3 kB a nucleus."""
    scaled = shapely.transform(outlines(scene.nuclei), lambda points: points / scene.plan.mpp)
    return OUTLINES.from_columns(
        {
            "slide": [scene.plan.name] * len(scaled),
            "nucleus": np.arange(len(scaled)),
            "outline": shapely.to_wkb(scaled),
        }
    )


def artifact_rows(scene: Scene) -> list[dict[str, Any]]:
    """Rows of `ARTIFACTS`."""
    return [
        {
            "slide": scene.plan.name,
            "artifact": number,
            "kind": artifact.kind,
            "strength": artifact.strength,
            "polygon": in_pixels(artifact.outline, scene.plan.mpp),
            "color": artifact.color or None,
            "blur_um": artifact.blur_um,
            "shift_x": float(artifact.shift[0]),
            "shift_y": float(artifact.shift[1]),
            "gain": artifact.gain,
        }
        for number, artifact in enumerate(scene.artifacts)
    ]


def truth_tables(scenes: Sequence[Scene], files: Mapping[str, str]) -> dict[str, pa.Table]:
    """All four tables of a cohort, which need no pixels.

    Args:
        scenes: the slides.
        files: the file of each slide, by its name.
    """
    return {
        "slides": SLIDES.from_rows([slide_row(s, files[s.plan.name]) for s in scenes]),
        "regions": REGIONS.from_rows([row for s in scenes for row in region_rows(s)]),
        "nuclei": pa.concat_tables([nuclei_table(s) for s in scenes]),
        "artifacts": ARTIFACTS.from_rows([row for s in scenes for row in artifact_rows(s)]),
    }
