"""Candidates for missed objects, from a detector that needs no weights from elsewhere.

    tile ── stain separation → blobs (Laplacian of Gaussian) ── features ─┐
    annotated points ── which blobs are annotated ── logistic regression ─┴→ probability, ranked

It learns from the annotations at hand, reads one tile at a time, and scores every tile by a model
that has not seen its case. What it finds beside the annotations is to be looked at by a person;
all that it finds is the read of one more reader for `completeness`.
"""

from curatome.agreement.candidates.blobs import Blobs, find_blobs
from curatome.agreement.candidates.detector import (
    CANDIDATES,
    Detector,
    Look,
    Tile,
    look_at,
    ranked,
    train,
)
from curatome.agreement.candidates.features import NAMES, features
from curatome.agreement.candidates.logistic import Logistic, fit_logistic

__all__ = [
    "CANDIDATES",
    "NAMES",
    "Blobs",
    "Detector",
    "Logistic",
    "Look",
    "Tile",
    "features",
    "find_blobs",
    "fit_logistic",
    "look_at",
    "ranked",
    "train",
]
