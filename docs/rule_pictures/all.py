"""Every picture by the code of its rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from docs.rule_pictures import (
    balance,
    clean,
    coordinates,
    drift,
    objects,
    painted,
    regions,
    splits,
    syntax,
    vocabulary,
    whole,
)
from docs.rule_pictures.panel import Pair

FOLDER = Path(__file__).parents[2] / "src" / "curatome" / "rules" / "pictures"
_MODULES = (
    syntax,
    coordinates,
    vocabulary,
    clean,
    regions,
    objects,
    balance,
    drift,
    painted,
    whole,
    splits,
)
PICTURES: Mapping[str, Callable[[], Pair]] = {
    code: draw for module in _MODULES for code, draw in sorted(module.PICTURES.items())
}
