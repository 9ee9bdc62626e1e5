"""Hashes with planted neighbors, a search without any cleverness, and copies of pictures."""

import io

import numpy as np
from PIL import Image

from curatome.phantom.faults.duplicates import redrawn


def bits_of(hashes):
    """(N, 8, 8) of 0 and 1."""
    places = np.arange(64, dtype=np.uint64)
    return ((np.asarray(hashes, np.uint64)[:, None] >> places) & np.uint64(1)).reshape(-1, 8, 8)


def eight_variants(hashes):
    """(N, 8) of the hashes, from signs and transposition written out on 8 × 8 bits."""
    v = np.arange(8) % 2
    across, down = np.tile(v, (8, 1)), np.tile(v[:, None], (1, 8))
    bits = bits_of(hashes).astype(np.int64)
    turned = bits.transpose(0, 2, 1)
    every = [some ^ a ^ b for some in (bits, turned) for a in (0, across) for b in (0, down)]
    weights = (1 << np.arange(64, dtype=object)).reshape(8, 8)
    return np.stack([(one * weights).sum(axis=(1, 2)).astype(np.uint64) for one in every], axis=1)


def brute_force(hashes, distance):
    """{(i, j): least distance} over all pairs and all eight variants."""
    found = {}
    variants = eight_variants(hashes)
    shown = np.flatnonzero(hashes)
    for i in shown.tolist():
        later = shown[shown > i]
        apart = np.bitwise_count(variants[i][:, None] ^ hashes[None, later]).min(axis=0)
        near = apart <= distance
        found |= {
            (i, j): d for j, d in zip(later[near].tolist(), apart[near].tolist(), strict=True)
        }
    return found


def flipped(hashes, share, rng):
    """Hashes with each bit changed with some probability."""
    flips = rng.random((len(hashes), 64)) < share
    weights = np.uint64(1) << np.arange(64, dtype=np.uint64)
    return hashes ^ (flips * weights).sum(axis=1, dtype=np.uint64)


def clustered(count, centers, share, rng):
    """Hashes scattered around a few, each turned at random."""
    around = rng.integers(1, 2**64, centers, np.uint64)[rng.integers(0, centers, count)]
    turns = eight_variants(flipped(around, share, rng))
    return turns[np.arange(count), rng.integers(0, 8, count)]


def compressed(pixels, quality=70):
    """The pixels after JPEG."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream).convert("RGB"))


def copied(pixels, turn, brighter=4):
    """What a careless copy does: turned, brightened, compressed again."""
    lighter = np.clip(redrawn(pixels, f"turn {turn}").astype(int) + brighter, 0, 255)
    return compressed(lighter.astype(np.uint8))
