"""Machine code that finds what is unsound in JSON text, however long it is."""

from __future__ import annotations

import numba
import numpy as np

from curatome.annotations.formats import json_file
from curatome.annotations.formats.json_walk import Bytes, has_twice
from curatome.errors import AnnotationError

_SOUND, _TWICE, _CONSTANT, _DEEP = 0, 1, 2, 3


def require_sound(data: bytes, name: str) -> None:
    """Refuse what a fast JSON reader lets pass.

    Raises:
        AnnotationError: a name twice in one object, NaN or infinity, or endless nesting; names
            line and column.
    """
    fault, start = _first_fault(np.frombuffer(data, np.uint8))
    if fault == _SOUND:
        return
    if fault == _TWICE:
        json_file.parse(data[start : _object_end(data, start)], f"{name}, {_at(data, start)}: this")
        return  # two names that only look alike
    what = (
        "has NaN or infinity, which JSON has not"
        if fault == _CONSTANT
        else f"is nested more than {json_file.DEEPEST} deep"
    )
    raise AnnotationError(f"{name} {what}, at {_at(data, start)}. Export it again.")


def _at(data: bytes, offset: int) -> str:
    return json_file.place(data, int(offset))


def _object_end(data: bytes, start: int) -> int:
    depth, inside = 0, False
    at = start
    while at < len(data):
        byte = data[at]
        if inside:
            at += byte == 0x5C
            inside = byte != 0x22
        elif byte == 0x22:
            inside = True
        elif byte in b"{[":
            depth += 1
        elif byte in b"}]":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return len(data)


@numba.njit(cache=True, nogil=True)
def _first_fault(data: Bytes) -> tuple[int, int]:  # noqa: PLR0912 - one state machine
    """What is unsound, and the byte where it (or the object that has it) begins."""
    deepest = 200
    starts, bases = np.zeros(deepest + 2, np.int64), np.zeros(deepest + 2, np.int64)
    hashes = np.zeros(1024, np.int64)
    depth, top, at, size = 0, 0, 0, len(data)
    while at < size:
        byte = data[at]
        if byte == 0x22:
            mix = np.int64(1469598103934665603)
            at += 1
            while at < size and data[at] != 0x22:
                if data[at] == 0x5C:
                    mix = (mix ^ np.int64(data[at])) * np.int64(1099511628211)
                    at += 1
                if at < size:
                    mix = (mix ^ np.int64(data[at])) * np.int64(1099511628211)
                at += 1
            ahead = at + 1
            while ahead < size and data[ahead] <= 0x20:
                ahead += 1
            if ahead < size and data[ahead] == 0x3A:
                if top == len(hashes):
                    hashes = np.concatenate((hashes, np.zeros_like(hashes)))
                hashes[top] = mix
                top += 1
        elif byte in (0x7B, 0x5B):
            depth += 1
            if depth > deepest:
                return _DEEP, at
            starts[depth], bases[depth] = at, top
        elif byte in (0x7D, 0x5D):
            if byte == 0x7D and has_twice(hashes[bases[depth] : top]):
                return _TWICE, starts[depth]
            top = bases[depth]
            depth = max(depth - 1, 0)
        elif byte in (0x4E, 0x49):
            return _CONSTANT, at
        at += 1
    return _SOUND, 0
