"""Ridge-penalized logistic regression against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.agreement.candidates import fit_logistic


def made(seed=1, count=600):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 3)) * (1, 5, 0.2) + (0, 10, 3)
    score = x[:, 0] + 0.5 * (x[:, 1] - 10) - 1.5 * x[:, 0] ** 2
    return x, rng.random(count) < 1 / (1 + np.exp(-score))


def test_equals_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model")
    x, y = made()
    own = fit_logistic(x, y, ridge=2.0)
    standard = np.clip((x - x.mean(axis=0)) / x.std(axis=0), -5, 5)
    expanded = np.concatenate([standard, standard**2], axis=1)
    other = linear.LogisticRegression(C=0.5, tol=1e-10, max_iter=5000).fit(expanded, y)
    np.testing.assert_allclose(own.weights[:-1], other.coef_[0], atol=1e-3)
    assert own.weights[-1] == pytest.approx(other.intercept_[0], abs=1e-3)
    np.testing.assert_allclose(own.probability(x), other.predict_proba(expanded)[:, 1], atol=1e-4)


def test_a_squared_feature_is_used():
    x, y = made()
    found = fit_logistic(x, y)
    assert found.weights[3] < -0.5


def test_one_kind_alone_is_refused():
    with pytest.raises(ValueError, match="both kinds"):
        fit_logistic(np.zeros((3, 2)), [True, True, True])
