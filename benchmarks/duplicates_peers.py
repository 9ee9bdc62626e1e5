"""One peer of the search for near-duplicates, in a process of its own.

    PEER/bin/python duplicates_peers.py imagehash IMAGES.npz
    PEER/bin/python duplicates_peers.py faiss HASHES.npy QUERIES

Nothing of Curatome is imported here. Prints its figures as JSON.
"""

from __future__ import annotations

import io
import json
import sys
import time
from typing import Any

import numpy as np

DISTANCE = 6


def imagehash(path: str) -> dict[str, Any]:
    """µs per image of phash, from decoded pixels and from JPEG files; the best of three."""
    import imagehash as library
    from PIL import Image

    stored = np.load(path)
    pixels, ends = stored["pixels"], stored["ends"]
    files = [part.tobytes() for part in np.split(stored["files"], ends[:-1])]

    def per_image(images: Any, opened: Any) -> float:
        seconds = []
        for _ in range(4):  # the first of them warms up
            begun = time.perf_counter()
            for image in images:
                library.phash(opened(image))
            seconds.append(time.perf_counter() - begun)
        return min(seconds[1:]) / len(images) * 1e6

    return {
        "pixels": per_image(pixels, Image.fromarray),
        "jpeg": per_image(files, lambda data: Image.open(io.BytesIO(data))),
    }


def faiss(path: str, queries: int) -> dict[str, Any]:
    """Seconds to look up the eight turns (N, 8) of some hashes among all of them.

    Tables of exact blocks, as many as make the search exact (7), or 4 of which one bit may differ.
    """
    import faiss as library

    turns = np.load(path)
    codes = np.ascontiguousarray(turns[:, 0]).view(np.uint8).reshape(-1, 8)
    asked = np.ascontiguousarray(turns[:queries]).view(np.uint8).reshape(-1, 8)
    out: dict[str, Any] = {}
    for name, tables, bits, flips in (("7 x 9 bits", 7, 9, 0), ("4 x 16 bits, 1 off", 4, 16, 1)):
        begun = time.perf_counter()
        index = library.IndexBinaryMultiHash(64, tables, bits)
        index.nflip = flips
        index.add(codes)
        built = time.perf_counter()
        limits, _, found = index.range_search(asked, DISTANCE + 1)  # below the radius
        query = np.repeat(np.arange(len(asked)) // 8, np.diff(limits.astype(np.int64)))
        both = np.sort(np.stack([query, found], axis=1), axis=1)
        pairs = np.unique(both[both[:, 0] < both[:, 1]], axis=0)
        seconds = time.perf_counter() - built
        out[name] = {"built": built - begun, "seconds": seconds, "pairs": len(pairs)}
    return out


def main() -> None:
    name, path, *rest = sys.argv[1:]
    found = imagehash(path) if name == "imagehash" else faiss(path, int(rest[0]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
