"""Consensus: Dawid–Skene beside crowd-kit, planted readers, STAPLE beside SimpleITK, label errors.

    python -m benchmarks.consensus [--items 1000000] [--seeds 20] [--peers FOLDER]

Targets: on a million items by five readers, 20 iterations, at least 20 times as fast as crowd-kit
with the same result; planted confusion matrices within 0.03 with 5,000 items per true class;
consensus of five noisy readers better than the best of them.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from benchmarks.environments import python_with
from benchmarks.recording import keep, machine

from curatome.agreement.consensus.dawid_skene import dawid_skene
from curatome.agreement.consensus.majority import majority
from curatome.agreement.consensus.staple import staple
from curatome.agreement.consensus.ties import TieRule
from curatome.agreement.label_errors import label_errors, out_of_fold
from curatome.agreement.ratings import MISSING, Ratings, ratings
from curatome.phantom.objects import ObjectDesign
from curatome.phantom.readers import Reader
from curatome.phantom.reads_cohort import ReadsDesign, make_reads_cohort

ITERATIONS = 20
NEEDS = ("crowd-kit==1.4.2",)
SPREAD = (0.9, 0.8, 0.75, 0.7, 0.65)  # right labels of five readers
_SCRIPT = Path(__file__).parent / "consensus_peers.py"


def judged(items: int, classes: int, rights: tuple[float, ...], seed: int = 1) -> Ratings:
    """Items judged by readers with random confusions; a tenth of the labels is missing."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    codes = np.empty((items, len(rights)), np.int16)
    for reader, right in enumerate(rights):
        confusion = rng.dirichlet(np.ones(classes), classes) * (1 - right)
        confusion += right * np.eye(classes)
        draws = rng.random(items)[:, None] > np.cumsum(confusion, axis=1)[truth]
        codes[:, reader] = draws.sum(axis=1).clip(max=classes - 1)
    missing = rng.random(codes.shape) < 0.1
    missing[:, 0] = False
    codes[missing] = MISSING
    names = tuple(f"R{k + 1}" for k in range(len(rights)))
    labels = tuple(f"L{k}" for k in range(classes))
    return Ratings(codes, pa.array(np.arange(items)), names, labels, np.arange(items))


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found


