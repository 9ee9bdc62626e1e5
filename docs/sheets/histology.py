"""Sheets of tissue, stains, nuclei and their traits."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from docs.sheets.layout import (
    INK,
    PAPER,
    Pixels,
    below,
    beside,
    captioned,
    font,
    grid,
    save,
    scale_bar,
)
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from curatome.phantom import SCANNERS, SITES, Scene, draw_nucleus, make_scene, plan_cohort, render
from curatome.phantom.fabric import KINDS

Places = NDArray[np.float64]

COARSE, FINE = replace(SCANNERS["aria"], mpp=0.5), replace(SCANNERS["cirrus"], mpp=0.25)
VIEW = (304, 228)

TISSUES = {
    "stroma": ("wavy collagen, fibroblasts, clefts", 0),
    "gland": ("one layer of cells with basal nuclei, mucin, secretion", 0),
    "fat": ("cells of some 75 µm, nuclei pressed flat", 380),
    "vessel": ("endothelium, plasma, red cells where it is filled", 60),
    "inflammation": ("lymphocytes, plasma cells toward the rim", 260),
    "necrosis": ("ghosts of cells, nuclear dust", 380),
    "adenoma": ("crowded glands, stratified nuclei", 420),
    "in_situ": ("a duct filled by cells, punched-out lumens", 190),
    "tumor": ("solid nests, graded atypia, mitoses", 420),
    "mucinous": ("lakes of mucin, floating clusters", 420),
    "spindle": ("fascicles, some cut across", 420),
    "lymphoma": ("sheets of one kind of cell, pale macrophages", 420),
}
"""Kind of tissue: what is to be seen, and the radius of the planted region, µm."""
_ASIDE = {"gland": 0.0, "vessel": 0.0, "in_situ": 0.3, "inflammation": 0.45}
"""How far from the middle to the border the view lies, 0.55 in others."""
_EMPTY = ("fat", "mucinous")
"""Where the view is moved to the nearest nucleus."""

NUCLEI = {
    "epithelial": "even, fine chromatin",
    "tumor": "coarse, nucleoli, graded traits",
    "lymphocyte": "small, dark, clumped",
    "plasma": "clock face, beside its cell's middle",
    "macrophage": "pale, in a wide cell",
    "stromal": "slim, of a fibroblast",
    "endothelial": "slim, along a vessel",
    "spindle": "cigar-shaped",
    "lymphoma": "monotonous, nucleoli",
    "apoptotic": "shrunken, red halo, fragments",
    "pyknotic": "small, smudged",
    "hyperchromatic": "large, dark",
    "debris": "nuclear dust of necrosis",
    "mitosis": "by phase",
}
"""Class of nuclei: what is to be seen."""
PHASES = {
    "prometaphase": "clump without membrane",
    "metaphase": "plate",
    "anaphase": "two plates",
}

TRAITS = {
    "elongation": "axis ratio",
    "grooves": "lines along the axis",
    "inclusion": "pale, sharp rim",
    "glassy": "cleared, rim of chromatin",
    "crowding": "neighbors near",
    "wrinkled": "fine folds",
    "enlargement": "diameter",
    "irregular": "lobes, notches",
    "overlapping": "over another one",
}
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


@lru_cache(maxsize=20)
def scene_of(kind: str) -> Scene:
    """A slide with two regions of a kind."""
    base = plan_cohort(3, 12, 2500.0)[0]
    radius = float(TISSUES[kind][1])
    number = list(TISSUES).index(kind)
    return make_scene(
        replace(
            base,
            site="north",
            lesions=((kind, 2, radius),) if radius else (),
            artifacts=(),
            tissue="resection",
            seed=base.seed + 29 + number,
            width_um=1800.0,
            height_um=1500.0,
        )
    )


def place_of(scene: Scene, kind: str) -> tuple[float, float]:
    """A place (µm) near the border of the largest region of a kind, or in its middle if small."""
    own = np.flatnonzero(scene.regions.kind == KINDS.index(kind))
    if kind == "stroma" or not len(own):
        return scene.plan.width_um / 2, scene.plan.height_um / 2
    reach = scene.regions.radii[own].mean(axis=1)
    best = own[np.argmax(reach)]
    middle = scene.regions.center[best] + (_ASIDE.get(kind, 0.55) * reach.max(), 0)
    x, y = middle if kind not in _EMPTY else _nearest_nucleus(scene, middle)
    return float(x), float(y)


def _nearest_nucleus(scene: Scene, place: Places) -> Places:
    places = np.stack([scene.nuclei.x, scene.nuclei.y], axis=1)
    out: Places = places[np.hypot(*(places - place).T).argmin()]
    return out


def view(
    scene: Scene, place: tuple[float, float], scanner=COARSE, size: tuple[int, int] = VIEW
) -> Pixels:
    """Pixels of `size` about a place, µm."""
    left, top = (round(v / scanner.mpp - s / 2) for v, s in zip(place, size, strict=True))
    return render(scene, scanner, (left, top, *size))


def scaled_view(scene: Scene, place: tuple[float, float], scanner, bar: float) -> Image.Image:
    """The view with a scale bar."""
    picture = Image.fromarray(view(scene, place, scanner))
    scale_bar(picture, scanner.mpp, bar)
    return picture


def tissue() -> None:
    """Every kind of tissue, at 0.5 and at 0.25 µm/px."""
    cells = []
    for kind, (words, _) in TISSUES.items():
        scene = scene_of(kind)
        place = place_of(scene, kind)
        both = [scaled_view(scene, place, s, b) for s, b in ((COARSE, 25.0), (FINE, 10.0))]
        cells.append(captioned(beside(both), kind, words))
    save(grid(cells, 2), "tissue.jpg")


def stains() -> None:
    """One tissue in the four sites' stains, and with DAB."""
    kind = "in_situ"
    base = scene_of(kind)
    place = place_of(base, kind)
    place = (place[0] + 45, place[1])
    ways = {name: ({"site": name}, f"H&E of site {name}") for name in SITES}
    brown = {"stain": "DAB", "positive": 0.5}
    ways["DAB, nucleus"] = (brown | {"marker": "nucleus"}, "half of the nuclei positive")
    ways["DAB, membrane"] = (brown | {"marker": "membrane"}, "half of the cells positive")
    ways["uneven section"] = ({"unevenness": 0.35}, "thickness varies within the slide")
    ways["dune, 0.22 µm/px"] = ({"scanner": "dune"}, "another scanner: vivid, sharpened")
    cells = []
    for name, (changes, words) in ways.items():
        plan = replace(base.plan, **changes)
        scanner = SCANNERS["dune"] if "scanner" in changes else COARSE
        picture = scaled_view(make_scene(plan), place, scanner, 25.0 if scanner is COARSE else 10.0)
        cells.append(captioned(picture, name, words))
    save(grid(cells, 4), "stains.jpg")


