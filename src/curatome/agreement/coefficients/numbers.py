"""Labels that are numbers, and reads of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from curatome.agreement.intervals import Floats
from curatome.agreement.ratings import Ratings
from curatome.errors import TableError


def label_values(labels: Sequence[str], values: Sequence[float] | None = None) -> Floats:
    """(K,) what each label stands for.

    Args:
        labels: names, which are read as numbers if no values are given.
        values: (K,) of the labels in their order.

    Raises:
        TableError: a label is no number, or there is not one value for each.
    """
    if values is not None:
        if len(values) != len(labels):
            raise TableError(f"{len(values)} values for {len(labels)} labels. Give one per label.")
        return np.asarray(values, np.float64)
    try:
        return np.array([float(one) for one in labels], np.float64)
    except ValueError as error:
        raise TableError(
            f"labels {', '.join(labels)} are not all numbers. Give `values`, what each stands for."
        ) from error


def reads(ratings: Ratings, values: Sequence[float] | None = None) -> Floats:
    """(N, R) the numbers that readers gave; NaN where one did not judge.

    Raises:
        TableError: as of `label_values`.
    """
    at = np.append(label_values(ratings.labels, values), np.nan)
    return at[ratings.codes]
