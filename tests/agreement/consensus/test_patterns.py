"""Rows that are alike, found against NumPy's sorting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curatome.agreement.consensus.patterns import find_patterns


def checked(codes):
    found = find_patterns(codes)
    assert np.array_equal(found.codes[found.index], codes)
    unique, counts = np.unique(codes, axis=0, return_counts=True)
    order = np.lexsort(found.codes.T[::-1])
    assert np.array_equal(found.codes[order], unique)
    assert np.array_equal(found.counts[order], counts)
    return found


@given(st.integers(0, 60), st.integers(1, 5), st.integers(0, 3), st.integers(0, 99))
def test_patterns_are_the_unique_rows(rows, readers, top, seed):
    rng = np.random.default_rng(seed)
    checked(rng.integers(-1, top + 1, (rows, readers)).astype(np.int16))


def test_more_patterns_than_the_table_begins_with():
    codes = np.random.default_rng(1).integers(-1, 300, (20_000, 4)).astype(np.int16)
    assert len(checked(codes).codes) > 10_000


def test_patterns_come_in_order_of_appearance():
    found = find_patterns(np.array([[2, 1], [0, 0], [2, 1], [1, 2]], np.int16))
    assert found.codes.tolist() == [[2, 1], [0, 0], [1, 2]]
    assert found.index.tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32])
def test_stacks_of_images_need_not_be_copied(dtype):
    stack = np.random.default_rng(2).integers(0, 3, (3, 40, 50)).astype(dtype)
    flat = stack.reshape(3, -1).T
    assert not flat.flags.c_contiguous
    checked(flat)