def _enlarged(pixels: Pixels, side: int) -> Image.Image:
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)


def nuclei() -> None:
    """Every class and phase, two examples each, 24 µm wide."""
    whole = {k: (k, "", w) for k, w in NUCLEI.items() if k != "mitosis"}
    whole |= {f"mitosis, {p}": ("mitosis", p, w) for p, w in PHASES.items()}
    side = 149
    cells = []
    for name, (kind, phase, words) in whole.items():
        both = [_enlarged(draw_nucleus(kind, {}, phase, seed=s), side) for s in (0, 5)]
        scale_bar(both[1], 24 / side, 5.0)
        cells.append(captioned(beside(both, 3), name, words))
    save(grid(cells, 4), "nuclei.jpg")


def traits() -> None:
    """Every trait at five strengths."""
    side = 122
    strip = [_strength(value, side) for value in STRENGTHS]
    columns = [captioned(below(strip, 3), "", "", 2)]
    for trait, words in TRAITS.items():
        graded = [draw_nucleus("tumor", {trait: s}, seed=3) for s in STRENGTHS]
        strip = [_enlarged(pixels, side) for pixels in graded]
        scale_bar(strip[-1], 24 / side, 5.0)
        columns.append(captioned(below(strip, 3), trait, words, 2))
    save(beside(columns, 9), "traits.jpg")


def _strength(value: float, side: int) -> Image.Image:
    out = Image.new("RGB", (44, side), PAPER)
    ImageDraw.Draw(out).text((40, side / 2), f"{value:g}", INK, font(bold=True), anchor="rm")
    return out
