"""CMP001: what looks like an annotated object and is not annotated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely
from scipy.spatial import cKDTree

from curatome.agreement.candidates import CANDIDATES, Look, Tile, look_at, ranked, train
from curatome.errors import AnnotationError
from curatome.findings import Finding, Place, Severity
from curatome.rules.fields import Field, fields
from curatome.rules.looks import pieces
from curatome.rules.rule import Inputs, Rule

Floats = npt.NDArray[np.float64]

_TILE_UM = 512.0
_MPP = 0.5
_LEAST_PX = 32
_SAME_UM = 4.0
"""Candidates as close as that are one object."""
_FEW = 3
"""Classes that are named; of more, nobody would read the names."""

_Candidate = tuple[float, Field, dict[str, Any]]
"""Its probability over that of annotated objects, where it is, and its row of `CANDIDATES`."""


def _candidates(inputs: Inputs) -> Iterator[Finding]:
    held = _apart(fields(inputs))
    groups: dict[frozenset[str], list[Field]] = {}
    for field in held:
        groups.setdefault(field.classes, []).append(field)
    seen: list[_Candidate] = []
    for mine in groups.values():
        tables = _read(mine, [_looks(inputs, field) for field in mine])
        usual = _usual(tables, sum(_many(field) for field in mine))
        least = float(inputs.settings["probability"]) * usual
        for field, table in zip(mine, tables, strict=True):
            seen += [(one["probability"] / usual, field, one) for one in _free(field, table, least)]
    for share, field, one in _once(seen):
        found = _candidate(field, one)
        sure = share >= float(inputs.settings["sure"])
        yield found if sure else replace(found, severity=Severity.NOTE)


def _apart(held: Iterable[Field]) -> list[Field]:
    """Fields that several readers declared are looked at once."""
    return list({(f.image, f.shape.wkb, f.classes): f for f in held}.values())


def _looks(inputs: Inputs, field: Field) -> list[Look]:
    """What there is on a field, piece by piece."""
    assert inputs.pixels is not None
    out = []
    for box in pieces(field.shape.bounds, _TILE_UM / field.mpp):
        pixels = inputs.pixels(field.image, (box[0], box[1], box[2], box[3]), _MPP)
        if min(pixels.shape[:2]) >= _LEAST_PX:
            out.append(look_at(pixels, _MPP, (box[0] * field.mpp[0], box[1] * field.mpp[1])))
    return out


def _read(held: list[Field], looks: list[list[Look]]) -> list[pa.Table]:
    """Candidates, a table for each field; none where too few objects are annotated."""
    tiles = [
        [Tile(field.image, field.case, None, _MPP, *_middles(field), look=look) for look in mine]
        for field, mine in zip(held, looks, strict=True)
    ]
    try:
        detector = train(tile for mine in tiles for tile in mine)
    except AnnotationError:
        return [CANDIDATES.schema.empty_table() for _ in held]
    return [
        pa.concat_tables([CANDIDATES.schema.empty_table(), *(detector.read(t) for t in mine)])
        for mine in tiles
    ]


def _middles(field: Field) -> tuple[Floats, Floats]:
    """Middles of annotations of the field's classes and of all others, µm."""
    middles = shapely.get_coordinates(shapely.centroid(field.shapes)) * field.mpp
    mine = np.array([bool(field.classes & set(held)) for held in field.labels], bool)
    return middles[mine], middles[~mine]


def _many(field: Field) -> int:
    """How many objects of its classes are annotated on a field."""
    return int(shapely.contains(field.shape, field.of()).sum())


def _usual(tables: list[pa.Table], marks: int) -> float:
    """The median probability of what is annotated.

    Where objects were missed, all probabilities are smaller by the share that was (Elkan & Noto
    2008, 10.1145/1401890.1401920), so they are judged against that of annotated objects.
    """
    found = pa.concat_tables(tables)
    annotated = found.filter(found["annotated"])["probability"].to_numpy()
    return float(np.median(np.sort(annotated)[-marks:])) if len(annotated) and marks else 1.0


def _free(field: Field, table: pa.Table, least: float) -> list[dict[str, Any]]:
    """Candidates within no annotation, and wholly on the field; its border cuts through others."""
    rows = ranked([table], least).to_pylist()
    places = np.array([(one["x_um"], one["y_um"]) for one in rows]).reshape(-1, 2) / field.mpp
    points = shapely.points(places)
    half = np.array([one["diameter_um"] for one in rows]) / 2 / field.mpp.min()
    held = shapely.STRtree(field.shapes).query(points, predicate="intersects")[0]
    free = shapely.contains(field.shape, points)
    free &= shapely.distance(shapely.boundary(field.shape), points) >= half
    free[held] = False
    return [one for one, kept in zip(rows, free.tolist(), strict=True) if kept]


def _once(seen: list[_Candidate]) -> Iterator[_Candidate]:
    """Of candidates for one object, found on several regions, the likeliest."""
    by_image: dict[str, list[_Candidate]] = {}
    for one in sorted(seen, key=lambda one: one[0], reverse=True):
        by_image.setdefault(one[1].image, []).append(one)
    for some in by_image.values():
        tree = cKDTree([(one[2]["x_um"], one[2]["y_um"]) for one in some])
        told: set[int] = set()
        for k, near in enumerate(tree.query_ball_point(tree.data, _SAME_UM)):
            if told.isdisjoint(near):
                told.add(k)
                yield some[k]


def _candidate(field: Field, one: dict[str, Any]) -> Finding:
    at = np.array([one["x_um"], one["y_um"]]) / field.mpp
    half = one["diameter_um"] / 2 / field.mpp
    box = shapely.box(at[0] - half[0], at[1] - half[1], at[0] + half[0], at[1] + half[1])
    left, top, right, bottom = box.intersection(shapely.box(*field.shape.bounds)).bounds
    place = Place(left, top, right - left, bottom - top)
    few = len(field.classes) <= _FEW
    names = " or ".join(sorted(field.classes)) if few else "the annotated objects"
    text = (
        f"Something here looks like {names}, and nobody annotated it (probability "
        f"{one['probability']:.2f}). All are said to be annotated in this region."
    )
    evidence = {
        "classes": sorted(field.classes),
        "probability": round(one["probability"], 4),
        "image": field.image,
    }
    return MISSED.finding(f"slide {field.image}", text, place=place, evidence=evidence)


WHY = (
    "Where a region is said to be annotated exhaustively, all that is not marked is taught to a "
    "model as background. What was overlooked there is taught as the wrong answer."
)
MISSED = Rule(
    code="CMP001",
    name="missed-object",
    severity=Severity.WARNING,
    scope="dataset",
    needs=("annotations", "exhaustive", "slides", "pixels"),
    what="Something in an exhaustive region looks like an annotated class and is not annotated.",
    why=WHY,
    bad="A dark round nucleus among 200 annotated ones, without an outline.",
    good="It is annotated; or it is marked as something that is not the class.",
    fix="Annotate it, or annotate what it is instead, and let a second reader search the region.",
    method="Blobs of the nuclear stain, described by color, size and texture; logistic "
    "regression trained on other cases (curatome.agreement.candidates). Needs no weights, and "
    "tells only what can be told from such numbers: what looks like any object of the region's "
    "classes, not of which. What lies within an outline was not missed.",
    promise="nuclei left out, one in ten, where nothing else is stained, in 9 cases of 20 nuclei",
    settings={
        "probability": (0.5, "against the median of annotated objects; lower ones are no doubts"),
        "sure": (0.8, "against the same median; what is less probable is told as a note"),
    },
    look=_candidates,
    version=2,
)
