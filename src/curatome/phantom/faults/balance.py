"""What is in the dataset, and with what it goes together: rare classes, and confounding."""

from __future__ import annotations

import numpy as np

from curatome.phantom.faults.tables import Draft, Fault, picked


def rare_class(
    draft: Draft, strength: float, rng: np.random.Generator, *, label: str | None = None
) -> Draft:
    """Annotations of one class are left out.

    Args:
        draft: the tables.
        strength: share of the class's annotations.
        rng: decides which.
        label: the class; the commonest by default, the loss of which shows best.
    """
    labels = draft.tables.annotations["labels"].to_pylist()
    first = np.array([held[0] if held else "" for held in labels])
    names, counts = np.unique(first[first != ""], return_counts=True)
    label = str(names[counts.argmax()]) if label is None else label
    rows = np.flatnonzero(first == label)
    return draft.remove("annotations", rows[picked(rng, len(rows), strength)])


def confound(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
    """Cases go to the site, and its usual scanner and scale, that is their diagnosis's own.

    At strength 1 the site tells the diagnosis as well as the number of sites allows. A case of
    several diagnoses goes by its first image.
    """
    held = draft.tables.images
    case, label, site = (np.asarray(held[c]).astype(str) for c in ("case", "label", "site"))
    sites, first_of_site = np.unique(site, return_index=True)
    labels = np.unique(label)
    cases, first_of_case = np.unique(case, return_index=True)
    hit = picked(rng, len(cases), strength)
    own = np.searchsorted(labels, label[first_of_case]) % len(sites)
    goes = dict(zip(cases[hit], own[hit], strict=True))
    rows = np.flatnonzero(np.isin(case, cases[hit]))
    scanners = held["scanner"].take(first_of_site).to_pylist()
    at = [int(goes[name]) for name in case[rows]]
    return draft.change(
        "images",
        rows,
        {"site": [str(sites[k]) for k in at], "scanner": [scanners[k] for k in at]},
    )


FAULTS = (
    Fault(
        "rare_class",
        "balance",
        "share of one class's annotations that are left out",
        rare_class,
    ),
    Fault(
        "confounded_site",
        "balance",
        "share of the cases whose site and scanner follow from the diagnosis",
        confound,
    ),
)
