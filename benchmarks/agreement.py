"""Agreement: MIDOG++'s experts by domain, and how long a million items take.

The first two votes of each box of MIDOG++ are two blinded reads; the third was asked where they
differ. Votes are compared as printed by their order: the persons behind them vary.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import time
from collections.abc import Callable
from pathlib import Path

import krippendorff
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from benchmarks.recording import keep, machine
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats import inter_rater

from curatome.agreement.coefficients import (
    Coefficient,
    by_domain,
    by_label,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    percent_agreement,
    positive_agreement,
)
from curatome.agreement.consensus.majority import majority
from curatome.agreement.ratings import MISSING, Ratings, ratings
from curatome.annotations.formats.base import Frames, Options
from curatome.annotations.formats.coco import FORMAT, classes_of, votes
from curatome.findings import Measure

VOTES = ("expert 1", "expert 2")


def midog(data: Path) -> tuple[Ratings, list[str], pa.Table]:
    """All votes with the image as case, the tumor of each item, and the annotations."""
    path = data / "annotations" / "coco" / "MIDOG++.json"
    boxes = FORMAT.read(path, Frames(), Options()).table
    table = votes(boxes, classes_of(path))
    image = boxes["image"].combine_chunks()
    row = pc.index_in(table["item"].combine_chunks(), boxes["annotation"].combine_chunks())
    found = ratings(table.append_column("case", image.take(row)))
    with (data / "annotations" / "coco" / "datasets_xvalidation.csv").open() as file:
        tumor = {int(one["Slide"]): one["Tumor"] for one in csv.DictReader(file, delimiter=";")}
    place = pc.index_in(found.items, boxes["annotation"].combine_chunks())
    names = [tumor[int(Path(one).stem)] for one in image.take(place).to_pylist()]
    return found, names, boxes


def shown(measure: Measure) -> str:
    """One line."""
    low, high = measure.low or np.nan, measure.high or np.nan
    return (
        f"{measure.name:20} {measure.subject:40} {measure.value:6.3f} [{low:.3f}, {high:.3f}]"
        f"  n {measure.n:6,} in {measure.clusters:3} images"
    )


def experts(data: Path) -> None:
    """Print the agreement of MIDOG++'s first two votes, with intervals by image."""
    every, tumors, boxes = midog(data)
    two = every.of(VOTES)
    print("MIDOG++: first two votes, 95 % intervals by drawing images\n")
    coefficients = (percent_agreement(), cohen_kappa(), krippendorff_alpha(), gwet_ac())
    for coefficient in coefficients:
        print(shown(coefficient.measure(two)))
    for measure in by_label(positive_agreement, two):
        print(shown(measure))
    for measure in by_domain(cohen_kappa(), two, tumors):
        print(shown(measure))
    found = majority(every).table()
    given = pc.list_element(boxes["labels"].combine_chunks(), 0)
    final = given.take(pc.index_in(every.items, boxes["annotation"].combine_chunks()))
    same = pc.sum(pc.equal(found["label"].combine_chunks(), final)).as_py()
    print(f"\nmajority of all votes equals the final class: {same:,} of {len(final):,}\n")


def million(readers: int = 5, labels: int = 4) -> Ratings:
    """A million items, a tenth of their labels missing, ten items a case."""
    rng = np.random.default_rng(0)
    items = 1_000_000
    hidden = rng.integers(0, labels, items)[:, None]
    other = rng.integers(0, labels, (items, readers))
    codes = np.where(rng.random((items, readers)) < 0.7, hidden, other).astype(np.int16)
    codes[rng.random((items, readers)) < 0.1] = MISSING
    return Ratings(
        codes,
        pa.array(np.arange(items)),
        tuple(f"R{k + 1}" for k in range(readers)),
        tuple(f"{k + 1}" for k in range(labels)),
        np.arange(items) // 10,
    )


def _timed(work: Callable[[], object], times: int = 3) -> tuple[float, object]:
    best, value = np.inf, None
    for _ in range(times):
        begin = time.perf_counter()
        value = work()
        best = min(best, time.perf_counter() - begin)
    return best, value


def _row(name: str, seconds: float, value: object) -> None:
    print(f"{name:56} {seconds:8.3f} s   {float(value):.12f}")  # type: ignore[arg-type]


def speed() -> None:
    """Print what a million items take, beside other packages on the same labels."""
    many = million()
    table = np.where(many.codes < 0, np.nan, many.codes + 1.0).T
    print("1,000,000 items, five readers, four labels, a tenth missing; best of three\n")
    for kind in ("nominal", "ordinal", "interval", "ratio"):
        own: Coefficient = krippendorff_alpha(kind)
        _row(f"α {kind}", *_timed(lambda own=own: own.value(many)))
        _row(
            "  krippendorff",
            *_timed(lambda kind=kind: krippendorff.alpha(table, level_of_measurement=kind)),
        )
    whole = million(readers=2)
    whole = whole.take(whole.seen.all(axis=1))
    for kind in ("identity", "quadratic"):
        _row(
            f"Cohen's κ, {kind} weights, {len(whole):,} items of two",
            *_timed(lambda kind=kind: cohen_kappa(kind).value(whole)),
        )
        weights = None if kind == "identity" else kind
        _row(
            "  scikit-learn",
            *_timed(lambda weights=weights: cohen_kappa_score(*whole.codes.T, weights=weights)),
        )
    full = many.take(many.seen.all(axis=1))
    counts = full.counts()
    _row(f"Fleiss' κ, {len(full):,} items", *_timed(lambda: fleiss_kappa().value(full)))
    _row("  statsmodels, from counts of labels", *_timed(lambda: inter_rater.fleiss_kappa(counts)))
    _row("Gwet's AC1", *_timed(lambda: gwet_ac().value(many)))
    seconds, measure = _timed(lambda: krippendorff_alpha().measure(many), times=1)
    assert isinstance(measure, Measure)
    print(
        f"\nα nominal with its interval, 2,000 draws of {measure.clusters:,} cases: {seconds:.1f} s"
        f"   [{measure.low:.4f}, {measure.high:.4f}]"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of real data")
    options = parser.parse_args()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print(f"Agreement; {machine()}\n")
        experts(options.data)
        speed()
    print(out.getvalue())
    keep("agreement", out.getvalue())


if __name__ == "__main__":
    main()
