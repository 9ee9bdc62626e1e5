"""Dawid–Skene: the truth and every reader's confusion matrix at once, without a reference.

Dawid & Skene 1979, 10.2307/2346806: the latent class model of `latent`, begun at the share of the
votes, with the shares of the classes estimated too. It assumes that readers err independently
given the true class, and that they are right more often than by chance: it starts from their
votes, and a majority that errs alike becomes the truth. Readers who judge few items of a class
have matrices that mean little; smoothing helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curatome.agreement.consensus.latent import Data, Floats, Stopping, fit, maximize
from curatome.agreement.consensus.patterns import Patterns, find_patterns
from curatome.agreement.consensus.ties import TieRule, decide
from curatome.agreement.consensus.verdict import Verdict
from curatome.agreement.ratings import Ratings
from curatome.errors import ProtocolError, TableError


@dataclass(frozen=True, eq=False)
class DawidSkene:
    """The fitted model.

    Attributes:
        ratings: what it was fitted to.
        posterior: (N, K) probability of each label being the truth of each item; where nobody
            judged, the shares of the classes.
        marginals: (K,) share of each true class.
        people: (P,) names of the readers that have a matrix.
        owners: (R,) which of them each column of the ratings belongs to.
        confusion: (P, K, K), for each reader and true class the share of each label given.
        log_likelihood: of the ratings at each iteration, natural logarithm.
        converged: whether it ended by its tolerance, not by the number of iterations.
        smoothing: imagined items for each cell of each matrix.
    """

    ratings: Ratings
    posterior: Floats
    marginals: Floats
    people: tuple[str, ...]
    owners: npt.NDArray[np.int64]
    confusion: Floats
    log_likelihood: tuple[float, ...]
    converged: bool
    smoothing: float

    @property
    def skill(self) -> dict[str, float]:
        """For each reader the probability of the right label, over the estimated classes."""
        right = np.einsum("k,rkk->r", self.marginals, self.confusion)
        return dict(zip(self.people, right.tolist(), strict=True))

    def verdict(self) -> Verdict:
        """The most probable label of each item that somebody judged."""
        judged = (self.ratings.codes >= 0).any(axis=1, keepdims=True)
        scores = np.where(judged, self.posterior, 0.0)
        return decide(self.ratings, scores, "Dawid–Skene", TieRule())


def dawid_skene(
    ratings: Ratings,
    *,
    people: Sequence[str] | None = None,
    smoothing: float = 0.0,
    tolerance: float = 1e-9,
    iterations: int = 2000,
) -> DawidSkene:
    """Fit the model by EM; items judged alike by everybody are computed once.

    Args:
        ratings: who said what; what is missing is left out.
        people: for each column of the ratings the reader it belongs to, where repeat reads of one
            reader are columns of their own. They then share a confusion matrix.
        smoothing: imagined items for each cell of each matrix; 0 is maximum likelihood.
        tolerance: gain of the log-likelihood per item at which to stop.
        iterations: at most so many.

    Raises:
        TableError: there is no rating at all, or not one of the people for each column.
        ProtocolError: smoothing is negative.
    """
    owners = tuple(ratings.readers if people is None else people)
    if len(owners) != len(ratings.readers):
        raise TableError(f"{len(owners)} people for {len(ratings.readers)} readers. Name one each.")
    names = tuple(dict.fromkeys(owners))
    patterns = find_patterns(ratings.codes)
    data = latent_data(patterns, np.array([names.index(owner) for owner in owners], np.int64))
    if smoothing < 0:
        raise ProtocolError(f"smoothing must not be negative. Got {smoothing}.")
    start = maximize(data, vote_shares(data, len(ratings.labels)), smoothing)
    found = fit(data, start, Stopping(tolerance, iterations), smoothing=smoothing)
    return DawidSkene(
        ratings,
        found.posterior[patterns.index],
        found.parameters.prior,
        names,
        data.people,
        found.parameters.confusion,
        found.log_likelihood,
        found.converged,
        smoothing,
    )


def latent_data(patterns: Patterns, owners: npt.NDArray[np.int64]) -> Data:
    """What is fitted to; patterns without any vote count nothing.

    Raises:
        TableError: there is no rating at all.
    """
    judged = (patterns.codes >= 0).any(axis=1)
    if not judged.any():
        raise TableError("nobody judged anything. A consensus needs at least one label.")
    codes = patterns.codes.astype(np.int16)
    return Data(codes, np.where(judged, patterns.counts, 0.0), owners)


def vote_shares(data: Data, classes: int) -> Floats:
    """(P, K): the share of the votes for each label, alike for all without any vote."""
    votes = np.zeros((len(data.codes), classes))
    for column in data.codes.T:
        rows = np.flatnonzero(column >= 0)
        votes[rows, column[rows]] += 1
    total: npt.NDArray[np.float64] = votes.sum(axis=1, keepdims=True)
    return np.where(total > 0, votes / np.maximum(total, 1), 1 / classes)
