"""How well tissue is told from glass, beside what is commonly used.

    python -m benchmarks.tissue [--data FOLDER] [--seeds 5]

Synthetic pictures with exact truth (tests/slides/tissue_pictures.py) at 8 µm/px, every kind under
seven cameras; IoU and recall are means over cameras and seeds, and `worst` is the lowest IoU. For
single cells, recall is the share of cells whose center is covered. With `--data`, the share of
tissue on real files, which have no truth.

Peers: one Otsu threshold on gray levels; one on HSV saturation after a 7 x 7 median, as CLAM and
others do; and a mean color against a threshold, CPIA's rule, with our choice of numbers: blocks of
16 px (128 µm) whose mean gray level is below 220.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from benchmarks.recording import keep, machine
from scipy.ndimage import median_filter
from tests.slides.tissue_pictures import CAMERAS, KINDS, MPP, cells_found, iou

from curatome.protocol import TissueSettings
from curatome.slides.readers import open_slide
from curatome.slides.tissue import find_tissue, read_overview
from curatome.units import Mpp

Pixels = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
SETTINGS = TissueSettings()

REAL = (
    ("slides/aperio/cmu-1-small-region.svs", 0.499),
    ("slides/aperio/tcga-cr-7395-01a-01-ts1.svs", 0.5),
    ("slides/tiff/kidney-48-5.tif", 1.0),
    ("slides/dicom/multi_frame_jpeg_camelyon_challenge_image.dcm", 28.969),
    ("slides/dicom/multi_frame_jpeg2000_camelyon_challenge_image.dcm", 28.969),
)
TILES = (("images/crc-he-7k", 0.5), ("images/osteosarcoma", 1.0))


def otsu(values: npt.NDArray[np.number]) -> float:
    """The gray level that maximizes the variance between two classes (Otsu 1979)."""
    counts = np.bincount(values.astype(np.int64).ravel(), minlength=256).astype(float)
    levels = np.arange(256)
    below, total = np.cumsum(counts), counts.sum()
    mass = np.cumsum(counts * levels)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mass[-1] * below / total - mass) ** 2 / (below * (total - below))
    return float(np.nanargmax(np.where(np.isfinite(between), between, -1)))


def gray_otsu(overview: Pixels) -> Bools:
    gray = overview.mean(axis=2)
    return np.asarray(gray <= otsu(gray))


def saturation_otsu(overview: Pixels) -> Bools:
    high, low = overview.max(axis=2).astype(float), overview.min(axis=2)
    saturation = np.where(high > 0, 255 * (high - low) / np.maximum(high, 1), 0).astype(np.uint8)
    smooth = median_filter(saturation, 7)
    return np.asarray(smooth > otsu(smooth))


def mean_color(overview: Pixels) -> Bools:
    gray, side = overview.mean(axis=2), 16
    mask = np.zeros(gray.shape, np.bool_)
    for top in range(0, gray.shape[0], side):
        for left in range(0, gray.shape[1], side):
            block = np.s_[top : top + side, left : left + side]
            mask[block] = gray[block].mean() < 220
    return mask


def ours(overview: Pixels) -> Bools:
    return find_tissue(overview, MPP, SETTINGS)[0]


METHODS: dict[str, Callable[[Pixels], Bools]] = {
    "curatome": ours,
    "gray Otsu": gray_otsu,
    "saturation Otsu": saturation_otsu,
    "mean color": mean_color,
}


def synthetic(seeds: int) -> None:
    print("| kind | " + " | ".join(f"{name}: IoU, recall, worst" for name in METHODS) + " |")
    print("|---" * (len(METHODS) + 1) + "|")
    for kind, draw in KINDS.items():
        scores: dict[str, list[tuple[float, float]]] = {name: [] for name in METHODS}
        for camera in CAMERAS.values():
            for seed in range(1000, 1000 + seeds):
                picture = draw(np.random.default_rng(seed), camera)
                for name, method in METHODS.items():
                    mask = method(picture.overview)
                    if picture.cells is not None:
                        recall = cells_found(mask, picture.cells)
                    else:
                        found = (mask & picture.truth).sum()
                        recall = float(found / picture.truth.sum()) if picture.truth.any() else 1
                    scores[name].append((iou(mask, picture.truth), recall))
        cells = []
        for name in METHODS:
            overlap, recall_values = np.array(scores[name]).T
            means = f"{overlap.mean():.3f}, {recall_values.mean():.3f}"
            cells.append(f"{means}, {overlap.min():.3f}")
        print(f"| {kind.replace('_', ' ')} | " + " | ".join(cells) + " |")


def real(data: Path) -> None:
    print("\n| file | px | s | glass seen | " + " | ".join(METHODS) + " |")
    print("|---" * (len(METHODS) + 4) + "|")
    for name, mpp in REAL:
        slide = open_slide(data / name)
        overview, step, _ = read_overview(slide, Mpp(mpp, mpp), MPP)
        slide.close()
        start = time.perf_counter()
        mask, facts = find_tissue(overview, mpp * step, SETTINGS)
        seconds = time.perf_counter() - start
        shares = [mask.mean()] + [m(overview).mean() for m in list(METHODS.values())[1:]]
        size = f"{overview.shape[1]} x {overview.shape[0]} | {seconds:.2f}"
        row = " | ".join(f"{share:.3f}" for share in shares)
        print(f"| {Path(name).name} | {size} | {facts['glass_seen']:.0f} | {row} |")
    for folder, mpp in TILES:
        tiles_of(data / folder, mpp)


def tiles_of(folder: Path, mpp: float) -> None:
    classes: dict[str, list[list[float]]] = {}
    for path in sorted(folder.rglob("*.jpg")):
        slide = open_slide(path)
        overview = read_overview(slide, Mpp(mpp, mpp), MPP)[0]
        slide.close()
        shares = [float(method(overview).mean()) for method in METHODS.values()]
        classes.setdefault(path.name.split("_")[0], []).append(shares)
    for name, rows in classes.items():
        means = " | ".join(f"{share:.3f}" for share in np.mean(rows, axis=0))
        print(f"| {folder.name} {name}, mean of {len(rows)} |  |  |  | {means} |")


def speed() -> None:
    rng = np.random.default_rng(0)
    overview = np.full((1894, 3156, 3), 240.0)
    y, x = np.ogrid[:1894, :3156]
    tissue = ((y - 900) / 600) ** 2 + ((x - 1500) / 1100) ** 2 < 1
    overview[tissue] = (200, 130, 180)
    overview += (
        rng.normal(0, 2, (1894, 3156, 1)) + rng.normal(0, 15, (1894, 3156, 1)) * (tissue[..., None])
    )
    pixels = np.clip(overview, 0, 255).astype(np.uint8)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        ours(pixels)
        times.append(time.perf_counter() - start)
    print(f"\n3156 x 1894 px: median {np.median(times):.2f} s, longest {max(times):.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the real files")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print(f"Tissue masks; {machine()}; {options.seeds} seeds\n")
        synthetic(options.seeds)
        speed()
        if options.data:
            real(options.data)
    print(out.getvalue())
    keep("tissue", out.getvalue())


if __name__ == "__main__":
    main()
