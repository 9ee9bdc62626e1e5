"""Colors of the phantom's DAB slides beside a real immunostain, for benchmarks.phantom.

The real file is an overview of a kidney section (`slides/tiff/kidney-48-5.tif`), without a scale
and without a word on its chromogen. What can be compared is color: the share of red, green and
blue in the optical density of stained pixels against the clear glass around them, and how dense
they are. Phantom slides are averaged down until a section is some hundred pixels long, as it is
there, since averaging mixes dyes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from benchmarks.phantom_tiles import read
from benchmarks.tile_statistics import RUIFROK, STAINED, angle
from scipy.ndimage import label

from curatome.phantom import make_scene, render
from curatome.phantom.design import CohortDesign
from curatome.phantom.designed import design_cohort

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

REAL = "slides/tiff/kidney-48-5.tif"
LONG = 110
"""Pixels along the longer side of the real section."""
BROWN = 0.36
"""Least share of blue in optical density that is called brown; of hematoxylin it is 0.17, of DAB
0.48 (Ruifrok and Johnston 2001), and of both alike 0.33."""
_SIDE_UM = 600.0


def stained(image: Pixels) -> Floats:
    """Optical densities (N, 3), against clear glass, of the pixels of the largest stained piece."""
    glass = np.quantile(image.reshape(-1, 3), 0.9, axis=0)
    density = -np.log10(np.clip(image, 1, None) / glass)
    pieces, count = label(density.mean(axis=2) > STAINED)
    if count == 0:
        return np.zeros((0, 3))
    largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    out: Floats = density[pieces == largest]
    return out


def colors(density: Floats) -> dict[str, Floats]:
    """What is compared of each pixel: its density, and the shares of red and of blue in it."""
    total = density.sum(axis=1)
    return {
        "mean OD": density.mean(axis=1),
        "OD red share": density[:, 0] / total,
        "OD blue share": density[:, 2] / total,
    }


def _phantom(seed: int, slides: int) -> list[Floats]:
    """Densities of each of so many DAB slides, averaged to the scale of the real overview."""
    design = CohortDesign(
        cases=3 * slides, slides_per_case=(0.0, 1.0), ihc=1.0, membranes=0.5, biopsies=0.0
    )
    out = []
    for plan in design_cohort(design, seed).plans(_SIDE_UM):
        if plan.stain == "DAB" and len(out) < slides:
            pixels = render(make_scene(plan), plan.optics, (0, 0, plan.width, plan.height))
            out.append(stained(_averaged(pixels, pixels.shape[1] // LONG)))
    return out


def _averaged(pixels: Pixels, factor: int) -> Pixels:
    rows, columns = (n // factor for n in pixels.shape[:2])
    blocks = pixels[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor, 3)
    return np.asarray(blocks.mean(axis=(1, 3)).round(), np.uint8)


def compare_dab(data: Path, seed: int, slides: int = 16) -> None:
    """One row per number, of pixels; then how brown either is, and how far from DAB's vector."""
    real = stained(read(data / REAL))
    own = _phantom(seed, slides)
    pooled = np.concatenate(own)
    print(f"\nDAB: {REAL}, {len(real)} stained pixels; the phantom, {slides} slides\n")
    print(
        "| of stained pixels | real, 2.5-50-97.5 % | phantom, 2.5-50-97.5 % |\n" + "|---" * 3 + "|"
    )
    for name, values in colors(real).items():
        cells = [
            " … ".join(f"{v:.3g}" for v in np.quantile(one, [0.025, 0.5, 0.975]))
            for one in (values, colors(pooled)[name])
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    brown = [float(np.mean(colors(one)["OD blue share"] > BROWN)) for one in (real, pooled)]
    print(f"| share of brown pixels | {brown[0]:.3f} | {brown[1]:.3f} |")
    for name, vector, end in (("hematoxylin", RUIFROK[0], 0), ("DAB", RUIFROK[2], 1)):
        near = [angle(_ends(one)[end], vector) for one in (real, pooled)]
        words = ("least", "most")[end]
        print(f"| {words} blue twentieth to {name} (°) | {near[0]:.1f} | {near[1]:.1f} |")
    if brown[0] < 0.01:
        print("\nNo brown in the real file: it can be held against the counterstain, not the DAB.")


def _ends(density: Floats) -> Floats:
    """Mean densities (2, 3) of the pixels with the least and the most blue in them, 5 % each."""
    share = density[:, 2] / density.sum(axis=1)
    low, high = np.quantile(share, [0.05, 0.95])
    return np.stack([density[share <= low].mean(axis=0), density[share >= high].mean(axis=0)])
