"""The scales a dataset is built at, and the rule by which one nests in another."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm

import pydantic

from curatome.protocol.names import duplicate_names, parent_problem
from curatome.protocol.problems import Problem
from curatome.protocol.settings import Integer, Name, Number, Settings

MIN_SIDE_PX = 8
_LARGEST_SUGGESTION_PX = 20_000


class Scale(Settings):
    """One scale: square tiles of a fixed size in µm, on a grid from the slide's top-left corner.

    Attributes:
        name: a letter, then up to 15 letters or digits; it is part of each tile's id.
        mpp: µm per pixel of the stored tiles.
        side_px: edge of a stored tile, px.
        stride_px: px from one tile to the next; without it, `side_px`.
        parent: the scale whose tiles contain this one's.
        min_tissue: a tile with a smaller fraction of tissue is left out.
    """

    name: str = pydantic.Field(pattern=r"^[A-Za-z][A-Za-z0-9]{0,15}$")
    mpp: Number = pydantic.Field(gt=0)
    side_px: Integer = pydantic.Field(ge=MIN_SIDE_PX)
    stride_px: Integer | None = pydantic.Field(default=None, ge=1)
    parent: Name | None = None
    min_tissue: Number = pydantic.Field(default=0.1, ge=0, le=1)

    @property
    def stride(self) -> int:
        """Distance from one tile to the next, px of the scale."""
        return self.side_px if self.stride_px is None else self.stride_px

    @property
    def side_um(self) -> float:
        """Edge of the field of view, µm."""
        return self.side_px * self.mpp

    @property
    def stride_um(self) -> float:
        """Distance from one tile to the next, µm."""
        return self.stride * self.mpp


CPIA_SCALES = (
    Scale(name="XL", mpp=0.4942, side_px=3840),
    Scale(name="L", mpp=0.4942, side_px=960, parent="XL"),
    Scale(name="M", mpp=0.4942, side_px=384, parent="XL"),
    Scale(name="S", mpp=0.4942, side_px=96, parent="M"),
)
"""The four scales of the CPIA dataset (arXiv 2310.17902), none overlapping."""


def nests(child: Scale, parent: Scale) -> bool:
    """Whether every tile of the child's grid lies within some tile of the parent's.

    Both grids start at the slide's top-left corner and go on for ever. A child's tile starts at
    `k · s` and is `a` wide; the last parent's tile to start at or before it starts at
    `k · s - (k · s mod S)` and is `A` wide, and no other reaches further to the right of it. Over
    one common period of the strides, `k · s mod S` takes each multiple of `g = gcd(s, S)` below
    `S` once, so the child's worst tile starts at `S - g` within its parent's:

        every tile of the child lies within one of the parent  <=>  S - g + a <= A

    Without overlap (`s = a`, `S = A`) this says that `A` is a multiple of `a`. It is decided in
    whole fractions of the decimal text of both MPPs, so no rounding takes part.
    """
    return _overhang(child, parent) <= 0


def scale_problems(scales: Sequence[Scale]) -> list[Problem]:
    """What is wrong among scales that are each sound: names used twice, parents that cannot be."""
    problems = duplicate_names("scale", [scale.name for scale in scales])
    known = {scale.name: scale for scale in scales}
    for index, scale in enumerate(scales):
        if scale.parent is None:
            continue
        message = parent_problem("scale", scale.name, {n: s.parent for n, s in known.items()})
        if not message and not nests(scale, known[scale.parent]):
            message = _nesting_message(scale, known[scale.parent])
        if message:
            problems.append(Problem((index, "parent"), message))
    return problems


def _overhang(child: Scale, parent: Scale) -> Fraction:
    """How far the child's worst tile sticks out of its parent's, µm; not above 0 if it nests."""
    child_mpp, parent_mpp = Fraction(str(child.mpp)), Fraction(str(parent.mpp))
    stride = parent.stride * parent_mpp
    worst = stride - _common_divisor(child.stride * child_mpp, stride)
    return worst + child.side_px * child_mpp - parent.side_px * parent_mpp


def _common_divisor(first: Fraction, second: Fraction) -> Fraction:
    """The largest length that goes a whole number of times into both."""
    denominator = lcm(first.denominator, second.denominator)
    return Fraction(gcd(int(first * denominator), int(second * denominator)), denominator)


def _nesting_message(child: Scale, parent: Scale) -> str:
    """Why the child does not nest, with its numbers, and what would."""
    start = f"scale {child.name} ({_size(child)}) does not nest in {parent.name} ({_size(parent)})"
    out = float(_overhang(child, parent))
    plain = child.stride == child.side_px and parent.stride == parent.side_px
    if not plain:
        reason = f"its tiles stick out of their parent's by up to {out:.6g} µm"
    elif child.mpp == parent.mpp:
        reason = f"{parent.side_px} is not a multiple of {child.side_px}"
    else:
        reason = f"{parent.side_um:.10g} µm is not a multiple of {child.side_um:.10g} µm"
    sides = _sides_that_nest(child, parent) if child.stride == child.side_px else []
    use = f"use {' or '.join(map(str, sides))} px, or drop parent" if sides else "drop parent"
    return f"{start}: {reason}; {use}."


def _size(scale: Scale) -> str:
    step = "" if scale.stride == scale.side_px else f" every {scale.stride} px"
    return f"{scale.side_px} px{step} at {scale.mpp:g} µm/px"


def _sides_that_nest(child: Scale, parent: Scale) -> list[int]:
    """The nearest smaller and larger side in px, without overlap, that would nest."""
    largest = min(int(parent.side_um / child.mpp) + 1, _LARGEST_SUGGESTION_PX)
    smaller = range(min(child.side_px - 1, largest), MIN_SIDE_PX - 1, -1)
    larger = range(child.side_px + 1, largest + 1)
    found = []
    for candidates in (smaller, larger):
        for side in candidates:
            if nests(child.model_copy(update={"side_px": side, "stride_px": None}), parent):
                found.append(side)
                break
    return found
