"""Being wrong and staying wrong: annotations that no one revisited after the guideline changed."""

from __future__ import annotations

import datetime

import numpy as np

from curatome.phantom.faults.tables import Draft, Fault, picked


def stale(
    draft: Draft,
    strength: float,
    rng: np.random.Generator,
    *,
    version: str = "1.0",
    before: datetime.timedelta = datetime.timedelta(days=365),
) -> Draft:
    """Annotations date from an earlier time and an earlier version.

    Args:
        draft: the tables.
        strength: share of the annotations.
        rng: decides which.
        version: the earlier version.
        before: by how much earlier they were made.
    """
    held = draft.tables.annotations
    rows = picked(rng, held.num_rows, strength)
    times = [None if t is None else t - before for t in held["time"].take(rows).to_pylist()]
    return draft.change("annotations", rows, {"guideline": [version] * len(rows), "time": times})


FAULTS = (
    Fault(
        "stale_guideline",
        "guideline",
        "share of the annotations made under the version before the present one",
        stale,
    ),
)
