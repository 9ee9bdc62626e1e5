"""Reads without pixels: how long 1,000 cohorts take, and whether what was planted comes back.

Each planted number is compared with the same number counted over all cohorts. Its standard error
is that of the cohorts' means, so that objects of one case need not be independent.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from benchmarks.recording import keep, machine

from curatome.phantom.logit_normal import association
from curatome.phantom.objects import ObjectDesign
from curatome.phantom.readers import Reader
from curatome.phantom.reads_cohort import ReadsCohort, ReadsDesign, make_reads_cohort

OBJECTS = ObjectDesign(case_spread=0.1, case_share=0.3)
MISS = (0.05, 0.20, 0.10, 0.35)
CONFUSION = (
    (0.90, 0.02, 0.06, 0.02),
    (0.01, 0.95, 0.03, 0.01),
    (0.08, 0.07, 0.84, 0.01),
    (0.25, 0.05, 0.02, 0.68),
)
READER = Reader(
    "R1",
    OBJECTS.classes,
    MISS,
    CONFUSION,
    false_per_mm2=2.0,
    miss_slope=1.5,
    label_slope=1.0,
    location_um=1.0,
    anchoring=0.3,
)
READERS = tuple(replace(READER, name=f"R{k + 1}") for k in range(5))
MODEL = Reader.even("model", OBJECTS.classes, 0.3, 0.3, false_per_mm2=20.0)


def planted() -> Iterator[tuple[str, float]]:
    """Every number that one reader, and a pair of readers, should show."""
    for name, share in zip(OBJECTS.classes, OBJECTS.frequencies, strict=True):
        yield f"share of {name}", share
    for name, rate in zip(OBJECTS.classes, MISS, strict=True):
        yield f"{name} missed", rate
    for name, row in zip(OBJECTS.classes, CONFUSION, strict=True):
        for label, share in zip(OBJECTS.classes, row, strict=True):
            yield f"{name} found, called {label}", share
    yield "tumors that R1 and R2 miss", association((0.05, 0.05), (1.5, 1.5)).both
    yield "false positives per mm²", 2.0


def counted(cohort: ReadsCohort) -> list[tuple[float, float]]:
    """The same numbers of one cohort, as counts and what they are shares of."""
    classes = list(OBJECTS.classes)
    kind = np.asarray(pa.compute.index_in(cohort.objects["class"], pa.array(classes)))
    read = cohort.reads.filter(pa.compute.equal(cohort.reads["reader"], "R1"))
    truth = cohort.judgements
    missed = [_missed(truth, f"R{k}") for k in (1, 2)]
    true = read.filter(read["item"].is_valid())
    label = np.asarray(pa.compute.index_in(true["label"], pa.array(classes)))
    cells = np.zeros((4, 4))
    np.add.at(cells, (kind[np.asarray(true["item"])], label), 1)
    sizes = np.bincount(kind, minlength=4)
    out = [(float(n), float(len(kind))) for n in sizes]
    out += [(float(missed[0][kind == k].sum()), float(sizes[k])) for k in range(4)]
    out += [(float(cells[k, j]), float(cells[k].sum())) for k in range(4) for j in range(4)]
    out.append((float((missed[0] & missed[1])[kind == 0].sum()), float(sizes[0])))
    out.append((float(read["item"].null_count), 40.0))
    return out


def _missed(truth: pa.Table, reader: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    own = pa.compute.and_(pa.compute.equal(truth["reader"], reader), truth["class"].is_valid())
    return np.asarray(truth.filter(own)["missed"])


def recovered(cohorts: int) -> None:
    """Print planted against counted numbers."""
    design = ReadsDesign(OBJECTS, READERS)
    found = np.array([counted(make_reads_cohort(design, seed)) for seed in range(cohorts)])
    hits, of = found[..., 0], found[..., 1]
    share = hits.sum(axis=0) / of.sum(axis=0)
    # Standard error of a ratio of sums over independent cohorts (linearized).
    error = np.sqrt(((hits - share * of) ** 2).sum(axis=0)) / of.sum(axis=0)
    print(f"{'':36}{'planted':>9}{'counted':>9}{'error':>9}{'z':>7}")
    z = []
    for (name, value), got, wide in zip(planted(), share, error, strict=True):
        z.append((got - value) / wide)
        print(f"{name:36}{value:9.4f}{got:9.4f}{wide:9.5f}{z[-1]:7.2f}")
    print(f"\n{len(z)} numbers: largest |z| {np.abs(z).max():.2f}")


def speed(cohorts: int) -> None:
    """Print how long cohorts of several designs take."""
    for name, design in (
        ("40 cases × 25 objects × 5 readers", ReadsDesign(OBJECTS, READERS)),
        ("the same, a model proposing", ReadsDesign(OBJECTS, READERS, model=MODEL)),
    ):
        begin, used = time.perf_counter(), time.process_time()
        for seed in range(cohorts):
            make_reads_cohort(design, seed)
        took, used = time.perf_counter() - begin, time.process_time() - used
        print(f"{cohorts} cohorts, {name}: {took:.1f} s ({used:.1f} s of one core)")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="not needed: nothing here is real")
    parser.add_argument("--cohorts", type=int, default=1000)
    options = parser.parse_args()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print(f"Reads without pixels; {machine()}\n")
        speed(options.cohorts)
        recovered(options.cohorts)
    print(out.getvalue())
    keep("reads", out.getvalue())


if __name__ == "__main__":
    main()
