"""CMP: what was overlooked, and what was never looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import shapely

from curatome.agreement.completeness import captures_of, completeness
from curatome.agreement.matching import NOTHING
from curatome.agreement.ratings import Ratings
from curatome.errors import TableError
from curatome.findings import Finding, Measure, Place, Severity
from curatome.protocol import Protocol
from curatome.rules.fields import Field, fields
from curatome.rules.marks import marks
from curatome.rules.missed import MISSED, WHY
from curatome.rules.reads import REFERENCE, ratings_of
from curatome.rules.rule import Inputs, Rule
from curatome.slides.tissue import find_tissue

Floats = npt.NDArray[np.float64]

_SIDES = ("left", "top", "right", "bottom")


def _place(shape: shapely.Geometry) -> Place:
    left, top, right, bottom = shape.bounds
    return Place(left, top, right - left, bottom - top)


def _unannotated(inputs: Inputs) -> Iterator[Finding]:
    assert inputs.pixels is not None
    wanted = _all_classes(inputs.protocol)
    if inputs.protocol.dataset.task != "segmentation" or not wanted:
        return
    mpp, most = inputs.protocol.tissue.mpp, float(inputs.settings["most"])
    for field in fields(inputs):
        if not wanted <= field.classes:
            continue
        left, top, right, bottom = field.shape.bounds
        pixels = inputs.pixels(field.image, (left, top, right, bottom), mpp)
        tissue, _ = find_tissue(pixels, mpp, inputs.protocol.tissue)
        rows, columns = np.nonzero(tissue)
        x = left + (columns + 0.5) / tissue.shape[1] * (right - left)
        y = top + (rows + 0.5) / tissue.shape[0] * (bottom - top)
        inside = shapely.contains_xy(field.shape, x, y)
        if not inside.any():
            continue
        covered = shapely.contains_xy(shapely.union_all(field.of()), x[inside], y[inside])
        share = float(1 - covered.mean())
        area = (~covered).sum() * mpp**2
        if share > most and area >= float(inputs.settings["least_um2"]):
            text = (
                f"{share:.0%} of the tissue in an exhaustive region ({area:,.0f} µm²) belongs to "
                "no class, though all classes are said to be annotated there."
            )
            evidence = {"share": round(share, 4), "area_um2": float(area), "image": field.image}
            yield UNANNOTATED.finding(
                f"slide {field.image}",
                text,
                place=_place(field.shape),
                evidence=evidence,
                key=field.region,
            )


def _all_classes(protocol: Protocol) -> set[str]:
    """Classes that are no broader word for others."""
    parents = {one.parent for one in protocol.classes}
    return {one.name for one in protocol.classes} - parents


def _unscreened(inputs: Inputs) -> Iterator[Finding]:
    chance, least = (float(inputs.settings[name]) for name in ("chance", "least_share"))
    for field in fields(inputs):
        middles = shapely.get_coordinates(shapely.centroid(field.of()))
        middles = middles[shapely.contains_xy(field.shape, *middles.T)]
        if not len(middles):
            yield from _bare(inputs, field, chance)
            continue
        side, share, box = _emptiest(field.shape, middles)
        likely = 4 * (1 - share) ** len(middles)
        if likely <= chance and share >= least:
            text = (
                f"nothing is annotated in the {side} {share:.0%} of an exhaustive region with "
                f"{len(middles):,} objects; by chance that happens once in {1 / likely:,.0f} times."
            )
            yield _empty(field, text, box, share)


def _bare(inputs: Inputs, field: Field, chance: float) -> Iterator[Finding]:
    """A region without any object, though there are some elsewhere on its image."""
    elsewhere = field.of()
    if not len(elsewhere):
        return
    slide = inputs.slides.filter(pc.equal(inputs.slides["slide"], field.image)).to_pylist()[0]
    rest = (slide["width"] or 0) * (slide["height"] or 0) - field.shape.area
    expected = len(elsewhere) * field.shape.area / rest if rest > 0 else 0.0
    likely = math.exp(-expected)
    named = ", ".join(sorted({n for held in field.labels for n in held} & field.classes))
    text = (
        f"nothing is annotated in an exhaustive region; {named} is elsewhere on the slide. As "
        f"dense as there, {expected:.1f} would be expected here."
    )
    found = _empty(field, text, field.shape.bounds, 1.0)
    yield found if likely <= chance else replace(found, severity=Severity.NOTE)


def _empty(
    field: Field, text: str, box: tuple[float, float, float, float], share: float
) -> Finding:
    left, top, right, bottom = box
    evidence = {"share": round(share, 4), "image": field.image}
    return UNSCREENED.finding(
        f"slide {field.image}",
        text,
        place=Place(left, top, right - left, bottom - top),
        evidence=evidence,
        key=field.region,
    )


def _emptiest(
    shape: shapely.Geometry, points: Floats
) -> tuple[str, float, tuple[float, float, float, float]]:
    """The side from which the largest share of a shape's area is without a point."""
    left, top, right, bottom = shape.bounds
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    strips = [
        (left, top, x0, bottom),
        (left, top, right, y0),
        (x1, top, right, bottom),
        (left, y1, right, bottom),
    ]
    shares = [shape.intersection(shapely.box(*one)).area / shape.area for one in strips]
    k = int(np.argmax(shares))
    left, top, right, bottom = (float(edge) for edge in strips[k])
    return _SIDES[k], float(shares[k]), (left, top, right, bottom)


