"""Run lengths of masks, as COCO and Label Studio write them.

COCO: `counts` of pixels off, on, off, … down the columns, as numbers or packed into text
(https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c, `rleToString`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

_SIZES = (3, 4, 8, 16)
"""Bits of the run lengths of rle-pack, as Label Studio writes them."""
_MOST = 1 << 31


def mask_of(counts: Sequence[int] | str, size: Sequence[int]) -> Mask:
    """The mask of COCO's run lengths.

    Args:
        counts: numbers, or the packed text.
        size: height and width, px.

    Returns:
        (H, W) bool.

    Raises:
        ValueError: they do not fill the size.
    """
    runs = np.asarray(_unpacked(counts) if isinstance(counts, str) else counts, np.int64)
    height, width = int(size[0]), int(size[1])
    if len(runs) and runs.min() < 0:
        raise ValueError("a run length is negative")
    if runs.sum() != height * width:
        raise ValueError(f"run lengths add up to {runs.sum()}, not {height} × {width}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def packed(mask: Mask) -> str:
    """A mask as COCO's packed text.

    Args:
        mask: (H, W) bool.
    """
    flat = np.concatenate([[False], mask.T.ravel(), [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()
    if counts and counts[-1] == 0:
        counts.pop()
    found = []
    for at, count in enumerate(counts):
        rest = count - counts[at - 2] if at > 2 else count
        more = True
        while more:
            bits, rest = rest & 0x1F, rest >> 5
            more = rest != -1 if bits & 0x10 else rest != 0
            found.append(chr((bits | 0x20 if more else bits) + 48))
    return "".join(found)


def _unpacked(text: str) -> list[int]:
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64:
            raise ValueError(f'"{letter}" cannot be in packed run lengths')
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("packed run lengths end too early")
    return counts


def unpacked_bytes(packed: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Values of `@thi.ng/rle-pack` with words of 8 bits.

    https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack

    Raises:
        ValueError: they are of another word size, or end too early.
    """
    bits = np.unpackbits(np.asarray(packed, np.uint8))
    at = 0

    def take(count: int) -> int:
        nonlocal at
        if at + count > len(bits):
            raise ValueError("the brush's run lengths end too early")
        value = int("".join(map(str, bits[at : at + count])), 2)
        at += count
        return value

    total, word = take(32), take(5) + 1
    if word != 8:
        raise ValueError(f"the brush has words of {word} bits, not 8")
    if total > _MOST:
        raise ValueError(f"the brush would have {total} values")
    sizes = [take(4) + 1 for _ in range(4)]
    found, filled = np.zeros(total, np.uint8), 0
    while filled < total:
        same = take(1)
        count = take(sizes[take(2)]) + 1
        if same:
            found[filled : filled + count] = take(8)
        else:
            run = [take(8) for _ in range(count)]
            found[filled : filled + count] = run[: total - filled]
        filled += count
    return found


def packed_bytes(values: npt.NDArray[np.uint8]) -> list[int]:
    """The inverse of `unpacked_bytes`.

    Args:
        values: (N,) uint8.
    """
    words = [f"{len(values):032b}", f"{7:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    edges = np.flatnonzero(np.diff(values)) + 1
    for start, end in zip([0, *edges.tolist()], [*edges.tolist(), len(values)], strict=True):
        at = start
        while at < end:
            count = min(end - at, 1 << _SIZES[-1])
            size = next(k for k, one in enumerate(_SIZES) if count <= 1 << one)
            words.append(f"1{size:02b}{count - 1:0{_SIZES[size]}b}{values[start]:08b}")
            at += count
    bits = np.frombuffer("".join(words).encode(), np.uint8) - ord("0")
    packed_values: list[int] = np.packbits(bits).tolist()
    return packed_values
