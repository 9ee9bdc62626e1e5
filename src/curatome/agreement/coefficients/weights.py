"""How much two labels that differ still agree: (K, K), 1 on the diagonal, labels in their order.

Linear and quadratic: Cohen, 10.1037/h0026256, and Fleiss & Cohen, 10.1177/001316447303300309;
ordinal: Gwet, Handbook of Inter-Rater Reliability, 4th edition, 2014, chapter 3.
"""

from __future__ import annotations

import numpy as np

from curatome.agreement.intervals import Floats
from curatome.errors import TableError

KINDS = ("identity", "linear", "quadratic", "ordinal")


def weights(kind: str, labels: int) -> Floats:
    """The agreement of each label with each.

    Args:
        kind: of `KINDS`; `identity` takes labels as names only.
        labels: how many there are.

    Raises:
        TableError: there is no such kind.
    """
    if kind not in KINDS:
        raise TableError(f'weights "{kind}" are none of {", ".join(KINDS)}.')
    if kind == "identity" or labels < 2:
        return np.eye(labels)
    at = np.arange(labels)
    steps = np.abs(at[:, None] - at)
    apart = {"linear": steps, "quadratic": steps**2, "ordinal": steps * (steps + 1) // 2}[kind]
    found: Floats = 1.0 - apart / apart.max()
    return found
