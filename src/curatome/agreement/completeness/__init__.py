"""Completeness: how many objects did everybody miss?

    captures (who found which real object) ─┬─ two reads: Chapman, mid-p interval
                                            ├─ more: log-linear models, or Chao's lower bound
                                            └─ completeness → measures of all, readers, classes
    fields looked at, area of tissue ── screening → measures

A model's candidates are one more reader. Readers who overlook the same hard objects depend on
each other, and two reads cannot show it: completeness looks too good. A third reader who is not
led by what is hard for people shows it (log-linear), or stands alone against all others
(`Captures.pooled`, then Chapman).
"""

from curatome.agreement.completeness.captures import Captures, captures, captures_of
from curatome.agreement.completeness.measures import completeness, missed
from curatome.agreement.completeness.missed import Missed
from curatome.agreement.completeness.screening import screening

__all__ = [
    "Captures",
    "Missed",
    "captures",
    "captures_of",
    "completeness",
    "missed",
    "screening",
]
