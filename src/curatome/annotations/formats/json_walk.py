"""Machine code that follows JSON text (RFC 8259) strictly: strings, numbers, whole values.

Each function takes the text, a place in it and where the text ends, and gives the place behind
what it read, or -1 where the text is not sound. UTF-8 is not looked at.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]

DEEPEST = 200
"""Arrays and objects within one another, as in `json_file`."""

Text = tuple[Bytes, int]
"""A text and where it ends."""
Stack = tuple[Bytes, Counts, Counts]

_FEW_NAMES = 64
_MOST_NAMES = 1 << 16
_EXACT = 1 << 53
_POWERS = 10.0 ** np.arange(23)
_BASIS, _PRIME = np.int64(1469598103934665603), np.int64(1099511628211)  # FNV-1a


def stack() -> Stack:
    """What `copy` notes in: closing brackets, where the names of each object begin, and these."""
    return (
        np.empty(DEEPEST + 2, np.uint8),
        np.empty(DEEPEST + 2, np.int64),
        np.empty(_MOST_NAMES, np.int64),
    )


@numba.njit(cache=True, nogil=True)
def skip(data: Bytes, at: int, end: int) -> int:
    """The first byte that is no white space."""
    while at < end and data[at] <= 0x20:
        if data[at] not in (0x20, 0x0A, 0x0D, 0x09):
            break
        at += 1
    return at


@numba.njit(cache=True, nogil=True)
def expect(data: Bytes, at: int, end: int, byte: int) -> int:
    """The byte after `byte` and the white space around it."""
    at = skip(data, at, end)
    if at >= end or data[at] != byte:
        return -1
    return skip(data, at + 1, end)


@numba.njit(cache=True, nogil=True)
def is_text(data: Bytes, start: int, end: int, text: Bytes) -> bool:
    """Whether a span holds exactly this text."""
    if end - start != len(text):
        return False
    for i in range(len(text)):  # noqa: SIM110 - numba knows no generators here
        if data[start + i] != text[i]:
            return False
    return True


@numba.njit(cache=True, nogil=True)
def string(data: Bytes, at: int, end: int) -> tuple[int, bool]:  # noqa: PLR0911
    """Read a string; the byte after its closing quote, and whether it has escapes."""
    if at >= end or data[at] != 0x22:
        return -1, False
    at += 1
    escaped = False
    while at < end:
        byte = data[at]
        if byte == 0x22:
            return at + 1, escaped
        if byte < 0x20:
            return -1, False
        if byte == 0x5C:
            escaped = True
            at += 1
            if at >= end:
                return -1, False
            byte = data[at]
            if byte == 0x75:
                for _ in range(4):
                    at += 1
                    if at >= end or not _is_hex(data[at]):
                        return -1, False
            elif byte not in (0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74):
                return -1, False
        at += 1
    return -1, False


@numba.njit(cache=True, nogil=True)
def _is_hex(byte: int) -> bool:
    return (0x30 <= byte <= 0x39) or (0x41 <= byte <= 0x46) or (0x61 <= byte <= 0x66)


@numba.njit(cache=True, nogil=True)
def number(data: Bytes, at: int, end: int) -> tuple[float, int]:
    """A number, and -1 also where it is not exactly ours to read.

    Digits below 2**53 divided by a power of ten up to 10**22 round as they should (Clinger 1990,
    https://doi.org/10.1145/93548.93557).
    """
    negative = at < end and data[at] == 0x2D
    at += negative
    digits, first = np.int64(0), at
    while at < end and 0x30 <= data[at] <= 0x39:
        digits = digits * 10 + (np.int64(data[at]) - 0x30)
        at += 1
    whole = at - first
    if whole == 0 or (whole > 1 and data[first] == 0x30):
        return 0.0, -1
    places = 0
    if at < end and data[at] == 0x2E:
        at += 1
        point = at
        while at < end and 0x30 <= data[at] <= 0x39:
            digits = digits * 10 + (np.int64(data[at]) - 0x30)
            at += 1
        places = at - point
        if places == 0:
            return 0.0, -1
    # 18 digits cannot overflow; those that would are not looked at.
    if whole + places > 18 or digits >= _EXACT or at >= end or data[at] in (0x45, 0x65):
        return 0.0, -1
    value = np.float64(digits)
    if places > 0:
        value /= _POWERS[places]
    return (-value if negative else value), at


@numba.njit(cache=True, nogil=True)
def _spelled(data: Bytes, at: int, end: int) -> int:
    """Pass a number of any size, by the grammar."""
    at += at < end and data[at] == 0x2D
    first = at
    at = _digits(data, at, end)
    if at == first or (at > first + 1 and data[first] == 0x30):
        return -1
    if at < end and data[at] == 0x2E:
        first = at + 1
        at = _digits(data, first, end)
        if at == first:
            return -1
    if at < end and data[at] in (0x45, 0x65):
        at += 1
        at += at < end and data[at] in (0x2B, 0x2D)
        first = at
        at = _digits(data, first, end)
        if at == first:
            return -1
    return at


@numba.njit(cache=True, nogil=True)
def _digits(data: Bytes, at: int, end: int) -> int:
    while at < end and 0x30 <= data[at] <= 0x39:
        at += 1
    return at


@numba.njit(cache=True, nogil=True)
def _word(data: Bytes, at: int, end: int) -> int:
    """Pass `true`, `false` or `null`."""
    size = 5 if data[at] == 0x66 else 4
    if at + size > end:
        return -1
    found = np.uint32(0)
    for i in range(size - 4, size):
        found = (found << np.uint32(8)) | np.uint32(data[at + i])
    if data[at] == 0x74 and found == 0x74727565:
        return at + 4
    if data[at] == 0x6E and found == 0x6E756C6C:
        return at + 4
    if data[at] == 0x66 and found == 0x616C7365:
        return at + 5
    return -1


@numba.njit(cache=True, nogil=True)
def name_hash(data: Bytes, start: int, end: int) -> int:
    """FNV-1a of a span."""
    mix = _BASIS
    for i in range(start, end):
        mix = (mix ^ np.int64(data[i])) * _PRIME
    return int(mix)


@numba.njit(cache=True, nogil=True)
def has_twice(hashes: Counts) -> bool:
    """Whether a number occurs twice; may put them in another order."""
    if len(hashes) > _FEW_NAMES:
        hashes.sort()
        return bool(np.any(hashes[1:] == hashes[:-1]))
    for i in range(1, len(hashes)):
        for j in range(i):
            if hashes[i] == hashes[j]:
                return True
    return False


@numba.njit(cache=True, nogil=True)
def put(data: Bytes, start: int, end: int, out: Bytes, to: int) -> int:
    """Copy a span to `out`; the place behind it there."""
    for i in range(start, end):
        out[to] = data[i]
        to += 1
    return to


@numba.njit(cache=True, nogil=True)
def copy(  # noqa: PLR0911, PLR0912 - one state machine
    text: Text, at: int, out: Bytes, to: int, stack: Stack
) -> tuple[int, int]:
    """Copy a value without the white space in it; the places behind it here and in `out`.

    An object that has a name twice is not sound, nor is anything too deep.
    """
    data, end = text
    closing, bases, hashes = stack
    depth, top = 0, 0
    at = skip(data, at, end)
    while True:
        if at >= end:
            return -1, to
        byte = data[at]
        opened = False
        if byte == 0x22:
            after, _ = string(data, at, end)
        elif byte in (0x7B, 0x5B):
            depth += 1
            if depth > DEEPEST:
                return -1, to
            closing[depth], bases[depth] = byte + 2, top
            after, opened = at + 1, True
        elif byte in (0x74, 0x66, 0x6E):
            after = _word(data, at, end)
        else:
            after = _spelled(data, at, end)
        if after < 0:
            return -1, to
        to = put(data, at, after, out, to)
        at = after
        # What follows a value, or an opening bracket.
        while True:
            if depth == 0:
                return at, to
            at = skip(data, at, end)
            if at >= end:
                return -1, to
            if data[at] == closing[depth]:
                if closing[depth] == 0x7D and has_twice(hashes[bases[depth] : top]):
                    return -1, to
                top = bases[depth]
                depth -= 1
                out[to] = data[at]
                at, to, opened = at + 1, to + 1, False
                continue
            if not opened:
                if data[at] != 0x2C:
                    return -1, to
                out[to] = 0x2C
                at, to = skip(data, at + 1, end), to + 1
            break
        if closing[depth] == 0x7D:
            after, _ = string(data, at, end)
            if after < 0:
                return -1, to
            if top == len(hashes):
                return -1, to
            hashes[top] = name_hash(data, at, after)
            top += 1
            to = put(data, at, after, out, to)
            at = expect(data, after, end, 0x3A)
            if at < 0:
                return -1, to
            out[to] = 0x3A
            to += 1
