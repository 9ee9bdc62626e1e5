"""The detector on tiles with planted objects: what is ranked first, and what is left out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.ndimage import gaussian_filter

from curatome.agreement.candidates import CANDIDATES, Tile, ranked, train
from curatome.agreement.candidates import detector as module
from curatome.errors import AnnotationError
from curatome.stain import HE, compose


def painted(seed, case, round_=12, long=20, size=400, mpp=0.5, corner=(1000.0, 500.0)):
    """A tile with dark round objects (sought) and paler long ones; the places of both, µm."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    grid = np.stack(np.meshgrid(np.arange(6), np.arange(6)), -1).reshape(-1, 2)
    cells = rng.permutation(grid)[: round_ + long]
    places = (cells + 0.5 + rng.uniform(-0.2, 0.2, cells.shape)) * size / 6
    plane = np.zeros((size, size))
    for k, (x, y) in enumerate(places):
        wide, high = (8, 8) if k < round_ else (16, 6)
        inside = ((columns - x) / wide) ** 2 + ((rows - y) / high) ** 2 <= 1
        plane[inside] = (0.7 if k < round_ else 0.5) * rng.uniform(0.9, 1.1)
    plane = gaussian_filter(plane, 1.0) + rng.normal(0, 0.01, plane.shape)
    amounts = np.stack([plane, np.full_like(plane, 0.15), 0 * plane], axis=-1)
    rgb = compose(amounts, HE)
    um = places * mpp + corner
    return Tile("slide " + case, case, rgb, mpp, um[:round_], corner_um=corner), um


def half_marked(seed, case):
    tile, places = painted(seed, case)
    kept = Tile(tile.image, case, tile.pixels, tile.mpp, places[:6], places[12:22],
                corner_um=tile.corner_um)  # fmt: skip
    return kept, places


def near(table, places):
    """How far each candidate lies from the nearest of some places, µm."""
    points = np.stack([np.asarray(table["x_um"]), np.asarray(table["y_um"])], axis=1)
    return np.linalg.norm(points[:, None] - places[None], axis=2).min(axis=1)


CASES = [f"P{k}" for k in range(6)]


def test_missed_objects_come_first():
    made = [half_marked(k, case) for k, case in enumerate(CASES)]
    found = train(tile for tile, _ in made)
    hits = 0
    for tile, places in made:
        best = ranked([found.read(tile)], most=6)
        hits += int((near(best, places[6:12]) < 3).sum())
    assert hits >= 32  # of 36; among more than 12 blobs per tile chance would find half


def test_what_is_annotated_is_left_out_but_read():
    made = [half_marked(k, case) for k, case in enumerate(CASES)]
    detector = train(tile for tile, _ in made)
    tile, places = made[0]
    table = detector.read(tile)
    assert table.schema.equals(CANDIDATES.schema)
    free = ranked([table])
    assert (near(free, np.concatenate([places[:6], places[12:22]])) > 4).all()
    # As a reader of its own it finds annotated and missed objects alike.
    sure = table.filter(pa.compute.greater(table["probability"], 0.1))
    found = [bool(near(sure, place[None]).min() < 3) for place in places[:12]]
    assert sum(found[:6]) >= 5
    assert sum(found[6:]) >= 5


def test_ranks_over_tiles_and_cuts():
    made = [half_marked(k, case) for k, case in enumerate(CASES)]
    detector = train(tile for tile, _ in made)
    tables = [detector.read(tile) for tile, _ in made]
    whole, few = ranked(tables), ranked(tables, most=10)
    assert (np.diff(np.asarray(whole["probability"])) <= 0).all()
    assert few.equals(whole.slice(0, 10))
    assert min(ranked(tables, least=0.3)["probability"].to_pylist()) >= 0.3


def test_a_tile_is_scored_by_a_model_that_has_not_seen_its_case():
    made = [half_marked(k, case)[0] for k, case in enumerate(CASES)]
    other = painted(77, CASES[0])[0]
    empty = Tile(other.image, CASES[0], other.pixels, other.mpp, corner_um=other.corner_um)
    with_it, without = train(made), train([empty, *made[1:]])
    probe = made[0]
    assert with_it.read(probe).equals(without.read(probe))


def test_negatives_are_sampled_so_that_memory_does_not_grow(monkeypatch):
    monkeypatch.setattr(module, "_NEGATIVES", 30)
    kept = module._Kept([], [], [])
    rng = np.random.default_rng(0)
    for seed in range(8):
        kept.take(module._survey(half_marked(seed, "P")[0], HE, 4.0), rng)
        assert sum(map(len, kept.negative)) <= 60
        assert sum(map(len, kept.negative)) == sum(map(len, kept.keys))
    assert sum(map(len, kept.positive)) == 48


def test_finer_pixels_are_read_at_the_same_places():
    tile, places = painted(1, "P")
    double = Tile(tile.image, "P", tile.pixels.repeat(2, axis=0).repeat(2, axis=1), 0.25,
                  places[:12], corner_um=tile.corner_um)  # fmt: skip
    one, two = (module._survey(t, HE, 4.0) for t in (tile, double))
    np.testing.assert_allclose(one.look.points, two.look.points)
    np.testing.assert_allclose(one.look.features, two.look.features, atol=1e-4)


def test_without_annotations_nothing_is_learned():
    tile, _ = painted(1, "P")
    bare = Tile(tile.image, "P", tile.pixels, tile.mpp)
    with pytest.raises(AnnotationError, match="at least two folds"):
        train([bare])
