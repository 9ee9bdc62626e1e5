"""The thyroid single-cell dataset as items: what it publishes, in tables of ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from curatome.cohort.duplicates import near_duplicates, perceptual_hash, without_ground
from curatome.hashes import bytes_hash
from curatome.tables import ITEMS
from curatome.tiles.encode import decode

FEATURES = (
    "Elongation",
    "Grooves",
    "Inclusion",
    "Glassy",
    "Crowding",
    "Wrinkled",
    "Enlargement",
    "Irregular",
    "Overlapping",
)
"""In the order of labels.json."""


def field_of(cell: str) -> str:
    """The source field that a cell was cut from."""
    return cell.rsplit("_cell_", 1)[0]


def thyroid_items(folder: Path) -> pa.Table:
    """Every crop as a cell, with the published split; nobody says the patient.

    An image of which nobody says the patient is a case of its own.
    """
    labels = json.loads((folder / "labels.json").read_text())
    split = {
        cell: name
        for name in ("train", "val", "test")
        for cell in json.loads((folder / f"{name}.json").read_text())
    }
    rows = []
    for cell in sorted(labels):
        data = (folder / "crops" / f"{cell}.jpg").read_bytes()
        shown = [n for n, one in zip(FEATURES, labels[cell], strict=True) if one]
        row = {"item": cell, "kind": "cell", "source": "thyroid", "labels": shown}
        row |= {"slide": field_of(cell), "case": field_of(cell), "split": split[cell]}
        rows.append(row | {"side_px": 224, "hash": bytes_hash(data)})
    return ITEMS.from_rows(rows)


def thyroid_near(folder: Path, items: pa.Table) -> pa.Table:
    """Crops that look alike, confirmed by their pixels; they were cut out on white."""
    names = items["item"].to_pylist()

    def load(row: int) -> np.ndarray:
        return without_ground(decode((folder / "crops" / f"{names[row]}.jpg").read_bytes()))

    hashes = np.concatenate(
        [
            perceptual_hash([load(row) for row in range(at, min(at + 256, len(names)))])
            for at in range(0, len(names), 256)
        ]
    )
    return near_duplicates(names, hashes, load)
