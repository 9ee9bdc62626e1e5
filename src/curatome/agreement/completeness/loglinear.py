"""Three and more reads: log-linear models whose readers may depend on each other.

The counts of who found what are Poisson with log means X·β (Fienberg 1972, 10.2307/2334810;
Bishop, Fienberg & Holland, Discrete Multivariate Analysis, 1975, chapter 6; Cormack 1989,
10.2307/2531485). Terms: one per reader, any pairs of readers, or one dependence that all pairs
share, which is what objects of different difficulty cause (Darroch et al. 1993,
10.1080/01621459.1993.10476387). What nobody found is exp of the intercept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import chdtri, gammaln, xlogy

from curatome.agreement.completeness.missed import Floats, Missed
from curatome.errors import TableError

Pair = tuple[int, int]
SHARED: Pair = (-1, -1)
"""The term of one dependence that all pairs of readers share."""
Terms = tuple[Pair, ...]

_ALL_SUBSETS = 6
"""Up to so many pairs (four readers) every set of them is tried."""
_STEPS, _RIDGE, _HUGE = 100, 1e-9, 1e4


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model.

    Attributes:
        terms: dependences it has beside one term per reader.
        missed: how many objects nobody found.
        bic: Bayesian information criterion; n is the number of objects found.
        mean: expected counts, as many as were given.
        gradient: (2^R - 1,) of log(missed) in each count.
    """

    terms: Terms
    missed: float
    bic: float
    mean: Floats
    gradient: Floats


def columns(readers: int, terms: Terms) -> Floats:
    """(2^R, P) design of all patterns from 0 up: intercept, readers, dependences."""
    pattern = np.arange(1 << readers)
    found = (pattern[:, None] >> np.arange(readers) & 1).astype(np.float64)
    parts = [np.ones((len(found), 1)), found]
    for a, b in terms:
        times = found.sum(axis=1)
        both = times * (times - 1) / 2 if (a, b) == SHARED else found[:, a] * found[:, b]
        parts.append(both[:, None])
    return np.concatenate(parts, axis=1)


def fit(counts: Floats, readers: int, terms: Terms) -> Fit | None:
    """Fit one model by maximum likelihood.

    Args:
        counts: (2^R - 1,) of `Captures.counts`.
        readers: R.
        terms: pairs of readers that depend on each other, or (`SHARED`,).

    Returns:
        The fit, or None where the counts do not determine it, or the shared dependence would be
        below zero, which no difference between objects causes.
    """
    design = columns(readers, terms)[1:]
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    mean, weights = _poisson(counts, design)
    beta, *_ = np.linalg.lstsq(design, np.log(mean), rcond=None)
    missed, n = math.exp(min(float(beta[0]), 700.0)), max(float(counts.sum()), 1.0)
    if missed > _HUGE * n or (SHARED in terms and beta[-1] < 0):
        return None
    log = float((xlogy(counts, mean) - mean - gammaln(counts + 1)).sum())
    bic = -2 * log + design.shape[1] * math.log(n)
    return Fit(terms, missed, bic, mean, weights[0])


def _poisson(counts: Floats, design: Floats) -> tuple[Floats, Floats]:
    """Means (H,) and the coefficients' gradients (P, H) in the counts, by scoring."""
    mean = counts + 0.5
    ridge = _RIDGE * np.eye(design.shape[1])
    last = math.inf
    for _ in range(_STEPS):
        moved = np.log(mean) + (counts - mean) / mean
        weighted = design * mean[:, None]
        beta = np.linalg.solve(design.T @ weighted + ridge, weighted.T @ moved)
        mean = np.exp(np.clip(design @ beta, -40.0, 40.0))
        deviance = float((xlogy(counts, np.maximum(counts, 1e-300) / mean) + mean).sum())
        if abs(last - deviance) < 1e-10 * (abs(deviance) + 1):
            break
        last = deviance
    weighted = design * mean[:, None]
    gradients = np.linalg.solve(design.T @ weighted + ridge, design.T)
    return mean, np.asarray(gradients, np.float64)


