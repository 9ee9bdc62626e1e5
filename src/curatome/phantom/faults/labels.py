"""Wrong labels: at random, or between classes that look alike; and two classes on one object."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from shapely import affinity

from curatome.phantom.faults.tables import Draft, Fault, Whole, picked

ALIKE = {
    "tumor": "stromal",
    "stromal": "tumor",
    "mitosis": "tumor",
    "lymphocyte": "stromal",
}
"""What each class is mistaken for."""


def _labeled(draft: Draft) -> tuple[Whole, list[list[str]], np.ndarray[Any, Any]]:
    """Rows with one label or more, their labels, and the names of all classes."""
    held = draft.tables.annotations["labels"].to_pylist()
    rows = np.array([k for k, labels in enumerate(held) if labels], np.int64)
    labels = [held[k] for k in rows]
    return rows, labels, np.unique([label for one in labels for label in one])


def _another(labels: list[list[str]], names: Any, rng: np.random.Generator) -> list[str]:
    """For each row, some class that is not its first one."""
    if len(names) < 2:
        raise ValueError("wrong labels need at least two classes.")
    first = np.searchsorted(names, [one[0] for one in labels])
    other: list[str] = names[
        (first + rng.integers(1, len(names), len(first))) % len(names)
    ].tolist()
    return other


def mistake(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
    """Annotations get any other class, each as likely."""
    rows, labels, names = _labeled(draft)
    other = _another(labels, names, rng)
    hit = picked(rng, len(rows), strength)
    news = [[other[k], *labels[k][1:]] for k in hit]
    return draft.change("annotations", rows[hit], {"labels": news})


def confuse(
    draft: Draft, strength: float, rng: np.random.Generator, *, alike: Mapping[str, str] = ALIKE
) -> Draft:
    """Annotations get the class that theirs is easily mistaken for; others stay.

    Args:
        draft: the tables.
        strength: share of the annotations of those classes.
        rng: decides which.
        alike: what each class is mistaken for.
    """
    rows, labels, _ = _labeled(draft)
    able = np.array([k for k, one in enumerate(labels) if one[0] in alike], np.int64)
    hit = able[picked(rng, len(able), strength)]
    news = [[alike[labels[k][0]], *labels[k][1:]] for k in hit]
    return draft.change("annotations", rows[hit], {"labels": news})


def mislabel_images(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
    """Images get the label of another diagnosis."""
    labels = [[label] for label in draft.tables.images["label"].to_pylist()]
    other = _another(labels, np.unique([one[0] for one in labels]), rng)
    hit = picked(rng, len(labels), strength)
    return draft.change("images", hit, {"label": [other[k] for k in hit]})


def overlap(
    draft: Draft, strength: float, rng: np.random.Generator, *, scale: float = 0.9
) -> Draft:
    """Objects are there twice, as one class and as another.

    Args:
        draft: the tables.
        strength: share of the annotations.
        rng: decides which.
        scale: size of the second outline against the first.
    """
    rows, labels, names = _labeled(draft)
    held = draft.tables.annotations
    other = _another(labels, names, rng)
    ids = [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in rows]
    added, sources = [], []
    for k in picked(rng, len(rows), strength):
        source = held.slice(int(rows[k]), 1).to_pylist()[0]
        shape = affinity.scale(shapely.from_wkb(source["geometry"]), scale, scale)
        own = {"annotation": ids[k], "labels": [other[k]], "geometry": shapely.to_wkb(shape)}
        added.append(source | own)
        sources.append(source["annotation"])
    return draft.add("annotations", added, sources)


FAULTS = (
    Fault("random_label", "labels", "share of the annotations with a wrong class", mistake),
    Fault(
        "confused_label",
        "labels",
        "share of the annotations that have the class theirs is mistaken for",
        confuse,
    ),
    Fault("image_label", "labels", "share of the images with a wrong label", mislabel_images),
    Fault(
        "overlapping_classes",
        "labels",
        "share of the annotations that lie there once more as another class",
        overlap,
    ),
)
