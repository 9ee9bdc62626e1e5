"""A function of tables that several rules call with the same tables, one rule after the other."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Remembered(Generic[P, T]):
    """A function whose last result is at hand until it is called with other tables.

    Tables are told apart by what they are in memory, not by what they hold: that costs nothing,
    and tables never change. The result is kept no longer than all of its tables live.

    Args:
        function: of tables alone, without anything else that it depends on.
    """

    def __init__(self, function: Callable[P, T]) -> None:
        self._function = function
        self._last: tuple[tuple[weakref.ref[object], ...], T] | None = None
        functools.update_wrapper(self, function)

    def __call__(self, *tables: P.args, **named: P.kwargs) -> T:
        """The result for these tables."""
        assert not named
        last = self._last
        if last is not None and all(ref() is one for ref, one in zip(last[0], tables, strict=True)):
            return last[1]
        found = self._function(*tables, **named)
        self._last = (tuple(weakref.ref(one, self._forget) for one in tables), found)
        return found

    def _forget(self, _gone: object) -> None:
        self._last = None
