"""How a model reports several problems at once, each with its place in the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pydantic_core import PydanticCustomError

KeyPath = tuple[str | int, ...]
"""Where a value lies in the file's data: `("scales", 2, "parent")`."""

_TYPE = "curatome_problems"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where.

    Attributes:
        path: where it is, from the model that reports it.
        message: what is wrong and what to do.
        about: what the report names, where that is not the path.
    """

    path: KeyPath
    message: str
    about: KeyPath | None = None


def refuse(problems: Sequence[Problem]) -> None:
    """Reports the problems from within a pydantic validator; does nothing without any.

    Raises:
        PydanticCustomError: there is at least one problem.
    """
    if problems:
        text = " ".join(problem.message for problem in problems)
        raise PydanticCustomError(_TYPE, "{text}", {"text": text, "problems": tuple(problems)})


def refused(kind: str, context: dict[str, object]) -> tuple[Problem, ...]:
    """The problems behind one of pydantic's errors, if `refuse` raised it.

    Args:
        kind: the error's `type`.
        context: the error's `ctx`.
    """
    return cast("tuple[Problem, ...]", context["problems"]) if kind == _TYPE else ()
