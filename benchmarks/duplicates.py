"""How fast near-duplicates are hashed and found, beside imagehash and faiss, and what is missed.

    python -m benchmarks.duplicates [--data FOLDER] [--hashes 1000000] [--peers FOLDER]

Hashing: µs per image on one thread, of real tiles as decoded pixels and as JPEG files, at 224 and
384 px; the target is a fourth of imagehash.phash from pixels. Search: all pairs within 6 bits under
the eight symmetries, of random hashes with planted copies and of such that pile up; the target is
under 60 s. Recall: against brute force on 20,000. Cells: the thyroid crops that are there twice.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg
from benchmarks.environments import python_with
from benchmarks.recording import keep, machine
from PIL import Image

from curatome.cohort.duplicates import (
    LEAST_SIMILARITY,
    TooManyPairs,
    jpeg_hash,
    near_pairs,
    perceptual_hash,
    similarities,
    turned_hashes,
    without_ground,
)

Hashes = npt.NDArray[np.uint64]

NEEDS = ("imagehash==4.3.2", "faiss-cpu==1.15.1")
SIDES, TILES, DISTANCE, SMALL, QUERIES = (224, 384), 130, 6, 20_000, 200
_PEERS = Path(__file__).parent / "duplicates_peers.py"


def tiles(data: Path, side: int) -> npt.NDArray[np.uint8]:
    """(N, side, side, 3), the real tiles at that size."""
    files = sorted((data / "images").rglob("*.jpg"))[:TILES]
    return np.stack([np.asarray(Image.open(f).convert("RGB").resize((side, side))) for f in files])


def best(work: Callable[[], Any], repeats: int = 3) -> float:
    """Seconds of the fastest run after one that warms up."""
    seconds = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds[1:])


def hashing(data: Path, peer: Path | None, folder: Path) -> Iterator[str]:
    yield "hashing, µs per image      curatome   imagehash   times as fast"
    for side in SIDES:
        pixels = tiles(data, side)
        files = [simplejpeg.encode_jpeg(one, quality=90) for one in pixels]
        path = folder / f"tiles-{side}.npz"
        joined = np.frombuffer(b"".join(files), np.uint8)
        np.savez(path, pixels=pixels, files=joined, ends=np.cumsum([len(f) for f in files]))
        own = {
            "pixels": best(lambda pixels=pixels: perceptual_hash(pixels)),
            "jpeg": best(lambda files=files: jpeg_hash(files)),
        }
        theirs = asked(peer, "imagehash", str(path))
        for kind, seconds in own.items():
            per = seconds / len(pixels) * 1e6
            beside = f"{theirs[kind]:12.1f} {theirs[kind] / per:12.1f}" if theirs else ""
            yield f"  {side} px, {kind:<14} {per:10.1f} {beside}"


def asked(peer: Path | None, *arguments: str) -> dict[str, Any]:
    """What a peer prints; nothing where it could not be installed."""
    if peer is None:
        return {}
    done = subprocess.run(
        [peer, _PEERS, *arguments], check=True, capture_output=True, text=True, env=_plain()
    )
    return dict(json.loads(done.stdout))


def _plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def planted(count: int, seed: int) -> tuple[Hashes, set[tuple[int, int]]]:
    """Random hashes; the last hundredth are turned copies of others, up to 6 bits off."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(1, 2**64, count, np.uint64)
    copies = count // 100
    sources = rng.choice(count - copies, copies, replace=False)
    near = turned_hashes(hashes[sources])[np.arange(copies), rng.integers(0, 8, copies)]
    for _ in range(DISTANCE):
        near ^= np.uint64(1) << rng.integers(0, 64, copies).astype(np.uint64)
    hashes[-copies:] = near
    return hashes, {(int(s), count - copies + k) for k, s in enumerate(sources)}


def scattered(count: int, centers: int, share: float, seed: int) -> Hashes:
    """Hashes around a few, each bit changed with some probability."""
    rng = np.random.default_rng(seed)
    out = rng.integers(1, 2**64, centers, np.uint64)[rng.integers(0, centers, count)]
    for bit in range(64):
        out ^= (rng.random(count) < share).astype(np.uint64) << np.uint64(bit)
    return out


