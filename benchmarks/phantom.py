"""Does the phantom look and measure like real H&E?

    python -m benchmarks.phantom --data FOLDER [--slides 40] [--seed 11]

Tiles of 224 px at 0.5 µm/px with at least half tissue, from real sources and from a designed
cohort of the phantom (all sites, scanners and diagnoses, default random effects). For each
statistic: the central 95 % of the real tiles of each source and of all together, and where the
phantom lies. PASS: its median and its central 90 % lie within the pooled real spread; WIDE: only
its median does; FAIL: not even that.

Scales: crc-he-7k says 0.5 µm/px and cmu-1 0.499. The TCGA slide says nothing and is taken as 0.5;
osteosarcoma says "10x", but its osteocyte lacunae of 20 to 40 px are 10 to 20 µm at 0.5 µm/px,
which is what is assumed. Of dsb2018-brightfield only images with eosin are H&E: those whose
stained pixels beside the nuclei lose more blue than red light; they have no scale and count for
color alone.

A classifier (logistic regression, and a random forest) then tells phantom from real by the same
statistics, with slides or source images kept together in cross-validation; how well it tells each
real source from the other real ones is printed beside it. Against one source alone it is easy: the
phantom has many stains and scanners, and the source one.

The phantom's DAB slides are held beside the one immunostain there is (`benchmarks.phantom_dab`).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
from benchmarks.phantom_dab import compare_dab
from benchmarks.phantom_nuclei import NAMES, phantom_fields, real_fields
from benchmarks.phantom_tiles import Tile, phantom_tiles, real_tiles, scenes
from benchmarks.recording import keep, machine
from benchmarks.tile_statistics import statistics
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from curatome.phantom.design import CohortDesign
from curatome.phantom.designed import design_cohort

Floats = npt.NDArray[np.float64]
SOURCES = ("crc-he-7k", "osteosarcoma", "CMU-1", "TCGA")
COLOR_ONLY = "color only"
PER_SLIDE, SIDE_UM, FIELDS = 4, 900.0, 3


def verdict(real: Floats, phantom: Floats) -> str:
    """PASS, WIDE or FAIL, as the module says."""
    low, high = np.quantile(real, [0.025, 0.975])
    least, median, most = np.quantile(phantom, [0.05, 0.5, 0.95])
    if not low <= median <= high:
        return "FAIL"
    return "PASS" if low <= least and most <= high else "WIDE"


def _range(values: Floats, low: float, high: float) -> str:
    a, b, c = np.quantile(values, [low, 0.5, high])
    return f"{a:.3g} … {b:.3g} … {c:.3g}"


def _row(name: str, groups: list[Floats], real: Floats, phantom: Floats) -> str:
    low, high = np.quantile(real, [0.025, 0.975])
    inside = np.mean((phantom >= low) & (phantom <= high))
    cells = [_range(g, 0.025, 0.975) if len(g) else "" for g in (*groups, real)]
    cells += [_range(phantom, 0.05, 0.95), f"{inside:.2f}", verdict(real, phantom)]
    print(f"| {name} | " + " | ".join(cells) + " |")


def compare_tiles(real: list[Tile], phantom: list[Tile], values: dict[int, Floats]) -> None:
    """One row per statistic; `values` holds each tile's numbers by its id()."""
    names = list(statistics(real[0].pixels))
    head = ("statistic", *SOURCES, "real, pooled", "phantom, 5-50-95 %", "inside", "")
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    verdicts = []
    # Everything from the spectrum on needs a scale.
    for number, name in enumerate(names):
        scaled = number >= names.index("spectrum slope")
        used = [t for t in real if not (scaled and t.kind == COLOR_ONLY)]
        pooled = np.array([values[id(t)][number] for t in used])
        groups = [np.array([values[id(t)][number] for t in used if t.source == s]) for s in SOURCES]
        own = np.array([values[id(t)][number] for t in phantom])
        _row(name, groups, pooled, own)
        verdicts.append(verdict(pooled, own))
    print(f"\nTiles: {dict(Counter(verdicts))} of {len(names)} statistics\n")


def compare_nuclei(real: list[dict[str, float]], phantom: list[dict[str, float]]) -> None:
    """One row per summary of nuclear size and shape."""
    print("| nuclei per field | real masks | phantom, 5-50-95 % | inside | |\n" + "|---" * 5 + "|")
    for name in NAMES:
        a, b = (np.array([field[name] for field in fields]) for fields in (real, phantom))
        _row(name, [], a, b)
    print()


