"""Pictures of what findings are about: the place on the slide with its outlines."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from PIL import Image, ImageDraw

from curatome.annotations.model import outline
from curatome.findings import Finding
from curatome.jobs import Task, run_tasks, stage
from curatome.location import Location
from curatome.project import Project
from curatome.rules.engine import annotation_of, image_of
from curatome.slides.opening import opened_slide
from curatome.slides.window import read_window
from curatome.units import Mpp
from curatome.workflows.annotation_check import annotation_store

EACH = 20
"""Findings of one rule on one slide that get a picture."""
MOST = 400
"""Pictures in all, 5 to 8 kB each."""

_SIDE_PX = 168
_LEAST_UM = 30.0
_AROUND = 1.7
"""What is shown, as a multiple of the finding's place."""
_COLORS = ("#c1440e", "#0b5fa5", "#5b8c2a")
_HALO = "#ffffff"

Ring = tuple[tuple[float, float], ...]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Wish:
    """A picture to be made.

    Attributes:
        number: of the finding.
        box: left, top, right, bottom of the finding's place, level-0 px.
        rings: outlines that it is about, level-0 px; the box is drawn where there are none.
    """

    number: int
    box: Box
    rings: tuple[Ring, ...] = ()


def crops_of(project: Project, findings: Sequence[Finding], workers: int = 1) -> dict[int, bytes]:
    """JPEGs by the number of the finding; those without a place, or on lost slides, have none.

    Args:
        project: the project.
        findings: of a check.
        workers: how many slides are read at the same time.
    """
    entries = {e.slide: e for e in project.store.slides() if e.mpp is not None}
    chosen = _chosen(findings, entries)
    with annotation_store(project) as store:
        tasks = []
        for image, numbers in chosen.items():
            wanted = {name for k in numbers for name in _annotations(findings[k])}
            rings = _rings(store.current(image), wanted) if wanted else {}
            wishes = [_wish(k, findings[k], rings) for k in numbers]
            entry = entries[image]
            where = (project.location(entry.path), entry.mpp)
            tasks.append(Task(image, f"{__name__}:draw_crops", (*where, wishes)))
    drawn: dict[int, bytes] = {}
    for outcome in run_tasks(tasks, workers):
        if outcome.failure is None:  # a slide that cannot be read has a finding of its own
            drawn |= outcome.value
    return drawn


def _chosen(findings: Sequence[Finding], known: Mapping[str, object]) -> dict[str, list[int]]:
    """Numbers of the findings that are shown, by image."""
    chosen: dict[str, list[int]] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for number, one in enumerate(findings):
        image = image_of(one)
        if image is None or image not in known or one.place is None:
            continue
        seen[image, one.code] += 1
        if seen[image, one.code] <= EACH and sum(map(len, chosen.values())) < MOST:
            chosen.setdefault(image, []).append(number)
    return chosen


def _annotations(finding: Finding) -> tuple[str, ...]:
    """The annotations that a finding is about, its own one first."""
    own = annotation_of(finding)
    held = finding.evidence.get("annotations")
    others = held if isinstance(held, list | tuple) else ()
    names = [own, *others, finding.evidence.get("other")]
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))[: len(_COLORS)]


def _rings(table: pa.Table, wanted: Iterable[str]) -> dict[str, tuple[Ring, ...]]:
    """Outlines of annotations by their id."""
    mine = table.filter(pc.is_in(table["annotation"], pa.array(sorted(wanted), pa.string())))
    found: dict[str, tuple[Ring, ...]] = {}
    for row in mine.select(["annotation", "kind", "geometry"]).to_pylist():
        if row["geometry"] is None:
            continue
        shape = outline(row["kind"], shapely.from_wkb(row["geometry"]))
        parts = shapely.get_parts(shapely.boundary(shape) if shape.area else shape)
        rings = (tuple(map(tuple, shapely.get_coordinates(one).tolist())) for one in parts)
        found[row["annotation"]] = tuple(ring for ring in rings if len(ring) > 1)
    return found


def _wish(number: int, finding: Finding, rings: Mapping[str, tuple[Ring, ...]]) -> Wish:
    assert finding.place is not None
    place = finding.place
    box = (place.x, place.y, place.x + (place.width or 0), place.y + (place.height or 0))
    held = (rings.get(name, ()) for name in _annotations(finding))
    return Wish(number, box, tuple(one[0] for one in held if one))


def draw_crops(path: Location, mpp: Mpp, wishes: Sequence[Wish]) -> dict[int, bytes]:
    """The pictures of one slide, as JPEG by their number. Run in a supervised child.

    Raises:
        UnreadableSlide: the slide cannot be decoded.
    """
    with opened_slide(path) as slide:
        out = {}
        for wish in wishes:
            stage("picture")
            left, top, side = _field(wish.box, mpp)
            scale = max(side * mpp.x / _SIDE_PX, mpp.x)
            height = side * mpp.x / mpp.y
            pixels = read_window(slide, mpp, (left, top, left + side, top + height), scale)
            picture = Image.fromarray(pixels).resize(
                (_SIDE_PX * 2, _SIDE_PX * 2), Image.Resampling.BICUBIC
            )
            _mark(picture, wish, (left, top), (_SIDE_PX * 2 / side, _SIDE_PX * 2 / height))
            small = picture.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.LANCZOS)
            stream = io.BytesIO()
            small.save(stream, "JPEG", quality=82)
            out[wish.number] = stream.getvalue()
    return out


def _field(box: Box, mpp: Mpp) -> tuple[float, float, float]:
    """Left, top and width of what is shown around a place, level-0 px."""
    wide = max(box[2] - box[0], (box[3] - box[1]) * mpp.y / mpp.x)
    side = max(_AROUND * wide, _LEAST_UM / mpp.x)
    left = (box[0] + box[2] - side) / 2
    return left, (box[1] + box[3] - side * mpp.x / mpp.y) / 2, side


def _mark(
    picture: Image.Image, wish: Wish, corner: tuple[float, float], scale: tuple[float, float]
) -> None:
    """Draw outlines, the finding's own on top, or else the box of its place."""
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = wish.box
    around: Ring = ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
    rings = wish.rings or ((around,) if right > left and bottom > top else ())
    for color, ring in reversed(list(zip(_COLORS, rings, strict=False))):
        line = ((np.asarray(ring) - corner) * scale).ravel().tolist()
        draw.line(line, fill=_HALO, width=8, joint="curve")
        draw.line(line, fill=color, width=4, joint="curve")
