"""Numbers and lengths as a reader wants to see them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ScaleBar:
    """A bar of a round length: its share of the picture's width, and its label."""

    share: float
    label: str


def count(number: int) -> str:
    """A whole number with its thousands set apart: `12,345`."""
    return f"{number:,}"


def percent(fraction: float) -> str:
    """A fraction as `74 %`."""
    return f"{100 * fraction:.3g} %" if 0 < fraction < 0.01 else f"{100 * fraction:.0f} %"


def plural(number: int, one: str, many: str = "") -> str:
    """`1 slide`, `1,200 slides`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def area(mm2: float | None) -> str:
    """An area in mm², with about three digits."""
    if mm2 is None or not math.isfinite(mm2):
        return "unknown"
    if mm2 >= 100:
        return f"{mm2:,.0f} mm²"
    return f"{mm2:.3g} mm²"


def length(um: float) -> str:
    """A length in µm, or in mm from 1,000 µm on."""
    return f"{um / 1000:g} mm" if um >= 1000 else f"{um:g} µm"


def scale_bar(width_um: float | None, most: float = 0.3) -> ScaleBar | None:
    """The longest bar of 1, 2 or 5 times a power of ten that fits.

    Args:
        width_um: width of the picture in µm; None, or not positive, gives no bar.
        most: the share of the width that the bar may take.
    """
    if width_um is None or not math.isfinite(width_um) or width_um <= 0:
        return None
    room = width_um * most
    power = 10.0 ** math.floor(math.log10(room))
    step = next(s for s in (5, 2, 1) if s * power <= room * (1 + 1e-9))
    return ScaleBar(share=step * power / width_um, label=length(step * power))