def beside_crowdkit(items: int, peers: Path) -> None:
    """Print times and differences for one table of ratings."""
    votes = judged(items, 4, SPREAD)
    dawid_skene(votes.take(np.arange(1000)))  # compiled before the clock starts
    print(f"Dawid–Skene, {items:,} items by 5 readers, 4 classes, {ITERATIONS} iterations")
    runs = [
        timed(lambda: dawid_skene(votes, iterations=ITERATIONS, tolerance=-1)) for _ in range(3)
    ]
    seconds, model = min(runs, key=lambda run: run[0])
    took, found = timed(lambda: model.verdict().table())
    print(f"Curatome, from Ratings to posteriors, best of 3    {seconds:8.3f} s")
    print(f"  and the table of consensus of it                 {took:8.3f} s")
    seen = votes.seen
    rows, columns = np.nonzero(seen)
    table = pa.table({
        "item": rows,
        "reader": pa.DictionaryArray.from_arrays(columns.astype(np.int32), list(votes.readers)),
        "label": pa.DictionaryArray.from_arrays(votes.codes[seen].astype(np.int32),
                                                list(votes.labels)),
    })  # fmt: skip
    took, _ = timed(lambda: ratings(table))
    print(f"  and Ratings from a table of {table.num_rows:,} rows        {took:8.3f} s")
    took, whole = timed(lambda: dawid_skene(votes))
    steps = len(whole.log_likelihood)
    print(f"  and to convergence ({steps} iterations)                    {took:8.3f} s")
    python = python_with(peers / "crowdkit", NEEDS)
    if python is None:
        print("crowd-kit cannot be installed here")
        return
    with tempfile.TemporaryDirectory() as folder:
        codes, out = Path(folder) / "codes.npy", Path(folder) / "out.npz"
        np.save(codes, votes.codes)
        done = subprocess.run(
            [python, _SCRIPT, codes, str(ITERATIONS), out],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        other = float(done.stdout.splitlines()[-1])
        peer = np.load(out)
        apart = np.abs(peer["posterior"] - model.posterior).max()
        labels = np.array([int(one[1:]) for one in found["label"].to_pylist()])
        print(f"crowd-kit 1.4.2, fit alone, once                   {other:8.3f} s")
        different = (labels != peer["labels"]).sum()
        print(f"{other / seconds:.0f} times as fast; largest difference of a posterior {apart:.1e}")
        print(f"{different} labels differ")
    hard = judged(items, 10, (0.7, 0.65, 0.6, 0.6, 0.55, 0.5, 0.5, 0.5))
    took, model = timed(lambda: dawid_skene(hard, iterations=ITERATIONS, tolerance=-1))
    different = len(np.unique(hard.codes.astype("<i2").view("V16")))
    print(f"Where few items are judged alike (8 readers, 10 classes, {different:,} patterns): "
          f"{took:.2f} s\n")  # fmt: skip


def phantom_votes(matrices: np.ndarray, seed: int) -> tuple[Ratings, np.ndarray]:
    """Reads of the phantom, 5,000 objects and more of each class, a tenth missed by each."""
    design = ObjectDesign(cases=208, objects_per_slide=100, frequencies=(0.25,) * 4)
    readers = tuple(
        Reader(f"R{k}", design.classes, (0.1,) * 4, tuple(map(tuple, one.tolist())))
        for k, one in enumerate(matrices)
    )
    cohort = make_reads_cohort(ReadsDesign(design, readers), seed)
    marked = cohort.reads.filter(cohort.reads["item"].is_valid())
    votes = ratings(marked.select(["item", "reader", "label"]), design.classes)
    kind = np.asarray(pa.compute.index_in(cohort.objects["class"], pa.array(design.classes)))
    return votes, kind[votes.items.to_numpy()]


def recovery(seeds: int) -> None:
    """Print how far confusion matrices lie from those planted, and who is right how often."""
    worst, rows = [], []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        matrices = np.stack([
            right * np.eye(4) + (1 - right) * rng.dirichlet(np.ones(4), 4) for right in SPREAD
        ])  # fmt: skip
        matrices /= matrices.sum(axis=2, keepdims=True)
        votes, truth = phantom_votes(matrices, seed)
        model = dawid_skene(votes)
        worst.append(np.abs(model.confusion - matrices).max())
        all_saw = votes.seen.all(axis=1)
        some, of = votes.take(all_saw), truth[all_saw]
        single = (some.codes == of[:, None]).mean(axis=0).max()
        plain = (majority(some, TieRule("first")).codes == of).mean()
        latent = (model.verdict().codes[all_saw] == of).mean()
        rows.append((single, plain, latent))
    single, plain, latent = np.array(rows).T
    print(f"Phantom, {seeds} cohorts of 20,800 objects, five readers, four classes")
    print(f"largest error of any cell of a confusion matrix: median {np.median(worst):.4f}, "
          f"largest {max(worst):.4f}")  # fmt: skip
    print(f"right labels of objects that all marked, mean: best reader {single.mean():.4f}, "
          f"majority {plain.mean():.4f}, Dawid–Skene {latent.mean():.4f}")  # fmt: skip
    print(f"Dawid–Skene better than the best reader in {(latent > single).sum()} of {seeds}, "
          f"than the majority in {(latent > plain).sum()}\n")  # fmt: skip


def regions(side: int) -> None:
    """Print the time and the difference of binary STAPLE and SimpleITK's."""
    import SimpleITK as sitk  # noqa: N813

    rng = np.random.default_rng(1)
    truth = np.zeros((side, side), bool)
    truth[side // 4 : side // 2, side // 4 : side // 2] = True
    drawn = [truth ^ (rng.random(truth.shape) < share) for share in (0.02, 0.05, 0.1, 0.1, 0.2)]
    stack = np.stack(drawn).astype(np.uint8)
    staple(stack[:, :64, :64])
    oracle = sitk.STAPLEImageFilter()
    oracle.SetForegroundValue(1)
    images = [sitk.GetImageFromArray(one) for one in stack]
    other, weight = timed(lambda: sitk.GetArrayFromImage(oracle.Execute(images)))
    steps = oracle.GetElapsedIterations() + 1
    took, found = timed(lambda: staple(stack, everywhere=True, tolerance=-1, iterations=steps))
    clear = stack.min(axis=0) != stack.max(axis=0)
    ours = np.where(found.labels == 1, found.posterior, 1 - found.posterior)
    apart = np.abs(ours - weight)[clear].max()
    print(
        f"STAPLE, five readers, {side} × {side} pixels, {steps} iterations: Curatome {took:.2f} s"
    )
    print(f"SimpleITK {other:.2f} s, largest difference of a probability {apart:.1e}\n")


def wrong_labels(seeds: int) -> None:
    """Print how well planted wrong labels are ranked, folds by case and folds by item."""
    from sklearn.metrics import average_precision_score

    rows = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        case = np.repeat(np.arange(40), 50)
        truth = rng.choice(3, len(case), p=(0.5, 0.3, 0.2))
        features = rng.normal(0, 1.2, (3, 8))[truth] + rng.normal(0, 1, (40, 8))[case]
        features += rng.normal(0, 0.7, features.shape)
        changed = rng.random(len(case)) < 0.05
        labels = np.where(changed, (truth + rng.integers(1, 3, len(case))) % 3, truth)
        share = out_of_fold(features, labels, case, classes=3)
        table = label_errors(labels, ("a", "b", "c"), share, np.arange(len(case)))
        order = np.array(table["item"].to_pylist(), int)
        suspect = table["suspect"].to_numpy()
        rows.append((
            average_precision_score(changed[order], table["score"].to_numpy()),
            changed.mean(),
            changed[order][suspect].mean(),
            changed[order][suspect].sum() / changed.sum(),
        ))  # fmt: skip
    found, random, precise, complete = np.array(rows).mean(axis=0)
    print(f"Label errors, {seeds} sets of 2,000 items in 40 cases, 5 % planted")
    print(f"average precision {found:.3f}, at random {random:.3f}; of the suspects {precise:.3f} "
          f"are wrong, {complete:.3f} of the wrong are suspects")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="not needed: nothing here is real")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--peers", type=Path, default=Path(tempfile.gettempdir()) / "peers")
    options = parser.parse_args()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print(f"Consensus; {machine()}\n")
        beside_crowdkit(options.items, options.peers)
        recovery(options.seeds)
        regions(2000)
        wrong_labels(options.seeds)
    print(out.getvalue())
    keep("consensus", out.getvalue())


if __name__ == "__main__":
    main()
