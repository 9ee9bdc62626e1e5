"""Drift: whether a reader's habits change with time, or with a version of the guideline.

    annotations in time ── quantities (class mix, size, tightness, agreement) → numbers per object
        │
        └─ follow → Series (sums of cases, in order of time)
               ├─ control_chart → table: values per period, limits, EWMA, run rules
               ├─ change_points → table: when, by how much, p-value from permuting cases
               └─ trend, before_after → measures

A chart is for looking at; whether there is drift is decided by the permutation test, whose rate
of false alarms is what it says however few or unequal the cases are.
"""

from curatome.agreement.drift.changes import CHANGES, change_points, holm, stability
from curatome.agreement.drift.charts import CONTROL_CHART, control_chart
from curatome.agreement.drift.effects import before_after, trend
from curatome.agreement.drift.series import Series, follow, quantities
from curatome.agreement.drift.watch import Watched, watch

__all__ = [
    "CHANGES",
    "CONTROL_CHART",
    "Series",
    "Watched",
    "before_after",
    "change_points",
    "control_chart",
    "follow",
    "holm",
    "quantities",
    "stability",
    "trend",
    "watch",
]
