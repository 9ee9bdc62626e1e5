"""Where the picture of a rule lies: a case that fails beside one that passes."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

FOLDER = Path(str(resources.files("curatome.rules"))) / "pictures"
"""Drawn by `make docs-pictures`, and part of the package."""


def picture_of(code: str) -> Path | None:
    """The picture of a rule as PNG, 720 px wide or a multiple of that; None where it has none."""
    path = FOLDER / f"{code}.png"
    return path if path.is_file() else None
