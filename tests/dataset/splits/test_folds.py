"""Repeated divisions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from curatome.dataset.splits import k_folds, leave_one_out, nested_folds, tied
from curatome.errors import TableError
from tests.dataset.splits.test_divide import counts_of, made

UNITS = tied(made(40, 3, 1))


def test_every_case_is_tested_once():
    folds = k_folds(UNITS, 5)
    tested = Counter(c for fold in folds for c, where in fold.split.items() if where == "test")
    assert tested == dict.fromkeys(UNITS.counts.cases, 1)
    assert [fold.name for fold in folds] == [f"fold {k}" for k in range(1, 6)]


def test_inner_folds_never_see_the_outer_test():
    outer = {fold.name: fold for fold in k_folds(UNITS, 4, seed=2)}
    folds = nested_folds(UNITS, 4, 3, seed=2)
    assert len(folds) == 12
    for fold in folds:
        test = {c for c, where in fold.split.items() if where == "test"}
        kept = {c for c, w in outer[fold.name.partition(",")[0]].split.items() if w == "test"}
        assert test == kept
        assert set(fold.split.values()) == {"train", "val", "test"}


def test_ties_hold_in_inner_folds():
    counts = made(30, 2, 3)
    units = tied(counts, {case: case[:4] for case in counts.cases})  # by tens
    for fold in nested_folds(units, 3, 2):
        for ten in {case[:4] for case in counts.cases}:
            assert len({fold.split[c] for c in counts.cases if c[:4] == ten}) == 1


def test_a_domain_is_left_out():
    counts = counts_of(np.ones((12, 1)))
    domain = {case: [f"site {int(case[1:]) % 3}"] for case in counts.cases}
    domain["C0000"] = ["site 0", "site 1"]
    folds = leave_one_out(tied(counts), domain, val=0.25)
    assert [fold.name for fold in folds] == ["site 0", "site 1", "site 2"]
    for fold in folds:
        test = {c for c, where in fold.split.items() if where == "test"}
        assert test == {c for c in counts.cases if fold.name in domain[c]}
        assert "val" in fold.split.values()


def test_what_cannot_be_repeated_is_told():
    with pytest.raises(TableError, match="40 groups of cases cannot be divided into 41 folds"):
        k_folds(UNITS, 41)
    with pytest.raises(TableError, match="one domain cannot be left out of 1"):
        leave_one_out(UNITS, {case: ["x"] for case in UNITS.counts.cases})
