"""Sheets of artifacts with their truth, and of a label and the whole glass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import shapely
from docs.sheets.histology import COARSE
from docs.sheets.layout import (
    INK,
    PALE,
    TRUE,
    WIDTH,
    Pixels,
    below,
    beside,
    captioned,
    font,
    grid,
    outlined,
    save,
    scale_bar,
)
from PIL import Image, ImageDraw
from shapely import affinity

from curatome.phantom import Scene, macro_image, make_label, make_scene, plan_cohort, render
from curatome.phantom.labels import Label, aperio_identity
from curatome.phantom.macro import label_on_glass
from curatome.phantom.stamp import stamped

VIEW = (304, 228)
ARTIFACTS = {
    "fold": ("fold@0.6", "double tissue, its crease out of focus"),
    "tear": ("tear@0.7", "glass between torn edges"),
    "hemorrhage": ("hemorrhage@0.7", "red cells between the fibers"),
    "blur_band": ("blur_band@0.6", "a lane out of focus"),
    "blur_patch": ("blur_patch@0.7", "a field out of focus"),
    "stitching": ("stitching@0.9", "lanes shifted, brighter or darker"),
    "coverslip": ("coverslip@0.7", "its edge, and bare tissue beyond"),
    "bubble": ("bubble@0.7", "dark rim, blurred inside"),
    "dust": ("dust@0.8", "specks, in and out of focus"),
    "fiber": ("fiber@0.8", "threads on the glass"),
    "pen": ("pen@0.7#7a30a0", "a stroke of any color"),
    "pen_circle": ("pen_circle@0.8#1030b0", "round a lesion"),
    "pen_dots": ("pen_dots@0.8#202020", "round a lesion"),
    "pen_scribble": ("pen_scribble@0.8#c01030", "as if written"),
}
"""Kind of artifact: what is asked for, and what is to be seen."""


def _scene(request: str) -> Scene:
    base = plan_cohort(9, 12, 1500.0)[0]
    changed = {"site": "north", "tissue": "resection", "lesions": (("tumor", 1, 240.0),)}
    size = {"width_um": 1200.0, "height_um": 900.0}
    return make_scene(replace(base, artifacts=(request,), seed=3, **changed, **size))


def _whole(scene: Scene) -> Pixels:
    return render(scene, COARSE, (0, 0, *(round(v / COARSE.mpp) for v in _size(scene))))


def _size(scene: Scene) -> tuple[float, float]:
    return scene.plan.width_um, scene.plan.height_um


def _closest(scene: Scene) -> tuple[int, int]:
    """Left and top (px) of a view about a part of the artifact's border that lies in tissue."""
    main = max(scene.artifacts, key=lambda artifact: artifact.outline.area)
    tissue = scene.tissue_outline()
    frame = shapely.box(0, 0, *_size(scene))
    line = main.outline.boundary.intersection(frame.buffer(-60))
    within = line.intersection(tissue.buffer(-20))
    line = line if within.is_empty else within
    longest = max(shapely.get_parts(line), key=lambda part: float(part.length))
    point = longest.interpolate(0.45, normalized=True)
    edges = [round(v / COARSE.mpp) for v in _size(scene)]
    places = zip((point.x, point.y), VIEW, edges, strict=True)
    left, top = (min(max(0, round(v / COARSE.mpp - s / 2)), e - s) for v, s, e in places)
    return left, top


def _block(kind: str) -> Image.Image:
    """Overview and 1:1, then both once more with the truth."""
    request, words = ARTIFACTS[kind]
    scene = _scene(request)
    whole = Image.fromarray(_whole(scene))
    overview = whole.resize(VIEW, Image.Resampling.BOX)
    left, top = _closest(scene)
    near = whole.crop((left, top, left + VIEW[0], top + VIEW[1]))
    far = _size(scene)[0] / VIEW[0]
    scale_bar(overview, far, 200.0)
    scale_bar(near, COARSE.mpp, 25.0)
    truth = [overview.copy(), near.copy()]
    for picture, mpp, (x, y) in zip(truth, (far, COARSE.mpp), ((0, 0), (left, top)), strict=True):
        outlines = [
            affinity.translate(affinity.scale(a.outline, 1 / mpp, 1 / mpp, origin=(0, 0)), -x, -y)
            for a in scene.artifacts
        ]
        outlined(picture, outlines, TRUE, 3)
    frame = tuple(v * COARSE.mpp / far for v in (left, top, left + VIEW[0], top + VIEW[1]))
    ImageDraw.Draw(truth[0]).rectangle(frame, outline=(20, 20, 20))
    return captioned(below([beside([overview, near]), beside(truth)]), kind, words)


def section_artifacts() -> None:
    """What befalls section, scan and mounting."""
    save(grid([_block(kind) for kind in list(ARTIFACTS)[:8]], 2), "artifacts-section.jpg")


def glass_artifacts() -> None:
    """What lies on the glass."""
    save(grid([_block(kind) for kind in list(ARTIFACTS)[8:]], 2), "artifacts-glass.jpg")


def _boxes(picture: Image.Image, label: Label) -> Image.Image:
    out = picture.copy()
    draw = ImageDraw.Draw(out)
    for mark in label.marks:
        x, y, width, height = mark.box
        draw.rectangle((x - 2, y - 2, x + width + 1, y + height + 1), outline=TRUE, width=2)
    return out


def labels() -> None:
    """A label and the macro image, each with the places of what it says."""
    scene = _scene("pen_circle@0.8#1030b0")
    label = stamped(make_label(scene.plan))
    overview = np.asarray(Image.fromarray(_whole(scene)).resize((790, 592), Image.Resampling.BOX))
    macro = Image.fromarray(macro_image(label, overview))
    own, framed = Image.fromarray(label.pixels), _boxes(macro, label_on_glass(label))
    size = ((WIDTH - 4) // 2, round((WIDTH - 4) / 2 * macro.height / macro.width))
    glass = [picture.resize(size, Image.Resampling.LANCZOS) for picture in (macro, framed)]
    said = _description(aperio_identity(scene.plan), (WIDTH - 2 * own.width - 16, own.height))
    cells = [
        captioned(beside([own, _boxes(own, label)]), "label", "what stands where"),
        captioned(said, "description", "what the file says of patient and staff"),
    ]
    below_it = captioned(beside(glass), "macro image", "the green frame is what was scanned")
    save(below([beside(cells, 12), below_it], 12), "labels.jpg")


def _description(identity: Mapping[str, str], size: tuple[int, int]) -> Image.Image:
    out = Image.new("RGB", size, (238, 240, 243))
    draw = ImageDraw.Draw(out)
    for k, (field, text) in enumerate(identity.items()):
        draw.text((18, 30 + 84 * k), field, PALE, font(16))
        draw.text((18, 54 + 84 * k), text, INK, font(19))
    return out
