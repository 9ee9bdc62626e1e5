"""Logistic regression with a ridge, on features and their squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, log1p

Floats = npt.NDArray[np.float64]
Table = npt.NDArray[np.float32] | Floats
_FURTHEST = 5.0
"""Standardized features are cut off here, so that none can decide alone."""


@dataclass(frozen=True, eq=False)
class Logistic:
    """A fitted model.

    Attributes:
        mean: (F,) of the features.
        deviation: (F,) standard deviation of the features.
        weights: (2F + 1,) of features, their squares, and 1.
    """

    mean: Floats
    deviation: Floats
    weights: Floats

    def probability(self, features: Table) -> Floats:
        """(N,) probabilities of (N, F) features."""
        out: Floats = expit(_expanded(features, self.mean, self.deviation) @ self.weights)
        return out


def fit_logistic(features: Table, positive: npt.ArrayLike, ridge: float = 3.0) -> Logistic:
    """Fit by penalized maximum likelihood (le Cessie & van Houwelingen 1992, 10.2307/2347628).

    Own code of a few lines, because scikit-learn is no dependency of Curatome.

    Args:
        features: (N, F).
        positive: (N,) true or false.
        ridge: penalty on half the squared weights of standardized features.

    Raises:
        ValueError: all are positive, or none is.
    """
    y = np.asarray(positive, np.float64)
    if y.min(initial=1) == y.max(initial=0):
        raise ValueError("a classifier needs examples of both kinds.")
    mean = features.mean(axis=0, dtype=np.float64)
    deviation = np.maximum(features.std(axis=0, dtype=np.float64), 1e-6)
    x = _expanded(features, mean, deviation)
    penalty = np.full(x.shape[1], ridge)
    penalty[-1] = 0.0

    def loss(weights: Floats) -> tuple[float, Floats]:
        margin = x @ weights
        # log(1 + exp(margin)) - y margin, without overflow.
        value = np.maximum(margin, 0) + log1p(np.exp(-np.abs(margin))) - y * margin
        slope = x.T @ (expit(margin) - y) + penalty * weights
        return float(value.sum() + (penalty * weights**2).sum() / 2), slope

    def curvature(weights: Floats) -> Floats:
        share = expit(x @ weights)
        out: Floats = x.T @ (x * (share * (1 - share))[:, None]) + np.diag(penalty)
        return out

    start = np.zeros(x.shape[1])
    start[-1] = np.log(y.mean() / (1 - y.mean()))
    found = minimize(loss, start, jac=True, hess=curvature, method="trust-exact")
    return Logistic(mean, deviation, np.asarray(found.x, np.float64))


def _expanded(features: Table, mean: Floats, deviation: Floats) -> Floats:
    standard = np.clip((features - mean) / deviation, -_FURTHEST, _FURTHEST)
    return np.concatenate([standard, standard**2, np.ones((len(standard), 1))], axis=1)
