"""SYN023 and SYN024: numbers that mean something else than level-0 pixels, x before y."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.annotations.doubts import Ground, coordinate_doubts
from curatome.annotations.formats.base import Doubt, Frame, Options
from curatome.findings import Finding, Severity
from curatome.rules.marks import bounds_of, marks
from curatome.rules.rule import Inputs, Rule
from curatome.rules.syntax.dialects import dialect
from curatome.rules.syntax.shapes import frames_of

Floats = npt.NDArray[np.float64]

_LEVELS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Downsamples that scanners' levels have."""
_FEW = 10
"""Shapes on an image below which their place says nothing of level or unit: a reader may have
looked at one corner only."""
_READINGS: Mapping[str, str] = {
    "axes": "x and y are swapped",
    "unit": "they are in micrometers, not in pixels",
    "level": "they are in pixels of a coarser level",
}


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Bounds of what was drawn on one image."""

    frame: Frame
    bounds: Floats


def _drawn(inputs: Inputs, kinds: Sequence[str] | None = None) -> Iterator[_Drawn]:
    """Each image of known size, with the bounds of its shapes that are sound."""
    frames = frames_of(inputs.slides)
    table = marks(inputs)
    bounds = bounds_of(table)
    sound: npt.NDArray[np.bool_] = np.asarray(np.isfinite(bounds).all(axis=1))
    if kinds is not None:
        of_kind = pc.is_in(table["kind"], pa.array(kinds))
        sound &= of_kind.to_numpy(zero_copy_only=False)
    if not sound.any():
        return
    encoded = table["image"].combine_chunks().dictionary_encode("encode")
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(encoded.dictionary) + 1))
    for code, name in enumerate(encoded.dictionary.to_pylist()):
        rows = order[starts[code] : starts[code + 1]]
        frame = frames.find(name) if name is not None else None
        if frame is not None and sound[rows].any():
            yield _Drawn(frame, bounds[rows[sound[rows]]])


def _wrong_frame(inputs: Inputs) -> Iterator[Finding]:
    told: set[str] = set()
    every = list(_drawn(inputs))
    for one in every:
        doubt = _doubt([one])
        if doubt is not None:
            told.add(one.frame.image)
            yield _finding(FRAME, one.frame, doubt, _READINGS[doubt.about], len(one.bounds))
    # A unit or level that shows in no image alone may show in all that fit it together.
    rest = [one for one in every if one.frame.image not in told and len(one.bounds)]
    fitting = [one for one in rest if _in_corner(one)]
    if len(fitting) > 1 and len(fitting) > len(rest) / 2:
        doubt = _doubt(fitting)
        for one in fitting if doubt is not None else ():
            assert doubt is not None
            yield _finding(FRAME, one.frame, doubt, _READINGS[doubt.about], len(one.bounds))


def _doubt(some: Sequence[_Drawn]) -> Doubt | None:
    frames = [
        Frame(
            one.frame.image,
            one.frame.name,
            one.frame.width,
            one.frame.height,
            one.frame.mpp_x,
            one.frame.mpp_y,
            _LEVELS,
        )
        for one in some
    ]
    index = np.repeat(np.arange(len(some)), [len(one.bounds) for one in some])
    bounds = np.concatenate([one.bounds for one in some])
    found = coordinate_doubts(bounds, Ground.of(frames, index), Options())
    few = len(bounds) < _FEW * len(some)
    known = ("axes",) if few else tuple(_READINGS)
    # Shapes that leave their image are found one by one, by SYN007 and SYN008.
    return next((doubt for doubt in found if doubt.about in known), None)


def _in_corner(one: _Drawn) -> bool:
    """Whether all shapes lie in the upper left quarter of the image, and so read too small."""
    size = np.array([one.frame.width, one.frame.height])
    return bool((one.bounds[:, 2:] <= size / 2).all())


def _box_dialects(inputs: Inputs) -> Iterator[Finding]:
    for one in _drawn(inputs, ["box"]):
        found = dialect(one.bounds, one.frame)
        if found is not None:
            doubt = Doubt("box", found.assumed, found.instead, found.evidence)
            yield _finding(BOX, one.frame, doubt, found.told, len(one.bounds))


def _finding(rule: Rule, frame: Frame, doubt: Doubt, reading: str, count: int) -> Finding:
    evidence = {
        "image": frame.image,
        "shapes": count,
        "about": doubt.about,
        "assumed": doubt.assumed,
        "instead": doubt.instead,
    }
    told = f"the {count:,} shapes fit better if {reading}: {doubt.evidence}"
    return rule.finding(f"image {frame.image}", told, evidence=evidence, key=doubt.about)


_FIX = (
    "Look at the image with its annotations. If the reading is right, take the import back with "
    "`curatome annotations undo` and import the file again with {option}."
)
FRAME = Rule(
    code="SYN023",
    name="wrong-frame",
    severity=Severity.WARNING,
    scope="dataset",
    needs=("marks", "slides"),
    what="Coordinates that fit their image better in another level or unit, or with x and y "
    "swapped.",
    why="Such annotations lie somewhere on the image, mostly beside what was meant, and look sound "
    "to every program that does not see the pixels.",
    bad="All nuclei of a slide lie in its upper left quarter, and spread over it if they are "
    "multiplied by four, as in pixels of level 1.",
    good="Annotations lie where the tissue is.",
    fix=_FIX.format(option="`--downsample`, `--unit um` or `--axes yx`"),
    method="Each reading is weighed by the shapes that lie on their image, and by how much of it "
    "they reach (`curatome.annotations.doubts`): another one is told if what is seen is a thousand "
    "times rarer under the present one. Images are looked at one by one, then together.",
    promise="coordinates four times too small or more, of 20 objects all over their slide; x and y "
    "that are swapped, where the image is not square; and µm for pixels, where all slides have "
    "them",
    look=_wrong_frame,
)
BOX = Rule(
    code="SYN024",
    name="box-dialect",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations", "slides"),
    what="Boxes whose four numbers were meant otherwise: as corners, as a center, as sizes, or as "
    "parts of the image.",
    why="COCO has x, y, width, height; VOC has x1, y1, x2, y2; YOLO has the center, width and "
    "height as parts of the image, all in the same four numbers. Read wrongly, boxes reach far "
    "across the image, lie beside their objects or in its first pixel.",
    bad="A mitosis at (30,200, 41,000) with a box of 30,264 × 41,064 px.",
    good="Boxes as large as what they hold.",
    fix="Look at the image with its annotations. If the reading is right, take the import back "
    "with `curatome annotations undo` and import the file again with `--box x1y1x2y2`, `--box "
    "xywh`, or as the format that has such boxes; YOLO has centers and parts.",
    method="All boxes of an image are weighed together. Corners read as sizes make boxes that "
    "leave the image, or are all larger than their distance from its edges; sizes read as corners "
    "make boxes that all begin beside the image's left and upper edge (Fisher's method, "
    "1 in 1,000); centers read as corners, or the reverse, make ten boxes or more that cross two "
    "sides of the image and none the other two; parts and per cent lie in the first pixels.",
    promise="corners read as sizes or the reverse, and parts of the image read as pixels, where an "
    "image has six boxes or more; per cent, where it has twelve; and centers read as corners or "
    "the reverse, where ten boxes or more cross the image's edge for it",
    version=2,
    look=_box_dialects,
)
RULES = (FRAME, BOX)
