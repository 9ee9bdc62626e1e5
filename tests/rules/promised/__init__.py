"""What every rule promises: one table of planted faults, used by tests and benchmarks.

A promise is of one rule and one fault, planted in phantom cohorts at graded strengths. Where a
finding is about the whole dataset, every second cohort is left clean, so that false alarms count.
"""

from __future__ import annotations

from curatome.rules.registry import all_rules
from tests.rules.promised import balance, drift, outlines, reads, shapes, splits, syntax
from tests.rules.promised.trial import Promise, Score, Trial, findings, given, score

_MODULES = (shapes, syntax, outlines, balance, drift, reads, splits)
_EVERY = [one for module in _MODULES for one in module.PROMISES]
_ORDER = [rule.code for rule in all_rules()]

PROMISES: tuple[Promise, ...] = tuple(sorted(_EVERY, key=lambda one: _ORDER.index(one.code)))

__all__ = ["PROMISES", "Promise", "Score", "Trial", "findings", "given", "score"]
