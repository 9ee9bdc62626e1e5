"""The table `[check]` of `curatome.toml`: what `curatome check` looks for, and what is known."""

from __future__ import annotations

import math
from typing import Annotated

import pydantic

from curatome.protocol.problems import Problem, refuse
from curatome.protocol.settings import Key, Name, Settings


def _number_or_text(value: object) -> float | str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        said = str(value).lower() if isinstance(value, bool) else value
        refuse([Problem((), f"must be a number, or a text in quotes. Got {said}.")])
    return float(value)  # type: ignore[arg-type]


Value = Annotated[float | str, pydantic.PlainValidator(_number_or_text)]
"""What a rule can be set to."""


class Suppression(Settings):
    """Findings that somebody has looked at and accepts.

    Attributes:
        code: of the rule, `CLN001`, or a family, `CLN`.
        reason: why they are accepted.
        image: only those of this slide or image, by its id, file name or file name without
            extension; empty for all.
        annotation: only those of this annotation; empty for all.
    """

    code: Name
    reason: Name
    image: str = ""
    annotation: str = ""


class CheckSettings(Settings):
    """What `curatome check` looks for.

    Attributes:
        select: families and rules that are checked, `["CLN", "DRF001"]`; empty for all.
        ignore: families and rules that are left out.
        rules: settings of rules by code, `[check.rules.CLN001]`; `curatome explain CLN001` lists
            those of a rule with their defaults.
        suppress: findings that are accepted, each with a reason.
    """

    select: tuple[Name, ...] = ()
    ignore: tuple[Name, ...] = ()
    rules: dict[Key, dict[Key, Value]] = pydantic.Field(default_factory=dict)
    suppress: tuple[Suppression, ...] = ()
