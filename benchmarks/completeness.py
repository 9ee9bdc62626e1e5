"""What everybody missed: how often intervals cover it, and what dependence does to them.

Readers of the phantom miss objects by how hard each is (`miss_slope`, log odds per standard
deviation); 0 is independence. Then missed mitoses of rendered slides as the candidate detector
ranks them, and how many real nuclei hold a blob.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from benchmarks.missed_mitoses import precision, tiles
from benchmarks.recording import keep, machine
from PIL import Image
from scipy.special import gammaln, ndtri, xlogy

from curatome.agreement.candidates import find_blobs, ranked, train
from curatome.agreement.completeness import Captures, captures, missed
from curatome.agreement.completeness.two_reads import interval
from curatome.phantom.objects import ObjectDesign, make_objects
from curatome.phantom.readers import Reader
from curatome.phantom.reading import read
from curatome.stain import separate

Ends = tuple[float, float]
Counts = tuple[int, int, int]
_Z = float(ndtri(0.975))


def logit_interval(counts: Counts) -> Ends:
    """Sadinle's transformed logit interval (2009, 10.1080/03610910903168595)."""
    b, c, m = (v + 0.5 for v in counts)
    spread = _Z * np.sqrt(1 / m + 1 / b + 1 / c + m / (b * c))
    return b * c / m * np.exp(-spread) - 0.5, b * c / m * np.exp(spread) - 0.5


def log_normal(counts: Counts) -> Ends:
    """Burnham's interval with Chapman's variance (Chao 1987)."""
    b, c, m = counts
    value = b * c / (m + 1)
    if value == 0:
        return 0.0, 0.0
    variance = (b + m + 1) * (c + m + 1) * b * c / ((m + 1) ** 2 * (m + 2))
    spread = np.exp(_Z * np.sqrt(np.log1p(variance / value**2)))
    return value / spread, value * spread


def profile_interval(counts: Counts) -> Ends:
    """Whole numbers within the profile likelihood of two independent reads."""
    b, c, _ = counts
    n, f = sum(counts), np.arange(4000.0)
    total = n + f
    log = gammaln(total + 1) - gammaln(f + 1) - 2 * xlogy(total, total)
    log += xlogy(c + f, c + f) + xlogy(b + f, b + f)
    kept = np.flatnonzero(log >= log.max() - _Z**2 / 2)
    return float(kept[0]), float(kept[-1])


INTERVALS: dict[str, Callable[[Counts], Ends]] = {
    "mid-p": interval,
    "profile": profile_interval,
    "logit": logit_interval,
    "log-normal": log_normal,
}


def cohort(design: ObjectDesign, readers: Sequence[Reader], seed: int) -> tuple[Captures, int]:
    """Captures, and how many objects none of the readers found."""
    objects = make_objects(design, seed)
    found = np.stack([read(objects, one, seed).judged.label >= 0 for one in readers], axis=1)
    seen = captures(found, [one.name for one in readers], cases=objects.slide)
    return seen, len(objects) - len(seen)


def design_of(cases: int, per_case: int) -> ObjectDesign:
    return ObjectDesign(
        cases=cases, objects_per_slide=per_case, classes=("mitosis",), frequencies=(1.0,)
    )


def person(name: str, miss: float, slope: float = 0.0) -> Reader:
    return Reader.even(name, ("mitosis",), miss, 0.0, miss_slope=slope)


def independent(cohorts: int) -> None:
    """Coverage of four intervals with two independent readers."""
    print(f"Two independent readers, {cohorts} cohorts: share of 95 % intervals that cover\n")
    names = "".join(f"{name:>12}" for name in INTERVALS)
    print(f"{'objects':>8}{'miss':>12}{'missed':>9}{names}{'with cases':>12}")
    for cases, per_case in ((10, 5), (20, 10), (20, 25), (40, 50)):
        for rates in ((0.05, 0.05), (0.05, 0.2), (0.1, 0.4), (0.2, 0.2), (0.4, 0.4)):
            readers = [person(f"r{k}", rate) for k, rate in enumerate(rates)]
            hits, truths, cased = dict.fromkeys(INTERVALS, 0), 0, 0
            for seed in range(cohorts):
                seen, truth = cohort(design_of(cases, per_case), readers, seed)
                counts = tuple(int(v) for v in seen.counts())
                for name, ends in INTERVALS.items():
                    low, high = ends((counts[0], counts[1], counts[2]))
                    hits[name] += low <= truth <= high
                found = missed(seen)
                cased += found.low <= truth <= found.high
                truths += truth
            shares = "".join(f"{v / cohorts:12.3f}" for v in hits.values())
            label = f"{rates[0]:.0%}, {rates[1]:.0%}"
            print(
                f"{cases * per_case:8}{label:>12}{truths / cohorts:9.1f}{shares}"
                f"{cased / cohorts:12.3f}"
            )


