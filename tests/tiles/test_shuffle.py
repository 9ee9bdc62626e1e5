import numpy as np
import pytest

from curatome.tiles.shuffle import shuffled


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 65, 1000, 4097])
def test_a_shuffle_holds_every_item_once(count):
    items = shuffled(np.arange(count), count, seed=5, epoch=0)
    assert sorted(items.tolist()) == list(range(count))


def test_shuffles_are_even():
    # Where item 0 of 12 lands, over 6,000 seeds: chi-square of 11 degrees, 0.1 % point 31.3.
    count, seeds = 12, 6000
    landed = [shuffled(np.array([0]), count, seed, 0)[0] for seed in range(seeds)]
    times = np.bincount(landed, minlength=count)
    assert ((times - seeds / count) ** 2 / (seeds / count)).sum() < 31.3
    # Neighbours: as far apart as independent ones, whose mean distance is a third of the range.
    items = shuffled(np.arange(100_000), 100_000, 1, 0)
    assert np.abs(np.diff(items)).mean() / 100_000 == pytest.approx(1 / 3, abs=0.005)
    assert abs(np.corrcoef(items, np.arange(100_000))[0, 1]) < 0.02


def test_a_large_order_needs_no_memory_of_its_size():
    places = np.arange(148_000_000, 148_000_256)
    items = shuffled(places, 148_962_586, 3, 9)
    assert len(set(items.tolist())) == 256
    assert 0 <= items.min() <= items.max() < 148_962_586
