"""ACQ: slides that cannot be trusted."""

from __future__ import annotations

from curatome.rules.acquisition.content import RULES as CONTENT
from curatome.rules.acquisition.scale import RULES as SCALE
from curatome.rules.acquisition.standing import RULES as STANDING

RULES = (*STANDING, *SCALE, *CONTENT)
