"""Planted copies in the phantom and copies among real images, found and told from the others."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curatome.cohort.duplicates import (
    LEAST_SIMILARITY,
    detail,
    duplicate_groups,
    near_duplicates,
    near_pairs,
    perceptual_hash,
    similarities,
    similarity,
    turned_hashes,
    without_ground,
)
from curatome.phantom import SCANNERS, make_scene, plan_cohort, render
from curatome.phantom.faults import FAULTS, CleanDesign, make_tables
from curatome.phantom.faults.duplicates import redrawn
from curatome.tables import NEAR_DUPLICATES

from .made import brute_force, copied

SIDE = 160


@pytest.fixture(scope="module")
def tiles():
    """Tiles of tissue and glass of two slides of the phantom."""
    found = []
    for plan in plan_cohort(57, 4, 700.0)[:2]:
        scene = make_scene(plan)
        pixels = render(scene, SCANNERS[plan.scanner], (0, 0, plan.width, plan.height))
        height, width, _ = pixels.shape
        corners = [
            (y, x)
            for y in range(0, height - SIDE + 1, SIDE)
            for x in range(0, width - SIDE + 1, SIDE)
        ]
        found += [pixels[y : y + SIDE, x : x + SIDE] for y, x in corners]
    return found


@pytest.fixture(scope="module")
def tissue(tiles):
    return [tile for tile in tiles if (tile.min(axis=2) < 200).mean() > 0.3]


def pairs_of(table):
    return set(zip(table["first"].to_pylist(), table["second"].to_pylist(), strict=True))


def test_tiles_of_one_slide_are_no_duplicates(tiles, tissue):
    glass = [tile for tile in tiles if tile.min() > 215]
    assert len(glass) > 10
    assert not perceptual_hash(glass).any()
    assert len(tissue) > 40
    names = [str(k) for k in range(len(tiles))]
    assert near_duplicates(names, perceptual_hash(tiles), tiles.__getitem__).num_rows == 0


def test_copies_that_were_turned_compressed_and_brightened_are_found(tissue):
    rng = np.random.default_rng(8)
    turns = rng.integers(0, 8, len(tissue)).tolist()
    images = tissue + [copied(tile, turn) for tile, turn in zip(tissue, turns, strict=True)]
    names = [f"tile {k}" for k in range(len(tissue))] + [f"copy {k}" for k in range(len(tissue))]
    table = near_duplicates(names, perceptual_hash(images), images.__getitem__)
    assert table.schema.equals(NEAR_DUPLICATES.schema)
    assert pairs_of(table) == {(f"tile {k}", f"copy {k}") for k in range(len(tissue))}
    assert table["symmetry"].to_pylist() == turns
    assert min(table["similarity"].to_pylist()) > 0.95


@pytest.mark.parametrize("fault", [name for name in FAULTS if name.startswith("duplicate_")])
def test_planted_duplicates_of_the_phantom(tissue, fault):
    clean = make_tables(CleanDesign(), 11)
    planted = FAULTS[fault].plant(clean, 0.2, 3)
    names = clean.images["image"].to_pylist()[: len(tissue)]
    pixels = dict(zip(names, tissue, strict=True))
    added = [r for r in planted.changes.to_pylist() if r["source"] in pixels]
    pixels |= {row["row"]: redrawn(pixels[row["source"]], row["how"]) for row in added}
    every = list(pixels)
    table = near_duplicates(
        every, perceptual_hash(list(pixels.values())), lambda i: pixels[every[i]]
    )
    assert len(added) > 3
    assert pairs_of(table) == {(row["source"], row["row"]) for row in added}


def test_similarity_is_the_correlation_of_detail():
    rng = np.random.default_rng(2)
    one, other = rng.integers(0, 256, (2, 64, 64), np.uint8)

    def fine(image):
        blocks = image.astype(float).reshape(16, 4, 16, 4)
        return (blocks - blocks.mean(axis=(1, 3), keepdims=True)).ravel()

    expected = np.corrcoef(fine(one), fine(other))[0, 1]
    assert similarity(detail(one), detail(other)) == pytest.approx(expected, abs=1e-4)
    for k in range(8):
        turn = redrawn(one[:, :, None], f"turn {k}")
        assert similarity(detail(one), detail(turn), k) == pytest.approx(1, abs=1e-5)
    flat = np.full((50, 50), 90, np.uint8)
    assert similarity(detail(one), detail(flat)) == 0


def test_one_coarse_picture_is_not_yet_a_duplicate(tissue):
    rng = np.random.default_rng(3)
    coarse = np.asarray(Image.fromarray(tissue[0]).resize((10, 10), Image.Resampling.BOX))
    large = np.kron(coarse, np.ones((16, 16, 1), np.uint8)).astype(int)
    images = [
        np.clip(large + rng.integers(-60, 61, large.shape), 0, 255).astype(np.uint8)
        for _ in range(2)
    ]
    hashes = perceptual_hash(images)
    assert len(near_pairs(hashes)) == 1
    assert near_duplicates(["a", "b"], hashes, images.__getitem__).num_rows == 0


def test_names_and_hashes_must_match():
    with pytest.raises(ValueError, match="2 names need as many hashes"):
        near_duplicates(["a", "b"], [1], [].__getitem__)


def read(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.acceptance
def test_thyroid_cells_that_are_there_twice(data):
    files = sorted(Path(data, "cells", "thyroid", "crops").rglob("*.jpg"))
    by_bytes = {}
    for k, path in enumerate(files):
        by_bytes.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), []).append(k)
    identical = {tuple(some) for some in by_bytes.values() if len(some) > 1}
    crops = [without_ground(read(path)) for path in files]
    hashes = perceptual_hash(crops)
    near = near_pairs(hashes)
    expected = brute_force(hashes, 6)
    found = zip(near.first.tolist(), near.second.tolist(), strict=True)
    assert dict(zip(found, near.distance.tolist(), strict=True)) == expected
    alike = near.where(similarities(near, crops.__getitem__) >= LEAST_SIMILARITY)
    confirmed = set(zip(alike.first.tolist(), alike.second.tolist(), strict=True))
    assert len(files) == 3491
    assert confirmed == identical
    assert len(duplicate_groups(alike, hashes)) == len(identical)


def test_real_tiles_are_found_again_and_not_mistaken(data):
    files = sorted(Path(data, "images").rglob("*.jpg"))
    images = [read(path) for path in files]
    assert len(images) == 130
    hashes = perceptual_hash(images)
    assert hashes.all()
    assert len(near_pairs(hashes, 10)) == 0
    copies = [copied(image, k % 8) for k, image in enumerate(images)]
    both = near_pairs(np.append(hashes, perceptual_hash(copies)))
    assert list(zip(both.first.tolist(), both.second.tolist(), strict=True)) == [
        (k, k + len(images)) for k in range(len(images))
    ]
    assert both.symmetry.tolist() == [k % 8 for k in range(len(images))]
    assert similarities(both, (images + copies).__getitem__).min() >= LEAST_SIMILARITY
    assert np.unique(turned_hashes(hashes)).size > 8 * len(images) - 20


def test_edges_of_two_pen_strokes_are_no_duplicates():
    """One shape and hardly any detail, but black and red."""
    y, x = np.mgrid[:96, :96]
    stroke = (x + 0.2 * y < 50)[..., None]
    paper = np.full((96, 96, 3), 240, np.uint8)
    black, red, pale = (
        np.where(stroke, np.array(ink, np.uint8), paper)
        for ink in ((30, 30, 32), (200, 30, 60), (36, 36, 40))
    )
    images = [black, red, pale]
    pairs = near_duplicates(["black", "red", "pale"], perceptual_hash(images), images.__getitem__)
    assert {(row["first"], row["second"]) for row in pairs.to_pylist()} == {("black", "pale")}