def dependent(cohorts: int) -> None:
    """What difficulty does, and how candidates and log-linear models help."""
    print(
        f"\nReaders who overlook the same: {cohorts} cohorts of 1,000 objects, two people who miss "
        "20 %,\na third who does too, a candidate reader (independent of difficulty) who misses "
        "30 %\n"
    )
    print(f"{'slope':>6}  {'who, model':44}{'missed':>8}{'estimate':>10}{'covered':>9}")
    for slope in (0.0, 0.5, 1.0, 1.5, 2.0):
        people = [person(name, 0.2, slope) for name in ("ann", "joe", "sue")]
        half = person("half", 0.3, slope / 2)
        filter_ = person("filter", 0.3)
        settings = {
            "two people, Chapman": (people[:2], "auto", False),
            "three people, log-linear": (people, "auto", False),
            "three people, Chao's bound": (people, "chao", False),
            "two people and candidates, log-linear": ([*people[:2], filter_], "auto", False),
            "two people as one and candidates, Chapman": ([*people[:2], filter_], "auto", True),
            "the same, candidates half as dependent": ([*people[:2], half], "auto", True),
        }
        for name, (readers, model, pool) in settings.items():
            hits, truths, values = 0, [], []
            for seed in range(cohorts):
                seen, truth = cohort(design_of(20, 50), readers, seed)
                seen = seen.pooled(["ann", "joe"], "people") if pool else seen
                found = missed(seen, model)
                hits += found.low <= truth <= found.high
                truths.append(truth)
                values.append(found.value)
            print(
                f"{slope:6.1f}  {name:44}{np.mean(truths):8.1f}{np.median(values):10.1f}"
                f"{hits / cohorts:9.3f}"
            )


def mitoses(cases: int, seed: int) -> None:
    """Average precision and recall of missed mitoses on rendered slides."""
    made = list(tiles(cases, seed, per_slide=4))
    begin = time.process_time()
    detector = train(tile for tile, _ in made)
    hits, count = precision(ranked(detector.read(tile) for tile, _ in made), made)
    took = time.process_time() - begin
    average = float((np.cumsum(hits) / np.arange(1, len(hits) + 1) * hits).sum() / count)
    marked = sum(len(tile.marks_um) for tile, _ in made)
    print(
        f"\nMitoses of the phantom: {len(made)} tiles of {cases} slides, {marked} marked, {count} "
        f"missed among {len(hits):,} blobs ({took:.0f} s of CPU)\n"
        f"average precision {average:.3f}, of chance {hits.mean():.5f}\n"
        f"a blob on {hits.sum() / count:.3f} of the missed"
    )
    for times in (1, 2, 5, 10):
        k = times * count
        print(f"found among the first {k} ({times} × missed): {hits[:k].sum() / count:.3f}")


def nuclei(data: Path) -> None:
    """How many labeled nuclei of dsb2018-brightfield hold a blob."""
    folder = data / "nuclei/dsb2018-brightfield"
    with (folder / "images.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    print("\nReal nuclei (dsb2018-brightfield, scale assumed): share that holds a blob\n")
    print(f"{'kind':32}{'images':>8}{'nuclei':>8}{'found':>8}{'blobs per nucleus':>20}")
    for kind in sorted({row["kind"] for row in rows}):
        found = np.array([_held(folder, row["image"]) for row in rows if row["kind"] == kind])
        hits, count, blobs = found.sum(axis=0)
        print(f"{kind:32}{len(found):8}{count:8}{hits / count:8.3f}{blobs / count:20.2f}")


def _held(folder: Path, name: str) -> tuple[int, int, int]:
    rgb = np.asarray(Image.open(folder / f"images/{name}.png").convert("RGB"))
    mask: npt.NDArray[np.int64] = np.asarray(Image.open(folder / f"masks/{name}.png"), np.int64)
    sizes = np.bincount(mask.ravel())[1:]
    median = 2 * np.sqrt(np.median(sizes[sizes > 0]) / np.pi)
    blobs = find_blobs(separate(rgb)[..., 0], 0.25 if median >= 27 else 0.5)
    held = np.unique(mask[blobs.row, blobs.column])
    return int((held > 0).sum()), int((sizes > 0).sum()), len(blobs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cohorts", type=int, default=1000)
    parser.add_argument("--slides", type=int, default=60)
    options = parser.parse_args()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print(f"Completeness; {machine()}\n")
        independent(options.cohorts)
        dependent(max(20, options.cohorts // 5))
        mitoses(options.slides, 29)
        nuclei(options.data)
    print(out.getvalue())
    keep("completeness", out.getvalue())


if __name__ == "__main__":
    main()
