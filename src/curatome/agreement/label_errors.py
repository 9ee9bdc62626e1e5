"""Labels that are probably wrong, by confident learning on predictions out of fold.

Northcutt, Jiang & Chuang 2021, 10.1613/jair.1.12125, by cleanlab. A class's threshold is the mean
probability that a model gives it on items that carry its label; an item counts for the most
probable of the classes whose threshold it reaches, and is a suspect if that is not its label.
What a model finds strange need not be wrong: suspects are to be looked at, in order of rank.

The model that judges an item has seen no item of the same case, else it would know the case again
and believe its labels. Needs the extra `labels` (cleanlab, scikit-learn).
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curatome.errors import CuratomeError, TableError
from curatome.tables import LABEL_ERRORS

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


class Classifier(Protocol):
    """What scikit-learn calls a classifier; each fold gets a copy that was not fitted."""

    def fit(self, features: Floats, codes: Whole) -> Any:
        """Learn from (N, F) features and (N,) codes."""

    def predict_proba(self, features: Floats) -> Floats:
        """(N, K) probabilities of the codes that it learned from, in their order."""


def grouped_folds(codes: npt.ArrayLike, cases: npt.ArrayLike, folds: int, seed: int = 0) -> Whole:
    """(N,) the fold in which each item is judged; all items of a case lie in one.

    Folds are alike in their classes as far as cases allow.

    Args:
        codes: (N,) label of each item.
        cases: (N,) whole numbers, equal for items of one case.
        folds: how many.
        seed: decides the order of cases.

    Raises:
        TableError: there are fewer cases than folds, or a model would never see some class.
    """
    model_selection = _part("sklearn.model_selection")
    labels, groups = np.asarray(codes), np.asarray(cases)
    if not 2 <= folds <= len(np.unique(groups)):
        raise TableError(
            f"{folds} folds of {len(np.unique(groups))} cases: give at least 2 folds, and no more "
            "than there are cases."
        )
    split = model_selection.StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    out = np.empty(len(labels), np.int64)
    for number, (_, judged) in enumerate(split.split(np.zeros(len(labels)), labels, groups)):
        out[judged] = number
    for number in range(folds):
        unseen = np.setdiff1d(labels, labels[out != number])
        if len(unseen):
            raise TableError(
                f"class number {unseen[0]} has all its cases in one fold, so no model that has "
                "seen it could judge it. Leave it out, or add cases."
            )
    return out


def out_of_fold(
    features: Floats,
    codes: npt.ArrayLike,
    cases: npt.ArrayLike,
    *,
    classes: int,
    folds: int = 5,
    seed: int = 0,
    model: Classifier | None = None,
) -> Floats:
    """(N, K) probabilities of each item's classes, by a model that saw none of its case.

    Args:
        features: (N, F), of any kind: an encoder's embedding, measurements, colors.
        codes: (N,) label of each item; items below 0 are judged, and nobody learns from them.
        cases: (N,) whole numbers, equal for items of one case.
        classes: K, how many classes there are.
        folds: how many models are trained.
        seed: decides the folds.
        model: a scikit-learn classifier; logistic regression on standardized features by default.

    Raises:
        TableError: lengths differ, a feature is not finite, or cases and classes do not allow
            such folds.
    """
    labels, groups = np.asarray(codes, np.int64), np.asarray(cases)
    if not len(features) == len(labels) == len(groups):
        raise TableError(
            f"{len(features)} rows of features, {len(labels)} labels, {len(groups)} cases: they "
            "must be as many."
        )
    if not np.isfinite(features).all():
        row = int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])
        raise TableError(f"features, row {row}: a value is not finite. Fill it or drop the row.")
    known = labels >= 0
    fold = _folds_of_all(labels, groups, known, (folds, seed))
    clone = _part("sklearn.base").clone
    found = np.zeros((len(labels), classes))
    for number in range(folds):
        judged, learned = fold == number, (fold != number) & known
        fitted = clone(model if model is not None else _logistic())
        fitted.fit(features[learned], labels[learned])
        columns = np.unique(labels[learned])
        if judged.any():
            found[np.ix_(judged, columns)] = fitted.predict_proba(features[judged])
    return found


def label_errors(
    codes: npt.ArrayLike, labels: Sequence[str], probabilities: Floats, items: Sequence[Any]
) -> pa.Table:
    """All labelled items, the most suspicious first.

    Args:
        codes: (N,) index into `labels` of each item's label, below 0 where it has none.
        labels: (K,) names of the classes.
        probabilities: (N, K), out of fold (`out_of_fold`, or by any model that was trained so).
        items: (N,) names of the items.

    Returns:
        The table `tables.LABEL_ERRORS`. The score is 1/2 + (p of the likeliest other class - p of
        its own) / 2, a normalized margin.

    Raises:
        TableError: probabilities do not fit the labels, or do not add up to 1.
    """
    given = np.asarray(codes, np.int64)
    if probabilities.shape != (len(given), len(labels)) or len(items) != len(given):
        raise TableError(
            f"probabilities {probabilities.shape} do not fit {len(given)} items of "
            f"{len(labels)} classes."
        )
    rows = np.flatnonzero(given >= 0)
    share, own = probabilities[rows], given[rows]
    off = np.flatnonzero(~np.isclose(share.sum(axis=1), 1, atol=1e-3))
    if len(off):
        raise TableError(f"probabilities of item {items[rows[off[0]]]} do not add up to 1.")
    sure = share[np.arange(len(own)), own]
    others = share.copy()
    others[np.arange(len(own)), own] = -np.inf
    score = 0.5 + (others.max(axis=1) - sure) / 2 if len(labels) > 1 else 1 - sure
    order = np.argsort(-score, kind="stable")
    names = pa.array(list(labels), pa.string())
    return LABEL_ERRORS.from_columns(
        {
            "rank": np.arange(1, len(order) + 1),
            "item": [str(items[int(row)]) for row in rows[order]],
            "label": names.take(pa.array(own[order])),
            "suggested": names.take(pa.array(share.argmax(axis=1)[order])),
            "score": score[order],
            "self_confidence": sure[order],
            "suspect": _suspects(own, share)[order],
        }
    )


def _suspects(own: Whole, share: Floats) -> npt.NDArray[np.bool_]:
    """(N,): the off-diagonal of the confident joint."""
    used, renumbered = np.unique(own, return_inverse=True)
    if len(used) < 2:
        return np.zeros(len(own), np.bool_)
    part = share[:, used]
    part = part / np.maximum(part.sum(axis=1, keepdims=True), 1e-12)
    issues: npt.NDArray[np.bool_] = _part("cleanlab.filter").find_label_issues(
        renumbered, part, filter_by="confident_learning", n_jobs=1
    )
    return issues


def _folds_of_all(
    labels: Whole, groups: npt.NDArray[Any], known: npt.NDArray[np.bool_], of: tuple[int, int]
) -> Whole:
    """The fold of every item; what has no label goes where its case is, or to the first."""
    fold = np.zeros(len(labels), np.int64)
    fold[known] = grouped_folds(labels[known], groups[known], *of)
    of_case = dict(zip(groups[known].tolist(), fold[known].tolist(), strict=True))
    for row in np.flatnonzero(~known):
        fold[row] = of_case.get(groups[row].item(), 0)
    return fold


def _logistic() -> Any:
    pipeline, linear = _part("sklearn.pipeline"), _part("sklearn.linear_model")
    scaler = _part("sklearn.preprocessing").StandardScaler()
    return pipeline.make_pipeline(scaler, linear.LogisticRegression(max_iter=1000))


def _part(name: str) -> Any:
    """A module of the extra, imported where it is used."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise CuratomeError(
            f"finding label errors needs more packages ({error}): pip install 'curatome[labels]'."
        ) from error
