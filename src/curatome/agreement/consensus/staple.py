"""STAPLE: one region from the regions that several readers drew, and how good each reader is.

Warfield, Zou & Wells 2004, 10.1109/TMI.2004.828354. The latent class model of `latent` over
pixels, begun at the share of the votes as ITK does, each class's prior fixed at its share of all
votes. With more than two classes each reader has a full confusion matrix (Rohlfing, Russakoff &
Maurer 2004, 10.1109/TMI.2004.830803).

Pixels are taken as independent. Where all readers agree there is nothing to estimate, but a large
agreed background would make every reader's specificity 1 and the foreground's prior 0; so by
default only the disputed pixels are fitted, and the agreed ones keep their label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curatome.agreement.consensus.dawid_skene import vote_shares
from curatome.agreement.consensus.latent import Data, Floats, Parameters, Stopping, fit, maximize
from curatome.agreement.consensus.patterns import find_patterns
from curatome.errors import TableError

Image = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Staple:
    """One label image, and what it was made from.

    Attributes:
        labels: (H, W), of the type of the stack; the missing value where nobody judged.
        posterior: (H, W) float32, probability of the label; 1 where all agree, NaN where nobody
            judged.
        dissent: (H, W) int16, how many readers said something else.
        values: (K,) the labels that occur, in order.
        prior: (K,) share of each among the votes of the fitted pixels.
        confusion: (R, K, K), for each reader and true class the share of each label given, over
            the fitted pixels. Binary: [r, 1, 1] is sensitivity, [r, 0, 0] specificity.
        pixels: how many pixels were fitted.
        converged: whether EM ended by its tolerance.
    """

    labels: Image
    posterior: npt.NDArray[np.float32]
    dissent: npt.NDArray[np.int16]
    values: Image
    prior: Floats
    confusion: Floats
    pixels: int
    converged: bool


def staple(
    stack: Image,
    *,
    missing: int | None = None,
    everywhere: bool = False,
    tolerance: float = 1e-9,
    iterations: int = 2000,
) -> Staple:
    """Fuse label images; memory beyond the results is 4 bytes per pixel.

    No label is invented: each pixel gets the most probable of the labels that somebody gave it;
    of equally probable ones the one with more votes elsewhere, then the lower one.

    Args:
        stack: (R, H, W) whole numbers, one label image per reader.
        missing: the value of pixels that a reader did not judge, if there is one.
        everywhere: fit agreed pixels too, as in the paper.
        tolerance: gain of the log-likelihood per pixel at which to stop.
        iterations: at most so many.

    Raises:
        TableError: the stack is not one of label images, or nobody judged anything.
    """
    if stack.ndim != 3 or not np.issubdtype(stack.dtype, np.integer) or not len(stack):
        raise TableError(
            f"a stack of label images is (readers, height, width) whole numbers. Got {stack.shape} "
            f"{stack.dtype}."
        )
    patterns = find_patterns(stack.reshape(len(stack), -1).T)
    values, codes = _coded(patterns.codes, missing)
    votes = (codes[:, :, None] == np.arange(len(values))).sum(axis=1)
    disputed = (votes > 0).sum(axis=1) > 1
    fitted = (votes.sum(axis=1) > 0) & (disputed | everywhere)
    data = Data(codes, np.where(fitted, patterns.counts, 0.0), np.arange(len(stack)))
    prior, posterior, confusion, converged = _fitted(data, votes, Stopping(tolerance, iterations))
    if not everywhere:
        posterior[~disputed] = votes[~disputed] > 0
    found = _chosen(posterior, votes, prior)
    judged, given = votes.sum(axis=1), _at(votes, found)
    nobody = judged == 0
    label = np.where(nobody, 0 if missing is None else missing, values[found]).astype(stack.dtype)
    sure = np.where(nobody, np.nan, _at(posterior, found)).astype(np.float32)
    index = patterns.index.reshape(stack.shape[1:])
    return Staple(
        label[index],
        sure[index],
        (judged - given).astype(np.int16)[index],
        values,
        prior,
        confusion,
        int(patterns.counts[fitted].sum()),
        converged,
    )


def _at(table: npt.NDArray[Any], columns: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """(P,): of each row the value of one column."""
    return table[np.arange(len(table)), columns]


def _coded(labels: Image, missing: int | None) -> tuple[Image, npt.NDArray[np.int16]]:
    """The labels that occur, and for each of (P, R) its place among them, -1 if missing."""
    values: Image = np.unique(labels)
    if missing is not None:
        values = values[values != missing]
    if not len(values):
        raise TableError("nobody judged any pixel. A consensus needs at least one label.")
    if len(values) > np.iinfo(np.int16).max:
        raise TableError(f"{len(values):,} labels in an image; are they numbers of objects?")
    codes = np.searchsorted(values, labels).clip(max=len(values) - 1).astype(np.int16)
    codes[values[codes] != labels] = -1
    return values, codes


def _fitted(
    data: Data, votes: npt.NDArray[np.int64], stopping: Stopping
) -> tuple[Floats, Floats, Floats, bool]:
    """Prior, posterior of every pattern, confusion matrices, and whether EM converged."""
    shares = vote_shares(data, votes.shape[1])
    if not data.counts.any():  # all agree on all
        classes = votes.shape[1]
        return (
            np.full(classes, 1 / classes),
            shares,
            np.tile(np.eye(classes), (len(data.people), 1, 1)),
            True,
        )
    totals = data.counts @ votes
    start = Parameters(totals / totals.sum(), maximize(data, shares).confusion)
    found = fit(data, start, stopping, fixed_prior=True)
    return start.prior, found.posterior, found.parameters.confusion, found.converged


def _chosen(
    posterior: Floats, votes: npt.NDArray[np.int64], prior: Floats
) -> npt.NDArray[np.int64]:
    """(P,) the most probable label of each pattern among those that were given."""
    given = np.where(votes > 0, posterior, -1.0)
    best = given >= given.max(axis=1, keepdims=True) - 1e-9
    return np.asarray(np.where(best, prior, -1.0).argmax(axis=1), np.int64)
