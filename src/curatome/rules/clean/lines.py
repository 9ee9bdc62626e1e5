"""CLN001 to CLN003: lines that do not run where the image shows an edge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from curatome.findings import Finding, Severity
from curatome.rules.clean.drawn import number
from curatome.rules.clean.fields import Measured, measured
from curatome.rules.clean.likeness import Flags, Floats
from curatome.rules.clean.profiles import POINTS
from curatome.rules.clean.scores import displacement, looseness, tightness
from curatome.rules.rule import Inputs, Rule

_LEANING = 0.5
"""Shift over offset; an object that a shifted line hardly meets has a large offset as well."""


def _loose(inputs: Inputs) -> Iterator[Finding]:
    for part in _parts(inputs):
        for row in np.flatnonzero(_is_loose(part, inputs)).tolist():
            length = _length(part, row, part.fit.offset[row])
            text = f"runs {length} outside the edge that the image shows"
            yield _finding(LOOSE, part, row, text)


def _tight(inputs: Inputs) -> Iterator[Finding]:
    for part in _parts(inputs):
        cut = _is_cut(part, inputs)
        inside = _is_tight(part, inputs)
        for row in np.flatnonzero(inside | cut).tolist():
            if inside[row]:
                length = _length(part, row, -part.fit.offset[row])
                text = f"runs {length} inside the edge that the image shows"
            else:
                text = "cuts through the object: beyond a quarter of the line it goes on"
            found = _finding(TIGHT, part, row, text)
            sure = (
                part.fit.at_line[row] < number(inputs, "own_edge")
                if inside[row]
                else part.fit.misfit[row] >= number(inputs, "sure")
            )
            yield found if sure else replace(found, severity=Severity.NOTE)


def _shifted(inputs: Inputs) -> Iterator[Finding]:
    for part in _parts(inputs):
        for row in np.flatnonzero(_is_shifted(part, inputs)).tolist():
            right, down = (float(v) for v in part.fit.shift[row])
            told = []
            if abs(right) > abs(down) / 2:
                told.append(f"{_length(part, row, abs(right))} {'right' if right > 0 else 'left'}")
            if abs(down) > abs(right) / 2:
                told.append(f"{_length(part, row, abs(down))} {'below' if down > 0 else 'above'}")
            text = f"lies beside the edge that the image shows: {' and '.join(told)}"
            yield _finding(SHIFTED, part, row, text)


def _is_loose(part: Measured, inputs: Inputs) -> Flags:
    """Far enough outside, surely, and not merely beside the object."""
    fit = part.fit
    far = fit.offset >= _least(part, inputs)
    out: Flags = far & _seen(part, inputs) & (looseness(fit) >= number(inputs, "score"))
    return out & ~_leans(part)


def _is_tight(part: Measured, inputs: Inputs) -> Flags:
    fit = part.fit
    far = -fit.offset >= _least(part, inputs)
    out: Flags = far & _seen(part, inputs) & (tightness(fit) >= number(inputs, "score"))
    return out & ~_leans(part)


def _is_cut(part: Measured, inputs: Inputs) -> Flags:
    """The object goes on beyond a quarter of the line, and the rest of the line is its edge."""
    fit = part.fit
    goes_on = (fit.beyond >= number(inputs, "beyond")) & (fit.misfit >= number(inputs, "misfit"))
    out: Flags = goes_on & (fit.at_line >= number(inputs, "at_line"))
    return out


def _is_shifted(part: Measured, inputs: Inputs) -> Flags:
    far = (_moved(part) >= _least(part, inputs)) & _leans(part)
    out: Flags = far & _seen(part, inputs) & (displacement(part.fit) >= number(inputs, "score"))
    return out


def _leans(part: Measured) -> Flags:
    """More beside its object than too wide or too small: one outline has one of these faults."""
    out: Flags = _moved(part) >= _LEANING * np.abs(part.fit.offset)
    return out


def _parts(inputs: Inputs) -> list[Measured]:
    return measured(inputs, number(inputs, "largest_um"))


def _moved(part: Measured) -> Floats:
    out: Floats = np.hypot(part.fit.shift[:, 0], part.fit.shift[:, 1])
    return out


def _seen(part: Measured, inputs: Inputs) -> Flags:
    out: Flags = part.fit.seen >= number(inputs, "seen")
    return out


def _least(part: Measured, inputs: Inputs) -> Floats:
    """How far a line must be off, px of the field: a few px, and a part of the object."""
    radius = part.objects.across / part.step / 2
    least = np.maximum(number(inputs, "least_px"), number(inputs, "part") * radius)
    if part.mpp is None:
        return least
    return np.maximum(least, number(inputs, "least_um") / (part.step * part.mpp))


def _length(part: Measured, row: int, value: float) -> str:
    """A length of the field in words."""
    px = value * part.step[row]
    return f"{px:.0f} px" if part.mpp is None else f"{px * part.mpp:.1f} µm ({px:.0f} px)"


def _finding(rule: Rule, part: Measured, row: int, text: str) -> Finding:
    name, label = part.objects.annotation(row), part.objects.label(row)
    fit, step = part.fit, float(part.step[row])
    lengths = {
        "offset": fit.offset[row], "shift_x": fit.shift[row, 0], "shift_y": fit.shift[row, 1],
        "misfit": fit.misfit[row],
    }  # fmt: skip
    evidence: dict[str, Any] = {f"{k}_px": round(float(v) * step, 2) for k, v in lengths.items()}
    if part.mpp is not None:
        evidence |= {f"{k}_um": round(float(v) * step * part.mpp, 3) for k, v in lengths.items()}
    evidence |= {
        "at_line": round(float(fit.at_line[row]), 3),
        "at_edge": round(float(fit.at_edge[row]), 3),
        "points": round(float(fit.seen[row]) * POINTS),
        "annotation": name,
    }
    told = f"The outline of {label} {name} {text}."
    place = part.objects.place(row)
    return rule.finding(f"annotation {name}", told, place=place, evidence=evidence)


_METHOD = (
    "At 48 places around the line the image is looked at along the normal, 8 px to both sides, "
    "after it was reduced so that a usual object is at most 40 px across. Fisher's discriminant "
    "(10.1111/j.1469-1809.1936.tb02137.x) between the cores of all outlines and what is clear of "
    "them, in optical density, says how much each pixel looks like the objects; each object's own "
    "core and surroundings set 1 and 0. Dynamic programming finds the closed path of the "
    "strongest drops near the line (10.1109/34.57681). {} What another outline covers is not "
    "looked at."
)
_COMMON: dict[str, tuple[float | str, str]] = {
    "largest_um": (100.0, "across; larger outlines are of regions, whose borders are not edges"),
    "seen": (0.4, "part of the line beside which an edge must be visible; the rest may be covered "
                  "by neighbors"),
    "least_px": (1.5, "of the reduced image: a line drawn by hand is no better"),
    "least_um": (0.5, "where the scale is known: twice what a light microscope tells apart"),
    "part": (0.12, "of the object's radius: less is of no consequence for its area"),
    "score": (0.8, "how sure it must be, 0 to 1"),
}  # fmt: skip
LOOSE = Rule(
    code="CLN001",
    name="loose-outline",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations", "pixels"),
    what="An outline that runs outside of the edge that the image shows.",
    why="The band between line and edge is taught as the object, though it is what lies around. "
    "Areas and shapes that are measured become too large, and neighbors run into each other.",
    bad="The outline of a nucleus 8 µm across runs 2 µm out in the cytoplasm.",
    good="The line runs on the nuclear membrane, within the width of a hand-drawn line.",
    fix="Draw the line along the edge; where a reader's outlines are all loose, show the reader "
    "both lines and agree on where they should run.",
    method=_METHOD.format("The mean distance of line and path, how much likeness drops across "
                          "both, and how the band around the line looks make one score."),
    promise="outlines of nuclei that run 1.5 µm outside, one in five of a slide's",
    look=_loose,
    settings=_COMMON,
    version=2,
)  # fmt: skip
TIGHT = Rule(
    code="CLN002",
    name="outline-cuts-object",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations", "pixels"),
    what="An outline that runs inside of the edge that the image shows, or cuts off a part.",
    why="What was cut off is taught as surroundings, or as another class, though it looks like "
    "the object. Areas become too small.",
    bad="A line straight through a nucleus, or a nucleus outlined 1 µm inside of its membrane.",
    good="The line holds the whole nucleus.",
    fix="Draw the line along the edge. If two objects touch there, draw both.",
    method=_METHOD.format("The line is too far inside by the mean distance of both, or the object "
                          "goes on without a gap for 3 px beyond a quarter of the line."),
    promise="outlines of nuclei that run 1 µm inside, one in five of a slide's; of those that lack "
    "a tenth to a half behind a straight line it finds about half",
    look=_tight,
    settings={
        **_COMMON,
        "score": (0.9, "how sure it must be, 0 to 1; nuclei in crowds look too small soonest"),
        "beyond": (0.5, "likeness beyond a quarter of the line, 1 is as the object's core"),
        "misfit": (0.8, "px of the reduced image by which the edge leaves the line there; a "
                         "neighbor that touches leaves none"),
        "own_edge": (0.35, "drop of likeness across the line above which there is an edge at the "
                           "line, too, as in pale nuclei with dark rims, and it is told as a note"),
        "sure": (1.6, "misfit; where it leaves the line by less, a neighbor without outline may "
                      "touch, and it is told as a note"),
        "at_line": (0.4, "drop of likeness across the line on the whole, so that it is an outline "
                         "of the object but for that part"),
    },
    version=2,
)  # fmt: skip
SHIFTED = Rule(
    code="CLN003",
    name="shifted-outline",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations", "pixels"),
    what="An outline that lies beside its object.",
    why="One side is taught as the object though it is not, the other the other way round. Where "
    "all outlines of a slide are shifted alike, they were exported at a wrong offset.",
    bad="The outline of a nucleus 8 µm across lies 3 µm to the right of it.",
    good="Line and nucleus have the same middle.",
    fix="Move the outline. If many on one slide are shifted alike, correct the offset of the "
    "import instead.",
    method=_METHOD.format(
        "Twice the mean of the path's distance times the normal is the shift. "
        "It promises nothing: of outlines 2 µm beside nuclei that are 6 µm wide "
        "or wider it finds nine in ten."
    ),
    look=_shifted,
    settings={
        **_COMMON,
        "score": (0.9, "how sure it must be, 0 to 1; objects of odd shapes look shifted soonest"),
    },
    version=2,
)
