"""CLN005 and CLN006: regions that hold something else than their class.

`CONTENTS` holds what does not belong in a region, as masks of a whole image; slide quality adds
blur, pen and folds to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import shapely

from curatome.findings import Finding, Severity
from curatome.geometry import rasterize
from curatome.rules.clean.drawn import Drawn, drawn, number, scales
from curatome.rules.clean.likeness import Flags
from curatome.rules.clean.mixture import mixture
from curatome.rules.clean.views import view
from curatome.rules.rule import Inputs, Rule

Foreign = Callable[[Inputs, str, float], Flags]
"""(inputs, image, µm per px) to the (H, W) pixels of the whole image that belong to no class."""

_OVERVIEW_PX, _OVERVIEW_UM = 512, 8.0


def glass(inputs: Inputs, image: str, step: float) -> Flags:
    """Where an image shows no tissue."""
    from curatome.slides.tissue import find_tissue

    size = _size(inputs, image)
    assert inputs.pixels is not None
    overview = inputs.pixels(image, (0.0, 0.0, float(size[0]), float(size[1])), step)
    return ~find_tissue(overview, step, inputs.protocol.tissue)[0]


CONTENTS: Mapping[str, Foreign] = {"glass": glass}


def _look(inputs: Inputs) -> Iterator[Finding]:
    held = _regions(inputs)
    if held is None:
        return
    regions, image, mpp = held
    width, height = _size(inputs, image)
    extent = max(width * mpp[0], height * mpp[1])
    step = min(_OVERVIEW_UM, max(extent / _OVERVIEW_PX, *mpp))
    for what, find in CONTENTS.items():
        foreign = find(inputs, image, step)
        for row in range(len(regions)):
            part = _share(foreign, regions.shapes[row], (step / mpp[0], step / mpp[1]))
            if part >= number(inputs, "most_part"):
                yield _foreign(regions, row, what, part)


def _foreign(regions: Drawn, row: int, what: str, part: float) -> Finding:
    name = regions.annotation(row)
    text = f"{part:.0%} of {regions.label(row)} {name} is {what}."
    evidence = {"annotation": name, "content": what, "part": round(part, 3)}
    place = regions.place(row)
    return GLASS.finding(f"annotation {name}", text, place=place, evidence=evidence, key=what)


def _share(foreign: Flags, shape: shapely.Geometry, step: tuple[float, float]) -> float:
    """Part of a shape that a mask of the whole image covers."""
    left, top, right, bottom = shapely.bounds(shape)
    x, y = int(max(left / step[0], 0)), int(max(top / step[1], 0))
    side = int(max(np.ceil(right / step[0]) - x, np.ceil(bottom / step[1]) - y, 1))
    mask = rasterize(shape, (x * step[0], y * step[1]), step, side)
    below = foreign[y : y + side, x : x + side]
    own = mask[: below.shape[0], : below.shape[1]]
    return float(below[own].mean()) if own.any() else 0.0


def _mixed(inputs: Inputs) -> Iterator[Finding]:
    held = _regions(inputs)
    if held is None:
        return
    regions, image, mpp = held
    assert inputs.pixels is not None
    edge = number(inputs, "block_um")
    for row in range(len(regions)):
        seen = view(inputs.pixels, image, regions.shapes[row], mpp, step=edge / 16, around=0.4)
        found = mixture(seen.rgb, seen.mask, max(round(edge / seen.step), 1))
        if found is None or found.apart < number(inputs, "apart"):
            continue
        if found.foreign < number(inputs, "least_part"):
            continue
        name = regions.annotation(row)
        text = (
            f"{found.foreign:.0%} of {regions.label(row)} {name}, in one piece, look like what "
            "lies around it, not like the rest of it."
        )
        evidence = {
            "annotation": name, "apart": round(found.apart, 2),
            "foreign": round(found.foreign, 3), "blocks": found.blocks,
        }  # fmt: skip
        place = regions.place(row)
        told = MIXED.finding(f"annotation {name}", text, place=place, evidence=evidence)
        sure = found.foreign >= number(inputs, "sure_part")
        yield told if sure else replace(told, severity=Severity.NOTE)


def _regions(inputs: Inputs) -> tuple[Drawn, str, tuple[float, float]] | None:
    """The regions of an image, its name and its scale; None without."""
    held = drawn(inputs.annotations)
    if not len(held):
        return None
    image = str(held.table["image"][0].as_py())
    mpp = scales(inputs).get(image)
    if mpp is None:
        return None
    across = held.across * np.sqrt(mpp[0] * mpp[1])
    return held.take(across >= number(inputs, "smallest_um")), image, mpp


def _size(inputs: Inputs, image: str) -> tuple[int, int]:
    names = inputs.slides["slide"].to_pylist()
    row = inputs.slides.slice(names.index(image), 1).to_pylist()[0]
    return int(row["width"] or 0), int(row["height"] or 0)


_SMALLEST: tuple[float | str, str] = (
    100.0,
    "across; smaller annotations are objects, which the outlines' rules look at",
)
MIXED = Rule(
    code="CLN005",
    name="mixed-content",
    severity=Severity.WARNING,
    scope="image",
    needs=("slides", "annotations", "pixels"),
    what="A region that holds two tissues, though it has one class.",
    why="Every tile of the region gets its class. Those from the other tissue teach the model "
    "that the class looks like something else.",
    bad="A region called tumor of which a third is the stroma beside it.",
    good="Tumor and stroma have a region each; or the guideline says that the class is a mixture, "
    "and the rule is ignored for it.",
    fix="Draw the border between both, or draw the class's part alone.",
    method="The region and what lies around it are cut into blocks; means and spreads of "
    "hematoxylin and eosin are averaged over 3 x 3 of them. Fisher's discriminant tells both; "
    "blocks of the region that look like the surroundings are left out and it is fitted again "
    "until nothing changes. Their largest connected piece is told of, if both kinds are apart "
    "(Ashman's D, 10.1086/117248). What a region holds that does not lie around it is not found. "
    "It promises nothing: of regions of a tumor of which 40 % is the tissue beside it, it finds "
    "nine in ten.",
    version=2,
    look=_mixed,
    settings={
        "smallest_um": _SMALLEST,
        "block_um": (24.0, "edge of a block: some cells, so that its mean is of a tissue"),
        "apart": (1.8, "Ashman's D; from 2 on, two populations are clearly told apart, and a "
                       "region that is itself a mixture stays a little below"),
        "least_part": (0.1, "of the region that must hang together and look like what lies "
                            "around it; of a tumor drawn along its edge up to 0.05 does"),
        "sure_part": (0.2, "less than that is told as a note: some tumor is as pale as stroma"),
    },
)  # fmt: skip
GLASS = Rule(
    code="CLN006",
    name="glass-inside",
    severity=Severity.WARNING,
    scope="image",
    needs=("slides", "annotations", "pixels"),
    what="A region of which much is empty glass.",
    why="Its tiles get the class without showing it, and its area is measured too large.",
    bad="The line around a tumor is drawn generously through the glass beside the tissue.",
    good="The line follows the edge of the tissue.",
    fix="Draw the line along the tissue, or cut the region by the tissue mask.",
    method="The tissue mask that the build uses, over the whole image at up to 8 µm/px: holes that "
    "`[tissue]` fills, such as lumens and fat, are no glass.",
    promise="regions of 0.05 mm² or more of which 20 % is glass, at the edge of the tissue",
    look=_look,
    settings={
        "smallest_um": _SMALLEST,
        "most_part": (0.1, "of the region that may be glass: a margin of a hand-drawn line"),
    },
)
