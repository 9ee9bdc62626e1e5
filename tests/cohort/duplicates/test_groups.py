import numpy as np
import pytest

from curatome.cohort.duplicates import ALONE, crossing, duplicate_groups, near_pairs

from .made import eight_variants

BASE = 0x9E3779B97F4A7C15


def chain(steps, start=BASE):
    """Hashes of which each differs from the one before in five more bits."""
    return [start ^ ((1 << 5 * k) - 1) for k in range(steps)]


def test_clusters_and_how_wide_they_are():
    other = 0x0123456789ABCDEF
    turn = int(eight_variants([other])[0, 3])
    hashes = np.array([other, *chain(5), 77, turn], np.uint64)
    groups = duplicate_groups(near_pairs(hashes), hashes)
    assert groups.of.tolist() == [0, 1, 1, 1, 1, 1, ALONE, 0]
    assert groups.size.tolist() == [2, 5]
    least = np.bitwise_count(eight_variants(hashes[1:2])[0] ^ hashes[5]).min()
    assert 6 < least <= 20
    assert groups.widest[0] == 0
    widths = [
        np.bitwise_count(eight_variants([a])[0] ^ b).min() for a in hashes[1:6] for b in hashes[1:6]
    ]
    assert groups.widest[1] == max(widths)


def test_nothing_to_group():
    hashes = np.array([1, BASE], np.uint64)
    groups = duplicate_groups(near_pairs(hashes), hashes)
    assert groups.of.tolist() == [ALONE, ALONE]
    assert len(groups) == 0
    assert crossing(groups, ["a", "b"]).tolist() == []
    pairs = near_pairs([BASE, BASE, BASE])
    with pytest.raises(ValueError, match="beyond the 2"):
        duplicate_groups(pairs, hashes)


def test_clusters_that_reach_across_slides():
    hashes = np.array([BASE, 5, BASE, 0x0123456789ABCDEF, 5, 0x0123456789ABCDEF], np.uint64)
    groups = duplicate_groups(near_pairs(hashes, 0), hashes)
    assert groups.of.tolist() == [0, 1, 0, 2, 1, 2]
    assert crossing(groups, ["A", "B", "A", "A", "A", "C"]).tolist() == [1, 2]
    assert crossing(groups, [None, 1, None, 1, 1, 1]).tolist() == []
    with pytest.raises(ValueError, match="6 items need as many owners"):
        crossing(groups, ["A"])
