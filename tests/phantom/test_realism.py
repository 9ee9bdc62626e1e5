"""What is measured on phantom tiles, beside the same on real ones, and what a classifier sees."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import openslide
import pytest
from PIL import Image

from curatome.phantom import SCANNERS, make_scene, plan_cohort, render
from curatome.phantom.fabric import KINDS, LESIONS
from curatome.phantom.shapes import directions

_SIDE, _MPP = 224, 0.499
_BANDS_UM = ((60, 20), (20, 8), (8, 4), (4, 2), (2, 1.1))


def _power(pixels):
    """Spatial frequencies (1/µm) and power of optical density, both (N, N)."""
    density = -np.log10(np.clip(pixels.astype(float), 4, None) / 245).mean(axis=2)
    window = np.outer(*2 * [np.hanning(len(density))])
    power = np.abs(np.fft.fft2((density - density.mean()) * window)) ** 2
    frequency = np.fft.fftfreq(len(density), _MPP)
    return np.hypot(frequency[:, None], frequency[None, :]), power


def _slope(pixels) -> float:
    """Slope of power over spatial frequency, both logarithmic, from 25 to 1.4 µm."""
    frequency, power = _power(pixels)
    edges = np.geomspace(0.04, 0.7, 13)
    rings = [(frequency >= a) & (frequency < b) for a, b in pairwise(edges)]
    return float(
        np.polyfit(
            [np.log(frequency[r].mean()) for r in rings],
            [np.log(power[r].mean()) for r in rings],
            1,
        )[0]
    )


def _features(pixels):
    """Nineteen numbers of a tile: optical density, its spread and its power by scale."""
    density = -np.log10(np.clip(pixels.astype(float), 4, None) / 245)
    frequency, power = _power(pixels)
    bands = [np.log(power[(frequency >= 1 / a) & (frequency < 1 / b)].mean()) for a, b in _BANDS_UM]
    blue, gray = density[..., 0] - density[..., 1], density.mean(axis=2)
    spread = [*np.quantile(gray, [0.05, 0.25, 0.5, 0.75, 0.95]), *np.quantile(blue, [0.1, 0.9])]
    empty = (gray < 0.06).mean()
    return np.array([*density.mean(axis=(0, 1)), *density.std(axis=(0, 1)), *bands, *spread, empty])


def _scene(kind: str, seed: int):
    plan = plan_cohort(6, 12, 1500.0)[0]
    radius = 190.0 if kind == "in_situ" else 400.0
    lesions = ((kind, 4 if kind == "in_situ" else 1, radius),)
    changed = dataclasses.replace(plan, lesions=lesions, artifacts=(), seed=plan.seed + 17 * seed)
    return make_scene(dataclasses.replace(changed, tissue="resection", site="north"))


def _tiles(kind: str, seed: int, share: float):
    """Tiles of 112 µm around places at `share` of the way from a lesion's center outward."""
    scene, scanner = _scene(kind, seed), dataclasses.replace(SCANNERS["aria"], mpp=_MPP)
    regions, ways = scene.regions, 4
    largest = np.argsort(-regions.radii.max(axis=1) * (regions.kind == KINDS.index(kind)))
    index = int(largest[0])
    tiles = []
    for way in range(ways):
        angle = 2 * np.pi * way / ways + 0.1
        t = np.array([np.cos(angle), np.sin(angle)])
        step = np.argmax(directions(regions.radii.shape[1]) @ t)
        center = regions.center[index] + share * regions.radii[index, step] * t
        x, y = np.round(center / _MPP - _SIDE / 2).astype(int)
        tiles.append(render(scene, scanner, (int(x), int(y), _SIDE, _SIDE)))
    return tiles


def _told(train, labels, test):
    """Linear discriminant analysis: the class (N,) of each row of `test`."""
    names = sorted(set(labels))
    labels = np.array(labels)
    center, scale = train.mean(axis=0), train.std(axis=0)
    train, test = (train - center) / scale, (test - center) / scale
    means = np.array([train[labels == name].mean(axis=0) for name in names])
    inner = train - means[[names.index(name) for name in labels]]
    shape = np.linalg.inv(np.cov(inner.T) + 0.1 * np.eye(train.shape[1]))
    away = test[:, None] - means
    return np.array(names)[np.einsum("nki,ij,nkj->nk", away, shape, away).argmin(axis=1)]


def test_six_lesions_can_be_learnt_inside_and_are_confused_at_their_borders():
    def sample(seeds, share):
        rows, labels = [], []
        for kind in LESIONS:
            for seed in seeds:
                tiles = _tiles(kind, seed, share)
                rows += [_features(tile) for tile in tiles]
                labels += [kind] * len(tiles)
        return np.array(rows), labels

    train, labels = sample(range(1, 9), 0.3)
    inside, expected = sample(range(31, 35), 0.3)
    border, _ = sample(range(31, 35), 1.0)
    right = (_told(train, labels, inside) == expected).mean()
    at_border = (_told(train, labels, border) == expected).mean()
    assert right > 0.8  # 1/6 is chance
    assert at_border < right - 0.15


@pytest.fixture(scope="module")
def real_slopes(data):
    slopes = []
    for path in sorted((data / "images/crc-he-7k").rglob("*.jpg")):
        if not path.name.startswith("ADI"):
            slopes.append(_slope(np.asarray(Image.open(path).convert("RGB"))))
    with openslide.OpenSlide(str(data / "slides/aperio/cmu-1-small-region.svs")) as slide:
        for y in range(0, slide.dimensions[1] - _SIDE, _SIDE):
            for x in range(0, slide.dimensions[0] - _SIDE, _SIDE):
                tile = np.asarray(slide.read_region((x, y), 0, (_SIDE, _SIDE)).convert("RGB"))
                if (tile.mean(axis=2) < 225).mean() > 0.7:
                    slopes.append(_slope(tile))
    return np.array(slopes)


@pytest.mark.parametrize("kind", LESIONS)
def test_the_power_spectrum_falls_as_it_does_in_real_tiles(real_slopes, kind):
    """The median slope within the middle 90 % of real tiles at 0.5 µm/px (CRC-HE-7K, CMU-1)."""
    low, high = np.quantile(real_slopes, [0.05, 0.95])
    assert -3.2 < low < -2.4 < high < -1.2
    scene, scanner = _scene(kind, 5), dataclasses.replace(SCANNERS["aria"], mpp=_MPP)
    regions = scene.regions
    largest = int(np.argmax(regions.radii.max(axis=1) * (regions.kind == KINDS.index(kind))))
    x, y = np.round(regions.center[largest] / _MPP).astype(int)
    slopes = [
        _slope(render(scene, scanner, (int(x) + i, int(y) + j, _SIDE, _SIDE)))
        for i in (-_SIDE, 0)
        for j in (-_SIDE, 0)
    ]
    assert low < np.median(slopes) < high