def searching(count: int) -> Iterator[str]:
    near_pairs(planted(40_000, 1)[0])  # compiled before the clock starts
    hashes, truth = planted(count, 2)
    rng = np.random.default_rng(3)
    constant = rng.integers(1, 2**64, count, np.uint64) & np.uint64(0x00FFFFFF000FFFFF)
    copies = hashes.copy()
    copies[: count // 2] = hashes[0]
    yield f"search of {count:,} hashes     seconds   CPU s        pairs"
    cases = (
        ("random, copies planted", hashes, True),
        ("20 bits always the same", constant, True),
        ("1,000 clusters, 25 % off", scattered(count, 1000, 0.25, 4), True),
        ("one cluster, 25 % off", scattered(count, 1, 0.25, 5), True),
        ("one cluster, 10 % off", scattered(count, 1, 0.10, 6), True),
        ("half have one hash", copies, True),
        ("the same, one for all", copies, False),
    )
    for name, some, every in cases:
        begun, before = time.perf_counter(), time.process_time()
        try:
            pairs = near_pairs(some, DISTANCE, every=every)
            found = f"{len(pairs):,}"
        except TooManyPairs:
            found = "too many"
        wall, cpu = time.perf_counter() - begun, time.process_time() - before
        yield f"  {name:<26} {wall:9.2f} {cpu:7.2f} {found:>12}"
        if some is hashes:
            got = set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
            yield f"    planted copies found: {len(truth & got):,} of {len(truth):,}"


def faiss(peer: Path | None, count: int, folder: Path) -> Iterator[str]:
    path = folder / "turns.npy"
    np.save(path, turned_hashes(planted(count, 2)[0]))
    for name, row in asked(peer, "faiss", str(path), str(QUERIES)).items():
        whole = row["built"] + row["seconds"] * count / QUERIES
        yield (
            f"  faiss multi-hash, {name}: {row['seconds']:.1f} s for {QUERIES:,} hashes, "
            f"about {whole:,.0f} s for all"
        )


def brute_force(hashes: Hashes) -> set[tuple[int, int]]:
    found = set()
    turns = turned_hashes(hashes)
    for i in range(len(hashes)):
        apart = np.bitwise_count(turns[i][:, None] ^ hashes[None, i + 1 :]).min(axis=0)
        found |= {(i, i + 1 + j) for j in np.flatnonzero(apart <= DISTANCE).tolist()}
    return found


def recall() -> Iterator[str]:
    for name, hashes in (
        ("random, copies planted", planted(SMALL, 7)[0]),
        ("200 clusters, 12 % off", scattered(SMALL, 200, 0.12, 8)),
    ):
        pairs = near_pairs(hashes, DISTANCE)
        got = set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
        truth = brute_force(hashes)
        yield (
            f"recall on {SMALL:,}, {name}: {len(got & truth) / len(truth):.4f} of {len(truth):,}"
            f", {len(got - truth)} too many"
        )


def cells(data: Path) -> Iterator[str]:
    files = sorted((data / "cells" / "thyroid" / "crops").rglob("*.jpg"))
    digests = [hashlib.sha256(f.read_bytes()).digest() for f in files]
    _, counts = np.unique(digests, return_counts=True)
    crops = [without_ground(np.asarray(Image.open(f).convert("RGB"))) for f in files]
    pairs = near_pairs(perceptual_hash(crops), DISTANCE)
    alike = similarities(pairs, crops.__getitem__)
    confirmed = pairs.where(alike >= LEAST_SIMILARITY)
    same = [
        digests[i] == digests[j] for i, j in zip(confirmed.first, confirmed.second, strict=True)
    ]
    yield (
        f"thyroid cells: {len(files):,} crops, {int((counts * (counts - 1) // 2).sum())} pairs "
        f"identical by their bytes; {len(pairs):,} pairs within {DISTANCE} bits, of which "
        f"{len(confirmed)} are confirmed by their pixels, {sum(same)} of them identical; the next "
        f"most alike pair has {alike[alike < LEAST_SIMILARITY].max():.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--hashes", type=int, default=1_000_000)
    parser.add_argument("--peers", type=Path, default=Path(tempfile.gettempdir()) / "peers")
    options = parser.parse_args()
    peer = python_with(options.peers / "duplicates", NEEDS)
    lines = [machine(), ""]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        parts = (
            hashing(options.data, peer, folder),
            searching(options.hashes),
            faiss(peer, options.hashes, folder),
            recall(),
            cells(options.data),
        )
        for part in parts:
            for line in part:
                print(line, flush=True)
                lines.append(line)
    keep("duplicates", "\n".join(lines))


if __name__ == "__main__":
    main()
