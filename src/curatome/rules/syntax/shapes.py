"""SYN001 to SYN014: shapes that cannot be as they are; found by `annotations.check`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from curatome.annotations.check import CODES, problems
from curatome.annotations.formats.base import Frame, Frames
from curatome.annotations.repair import REPAIRABLE
from curatome.findings import Finding
from curatome.rules.rule import Inputs, Rule

_METHOD = (
    "All shapes of an image are looked at in bulk (Shapely 2 and compiled code); geometry is valid "
    "as OGC Simple Features has it. See `curatome.annotations.check`."
)


def frames_of(slides: pa.Table) -> Frames:
    """The images whose size is known.

    Args:
        slides: `tables.SLIDES`.
    """
    return Frames(
        [
            Frame(
                image=row["slide"],
                name=row["path"].rpartition("/")[2],
                width=row["width"],
                height=row["height"],
                mpp_x=row["mpp_x"],
                mpp_y=row["mpp_y"],
            )
            for row in slides.to_pylist()
            if row["width"] and row["height"]
        ]
    )


@dataclass(frozen=True, eq=False)
class _Found:
    """What was found in a table, by code."""

    table: pa.Table | None
    findings: Mapping[str, Sequence[Finding]]


_last = _Found(None, {})


def _problems(inputs: Inputs) -> Mapping[str, Sequence[Finding]]:
    """All problems of an image's shapes; fourteen rules ask for them, one after the other."""
    global _last  # noqa: PLW0603 - what was found in one table, until another one is looked at
    if _last.table is not inputs.annotations:
        found: dict[str, list[Finding]] = {}
        for finding in problems(inputs.annotations, frames_of(inputs.slides)):
            found.setdefault(finding.code, []).append(finding)
        _last = _Found(inputs.annotations, found)
    return _last.findings


def _look(code: str, inputs: Inputs) -> Iterable[Finding]:
    return _problems(inputs).get(code, ())


_TEXTS: Mapping[str, tuple[str, str, str, str, str]] = {
    "SYN001": (
        "unreadable-shape",
        "A shape that cannot be read: its geometry is broken or empty, or is of another type than "
        "its kind.",
        "What cannot be read cannot be learned from, and would be missing without a word.",
        "A point where a polygon should be; a polygon of two points.",
        "Every shape is of the type that its kind says.",
    ),
    "SYN002": (
        "impossible-coordinates",
        "Coordinates that are not finite, or further than 10 million px from the corner.",
        "Nothing can be measured on such a shape, and one of them spoils every box around many. "
        "Often its unit is nanometers, or its image another.",
        "A vertex at NaN, or at x = 52,000,000 on a slide of 90,000 px.",
        "All coordinates are level-0 pixels of the image.",
    ),
    "SYN003": (
        "open-ring",
        "A ring that does not end where it began.",
        "Programs close it differently, or refuse the file.",
        "(0, 0), (9, 0), (9, 9), (0, 9), and no way back.",
        "The last point is the first one again. The repair closes by a straight line.",
    ),
    "SYN004": (
        "self-crossing",
        "An outline that crosses itself.",
        "What lies inside is then a matter of the program: one leaves a hole where another fills.",
        "A loop at the end of a line drawn by hand; an eight.",
        "A line that never meets itself. The repair takes all that the outline winds around, which "
        "keeps small loops of the hand filled; an eight that was meant as two objects should be "
        "drawn again.",
    ),
    "SYN005": (
        "misfitting-parts",
        "Holes or parts that do not fit together.",
        "Areas are counted twice, or subtracted from nothing.",
        "A hole outside of its shell or in another hole; parts of a multipolygon that overlap.",
        "Holes lie in their shell, parts apart. The repair drops holes that lie outside, and joins "
        "holes or parts that overlap.",
    ),
    "SYN006": (
        "no-extent",
        "A shape without area or length.",
        "It counts as an object and covers no pixel.",
        "A click that was meant as a drawing; a polygon whose points lie on one line.",
        "A surface covers something; an object that is only a place is a point.",
    ),
    "SYN007": (
        "outside-image",
        "A shape of which no part lies on its image.",
        "It belongs to another image, or its numbers are in another unit or level.",
        "A nucleus at x = 120,000 on a slide of 90,000 px.",
        "Every shape lies on its image. If many do not, look at `curatome import` for unit, level "
        "and image of their file.",
    ),
    "SYN008": (
        "beyond-edge",
        "A shape that reaches beyond its image.",
        "Boxes around cells at an edge do so rightly, but many of them mean that corners were read "
        "as sizes, or that the image is another one.",
        "A polygon that runs to x = -12.",
        "Shapes end at the edge. The repair cuts them there, but for circles, ellipses and masks. "
        "A box that must keep its middle, as around a mitosis, may stay: suppress it.",
    ),
    "SYN009": (
        "spike",
        "An outline that goes out and comes back along the same line, with less than 1° between.",
        "Spikes come from a slip of the pen or from joining pieces; they change bounds and "
        "distances, not areas.",
        "A round cell with a hair of 300 px.",
        "The line follows the object. The repair takes spikes off.",
    ),
    "SYN010": (
        "sliver",
        "A shape, or a part of one, that is less than 0.5 px wide on average.",
        "Slivers remain where two outlines were subtracted from each other; they count as objects "
        "and cover next to nothing.",
        "A part of 400 × 0.2 px beside a tumor.",
        "Every part is wide enough to be seen. Of a multipolygon the repair drops slivers, if "
        "other parts remain.",
    ),
    "SYN011": (
        "repeated-points",
        "Points that repeat the one before.",
        "They do no harm but make files larger, and some programs refuse them.",
        "(4, 4), (4, 4), (9, 4), …",
        "Each point is another one. The repair drops the repetitions.",
    ),
    "SYN012": (
        "wrong-winding",
        "Rings that wind the wrong way: a hole as its shell does, or parts differently.",
        "Programs that fill by winding, such as browsers, paint such a hole over.",
        "Shell and hole both clockwise.",
        "Shells one way, holes the other, as RFC 7946 has it. The repair turns them.",
    ),
    "SYN013": (
        "drawn-twice",
        "The same shape twice: of the same reader on the same image in the same read, perhaps "
        "under another class.",
        "Objects are counted twice, and two classes for one shape contradict each other.",
        "A file that was imported twice under two names.",
        "Every object is there once for each read.",
    ),
    "SYN014": (
        "nearly-drawn-twice",
        "Two shapes of one reader, image, read and kind that share 95 % of their union or more.",
        "It is mostly one object that was drawn again, or imported twice through another program.",
        "One nucleus from a GeoJSON file, and the same from its copy with rounded coordinates.",
        "Every object is there once for each read.",
    ),
}


def _rule(code: str) -> Rule:
    severity, fix = CODES[code]
    name, what, why, bad, good = _TEXTS[code]
    return Rule(
        code=code,
        name=name,
        severity=severity,
        scope="image",
        needs=("annotations",),
        what=what,
        why=why,
        bad=bad,
        good=good,
        fix=fix,
        method=_METHOD,
        look=partial(_look, code),
        promise="every shape that is so, however few of an image's shapes are",
        fixable=code in REPAIRABLE,
    )


RULES = tuple(_rule(code) for code in _TEXTS)
