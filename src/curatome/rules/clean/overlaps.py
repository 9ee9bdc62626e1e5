"""CLN004: one place under two classes that exclude each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc
import shapely

from curatome.findings import Finding, Place, Severity
from curatome.rules.clean.drawn import Drawn, Whole, drawn, number
from curatome.rules.kinship import exclusive
from curatome.rules.rule import Inputs, Rule


def _look(inputs: Inputs) -> Iterator[Finding]:
    held = drawn(inputs.annotations)
    first, second = _candidates(held, inputs)
    shared = shapely.area(shapely.intersection(held.shapes[first], held.shapes[second]))
    area = shapely.area(held.shapes)
    small = np.minimum(area[first], area[second])
    large = np.maximum(area[first], area[second])
    part, same = shared / small, shared / (area[first] + area[second] - shared)
    least, most = number(inputs, "least_part"), number(inputs, "most_times")
    whole = number(inputs, "same_object")
    hit = (part >= least) & (large <= most * small) & (same < whole)
    for row in np.lexsort((second, first))[hit[np.lexsort((second, first))]]:
        yield _finding(held, (int(first[row]), int(second[row])), float(part[row]))


def _candidates(held: Drawn, inputs: Inputs) -> tuple[Whole, Whole]:
    """Pairs of one reader and read whose bounds meet and whose classes exclude each other."""
    first, second = shapely.STRtree(held.shapes).query(held.shapes)
    once = first < second
    first, second = first[once], second[once]
    who = _groups(held)
    told = (who[first] == who[second]) & (held.labels[first] >= 0) & (held.labels[second] >= 0)
    told &= held.labels[first] != held.labels[second]
    boxes = np.asarray(pc.equal(held.table["kind"], "box").to_numpy(), np.bool_)
    told &= ~(boxes[first] & boxes[second])
    first, second = first[told], second[told]
    sets = list(held.sets)
    clash = exclusive(inputs.protocol, sets, held.labels[first], held.labels[second])
    return first[clash], second[clash]


def _groups(held: Drawn) -> Whole:
    """(N,) one number for each image, reader and read."""
    group = np.zeros(len(held), np.int64)
    for name in ("image", "reader", "read"):
        codes = held.table[name].combine_chunks().dictionary_encode("encode").indices
        number = codes.to_numpy(zero_copy_only=False).astype(np.int64)
        group = group * (number.max(initial=0) + 1) + number
    return group


def _finding(held: Drawn, pair: tuple[int, int], part: float) -> Finding:
    one, other = pair
    left, top, right, bottom = (
        float(v) for v in shapely.bounds(shapely.intersection(*held.shapes[[one, other]]))
    )
    text = (
        f"{held.label(one)} {held.annotation(one)} and {held.label(other)} "
        f"{held.annotation(other)} share {part:.0%} of the smaller one's area."
    )
    return OVERLAP.finding(
        f"annotation {held.annotation(one)}",
        text,
        place=Place(left, top, right - left, bottom - top),
        evidence={"annotation": held.annotation(one), "with": held.annotation(other), "part": part},
        key=held.annotation(other),
    )


OVERLAP = Rule(
    code="CLN004",
    name="overlapping-classes",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations",),
    what="Two annotations of one reader that share an area under classes that exclude each other.",
    why="What lies in both is taught to a model as either class, by chance or by the order of "
    "drawing. In a mask only one of them is left.",
    bad="A region called tumor and one called necrosis that share a third of the necrosis.",
    good="The two share a border and no area; or one class is the parent of the other in "
    "curatome.toml.",
    fix="Draw the border anew, cut one by the other, or make one class the parent of the other.",
    method="Areas of intersection of all pairs of one image, reader and read. A nucleus within a "
    "tumor is no overlap: where one is many times larger than the other, both may be right. Two "
    "outlines of nearly the same area are one object with two labels, which CON tells of. Two "
    "boxes are left out: they share corners that belong to neither object.",
    promise="every pair of outlines of two classes that share 15 % of the smaller one's area",
    look=_look,
    settings={
        "least_part": (0.1, "part of the smaller one's area that may not be shared; touching "
                       "outlines drawn by hand share a few per cent"),
        "most_times": (20.0, "as many times larger is another level of description, such as a "
                       "region around a cell"),
        "same_object": (0.7, "intersection over union from which on both are one object"),
    },
)  # fmt: skip
