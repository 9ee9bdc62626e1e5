"""What every rule promises: one table of planted faults, used by tests and benchmarks.

A promise is of one rule and one fault, planted in phantom cohorts at graded strengths. Where a
finding is about the whole dataset, every second cohort is left clean, so that false alarms count.
"""

from __future__ import annotations

from tests.rules.promised import balance, drift, outlines, reads, shapes, splits, syntax
from tests.rules.promised.trial import Promise, Score, Trial, findings, given, score

PROMISES: tuple[Promise, ...] = (
    *shapes.PROMISES,
    *syntax.PROMISES,
    *balance.PROMISES,
    *outlines.PROMISES,
    *drift.PROMISES,
    *reads.PROMISES,
    *splits.PROMISES,
)

__all__ = ["PROMISES", "Promise", "Score", "Trial", "findings", "given", "score"]
