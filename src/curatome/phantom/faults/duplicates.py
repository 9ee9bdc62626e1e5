"""Images that are there twice, as they are or turned, under another name or another label."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.faults.tables import Draft, Fault, new_name, picked

TURNS = 8
"""Quarter turns, then quarter turns of the mirror image."""


def redrawn(pixels: NDArray[np.uint8], how: str) -> NDArray[np.uint8]:
    """The pixels of a copy.

    Args:
        pixels: (H, W, 3) of its source.
        how: as in table `CHANGES`: `turn 0` to `turn 7`, or `near` for slightly other colors.

    Raises:
        ValueError: `how` says something else.
    """
    kind, _, turn = how.partition(" ")
    if kind == "near":
        near = np.clip(pixels * 0.97 + np.array([4.0, 2.0, 5.0]), 0, 255)
        return np.asarray(near.round(), np.uint8)
    if kind != "turn" or turn not in {str(t) for t in range(TURNS)}:
        raise ValueError(f"how must be near or turn 0 to turn {TURNS - 1}. Got {how!r}.")
    flipped = pixels[:, ::-1] if int(turn) >= TURNS // 2 else pixels
    return np.rot90(flipped, int(turn) % 4).copy()


def _copies(
    draft: Draft, strength: float, rng: np.random.Generator, *, turned: bool, relabeled: bool
) -> Draft:
    held = draft.tables.images
    labels, label = np.unique(np.asarray(held["label"]).astype(str), return_inverse=True)
    if relabeled and len(labels) < 2:
        raise ValueError("copies with other labels need images of at least two labels.")
    other = (label + rng.integers(1, max(2, len(labels)), len(label))) % len(labels)
    turn = rng.integers(1, TURNS, held.num_rows)
    names = [new_name(rng) for _ in range(held.num_rows)]
    hashes = [rng.bytes(16).hex() for _ in range(held.num_rows)]
    rows: list[dict[str, Any]] = []
    sources = []
    for k in picked(rng, held.num_rows, strength).tolist():
        source = held.slice(k, 1).to_pylist()[0]
        row = source | {"image": names[k], "file": f"{names[k]}.png", "how": "turn 0"}
        if turned:
            row |= {"hash": hashes[k], "how": f"turn {turn[k]}"}
        if relabeled:
            row |= {"label": str(labels[other[k]])}
        rows.append(row)
        sources.append(source["image"])
    return draft.add("images", rows, sources)


FAULTS = tuple(
    Fault(name, "duplicates", f"share of the images that {what}", _copies, options)
    for name, what, options in (
        (
            "duplicate_image",
            "are there twice, byte for byte",
            {"turned": False, "relabeled": False},
        ),
        (
            "duplicate_relabeled",
            "are there twice, with two labels",
            {"turned": False, "relabeled": True},
        ),
        (
            "duplicate_turned",
            "are there once more rotated or flipped",
            {"turned": True, "relabeled": False},
        ),
        (
            "duplicate_turned_relabeled",
            "are there once more rotated or flipped, with another label",
            {"turned": True, "relabeled": True},
        ),
    )
)
