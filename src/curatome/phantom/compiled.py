"""Compiled loops: one decorator, so that every kernel is compiled under the same rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile a loop to machine code, without the interpreter's lock and kept on disk.

    Fast-math stays off: it would let a pixel's value depend on where its block begins.
    """
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
