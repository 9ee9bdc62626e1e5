"""Bounds on what chance may do: tests of planted numbers share them."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import norm


def bound(count, level=0.01):
    """How many standard errors the largest of `count` deviations may reach (Bonferroni)."""
    return norm.isf(level / (2 * count))


def share_z(hits, planted):
    """Standard errors between the share of `hits` (N,) and the planted share."""
    return (np.mean(hits) - planted) / np.sqrt(planted * (1 - planted) / len(hits))


def log_odds_ratio(a, b):
    """Of two yes-no columns: log odds ratio and its standard error (Woolf)."""
    cells = np.array([[np.sum((a == i) & (b == j)) for j in (0, 1)] for i in (0, 1)], float)
    value = np.log(cells[0, 0] * cells[1, 1] / (cells[0, 1] * cells[1, 0]))
    return value, np.sqrt((1 / cells).sum())


def logistic(columns, hit):
    """Coefficients of a logistic regression (maximum likelihood) and their standard errors."""
    design = np.stack(columns, axis=1)

    def loss(b):
        eta = design @ b
        return np.logaddexp(0, eta).sum() - eta[hit].sum()

    def slope(b):
        return design.T @ (expit(design @ b) - hit)

    def bend(b):
        p = expit(design @ b)
        return (design * (p * (1 - p))[:, None]).T @ design

    best = minimize(loss, np.zeros(design.shape[1]), jac=slope, hess=bend, method="trust-exact")
    assert np.abs(slope(best.x)).max() < 1e-3 * len(hit)
    return best.x, np.sqrt(np.diag(np.linalg.inv(bend(best.x))))
