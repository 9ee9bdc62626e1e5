"""Mishaps of section, glass and scan: what a plan asks for, laid out in µm, drawn in any block.

    plan.artifacts ── make_artifacts → Artifacts (µm) ─┬─ before_optics: folds, tears, blood
                                                       ├─ focus: blur of folds, bubbles, zones
                                                       └─ after_optics: ink, dust, rims, seams

A new kind is one module and one line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

from curatome.phantom.artifacts import (
    bubble,
    coverslip,
    dust,
    fold,
    hemorrhage,
    pen,
    stitching,
    zones,
)
from curatome.phantom.artifacts.artifact import Artifact, Grid, Ground, Pixels, Request
from curatome.phantom.noise import Texture
from curatome.phantom.optics import Planes, Scanner
from curatome.phantom.plan import SlidePlan

if TYPE_CHECKING:
    from curatome.phantom.scene import Scene

__all__ = ["KINDS", "Artifact", "Request", "after_optics", "before_optics", "focus"]

Maker = Callable[[Request, Ground, np.random.Generator], list[Artifact]]
DyePainter = Callable[[Artifact, Texture, Grid, NDArray[np.int32], Planes], None]
FocusPainter = Callable[[Artifact, Grid, Planes], None]
LightPainter = Callable[[Artifact, Texture, Grid, Pixels], None]


@dataclass(frozen=True)
class Kind:
    """How a kind of artifact is laid out, and what it does at each stage.

    Attributes:
        make: lays it out.
        dyes: changes the dyes, before any optics.
        focus: raises the blur.
        light: changes the pixels.
    """

    make: Maker
    dyes: DyePainter | None = None
    focus: FocusPainter | None = None
    light: LightPainter | None = None


KINDS: dict[str, Kind] = {
    "hemorrhage": Kind(hemorrhage.make_blood, dyes=hemorrhage.bleed),
    "tear": Kind(fold.make_tear, dyes=fold.rip),
    "fold": Kind(fold.make_fold, dyes=fold.crease, focus=fold.lift),
    "blur_band": Kind(zones.make_band, focus=zones.blur_band),
    "blur_patch": Kind(zones.make_patch, focus=zones.blur_patch),
    "bubble": Kind(bubble.make_bubbles, focus=bubble.unfocus, light=bubble.refract),
    "coverslip": Kind(coverslip.make_edge, focus=coverslip.unfocus_bare, light=coverslip.draw_edge),
    "dust": Kind(dust.make_dust, light=dust.settle_dust),
    "fiber": Kind(dust.make_fibers, light=dust.settle_fiber),
    "pen": Kind(pen.make_pen, light=pen.lay_ink),
    "pen_circle": Kind(pen.make_circle, light=pen.lay_ink),
    "pen_dots": Kind(pen.make_dots, light=pen.lay_ink),
    "pen_scribble": Kind(pen.make_scribble, light=pen.lay_ink),
    stitching.KIND: Kind(stitching.make_lanes),
}
"""From the tissue to the sensor, which is the order in which they are drawn."""


def make_artifacts(
    plan: SlidePlan,
    tissue: shapely.Geometry,
    rng: np.random.Generator,
    lesions: Sequence[shapely.Geometry] = (),
) -> tuple[Artifact, ...]:
    """Lay out what the plan asks for.

    Args:
        plan: its `artifacts` are requests (`artifact.Request`); one asked for twice comes twice.
        tissue: outline of the tissue, µm.
        rng: decides; each request has a stream of its own.
        lesions: outlines (µm) that a pathologist would circle.

    Raises:
        ValueError: a request cannot be read, or is of no known kind.
    """
    ground = Ground((plan.width_um, plan.height_um), plan.mpp, tissue, tuple(lesions))
    made: list[Artifact] = []
    for text, stream in zip(plan.artifacts, rng.spawn(len(plan.artifacts)), strict=True):
        request = Request.parsed(text)
        if request.kind not in KINDS:
            raise ValueError(f"an artifact must be one of {', '.join(KINDS)}. Got {text!r}.")
        made += KINDS[request.kind].make(request, ground, stream)
    order = list(KINDS)
    return tuple(sorted(made, key=lambda artifact: order.index(artifact.kind)))


def before_optics(scene: Scene, grid: Grid, inside: NDArray[np.int32], dyes: Planes) -> None:
    """Fold, tear and stain the tissue of a block.

    Args:
        scene: the scene.
        grid: x and y of the first pixel's center and the pixel's edge, µm.
        inside: (H, W), the piece of tissue at each pixel, -1 for none.
        dyes: (3, H, W), changed in place.
    """
    for artifact in scene.artifacts:
        paint = KINDS[artifact.kind].dyes
        if paint is not None and artifact.meets(grid, inside.shape):
            paint(artifact, scene.field, grid, inside, dyes)


def focus(scene: Scene, grid: Grid, shape: tuple[int, int]) -> Planes | None:
    """Standard deviation (H, W) of the blur by which a block is out of focus, µm; None: nowhere."""
    sigma: Planes | None = None
    for artifact in scene.artifacts:
        paint = KINDS[artifact.kind].focus
        if paint is not None and artifact.meets(grid, shape):
            sigma = np.zeros(shape, np.float32) if sigma is None else sigma
            paint(artifact, grid, sigma)
    return sigma


def after_optics(
    scene: Scene, scanner: Scanner, box: tuple[int, int, int, int], pixels: Pixels
) -> None:
    """Draw on the (H, W, 3) pixels of a block what lies on the glass, then misplace lanes.

    Args:
        scene: the scene.
        scanner: the scanner.
        box: x, y, width, height of the block in the scanner's level-0 px.
        pixels: changed in place.
    """
    grid = ((box[0] + 0.5) * scanner.mpp, (box[1] + 0.5) * scanner.mpp, scanner.mpp)
    for artifact in scene.artifacts:
        paint = KINDS[artifact.kind].light
        if paint is not None and artifact.meets(grid, pixels.shape[:2]):
            paint(artifact, scene.field, grid, pixels)
    stitching.shift_lanes(scene, scanner, box, pixels)
