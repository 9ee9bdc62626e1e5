"""MIDOG++: the agreement of its experts as known from its votes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from curatome.agreement.coefficients import cohen_kappa, percent_agreement
from curatome.agreement.ratings import ratings
from curatome.annotations.formats.base import Frames, Options
from curatome.annotations.formats.coco import FORMAT, classes_of, votes

KAPPA = {
    "canine lung cancer": 0.463,
    "human neuroendocrine tumor": 0.468,
    "human breast cancer": 0.556,
    "canine lymphoma": 0.556,
    "canine cutaneous mast cell tumor": 0.591,
    "canine soft tissue sarcoma": 0.624,
    "human melanoma": 0.647,
}


@pytest.fixture(scope="module")
def midog(data):
    """All votes, the tumor of each item, and its final class."""
    folder = data / "annotations" / "coco"
    boxes = FORMAT.read(folder / "MIDOG++.json", Frames(), Options()).table
    found = ratings(votes(boxes, classes_of(folder / "MIDOG++.json")))
    with (folder / "datasets_xvalidation.csv").open() as file:
        tumor = {int(one["Slide"]): one["Tumor"] for one in csv.DictReader(file, delimiter=";")}
    boxes = boxes.take(pc.index_in(found.items, boxes["annotation"].combine_chunks()))
    tumors = [tumor[int(Path(one).stem)] for one in boxes["image"].to_pylist()]
    return found, tumors, [one for (one,) in boxes["labels"].to_pylist()]


def test_the_first_two_votes(midog):
    two = midog[0].of(["expert 1", "expert 2"])
    assert len(two) == 26_286
    assert round(percent_agreement().value(two), 3) == 0.790
    assert round(cohen_kappa().value(two), 3) == 0.575


@pytest.mark.parametrize("tumor", KAPPA)
def test_domains(midog, tumor):
    found, tumors, _ = midog
    rows = np.array(tumors) == tumor
    two = found.of(["expert 1", "expert 2"]).take(rows)
    assert round(cohen_kappa().value(two), 3) == KAPPA[tumor]


def test_the_final_class_is_the_majority(midog):
    found, _, final = midog
    counts = found.counts()
    best = counts.argmax(axis=1)
    assert (counts.max(axis=1) * 2 > counts.sum(axis=1)).all()
    assert [found.labels[one] for one in best] == final
