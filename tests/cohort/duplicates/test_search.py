import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.cohort.duplicates import TooManyPairs, near_pairs, turned_hashes
from curatome.cohort.duplicates.blocks import deal

from .made import brute_force, clustered, eight_variants, flipped


def listed(pairs):
    return dict(
        zip(
            zip(pairs.first.tolist(), pairs.second.tolist(), strict=True),
            pairs.distance.tolist(),
            strict=True,
        )
    )


def random_hashes(count, seed):
    return np.random.default_rng(seed).integers(1, 2**64, count, np.uint64)


def planted(count, copies, flips, seed):
    """Random hashes; the last of them are turned copies of others with some bits changed."""
    rng = np.random.default_rng(seed)
    hashes = random_hashes(count, seed)
    sources = rng.integers(0, count - copies, copies)
    for k, source in enumerate(sources):
        h = int(turned_hashes(hashes[source : source + 1])[0, rng.integers(8)])
        for bit in rng.choice(64, flips[k % len(flips)], replace=False):
            h ^= 1 << int(bit)
        hashes[count - copies + k] = h
    return hashes


@pytest.mark.parametrize("distance", [0, 1, 2, 3, 6, 9, 12, 16])
def test_the_search_finds_all_that_brute_force_finds(distance):
    rng = np.random.default_rng(distance)
    hashes = np.concatenate(
        [
            clustered(500, 12, distance / 100 + 0.01, rng),
            planted(400, 120, [0, 1, 3, 6, 7, distance, distance + 1], distance),
        ]
    )
    hashes[::40] = 0
    found = near_pairs(hashes, distance)
    expected = brute_force(hashes, distance)
    assert len(expected) > 100
    assert listed(found) == expected
    assert len(found) == len(expected)
    turns = turned_hashes(hashes[found.first])[np.arange(len(found)), found.symmetry]
    assert np.array_equal(np.bitwise_count(turns ^ hashes[found.second]), found.distance)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(0, 90), st.sampled_from([1, 2]))
def test_any_hashes_and_distance(seed, distance, count, threads):
    rng = np.random.default_rng(seed)
    kept = np.uint64(rng.integers(0, 2**64, dtype=np.uint64))  # bits that are 0 in all others
    hashes = flipped(np.zeros(count, np.uint64), 0.2, rng) & kept
    assert listed(near_pairs(hashes, distance, threads=threads)) == brute_force(hashes, distance)


@pytest.mark.acceptance
def test_twenty_thousand_hashes_against_brute_force():
    hashes = planted(20_000, 2_000, [0, 2, 4, 6, 7], 5)
    expected = brute_force(hashes, 6)
    assert len(expected) >= 1_600
    assert listed(near_pairs(hashes)) == expected


def test_pairs_are_in_order_and_one_symmetric_image_is_no_pair():
    bits = np.zeros((8, 8), np.uint8)
    bits[::2, ::2] = np.random.default_rng(1).integers(0, 2, (4, 4))
    bits |= bits.T  # equal to all its turns
    same = np.uint64(sum(int(b) << i for i, b in enumerate(bits.ravel())))
    assert (turned_hashes([same])[0, [0, 5]] == same).all()
    assert len(near_pairs([same])) == 0
    found = near_pairs([same, 7, same, same])
    assert found.first.tolist() == [0, 0, 2]
    assert found.second.tolist() == [2, 3, 3]


def test_images_without_content_pair_with_none():
    assert len(near_pairs(np.zeros(50, np.uint64))) == 0
    assert len(near_pairs([0, 1, 0, 1])) == 1
    assert len(near_pairs([])) == 0


def test_one_stands_for_those_of_the_same_hash():
    a, b = random_hashes(2, 9).tolist()
    near, turn = a ^ 0b1011, int(eight_variants([a])[0, 6])
    hashes = np.array([b, a, near, turn, near, a], np.uint64)
    short = near_pairs(hashes, every=False)
    pairs = list(zip(short.first.tolist(), short.second.tolist(), strict=True))
    assert pairs == [(1, 2), (1, 3), (1, 5), (2, 4)]
    assert len(near_pairs(hashes)) == 10  # all pairs of five


def test_too_many_pairs_end_the_search():
    alike = np.full(200, 12345, np.uint64)
    assert len(near_pairs(alike, limit=19_900)) == 19_900
    with pytest.raises(TooManyPairs, match="more than 19899 pairs"):
        near_pairs(alike, limit=19_899)
    assert len(near_pairs(alike, every=False, limit=199)) == 199
    cluster = clustered(2_000, 1, 0.02, np.random.default_rng(2))
    with pytest.raises(TooManyPairs):
        near_pairs(cluster, limit=1_000)
    with pytest.raises(ValueError, match="distance must be 0 to 16"):
        near_pairs(alike, 17)


def test_bits_that_never_change_are_dealt_to_all_blocks():
    hashes = random_hashes(5_000, 4) & np.uint64(0x00FFFFFF000FFFFF)  # 20 bits are always 0
    blocks = deal(hashes, 6)
    still = 0xFFFFFFFFFFFFFFFF ^ 0x00FFFFFF000FFFFF
    bits = [set(blocks.order[a:b]) for a, b in zip(blocks.starts, blocks.starts[1:], strict=False)]
    counts = [sum(still >> int(bit) & 1 for bit in some) for some in bits]
    assert sum(counts) == 20
    assert max(counts) - min(counts) <= 2  # the first round and the last may be cut short
    assert sorted(blocks.order.tolist()) == list(range(64))


@pytest.mark.acceptance
def test_piled_up_hashes_are_searched_in_bounded_time():
    rng = np.random.default_rng(6)
    hashes = random_hashes(100_000, 6) & np.uint64(0x00FFFFFF000FFFFF)
    hashes = np.append(hashes, clustered(50_000, 1, 0.25, rng))
    copies = rng.choice(150_000, 500, replace=False)
    near = flipped(hashes[copies], 0.02, rng)
    found = near_pairs(np.append(hashes, near))
    got = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    apart = np.bitwise_count(hashes[copies] ^ near)
    wanted = {(int(i), 150_000 + k) for k, i in enumerate(copies) if apart[k] <= 6}
    assert len(wanted) > 480
    assert wanted <= got
