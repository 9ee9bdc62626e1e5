"""SIZ001 and SIZ004: regions large enough for their texture, and what lies between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely

from curatome.findings import Finding, Severity
from curatome.rules.clean.drawn import Drawn, Whole, drawn, number, scales
from curatome.rules.clean.texture import correlogram
from curatome.rules.clean.views import view
from curatome.rules.kinship import exclusive
from curatome.rules.rule import Inputs, Rule
from curatome.stain import optical_density

_MOST_SEEN = 30
"""Regions of a class on one image whose texture is looked at, the largest first."""
_SHOWN = 3


def _small(inputs: Inputs) -> Iterator[Finding]:
    held = drawn(inputs.annotations)
    if not len(held):
        return
    image = str(held.table["image"][0].as_py())
    mpp = scales(inputs).get(image)
    if mpp is None:
        return
    unit = float(np.sqrt(mpp[0] * mpp[1]))
    for label in np.unique(held.labels).tolist():
        regions = held.take(held.labels == label)
        across = regions.across * unit
        if np.median(across) < number(inputs, "smallest_um"):
            continue
        found = _texture(inputs, regions, image, mpp)
        if found is None:
            continue
        reach, texture = found
        area = shapely.area(regions.shapes) * mpp[0] * mpp[1]
        for row in np.flatnonzero(area < number(inputs, "pieces") * reach).tolist():
            yield _too_small(regions, row, (float(area[row]), reach), texture)


def _texture(
    inputs: Inputs, regions: Drawn, image: str, mpp: tuple[float, float]
) -> tuple[float, float] | None:
    """Integral range (µm²) and correlation length (µm) of the texture of regions."""
    step = number(inputs, "step_um")
    order = np.argsort(-regions.across, kind="stable")[:_MOST_SEEN]
    seen = []
    assert inputs.pixels is not None
    for row in order.tolist():
        one = view(inputs.pixels, image, regions.shapes[row], mpp, step=step)
        if one.step == step:  # a coarser one would blur what others show
            seen.append((optical_density(one.rgb).mean(axis=-1), one.mask))
    found = correlogram(seen)
    if found is None:
        return None
    return found.integral_range * step**2, found.length * step


def _too_small(regions: Drawn, row: int, sizes: tuple[float, float], length: float) -> Finding:
    area, reach = sizes
    name = regions.annotation(row)
    text = (
        f"{regions.label(row)} {name} has {area:,.0f} µm², room for {area / reach:.1f} "
        f"independent pieces of its texture, of {reach:,.0f} µm² each."
    )
    evidence = {
        "annotation": name, "area_um2": round(area, 1), "integral_range_um2": round(reach, 1),
        "correlation_um": None if np.isnan(length) else round(length, 2),
    }  # fmt: skip
    return SMALL.finding(f"annotation {name}", text, place=regions.place(row), evidence=evidence)


def _transitions(inputs: Inputs) -> Iterator[Finding]:
    held = drawn(inputs.annotations)
    if not len(held):
        return
    mpp = scales(inputs).get(str(held.table["image"][0].as_py()))
    if mpp is None:
        return
    unit = float(np.sqrt(mpp[0] * mpp[1]))
    across = held.across * unit
    least = number(inputs, "smallest_um")
    kinds = [k for k in np.unique(held.labels).tolist() if k >= 0]
    large = [k for k in kinds if np.median(across[held.labels == k]) >= least]
    regions = held.take(np.isin(held.labels, large))
    first, second = _neighbors(regions, inputs, number(inputs, "gap_um") / unit)
    pairs = np.sort(np.stack([regions.labels[first], regions.labels[second]], axis=1), axis=1)
    for one, other in np.unique(pairs, axis=0).tolist():
        rows = np.flatnonzero((pairs == (one, other)).all(axis=1))
        yield _hard(regions, (first[rows], second[rows]), unit)


def _neighbors(regions: Drawn, inputs: Inputs, gap: float) -> tuple[Whole, Whole]:
    """Pairs of regions of classes that exclude each other, with nothing annotated between."""
    tree = shapely.STRtree(regions.shapes)
    first, second = tree.query(regions.shapes, predicate="dwithin", distance=gap)
    once = (first < second) & (regions.labels[first] != regions.labels[second])
    first, second = first[once], second[once]
    sets = list(regions.sets)
    clash = exclusive(inputs.protocol, sets, regions.labels[first], regions.labels[second])
    first, second = first[clash], second[clash]
    between = shapely.line_interpolate_point(
        shapely.shortest_line(regions.shapes[first], regions.shapes[second]), 0.5, normalized=True
    )
    pair, third = tree.query(between, predicate="intersects")
    other = (third != first[pair]) & (third != second[pair])
    pair, third = pair[other], third[other]
    apart = shapely.distance(regions.shapes[first], regions.shapes[second]) > 0
    transitions = third[apart[pair]]  # need no transition themselves
    free = ~np.isin(np.arange(len(first)), pair)
    free &= ~np.isin(first, transitions) & ~np.isin(second, transitions)
    return first[free], second[free]


def _hard(regions: Drawn, pairs: tuple[Whole, Whole], unit: float) -> Finding:
    one, other = int(pairs[0][0]), int(pairs[1][0])
    apart = shapely.distance(regions.shapes[pairs[0]], regions.shapes[pairs[1]]) * unit
    names = sorted((regions.label(one), regions.label(other)))
    many = len(apart)
    text = (
        f"{names[0]} and {names[1]} lie side by side {many:,} time{'s' * (many > 1)}, at most "
        f"{apart.max():.0f} µm apart, and no transition between them is annotated."
    )
    shown = [
        [regions.annotation(int(a)), regions.annotation(int(b))]
        for a, b in zip(pairs[0][:_SHOWN], pairs[1][:_SHOWN], strict=True)
    ]
    evidence = {"classes": names, "pairs": many, "first": shown}
    image = regions.table["image"][one].as_py()
    place = regions.place(one)
    return TRANSITION.finding(
        f"image {image}", text, place=place, evidence=evidence, key=" | ".join(names)
    )


_SMALLEST: tuple[float | str, str] = (
    60.0,
    "median diameter from which on annotations of a class are regions of tissue and not objects",
)
SMALL = Rule(
    code="SIZ001",
    name="region-below-texture",
    severity=Severity.WARNING,
    scope="image",
    needs=("slides", "annotations", "pixels"),
    what="A region too small to show how its tissue varies.",
    why="It shows one or two of the pieces that the tissue is made of. What a model learns from it "
    "is that piece, not the tissue.",
    bad="A region of tumor 60 µm across, in a tumor whose nests are as large.",
    good="Regions that hold many nests and the stroma between them.",
    fix="Draw a larger region, or several in different places.",
    method="Optical density of all regions of the class on the image gives one autocorrelation; "
    "its integral over the plane is the integral range A. Means over an area V vary as if it "
    "held V / A independent pieces (Lantuéjoul 1991, 10.1111/j.1365-2818.1991.tb03099.x). Where "
    "all regions are small, A is a lower bound.",
    promise="regions of two integral ranges or less, beside a large one of the same tissue",
    look=_small,
    settings={
        "smallest_um": _SMALLEST,
        "step_um": (2.0, "µm per px at which texture is looked at; nuclei are still seen"),
        "pieces": (4.0, "independent pieces; with 4, the region's mean lies within half a standard "
                        "deviation of the tissue's, two times out of three"),
    },
)  # fmt: skip
TRANSITION = Rule(
    code="SIZ004",
    name="no-transition",
    severity=Severity.NOTE,
    scope="image",
    needs=("slides", "annotations"),
    what="Regions of two classes side by side with nothing annotated where one becomes the other.",
    why="Tissue seldom changes at a line. Without examples from the transition, a model is never "
    "asked what lies there, and its mistakes are not seen.",
    bad="Tumor and stroma are drawn with a gap of 15 µm on both sides of every front.",
    good="Both regions meet at the front and the guideline says how; or the transition has a class "
    "of its own.",
    fix="Annotate what lies between, or write in the guideline where the border is drawn.",
    method="Pairs of regions of classes that exclude each other, closer than the gap, between "
    "whose nearest points no other annotation of a region lies. What lies between two regions is a "
    "transition, and needs none itself.",
    promise="every pair of regions of two classes closer than the gap",
    look=_transitions,
    settings={
        "smallest_um": _SMALLEST,
        "gap_um": (30.0, "between two regions that are neighbors: two or three cells"),
    },
)
RULES = (SMALL, TRANSITION)