def select(counts: Floats, readers: int) -> Fit:
    """The model with the least BIC (Schwarz 1978, 10.1214/aos/1176344136).

    Up to four readers every set of pairs is tried, and the shared dependence; from five on pairs
    are added one by one as long as BIC falls. Models that leave no degree of freedom are not
    taken: nothing could speak against them.

    Args:
        counts: (2^R - 1,) of `Captures.counts`.
        readers: R, at least 3.

    Raises:
        TableError: fewer than three readers, or counts that determine no model.
    """
    if readers < 3:
        raise TableError("dependence shows from three readers up. Use `chapman` for two.")
    pairs = tuple(combinations(range(readers), 2))
    times = columns(readers, ())[1:, 1:].sum(axis=1)
    if counts[times > 1].sum() == 0:
        raise TableError("no object was found by two readers, so nothing tells what was missed.")
    if len(pairs) <= _ALL_SUBSETS:
        most = min(len(pairs), (1 << readers) - 1 - readers - 2)
        sets = [some for size in range(most + 1) for some in combinations(pairs, size)]
        found = _best(counts, readers, sets)
    else:
        found = _grown(counts, readers, pairs)
    shared = fit(counts, readers, (SHARED,))
    fits = [one for one in (found, shared) if one is not None]
    if not fits:
        raise TableError("the counts determine no model of what was missed.")
    return min(fits, key=lambda one: one.bic)


def _grown(counts: Floats, readers: int, pairs: Sequence[Pair]) -> Fit | None:
    """Pairs added one by one to independence, each the one with the least BIC."""
    found = fit(counts, readers, ())
    while found is not None:
        terms = found.terms
        better = _best(counts, readers, [(*terms, pair) for pair in pairs if pair not in terms])
        if better is None or better.bic >= found.bic:
            break
        found = better
    return found


def _best(counts: Floats, readers: int, candidates: Sequence[Terms]) -> Fit | None:
    fits = [one for one in (fit(counts, readers, terms) for terms in candidates) if one]
    return min(fits, key=lambda one: one.bic, default=None)


def profile(counts: Floats, readers: int, terms: Terms, level: float = 0.95) -> tuple[float, float]:
    """The numbers of missed objects whose likelihood is not too far below the greatest.

    Cormack 1992 (10.2307/2532317): the model is fitted again with each number taken for seen.

    Args:
        counts: (2^R - 1,) of `Captures.counts`.
        readers: R.
        terms: of the model.
        level: of the interval.

    Returns:
        Whole numbers, the upper one infinite where nothing bounds it.
    """
    design, n = columns(readers, terms), max(float(counts.sum()), 1.0)

    def loss(root: float) -> float:
        """Minus the log likelihood at root² missed objects."""
        missed = root * root
        full = np.concatenate([[missed], counts])
        mean, _ = _poisson(full, design)
        log = gammaln(n + missed + 1) - gammaln(missed + 1)
        return -float(log + xlogy(full, mean / mean.sum()).sum())

    most = math.sqrt(_HUGE * n)
    start = fit(counts, readers, terms)
    near = math.sqrt(start.missed if start else n)
    best = minimize_scalar(loss, bounds=(0.0, min(2 * near + 3, most)), method="bounded")
    limit = float(best.fun) + float(chdtri(1, 1 - level)) / 2
    low = _crossing(lambda r: loss(r) - limit, float(best.x), 0.0)
    high = _upper(lambda r: loss(r) - limit, float(best.x), most)
    return float(round(low**2)), high if math.isinf(high) else float(round(high**2))


def _crossing(gap: Callable[[float], float], inside: float, outside: float) -> float:
    return outside if gap(outside) <= 0 else float(brentq(gap, inside, outside, xtol=1e-4))


def _upper(gap: Callable[[float], float], inside: float, most: float) -> float:
    step = 1.0
    while inside + step < most:
        if gap(inside + step) > 0:
            return float(brentq(gap, inside, inside + step, xtol=1e-4))
        step *= 2
    return math.inf


def loglinear(counts: Floats, names: Sequence[str], level: float = 0.95) -> Missed:
    """How many objects nobody found, by the log-linear model with the least BIC.

    The interval is that of the model chosen; that another might have been is not in it. With few
    cases it is conservative (97 to 98 of 100 for 95), because cases may widen it, never narrow it.

    Args:
        counts: (2^R - 1,) of `Captures.counts`.
        names: (R,) of the readers, at least three.
        level: of the interval.

    Raises:
        TableError: as `select`.
    """
    found = select(counts, len(names))
    low, high = profile(counts, len(names), found.terms, level)
    method = f"log-linear, {dependence(found.terms, names)}; profile likelihood"
    return Missed(found.missed, low, high, found.gradient, method)


def dependence(terms: Terms, names: Sequence[str]) -> str:
    """In words, which readers a model takes for dependent."""
    if not terms:
        return "readers independent, objects alike"
    if SHARED in terms:
        return "all readers alike dependent, as by objects of different difficulty"
    pairs = [f"{names[a]} and {names[b]}" for a, b in terms]
    return f"dependent: {', '.join(pairs)}"