def _below_gate(inputs: Inputs) -> Iterator[Finding]:
    gates = [g for g in inputs.protocol.gates if g.measure == "completeness" and g.min is not None]
    if not gates:
        return
    for measure in completeness_of(inputs):
        for gate in gates:
            if _concerns(gate.subject, measure) and measure.value < (gate.min or 0.0):
                ends = (
                    f" [{measure.low or 0:.2f}, {1 if measure.high is None else measure.high:.2f}]"
                )
                text = (
                    f"completeness of {measure.subject} is {measure.value:.2f}{ends}, below the "
                    f"gate of {gate.min:g} ({measure.method})."
                )
                evidence = {"value": measure.value, "gate": gate.min, "objects": measure.n}
                yield BELOW.finding(measure.subject, text, evidence=evidence)


def _concerns(subject: str, measure: Measure) -> bool:
    """One reader's share is no property of the dataset: a gate must name the reader."""
    if not subject:
        return not measure.subject.startswith("reader ")
    return subject == measure.subject


def completeness_of(inputs: Inputs) -> list[Measure]:
    """Completeness by class, from objects on images that all readers read.

    Where something was adjudicated, only what is adjudicated counts as an object.
    """
    said = ratings_of(marks(inputs), inputs.slides, objects=True)
    people = [] if said is None else [name for name in said.readers if name != REFERENCE]
    if said is None or len(people) < 2:
        return []
    real, classes = _real(said, people)
    reads = said.of(people).take(real)
    kept = np.flatnonzero(reads.seen.all(axis=1))
    reads, classes = reads.take(kept), classes[real][kept]
    nothing = reads.labels.index(NOTHING) if NOTHING in reads.labels else -2
    found = (reads.codes != nothing).any(axis=1)
    if not found.any():
        return []
    try:
        measures = completeness(captures_of(reads), classes[found].tolist())
    except TableError:
        return []
    return [one for one in measures if one.name == "completeness"]


def _real(said: Ratings, people: list[str]) -> tuple[npt.NDArray[np.int64], Any]:
    """Items that count as objects, and the class of each item."""
    counts = said.of(people).counts()
    nothing = said.labels.index(NOTHING) if NOTHING in said.labels else None
    if nothing is not None:
        counts[:, nothing] = -1
    classes = np.array(said.labels, object)[counts.argmax(axis=1)]
    if REFERENCE not in said.readers:
        return np.arange(len(said)), classes
    final = said.codes[:, said.readers.index(REFERENCE)]
    real = final >= 0 if nothing is None else (final >= 0) & (final != nothing)
    return np.flatnonzero(real), np.array(said.labels, object)[np.maximum(final, 0)]


_WHY = (
    "Where a region is said to be annotated exhaustively, all that is not marked is taught to a "
    "model as background. What was overlooked there is taught as the wrong answer."
)
UNANNOTATED = Rule(
    code="CMP002",
    name="tissue-without-class",
    severity=Severity.WARNING,
    scope="image",
    needs=("exhaustive", "slides", "pixels"),
    uses=("annotations",),
    what="Tissue in a region where every class is annotated belongs to none.",
    why=WHY,
    bad="A quarter of the tissue in the region has no outline.",
    good="Every piece of tissue has a class, `other` among them.",
    fix="Annotate it, or take the classes out of the region's declaration that are not complete.",
    method="The tissue mask at the protocol's scale, less the annotations. Only where the task "
    "is segmentation and the region declares every class that has no narrower one.",
    promise="regions of which 15 % of the tissue has no class",
    settings={
        "most": (0.1, "share of tissue; lines between classes and the mask's edge make some"),
        "least_um2": (2500.0, "area below which it is a gap between outlines"),
    },
    look=_unannotated,
)
UNSCREENED = Rule(
    code="CMP003",
    name="unscreened-field",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations", "exhaustive", "slides"),
    what="An exhaustive region, or a side of it, has no annotation, where chance leaves none.",
    why=WHY + " A reader who was called away leaves half a field.",
    bad="40 nuclei in the left half of the region, none in the right one.",
    good="The region ends where the search ended.",
    fix="Search the rest, or make the region smaller.",
    method="The largest share of the region from one side that is empty; if n objects lay "
    "anywhere alike, it would be so large with a probability of at most 4 (1 - share)^n. A region "
    "without any object is as likely as a Poisson number of 0 at the density of the rest of the "
    "slide, and a note where that is no surprise. Classes that grow in clusters, and glass within "
    "the region, break both: draw regions on tissue.",
    promise="regions half of which nobody searched, with 20 objects or more in the other half",
    settings={
        "chance": (1e-4, "of an even region to be told of; a dataset has hundreds of regions"),
        "least_share": (0.25, "a smaller strip is soon searched"),
    },
    look=_unscreened,
    version=2,
)
BELOW = Rule(
    code="CMP004",
    name="completeness-below-gate",
    severity=Severity.ERROR,
    scope="dataset",
    needs=("marks", "slides"),
    what="The readers together found fewer of the objects than the protocol's gate asks for.",
    why=WHY,
    bad='[[gates]] measure = "completeness", min = 0.95; two readers found 0.88.',
    good="A third reader searched, and 0.97 are found.",
    fix="Let another reader search, or the candidates of CMP001 be looked at; then look again.",
    method="Objects that one or both of two readers found (Chapman's estimate), or log-linear "
    "models of more; see `curatome complete`. By class, and of all.",
    promise="two readers who found 75 % of 200 objects together, where the gate is 0.9 and readers "
    "who found 99 % pass",
    look=_below_gate,
)

RULES: tuple[Rule, ...] = (MISSED, UNANNOTATED, UNSCREENED, BELOW)
