"""One million objects of five readers matched into items: time, memory, and what comes together.

Every reader marks 90 % of the true objects within 1 µm of them (shapes: 0.5 µm) along each axis,
and one thing that is none for each object missed. Each case runs in a process of its own; what is
compiled was compiled before.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import shapely
from benchmarks.recording import keep, machine
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

from curatome.agreement.matching import match_points, match_shapes, pair_points

READERS = 5
OBJECTS = 1_000_000
CASES = {
    "points 100": "points, 100 objects per mm², as mitoses",
    "points 5000": "points, 5,000 objects per mm², as nuclei",
    "points 10000": "points, 10,000 objects per mm², as crowded lymphocytes",
    "boxes 5000": "boxes of 8 µm, 5,000 objects per mm², IoU 0.5",
    "polygons 5000": "24-gons of 8 µm, 5,000 objects per mm², IoU 0.5",
    "pair 10000": "points of two readers, 10,000 objects per mm²",
}


def marks(density: float, readers: int, count: int, noise_um: float):
    """Places, reader, and true object (-1: none) of each mark, in random order."""
    rng = np.random.default_rng(1)
    true = count // readers
    side = np.sqrt(true / density) * 1000
    objects = rng.uniform(0, side, (true, 2))
    places, owner = [], []
    for _ in range(readers):
        found = np.flatnonzero(rng.random(true) < 0.9)
        false = rng.uniform(0, side, (true - len(found), 2))
        places += [objects[found] + rng.normal(0, noise_um, (len(found), 2)), false]
        owner += [found, np.full(len(false), -1)]
    reader = np.repeat(np.arange(readers), true)
    order = rng.permutation(len(reader))
    return np.concatenate(places)[order], reader[order], np.concatenate(owner)[order]


def shapes_at(kind: str, places, radius_um: float = 4.0):
    """Outlines whose radius varies by 10 %."""
    radii = radius_um * np.random.default_rng(2).normal(1, 0.1, len(places)).clip(0.6, 1.4)
    if kind == "boxes":
        return shapely.box(*(places - radii[:, None]).T, *(places + radii[:, None]).T)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return shapely.polygons(places[:, None] + radii[:, None, None] * ring)


def together(items, owner) -> tuple[float, float]:
    """Of pairs of marks of one object, the share in one item; and of pairs in an item, of one."""

    def pairs(*keys) -> int:
        _, count = np.unique(np.stack(keys), axis=1, return_counts=True)
        return int((count * (count - 1) // 2).sum())

    true = owner >= 0
    both = pairs(items[true], owner[true])
    return both / pairs(owner[true]), both / pairs(items)


def one(case: str, count: int) -> None:
    """Run a case and print its line."""
    kind, density = case.split()
    readers = 2 if kind == "pair" else READERS
    noise_um = 0.5 if kind in {"boxes", "polygons"} else 1.0
    places, reader, owner = marks(float(density), readers, count, noise_um)
    image = np.zeros(len(places), np.int64)
    shapes = shapes_at(kind, places) if kind in {"boxes", "polygons"} else None
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    begin = time.perf_counter()
    if shapes is not None:
        items = match_shapes(shapes, reader, image)
    else:
        items = match_points(*places.T, reader, image)
    took = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found, pure = together(items, owner)
    print(
        f"{CASES[case]:56}{len(items):>10,}{items.max() + 1:>9,}{took:7.1f} s{peak:6.2f} GB"
        f" ({made:.2f} before){found:9.2%}{pure:9.2%}"
    )


def beside_scipy() -> None:
    """The same matching of two readers by SciPy, which must reach the same total."""
    pair_points(np.zeros((2, 2)), np.zeros((2, 2)))  # loads what is compiled
    for count in (1_000, 3_000, 10_000):
        places, reader, _ = marks(10_000, 2, 2 * count, 1.0)
        first, second = places[reader == 0], places[reader == 1]
        begin = time.perf_counter()
        rows = pair_points(first, second)
        own = time.perf_counter() - begin
        total = np.hypot(*(first[rows[:, 0]] - second[rows[:, 1]]).T).sum()
        begin = time.perf_counter()
        near = cKDTree(first).sparse_distance_matrix(cKDTree(second), 7.5, output_type="ndarray")
        size, alone = len(first), 7.5 * (2 * len(first) + 2)
        left = np.append(near["i"], np.arange(size))
        right = np.append(near["j"], len(second) + np.arange(size))
        cost = np.append(near["v"], np.full(size, alone))
        graph = coo_array((cost, (left, right)), (size, len(second) + size)).tocsr()
        at = min_weight_full_bipartite_matching(graph)[1]
        sparse = time.perf_counter() - begin
        kept = at < len(second)
        other = np.hypot(*(first[kept] - second[at[kept]]).T).sum()
        line = f"{count:>8,} each{len(rows):>8,} pairs{total:12.3f} µm{own:8.2f} s   "
        line += f"SciPy, sparse {kept.sum():>8,} pairs{other:12.3f} µm{sparse:8.2f} s"
        if count <= 3_000:
            begin = time.perf_counter()
            apart = np.hypot(*(first[:, None] - second[None]).transpose(2, 0, 1))
            linear_sum_assignment(np.where(apart <= 7.5, apart, alone))
            line += f"   dense {time.perf_counter() - begin:6.2f} s"
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="not needed: nothing here is real")
    parser.add_argument("--count", type=int, default=OBJECTS)
    parser.add_argument("--case", choices=CASES, help="run one alone, and keep nothing")
    options = parser.parse_args()
    if options.case:
        one(options.case, options.count)
        return
    for case in CASES:
        with contextlib.redirect_stdout(io.StringIO()):
            one(case, 2_000)  # compiles
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print(f"Objects of readers matched into items; {machine()}\n")
        print(f"{'':56}{'objects':>10}{'items':>9}{'time':>9}{'memory':>9}{'':16}"
              f"{'together':>9}{'pure':>9}")  # fmt: skip
        for case in CASES:
            command = [sys.executable, "-m", "benchmarks.matching", "--case", case]
            command += ["--count", str(options.count)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            print(done.stdout, end="")
        print(
            "\ntogether: of pairs of marks of one object, the share in one item."
            "\npure: of pairs of marks in one item, the share that are of one object.\n"
        )
        print("Two readers, points within 7.5 µm, 10,000 objects per mm²")
        beside_scipy()
    print(out.getvalue())
    keep("matching", out.getvalue())


if __name__ == "__main__":
    main()
