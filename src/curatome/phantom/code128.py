"""Code 128, set B (ISO/IEC 15417): the bars that laboratories print on slide labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_WIDTHS = (
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 "
    "122132 122231 113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 "
    "321221 312212 322112 322211 212123 212321 232121 111323 131123 131321 112313 132113 132311 "
    "211313 231113 231311 112133 112331 132131 113123 113321 133121 313121 211331 231131 213113 "
    "213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 111422 "
    "121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 "
    "241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 "
    "412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412 "
    "211214 211232"
)
"""Widths of bar, space, bar, space, bar, space of each symbol, in modules."""
_START_B, _STOP, _CHECK = 104, "2331112", 103


def code128(text: str) -> NDArray[np.bool_]:
    """The modules of a text, True for a bar, without the quiet zones of ten modules at each side.

    Raises:
        ValueError: a character is not printable ASCII.
    """
    values = [ord(letter) - 32 for letter in text]
    if not text or any(not 0 <= value < 95 for value in values):
        raise ValueError(f"a barcode of set B must be printable ASCII. Got {text!r}.")
    check = (_START_B + sum(n * value for n, value in enumerate(values, start=1))) % _CHECK
    symbols = _WIDTHS.split()
    widths = "".join(symbols[v] for v in (_START_B, *values, check)) + _STOP
    bars = np.arange(len(widths)) % 2 == 0
    return np.repeat(bars, [int(width) for width in widths])
