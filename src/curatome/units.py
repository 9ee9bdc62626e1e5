"""Lengths and scales as types of their own.

A coordinate is in level-0 pixels, origin top-left, unless its name or its type says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NewType

Micrometers = NewType("Micrometers", float)
Level0 = NewType("Level0", float)
"""A coordinate or a length in pixels of the slide's finest level."""

MppSource = Literal["file", "table", "user"]


@dataclass(frozen=True)
class Mpp:
    """Micrometers per pixel along both axes, and who said so.

    Attributes:
        x: µm per pixel from left to right.
        y: µm per pixel from top to bottom.
        source: the slide's own file, the table of slides, or a person (`curatome slides set-mpp`).
    """

    x: float
    y: float
    source: MppSource = "file"

    @property
    def anisotropy(self) -> float:
        """How far the two axes lie apart, as a fraction of the smaller one."""
        return max(self.x, self.y) / min(self.x, self.y) - 1.0

    def __str__(self) -> str:
        """For example `0.2525 µm/px (file)`."""
        value = f"{self.x:.4g}" if self.x == self.y else f"{self.x:.4g} × {self.y:.4g}"
        return f"{value} µm/px ({self.source})"
