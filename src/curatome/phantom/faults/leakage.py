"""What must stay in one split, in two: a case, a slide, an image, overlapping or alike images."""

from __future__ import annotations

from typing import Any

import numpy as np

from curatome.phantom.faults.tables import Draft, Fault, Whole, new_name, picked


def _elsewhere(draft: Draft, rng: np.random.Generator) -> list[str]:
    """For each image, another split than its own."""
    split = np.asarray(draft.tables.images["split"]).astype(str)
    names, index = np.unique(split, return_inverse=True)
    if len(names) < 2:
        raise ValueError("leaks need images of at least two splits.")
    other: list[str] = names[
        (index + rng.integers(1, len(names), len(index))) % len(names)
    ].tolist()
    return other


def _moved(draft: Draft, groups: list[Whole], other: list[str]) -> Draft:
    """Groups of images go to the split that the first of each was dealt."""
    rows = np.concatenate([np.empty(0, np.int64), *groups])
    return draft.change(
        "images", rows, {"split": [other[group[0]] for group in groups for _ in group]}
    )


def leak_cases(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
    """One whole slide of a case goes into another split; only cases of several slides can leak."""
    other = _elsewhere(draft, rng)
    case, slide = (np.asarray(draft.tables.images[c]).astype(str) for c in ("case", "slide"))
    several = [c for c in np.unique(case) if len(np.unique(slide[case == c])) > 1]
    groups = [
        np.flatnonzero(slide == np.unique(slide[case == several[k]])[-1])
        for k in picked(rng, len(several), strength)
    ]
    return _moved(draft, groups, other)


def leak_slides(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
    """Half of a slide's images go into another split; only slides of several images can leak."""
    other = _elsewhere(draft, rng)
    slide = np.asarray(draft.tables.images["slide"]).astype(str)
    several = [
        name for name, many in zip(*np.unique(slide, return_counts=True), strict=True) if many > 1
    ]
    groups = [
        np.flatnonzero(slide == several[k])[1::2] for k in picked(rng, len(several), strength)
    ]
    return _moved(draft, groups, other)


def _copies(draft: Draft, strength: float, rng: np.random.Generator, kind: str) -> Draft:
    """Images appear in another split once more, under other names."""
    other = _elsewhere(draft, rng)
    held = draft.tables.images
    names = [new_name(rng) for _ in range(held.num_rows)]
    hashes = [rng.bytes(32).hex() for _ in range(held.num_rows)]
    rows, sources = [], []
    for k in picked(rng, held.num_rows, strength).tolist():
        source = held.slice(k, 1).to_pylist()[0]
        own = {"image": names[k], "file": f"{names[k]}.png", "split": other[k]}
        rows.append(source | own | _differs(kind, source, hashes[k]))
        sources.append(source["image"])
    return draft.add("images", rows, sources)


def _differs(kind: str, source: dict[str, Any], fresh: str) -> dict[str, Any]:
    """What tells a copy from its source."""
    if kind == "same":
        return {"how": "turn 0"}
    hashes = {"hash": fresh[:32], "turned_hash": fresh[32:]}
    if kind == "overlapping":
        return {"x": source["x"] + source["width"] / 2, **hashes}
    return {"case": f"X{fresh[:6]}", "slide": f"X{fresh[:6]}-1", "how": "near", **hashes}


FAULTS = (
    Fault(
        "leak_case",
        "leakage",
        "share of the cases with several slides of which one slide lies in another split",
        leak_cases,
    ),
    Fault(
        "leak_slide",
        "leakage",
        "share of the slides with several images of which half lie in another split",
        leak_slides,
    ),
    Fault(
        "leak_image",
        "leakage",
        "share of the images that are in another split too, byte for byte",
        _copies,
        {"kind": "same"},
    ),
    Fault(
        "leak_overlap",
        "leakage",
        "share of the images of which another split holds one that is moved by half its width",
        _copies,
        {"kind": "overlapping"},
    ),
    Fault(
        "leak_near",
        "leakage",
        "share of the images that another split holds nearly alike, as of another case and slide",
        _copies,
        {"kind": "near"},
    ),
)
