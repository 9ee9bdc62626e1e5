"""The latent class model: a hidden truth, and readers who see it through confusion matrices.

    P(codes of an item) = Σ_k prior[k] Π_r confusion[r, k, code[r]]

The product is over readers who judged the item, who err independently given the truth. Fitted by
expectation and maximization (EM; Dempster, Laird & Rubin 1977, 10.1111/j.2517-6161.1977.tb01600.x).
Dawid–Skene and STAPLE differ in where they start and in what they know about the prior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from curatome.agreement.ratings import Codes

Floats = npt.NDArray[np.float64]

FLOOR = 1e-10
"""An expected count below this is this, so that every logarithm is finite."""


@dataclass(frozen=True, eq=False)
class Data:
    """What is fitted to.

    Attributes:
        codes: (P, R) int16, patterns of codes, below 0 where a reader did not judge.
        counts: (P,) how often each occurs; need not be whole.
        people: (R,) int64, the reader of each column; repeat reads of one share a matrix.
    """

    codes: Codes
    counts: Floats
    people: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Parameters:
    """What is estimated.

    Attributes:
        prior: (K,) share of each true class.
        confusion: (R, K, K), for each reader and true class the share of each label given.
    """

    prior: Floats
    confusion: Floats


@dataclass(frozen=True)
class Stopping:
    """When EM ends: at a gain below `tolerance` per item, or after some iterations."""

    tolerance: float = 1e-9
    iterations: int = 2000


@dataclass(frozen=True, eq=False)
class Fit:
    """What EM ends with.

    Attributes:
        parameters: of the last maximization.
        posterior: (P, K) of each pattern, from the last expectation.
        log_likelihood: of the data at each iteration, natural logarithm.
        converged: whether it ended by its tolerance.
    """

    parameters: Parameters
    posterior: Floats
    log_likelihood: tuple[float, ...]
    converged: bool


def fit(
    data: Data,
    start: Parameters,
    stopping: Stopping,
    *,
    smoothing: float = 0.0,
    fixed_prior: bool = False,
) -> Fit:
    """Iterate expectation and maximization.

    Args:
        data: what is fitted to.
        start: parameters of the first expectation.
        stopping: when to end.
        smoothing: imagined items for each cell of each matrix, that is, a Dirichlet prior with
            1 + smoothing; the posterior's mode is found instead of the maximum likelihood.
        fixed_prior: keep the classes' shares as they are at the start.
    """
    prior = np.maximum(start.prior, FLOOR)
    errors = np.ascontiguousarray(start.confusion.transpose(0, 2, 1))
    posterior = np.empty((len(data.codes), len(prior)))
    history = np.empty(stopping.iterations)
    least = stopping.tolerance * data.counts.sum()
    done, converged = _iterate(
        (data.codes, data.counts, data.people),
        (prior, errors, posterior),
        history,
        (least, smoothing, fixed_prior),
    )
    found = Parameters(prior, errors.transpose(0, 2, 1))
    return Fit(found, posterior, tuple(history[:done].tolist()), converged)


def maximize(data: Data, posterior: Floats, smoothing: float = 0.0) -> Parameters:
    """Parameters that fit best to posteriors (P, K) of the patterns."""
    classes = posterior.shape[1]
    expected = np.zeros((int(data.people.max()) + 1, classes, classes))
    _count((data.codes, data.counts, data.people), posterior, expected)
    expected = np.maximum(expected.transpose(0, 2, 1) + smoothing, FLOOR)
    prior = data.counts @ posterior
    return Parameters(prior / prior.sum(), expected / expected.sum(axis=2, keepdims=True))


@numba.njit(cache=True, nogil=True)
def _iterate(
    data: tuple[Codes, Floats, npt.NDArray[np.int64]],
    state: tuple[Floats, Floats, Floats],
    history: Floats,
    settings: tuple[float, float, bool],
) -> tuple[int, bool]:  # pragma: no cover - compiled
    # `errors` is (reader, label given, true class), so that inner loops are over neighbors.
    prior, errors, posterior = state
    least, smoothing, fixed_prior = settings
    last = -np.inf
    for step in range(len(history)):
        logs = np.log(errors)
        history[step] = _expect(data, np.log(np.maximum(prior, FLOOR)), logs, posterior)
        goal = history[step] + smoothing * logs.sum()
        _count(data, posterior, errors)
        for r in range(errors.shape[0]):
            for k in range(errors.shape[2]):
                row = errors[r, :, k]
                row[:] = np.maximum(row + smoothing, FLOOR)
                row /= row.sum()
        if not fixed_prior:
            prior[:] = 0
            for i in range(len(posterior)):
                prior += data[1][i] * posterior[i]
            prior /= prior.sum()
        if goal - last < least:
            return step + 1, True
        last = goal
    return len(history), False


@numba.njit(cache=True, nogil=True)
def _expect(
    data: tuple[Codes, Floats, npt.NDArray[np.int64]],
    prior: Floats,
    errors: Floats,
    posterior: Floats,
) -> float:  # pragma: no cover - compiled
    """Fill the posterior from logarithms; return the log-likelihood."""
    codes, counts, people = data
    patterns, readers = codes.shape
    classes = len(prior)
    likelihood = 0.0
    for i in range(patterns):
        row = posterior[i]
        row[:] = prior
        for r in range(readers):
            if codes[i, r] >= 0:
                seen = errors[people[r], codes[i, r]]
                for k in range(classes):
                    row[k] += seen[k]
        top = row.max()
        total = 0.0
        for k in range(classes):
            row[k] = np.exp(row[k] - top)
            total += row[k]
        for k in range(classes):
            row[k] /= total
        likelihood += counts[i] * (top + np.log(total))
    return likelihood


@numba.njit(cache=True, nogil=True)
def _count(
    data: tuple[Codes, Floats, npt.NDArray[np.int64]], posterior: Floats, expected: Floats
) -> None:  # pragma: no cover - compiled
    """Fill how often each reader is expected to have given each label to each true class."""
    codes, counts, people = data
    expected[:] = 0
    patterns, readers = codes.shape
    for i in range(patterns):
        for r in range(readers):
            if codes[i, r] >= 0:
                cell = expected[people[r], codes[i, r]]
                for k in range(posterior.shape[1]):
                    cell[k] += counts[i] * posterior[i, k]
