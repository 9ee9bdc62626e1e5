"""Ratings from rows of labels, and the published tables that several tests use."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curatome.agreement.ratings import MISSING, Ratings


def made(rows, labels, cases=None):
    """Rows of labels, None where missing."""
    codes = np.array(
        [[MISSING if one is None else labels.index(one) for one in row] for row in rows], np.int16
    )
    return Ratings(
        codes,
        pa.array(range(len(codes))),
        tuple(f"R{k + 1}" for k in range(codes.shape[1])),
        tuple(str(one) for one in labels),
        np.arange(len(codes)) if cases is None else np.asarray(cases),
    )


def random(seed, items=60, readers=4, labels=4, missing=0.2):
    """Labels around a hidden one, some missing, ten items a case."""
    rng = np.random.default_rng(seed)
    hidden = rng.integers(0, labels, items)[:, None]
    codes = np.where(
        rng.random((items, readers)) < 0.6, hidden, rng.integers(0, labels, (items, readers))
    ).astype(np.int16)
    codes[rng.random((items, readers)) < missing] = MISSING
    return Ratings(
        codes,
        pa.array(range(items)),
        tuple(f"R{k + 1}" for k in range(readers)),
        tuple(str(k + 1) for k in range(labels)),
        np.arange(items) // 10,
    )


def constant(readers=3):
    """Everybody says the same of everything."""
    return made([["1"] * readers] * 8, ["1", "2"])


def apart(readers=3):
    """No item was judged by two readers."""
    rows = [[None] * readers for _ in range(6)]
    for at, row in enumerate(rows):
        row[at % readers] = ("1", "2")[at % 2]
    return made(rows, ["1", "2"])


# Krippendorff 2011, page 1 to 7: four observers, twelve units. Gwet's raw_4raters (irrCAC) is the
# same table.
_ROWS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)
KRIPPENDORFF = made(list(zip(*_ROWS, strict=True)), [1, 2, 3, 4, 5])

# Gwet's raw_5observers (Handbook of Inter-Rater Reliability, 4th edition): 15 units, 0 to 3.
_OBSERVERS = (
    (1, 1, 2, None, 0, 0, 1, 1, 2, 2, None, 0, 1, 3, 1),
    (1, 1, 3, 0, 0, 0, 0, None, 2, 1, 1, 0, 2, 3, 1),
    (2, 0, 3, 0, 0, 0, 2, 2, 2, 1, 0, 0, 2, 2, 1),
    (None, 1, 3, None, None, None, None, 0, None, 1, 0, 0, 2, 2, None),
    (2, None, None, 0, 0, 0, 1, None, 2, None, None, None, None, 3, 1),
)
OBSERVERS = made(list(zip(*_OBSERVERS, strict=True)), [0, 1, 2, 3])

# Fleiss 1971, table 1: 30 patients, six psychiatrists; depression, personality disorder,
# schizophrenia, neurosis, other.
FLEISS = np.array(
    [
        [0, 0, 0, 6, 0], [0, 3, 0, 0, 3], [0, 1, 4, 0, 1], [0, 0, 0, 0, 6], [0, 3, 0, 3, 0],
        [2, 0, 4, 0, 0], [0, 0, 4, 0, 2], [2, 0, 3, 1, 0], [2, 0, 0, 4, 0], [0, 0, 0, 0, 6],
        [1, 0, 0, 5, 0], [1, 1, 0, 4, 0], [0, 3, 3, 0, 0], [1, 0, 0, 5, 0], [0, 2, 0, 3, 1],
        [0, 0, 5, 0, 1], [3, 0, 0, 1, 2], [5, 1, 0, 0, 0], [0, 2, 0, 4, 0], [1, 0, 2, 0, 3],
        [0, 0, 0, 0, 6], [0, 1, 0, 5, 0], [0, 2, 0, 1, 3], [2, 0, 0, 4, 0], [1, 0, 0, 4, 1],
        [0, 5, 0, 1, 0], [4, 0, 0, 0, 2], [0, 2, 0, 4, 0], [1, 0, 5, 0, 0], [0, 0, 0, 0, 6],
    ]
)  # fmt: skip


def from_counts(counts):
    """Readers' labels in any order that give these counts of labels per item."""
    labels = list(range(counts.shape[1]))
    return made([np.repeat(labels, row).tolist() for row in counts], labels)
