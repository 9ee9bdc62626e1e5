"""Ratings with a known truth and known confusion matrices."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curatome.agreement.ratings import MISSING, Ratings


def ratings_of(codes, labels="abcdefgh", cases=None):
    """Ratings of a plain array of codes, -1 for missing."""
    codes = np.asarray(codes, np.int16)
    count, readers = codes.shape
    names = tuple(f"r{k + 1}" for k in range(readers))
    known = tuple(labels[: max(2, int(codes.max()) + 1)])
    items = pa.array([f"i{k}" for k in range(count)])
    return Ratings(codes, items, names, known, np.arange(count) if cases is None else cases)


def diagonal(classes, right, readers):
    """(R, K, K): each wrong label as often."""
    out = np.full((readers, classes, classes), (1 - right) / (classes - 1))
    out[:, np.arange(classes), np.arange(classes)] = right
    return out


def judged(truth, confusion, seed, missing=0.0):
    """(N, R) codes that readers with these matrices give independently."""
    rng = np.random.default_rng(seed)
    draws = rng.random((len(truth), len(confusion)))
    steps = np.cumsum(confusion, axis=2)[:, truth].transpose(1, 0, 2)
    codes = (draws[..., None] > steps).sum(axis=2).clip(max=confusion.shape[1] - 1)
    codes[rng.random(codes.shape) < missing] = MISSING
    return codes.astype(np.int16)
