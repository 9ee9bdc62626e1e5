"""SIZ002 and SIZ003: objects as large as their class, and fields that hold them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.dataset.imbalance import label_sets, labels_of
from curatome.findings import Finding, Place, Severity
from curatome.rules.clean.drawn import Floats, number, scales
from curatome.rules.marks import EDGES, bounds_of, marks
from curatome.rules.remembered import Remembered
from curatome.rules.rule import Inputs, Rule

_MAD = 0.6744897501960817
"""Median absolute deviation of a standard normal variable."""


def robust_z(values: Floats) -> Floats:
    """How many standard deviations each value lies from the median.

    The deviation is estimated on each side by itself, by the median distance of the values there
    (Rousseeuw & Croux 1993, 10.1080/01621459.1993.10476408, for the plain one): classes have few
    very large objects, and more of them than very small ones.

    Args:
        values: (N,).

    Returns:
        (N,); 0 for all if half of a side lie on the median.
    """
    away = values - np.median(values)
    out = np.zeros(len(values))
    for side in (away < 0, away > 0):
        spread = float(np.median(np.abs(away[side | (away == 0)]))) / _MAD if side.any() else 0.0
        if spread > 0:
            out[side] = away[side] / spread
    return out


def _odd(inputs: Inputs) -> Iterator[Finding]:
    table = _filled(inputs)
    label, sets = label_sets(labels_of(table["labels"]))
    area, known = _areas(table, inputs)
    image = table["image"].combine_chunks().dictionary_encode("encode").indices
    # Without a scale, sizes of different images cannot be compared.
    place = np.where(known, -1, image.to_numpy(zero_copy_only=False).astype(np.int64))
    group = np.unique((label + 1) * (place.max(initial=0) + 2) + place + 1, return_inverse=True)[1]
    order = np.argsort(group, kind="stable")
    ends = np.flatnonzero(np.diff(group[order])) + 1
    for rows in np.split(order, ends) if len(order) else []:
        if len(rows) < number(inputs, "least"):
            continue
        z, middle = robust_z(np.log(area[rows])), float(np.median(area[rows]))
        times = np.maximum(area[rows] / middle, middle / area[rows])
        odd = np.abs(z) >= number(inputs, "z")
        odd &= times >= number(inputs, "times")
        name = " + ".join((*sets, ())[label[rows[0]]]) or "nothing"
        for at in np.flatnonzero(odd).tolist():
            unit = "µm²" if known[rows[at]] else "px"
            row = table.slice(int(rows[at]), 1).to_pylist()[0]
            found = _out_of_line((row, name), (float(area[rows[at]]), middle), (z[at], unit))
            sure = times[at] >= number(inputs, "sure_times")
            yield found if sure else replace(found, severity=Severity.NOTE)


def _filled(inputs: Inputs) -> pa.Table:
    """Marks of shapes with an area that their reader could judge."""
    return _judged(marks(inputs))


@Remembered
def _judged(table: pa.Table) -> pa.Table:
    """The columns that both rules look at, and no copy of the others."""
    kept = pc.and_(table["filled"], pc.invert(table["cannot_judge"]))
    return table.select(["annotation", "image", "labels", "area", *EDGES]).filter(kept)


def _scales(table: pa.Table, inputs: Inputs) -> Floats:
    """(N, 2) µm per level-0 px along x and y of the image of each; NaN where it is not known."""
    known = scales(inputs)
    codes = table["image"].combine_chunks().dictionary_encode("encode")
    each = [known.get(name, (np.nan, np.nan)) for name in codes.dictionary.to_pylist()]
    found: Floats = np.reshape(each, (-1, 2))[codes.indices.to_numpy(zero_copy_only=False)]
    return found


def _areas(table: pa.Table, inputs: Inputs) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """(N,) areas in µm² where the scale is known, in px elsewhere; and where it is."""
    factor = _scales(table, inputs).prod(axis=1)
    there = ~np.isnan(factor)
    return table["area"].to_numpy() * np.where(there, factor, 1.0), there


def _out_of_line(
    what: tuple[dict[str, Any], str], sizes: tuple[float, float], how: tuple[float, str]
) -> Finding:
    (row, label), (area, middle), (z, unit) = what, sizes, how
    name = row["annotation"]
    times = area / middle if area > middle else middle / area
    text = (
        f"{label} {name} is {times:.1f} times {'larger' if area > middle else 'smaller'} "
        f"than usual: {area:,.1f} {unit}, where half of its class are above {middle:,.1f}."
    )
    evidence = {"annotation": name, "z": round(float(z), 2), "area": area, "median": middle,
                "unit": unit}  # fmt: skip
    left, top, right, bottom = (row[edge] for edge in EDGES)
    place = Place(left, top, right - left, bottom - top)
    return ODD.finding(f"annotation {name}", text, place=place, evidence=evidence)


def _fields(inputs: Inputs) -> Iterator[Finding]:
    table = _filled(inputs)
    of, sets = label_sets(labels_of(table["labels"]))
    mpp, (left, top, right, bottom) = _scales(table, inputs), bounds_of(table).T
    longest = np.maximum((right - left) * mpp[:, 0], (bottom - top) * mpp[:, 1])
    for label in np.unique(of).tolist():
        sides = longest[(of == label) & ~np.isnan(longest)]
        if len(sides) < number(inputs, "least"):
            continue
        name = " + ".join((*sets, ())[label]) or "nothing"
        holds = {one.name: float((sides <= one.side_um).mean()) for one in inputs.protocol.scales}
        most = number(inputs, "most_part")
        short = [one for one, part in holds.items() if 1 - part > most]
        none = len(short) == len(holds) and inputs.protocol.dataset.task in ("detection", "cells")
        for one in inputs.protocol.scales:
            if one.name in short:
                yield _narrow(name, (one.name, one.side_um), sides, none)


def _narrow(name: str, scale: tuple[str, float], sides: Floats, none: bool) -> Finding:
    part, middle = float((sides > scale[1]).mean()), float(np.median(sides))
    text = (
        f"The field of scale {scale[0]}, {scale[1]:,.0f} µm, cannot hold {part:.0%} of the "
        f"{len(sides):,} annotations of {name}; half of them are more than {middle:,.0f} µm long"
        f"{', and no other scale of the protocol does better' if none else ''}."
    )
    evidence = {"class": name, "scale": scale[0], "part": round(part, 4), "median_um": middle}
    found = FIELD.finding(f"scale {scale[0]}", text, evidence=evidence, key=name)
    return replace(found, severity=Severity.WARNING) if none else found


ODD = Rule(
    code="SIZ002",
    name="size-out-of-line",
    severity=Severity.WARNING,
    scope="dataset",
    needs=("marks",),
    what="An object much larger or smaller than others of its class.",
    why="It is mostly an outline around two objects, a click that became a shape, a shape of "
    "another level or unit, or an object of another class.",
    bad="Among lymphocytes of 40 µm², one has 900 µm²: the line runs round a whole cluster.",
    good="Sizes of a class lie together; a class whose members differ widely has a wide spread and "
    "nothing far beyond it.",
    fix="Look at it: divide it, draw it again, or give it another class.",
    method="Robust z of the logarithm of the area within the class, its deviation estimated on "
    "each side of the median by the median distance (10.1080/01621459.1993.10476408). Areas are "
    "compared in µm² over the whole dataset; on images without a scale, in px within the image.",
    promise="areas ten times larger or smaller than their class's median, in a class whose areas "
    "differ by a factor of up to 1.5 (one standard deviation)",
    look=_odd,
    settings={
        "z": (4.0, "standard deviations from the median; of 100,000 normal values six lie beyond"),
        "times": (3.0, "times the median area, or part of it: in classes of nearly one size, less "
                       "is of no consequence"),
        "sure_times": (8.0, "less is told as a note: a nucleus that the section has only grazed is "
                            "as small"),
        "least": (20.0, "annotations of a class from which on its usual size is known"),
    },
    version=2,
)  # fmt: skip
FIELD = Rule(
    code="SIZ003",
    name="field-too-small",
    severity=Severity.NOTE,
    scope="dataset",
    needs=("slides", "marks"),
    what="A scale whose field of view cannot hold most objects of a class.",
    why="No tile of that scale ever shows such an object whole. For parts of tissue that may be "
    "meant; what is to be detected must fit.",
    bad="Glands 300 µm across in tiles of 47 µm.",
    good="For each class at least one scale has a field that holds most of its objects.",
    fix="Add a scale with a larger field to curatome.toml, or do not use this one for the class.",
    method="The longer side of each annotation's box against the edge of the field, both in µm. It "
    "is a warning where the dataset's task is detection or cells and no scale holds most of them.",
    promise="every class of which 60 % do not fit",
    look=_fields,
    settings={
        "most_part": (0.5, "of the annotations of a class that may be longer than the field"),
        "least": (5.0, "annotations of a class from which on it is judged"),
    },
)
RULES = (ODD, FIELD)
