"""DRF: what was annotated under another guideline, or differently over time."""

from __future__ import annotations

from curatome.rules.drift.guideline import MIXED, OLD_NAME, STALE
from curatome.rules.drift.habits import MIX, SIZE

RULES = (STALE, OLD_NAME, MIX, SIZE, MIXED)