def told_apart(x: Floats, y: npt.NDArray[np.bool_], groups: list[str]) -> dict[str, str]:
    """AUC of both classifiers with the 95 % interval of 500 bootstrap samples of groups."""
    out = {}
    _, group = np.unique(groups, return_inverse=True)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    models = {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "random forest": RandomForestClassifier(300, min_samples_leaf=3, random_state=0),
    }
    for name, model in models.items():
        score = cross_val_predict(model, x, y, groups=group, cv=folds, method="predict_proba")[:, 1]
        aucs, rng = [], np.random.default_rng(0)
        members = [np.flatnonzero(group == g) for g in range(group.max() + 1)]
        for _ in range(500):
            drawn = rng.integers(len(members), size=len(members))
            pick = np.concatenate([members[g] for g in drawn])
            if 0 < y[pick].sum() < len(pick):
                aucs.append(roc_auc_score(y[pick], score[pick]))
        low, high = np.quantile(aucs, [0.025, 0.975])
        out[name] = f"{roc_auc_score(y, score):.3f} [{low:.3f}, {high:.3f}]"
    return out


def classify(real: list[Tile], phantom: list[Tile], values: dict[int, Floats]) -> None:
    """Phantom against real, the features that tell, and real sources against each other."""
    real = [tile for tile in real if tile.kind != COLOR_ONLY]
    names = list(statistics(real[0].pixels))
    print("| told apart | logistic regression AUC | random forest AUC |\n" + "|---" * 3 + "|")
    for title, left, right in (
        ("phantom from real", phantom, real),
        *(
            (f"phantom from {s} alone", phantom, [t for t in real if t.source == s])
            for s in SOURCES
        ),
        *(
            (
                f"yardstick: {s} from the other real sources",
                [t for t in real if t.source == s],
                [t for t in real if t.source != s],
            )
            for s in SOURCES[:2]
        ),
    ):
        tiles = left + right
        x = np.array([values[id(t)] for t in tiles])
        y = np.arange(len(tiles)) < len(left)
        # A source that is one slide cannot be held out from itself: there its tiles go singly.
        lone = title.endswith("alone")
        groups = [
            f"{t.group} {i}" if lone and t.group == t.source else t.group
            for i, t in enumerate(tiles)
        ]
        found = told_apart(x, y, groups)
        print(f"| {title} | " + " | ".join(found.values()) + " |")
    tiles = phantom + real
    y = np.arange(len(tiles)) < len(phantom)
    x = np.array([values[id(t)] for t in tiles])
    single = [roc_auc_score(y, x[:, k]) for k in range(len(names))]
    best = sorted(range(len(names)), key=lambda k: -abs(single[k] - 0.5))[:10]
    print("\nSingle statistics that tell most (AUC; above 0.5: larger in the phantom): ", end="")
    print(", ".join(f"{names[k]} {single[k]:.2f}" for k in best))


def tables_alone() -> None:
    """How long 1,000 designed cohorts take without pixels."""
    design = CohortDesign(cases=60, ihc=0.2, aliases=2, confounding=0.5)
    start = time.perf_counter()
    slides = sum(len(design_cohort(design, seed).slides) for seed in range(1000))
    seconds = time.perf_counter() - start
    print(f"\n1,000 cohorts without pixels ({slides:,} slides): {seconds:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real files")
    parser.add_argument("--slides", type=int, default=40, help="slides of the phantom")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    start = time.perf_counter()
    real, phantom, fields = real_tiles(options.data), [], []
    for scene in scenes(options.slides, options.seed, SIDE_UM):
        phantom += phantom_tiles(scene, PER_SLIDE)
        fields += phantom_fields(scene, FIELDS)
    values = {id(t): np.array(list(statistics(t.pixels).values())) for t in (*real, *phantom)}
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print(f"The phantom beside real H&E; {machine()}")
        sources = dict(Counter(t.source for t in (*real, *phantom)))
        print(f"{options.slides} slides, seed {options.seed}; tiles: {sources}\n")
        compare_tiles(real, phantom, values)
        masks = real_fields(options.data)
        print(f"{len(masks)} real fields with masks, {len(fields)} of the phantom")
        compare_nuclei(masks, fields)
        classify(real, phantom, values)
        compare_dab(options.data, options.seed)
        tables_alone()
        print(f"\n{time.perf_counter() - start:.0f} s")
    print(out.getvalue())
    keep("phantom", out.getvalue())


if __name__ == "__main__":
    main()
