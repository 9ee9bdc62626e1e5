from __future__ import annotations

import itertools

import numpy as np
import pytest

from curatome.rules.clean.edges import OFFSETS, _paths, closed_paths, drops
from curatome.rules.clean.profiles import PLACES


def test_a_step_drops_by_its_height_where_it_lies():
    profile = np.where(PLACES < 1.25, 0.8, 0.1).astype(np.float32)
    drop, good = drops(profile)
    assert OFFSETS[np.argmax(drop)] in (1.0, 1.5)
    assert drop.max() == pytest.approx(0.7, abs=1e-6)
    assert good.all()


def test_what_is_not_seen_is_no_edge():
    profile = np.where(PLACES < 1.25, 0.8, np.nan).astype(np.float32)
    drop, good = drops(profile)
    assert not good[OFFSETS > 0.5].any()
    assert (drop[~good] == 0).all()


def best_by_trying(worth, jump, through=None):
    """The best path by trying all: open, or closed through (normal, place)."""
    normals, places = worth.shape
    paths = np.array(list(itertools.product(range(places), repeat=normals)))
    if through is not None:
        paths = paths[paths[:, through[0]] == through[1]]
        steps = np.abs(np.diff(paths, axis=1, append=paths[:, :1]))
    else:
        steps = np.abs(np.diff(paths, axis=1))
    paths, steps = paths[steps.max(axis=1) <= 2], steps[steps.max(axis=1) <= 2]
    gained = worth[np.arange(normals), paths].sum(axis=1) - jump * (steps**2).sum(axis=1)
    return paths[np.argmax(gained)].tolist()


@pytest.mark.parametrize("seed", range(20))
def test_the_path_is_the_best_closed_one_through_where_the_best_open_one_passes(seed):
    worth = np.random.default_rng(seed).random((1, 5, 5))
    out = np.zeros((1, 5), np.int64)
    _paths(worth, 0.1, out)
    middle = best_by_trying(worth[0], 0.1)[2]
    assert out[0].tolist() == best_by_trying(worth[0], 0.1, through=(2, middle))


def test_of_two_equal_edges_the_nearer_one_is_taken():
    drop = np.zeros((1, 48, len(OFFSETS)), np.float32)
    drop[:, :, [4, 20]] = 0.5  # at -6 and 2
    path = closed_paths(drop, np.ones(drop.shape, bool))
    assert (OFFSETS[path] == 2.0).all()
