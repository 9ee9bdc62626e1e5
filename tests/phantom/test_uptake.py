from __future__ import annotations

import dataclasses
import importlib

import numpy as np
import pytest

from curatome.phantom import SCANNERS, render
from curatome.phantom.fabric import KINDS, LESIONS, lesion_share
from curatome.phantom.noise import TONE_LENGTHS, texture, tone_scale, tones
from tests.phantom.giant import CENTER_UM, RADIUS_UM, bare_scene, giant

drawing = importlib.import_module("curatome.phantom.render")


@pytest.fixture(scope="module")
def scene():
    return bare_scene()


def _density(scene, mpp: float, side: int):
    """Optical density (side, side), the mean of the colors, from rendered pixels."""
    scanner = dataclasses.replace(SCANNERS["aria"], mpp=mpp, noise=0.0)
    start = round((CENTER_UM - 0.3 * RADIUS_UM) / mpp)
    pixels = render(scene, scanner, (start, start, side, side)).astype(float)
    white = 255 * np.array(scanner.white)
    return -np.log10(np.clip(pixels, 2, None) / white).mean(axis=2)


def _autocorrelation(values, mask):
    """Radially averaged autocorrelation of what lies in a mask, at whole pixels of distance."""
    side = len(values)
    values = np.where(mask, values - values[mask].mean(), 0.0)

    def pairs(field):
        return np.fft.irfft2(np.abs(np.fft.rfft2(field, (2 * side, 2 * side))) ** 2)

    products, counts = pairs(values), pairs(mask.astype(float))
    step = np.fft.fftfreq(2 * side, 1 / (2 * side))
    distance = np.rint(np.hypot(step[:, None], step[None, :])).astype(int)
    near = distance < side // 4
    curve = np.bincount(distance[near], products[near]) / np.bincount(distance[near], counts[near])
    return curve / curve[0]


def _length(curve) -> float:
    """Where a falling curve passes 1/e."""
    k = int(np.nonzero(curve < 1 / np.e)[0][0])
    return k - 1 + (curve[k - 1] - 1 / np.e) / (curve[k - 1] - curve[k])


@pytest.mark.parametrize("level", range(len(TONE_LENGTHS)))
def test_tones_fall_off_exponentially_at_their_own_length(level):
    tone, length = tones()[level].astype(float), TONE_LENGTHS[level]
    assert tone.mean() == pytest.approx(0, abs=1e-3)
    assert tone.std() == pytest.approx(1, abs=1e-3)
    curve = _autocorrelation(tone, np.ones(tone.shape, bool))
    distance = np.arange(1, int(1.5 * length))
    # The longest tone has but 1024² / (2π 64²) = 41 patches, so 1/√41 is one standard error.
    assert np.abs(curve[distance] - np.exp(-distance / length)).max() < 0.16


@pytest.mark.parametrize("length", [2.0, 4.0, 9.5, 20.0, 40.0, 48.0])
def test_a_texel_is_fine_at_every_length(length):
    level, texel = tone_scale(length)
    assert level in range(len(TONE_LENGTHS))
    assert texel * TONE_LENGTHS[level] == pytest.approx(length)
    assert texel <= 0.75


@pytest.mark.parametrize("kind", ["stroma", "necrosis", "lymphoma"])
@pytest.mark.parametrize(
    ("length", "mpp", "side"), [(4, 0.5, 640), (12, 1.0, 900), (40, 2.0, 1000)]
)
def test_the_planted_correlation_length_is_measured(scene, monkeypatch, kind, length, mpp, side):
    """Against the same slide without tone, pixel by pixel: what is left of its texture is the tone.

    The 1/e length of its autocorrelation is the planted one within 20 % from 4 to 40 µm.
    """
    slide = giant(scene, kind, correlation=length)
    toned = _density(slide, mpp, side)
    monkeypatch.setattr(drawing, "UNEVENNESS", np.zeros(len(KINDS)))
    plain = _density(slide, mpp, side)
    mask = (plain > 0.08) & (toned > 0.02)
    ratio = np.log(np.where(mask, toned, 1) / np.where(mask, plain, 1))
    assert 0.15 < ratio[mask].std() < 0.35
    assert _length(_autocorrelation(ratio, mask)) * mpp == pytest.approx(length, rel=0.20)


def test_a_longer_correlation_shows_in_the_texture_as_it_is(scene):
    curves = []
    for length in (4, 12, 40):
        density = _density(giant(scene, "necrosis", correlation=length), 1.0, 700)
        curves.append(_autocorrelation(density, np.ones(density.shape, bool))[12])
    assert curves[0] + 0.03 < curves[1] < curves[2] - 0.03


def _dyes_at(scene, depth_um: float, width: int):
    """Dyes (2, 40, width) where the border runs upright, from `depth_um` inside it outward."""
    grid = (CENTER_UM + RADIUS_UM - depth_um, CENTER_UM - 10.0, 0.5)
    return drawing.dyes_of(scene, grid, (40, width))[:2]


@pytest.mark.parametrize("kind", ["tumor", "inflammation", "lymphoma"])
def test_a_lesion_is_itself_inside_its_transition_and_stroma_at_its_outline(scene, kind):
    sharp = _dyes_at(giant(scene, kind, transition=0.01), 80.0, 160)
    soft = _dyes_at(giant(scene, kind, transition=50.0), 80.0, 160)
    bare = _dyes_at(giant(scene, "stroma"), 80.0, 160)
    # Columns are 0.5 µm, so depth 80 to 50 is the first 59 of them; the outline is at column 160.
    assert np.array_equal(soft[..., :58], sharp[..., :58])
    assert np.abs(soft - sharp)[..., 62:].mean() > 0.01
    assert np.abs(soft - bare)[..., -6:].max() < 1e-3
    assert np.abs(sharp - bare)[..., -6:].mean() > 0.01


def test_the_share_of_a_lesion_grows_from_nothing_to_all_over_the_transition():
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 5000, (3000, 2))
    depths = np.linspace(0, 40, 21)
    share = [np.mean([lesion_share(texture(1), 40.0, x, y, d) for x, y in places]) for d in depths]
    assert share[0] < 0.06
    assert share[-1] == 1
    assert (np.diff(share) > 0).all()
    assert 14 < np.interp(0.5, share, depths) < 26
    single = [lesion_share(texture(1), 40.0, x, y, 20.0) for x, y in places]
    assert np.std(single) > 0.2  # tongues, not a gradient


def test_every_kind_takes_up_dye_in_its_own_way(scene):
    means = {}
    for kind in KINDS:
        dyes = drawing.dyes_of(giant(scene, kind), (CENTER_UM, CENTER_UM + 3000.0, 1.0), (500, 500))
        assert (dyes >= 0).all()
        assert dyes[:2].max() < 3.5
        means[kind] = dyes[:2].mean(axis=(1, 2))
    for dye in range(2):
        assert means["fat"][dye] < 0.25 * means["stroma"][dye]
    assert means["mucinous"][1] < 0.75 * means["stroma"][1]
    assert all(means[kind][0] > means["stroma"][0] for kind in LESIONS if kind != "mucinous")
