"""Ranked candidates against a reference: average precision and the free-response curve.

Average precision here is the area under the steps of the curve of precision over recall, the sum
of (R_k - R_{k-1}) P_k over the distinct scores from the highest down, with the objects that no
candidate hits in the recall. It is not COCO's, which interpolates precision at 101 recalls, stops
at 100 candidates per image, and averages over ten IoUs. Candidates of equal score come at once, so
that their order does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curatome.agreement.intervals import bootstrap
from curatome.agreement.matching.order import Column, numbers_of
from curatome.errors import TableError
from curatome.findings import Measure

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_AT_ONCE = 1 << 22  # numbers of a block of curves


@dataclass(frozen=True, eq=False)
class Ranking:
    """Candidates from the best down, and the objects they should find.

    Attributes:
        score: (N,) descending.
        hit: (N,) whether each finds an object of its own.
        case: (N,) index into `objects`.
        objects: (C,) how many objects the reference has in each case.
    """

    score: Floats
    hit: Flags
    case: Whole
    objects: Whole


def ranking(score: Floats, hit: Flags, case: Column, objects: Column) -> Ranking:
    """Rank candidates.

    Args:
        score: (N,) high is likely.
        hit: (N,) of `matching.ranked_hits`; each object is hit at most once.
        case: (N,) the case of each candidate.
        objects: (M,) the case of each object of the reference.

    Raises:
        TableError: a score is not a number, or a case has more hits than objects.
    """
    odd = np.flatnonzero(np.isnan(score))
    if len(odd):
        raise TableError(f"candidate in row {odd[0] + 1} has no score. Rank those that have one.")
    both, names = numbers_of([*np.asarray(case).tolist(), *np.asarray(objects).tolist()], "case")
    of, count = both[: len(score)], np.bincount(both[len(score) :], minlength=len(names))
    many = np.flatnonzero(np.bincount(of[hit], minlength=len(names)) > count)
    if len(many):
        raise TableError(
            f"case {names[many[0]]} has more hits than objects. An object is hit at most once: "
            "match with ranked_hits."
        )
    order = np.argsort(-score, kind="stable")
    return Ranking(score[order], hit[order], of[order], count)


def average_precision(ranked: Ranking) -> float:
    """Area under the steps of precision over recall; NaN without an object to find."""
    return float(_average_precision(ranked, np.ones((1, len(ranked.objects))))[0])


def free_response(ranked: Ranking, area_mm2: float) -> tuple[Floats, Floats, Floats]:
    """The free-response curve (Bunch et al. 1977, 10.1117/12.955926).

    Args:
        ranked: candidates of all that was searched.
        area_mm2: that area.

    Returns:
        At each distinct score, descending: false positives per mm², sensitivity, and the score.
    """
    ends = _ends(ranked.score)
    false = np.cumsum(~ranked.hit)[ends] / area_mm2
    return false, np.cumsum(ranked.hit)[ends] / ranked.objects.sum(), ranked.score[ends]


def measure_average_precision(
    ranked: Ranking, subject: str = "all", *, replicates: int = 1000, seed: int = 0
) -> Measure:
    """Average precision with its interval by a bootstrap over cases.

    Cases are drawn as wholes, candidates and objects alike. A case without either changes nothing
    and is not known here. Meant for up to some thousand cases.
    """
    return _measure(
        ("average_precision", subject), ranked, lambda w: _average_precision(ranked, w),
        (replicates, seed),
    )  # fmt: skip


def measure_sensitivity(
    ranked: Ranking,
    area_mm2: Sequence[float] | Floats,
    false_per_mm2: float,
    subject: str = "all",
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> Measure:
    """Sensitivity at a rate of false positives, with its interval by a bootstrap over cases.

    It is that of the lowest score at which there are no more false positives than that.

    Args:
        ranked: candidates of all that was searched.
        area_mm2: (C,) area searched in each case, in the sorted order of the cases.
        false_per_mm2: the rate.
        subject: of the measure.
        replicates: draws of the bootstrap.
        seed: of the bootstrap.

    Raises:
        TableError: there are not as many areas as cases.
    """
    area = np.asarray(area_mm2, np.float64)
    if len(area) != len(ranked.objects):
        raise TableError(f"{len(ranked.objects)} cases, but {len(area)} areas.")

    def statistic(weights: Floats) -> Floats:
        def at(found: Floats, false: Floats, drawn: Floats) -> Floats:
            within = false <= (false_per_mm2 * (drawn @ area))[:, None] * (1 + 1e-12)
            best: Floats = np.max(np.where(within, found, 0.0), axis=1, initial=0.0)
            return best

        return _over(ranked, weights, at)

    name = f"sensitivity_at_{false_per_mm2:g}_false_positives_per_mm2"
    return _measure((name, subject), ranked, statistic, (replicates, seed))


def _measure(
    name: tuple[str, str],
    ranked: Ranking,
    statistic: Callable[[Floats], Floats],
    draws: tuple[int, int],
) -> Measure:
    cases = len(ranked.objects)
    value = float(statistic(np.ones((1, cases)))[0])
    # The sums of a case over all scores would be many numbers; who is drawn how often says as much.
    ends = bootstrap(np.eye(cases), statistic, replicates=draws[0], seed=draws[1])
    low, high = ends or (None, None)
    n = int(ranked.objects.sum())
    method = "bootstrap over cases"
    return Measure(*name, value, low, high, 0.95, n, cases, unit="fraction", method=method)


def _average_precision(ranked: Ranking, weights: Floats) -> Floats:
    def area(found: Floats, false: Floats, drawn: Floats) -> Floats:  # noqa: ARG001
        all_of = found + false
        precision = np.divide(found, all_of, out=np.zeros_like(found), where=all_of > 0)
        steps: Floats = np.diff(found, axis=1, prepend=0.0) * precision
        return np.asarray(steps.sum(axis=1))

    return _over(ranked, weights, area)


def _over(
    ranked: Ranking, weights: Floats, part: Callable[[Floats, Floats, Floats], Floats]
) -> Floats:
    """(B,) what `part` makes of each draw's curve, over the objects drawn; NaN without any.

    Args:
        ranked: the candidates.
        weights: (B, C) how often each case is drawn.
        part: from (B, S) hits and (B, S) false positives down to each distinct score, and the
            weights, to (B,) numbers of objects.
    """
    ends = _ends(ranked.score)
    block = max(1, _AT_ONCE // max(1, len(ranked.score)))
    out = []
    for begin in range(0, len(weights), block):
        drawn = weights[begin : begin + block]
        each = drawn[:, ranked.case]
        found = np.cumsum(each * ranked.hit, axis=1)[:, ends]
        false = np.cumsum(each * ~ranked.hit, axis=1)[:, ends]
        objects = drawn @ ranked.objects
        of = np.where(objects > 0, objects, np.nan)
        out.append(part(found, false, drawn) / of)
    return np.concatenate(out)


def _ends(score: Floats) -> Whole:
    """Where each run of equal scores ends."""
    return np.flatnonzero(np.append(score[1:] != score[:-1], True)) if len(score) else _NONE


_NONE = np.empty(0, np.int64)
