from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from curatome.phantom import SITES, make_scene, plan_cohort
from curatome.phantom.effects import Effects
from curatome.phantom.nuclei import CLASSES
from curatome.phantom.optics import DAB, REFERENCE, SCANNERS, reach, scan
from curatome.phantom.render import dyes_of, stain_vectors
from curatome.phantom.staining import (
    ELIGIBLE,
    MEMBRANE_UM,
    POSITIVITY,
    positivity_table,
    stain,
    vectors,
)

LESIONS = (("tumor", 3, 900.0),)


@pytest.fixture(scope="module")
def scene():
    plan = plan_cohort(4, 12, 900.0)[2]
    return make_scene(dataclasses.replace(plan, lesions=LESIONS, artifacts=()))


def _brown(scene, positive):
    plan = dataclasses.replace(scene.plan, stain="DAB", positive=positive)
    return dataclasses.replace(scene, plan=plan)


def _plain_dyes(scene, grid, shape):
    plan = dataclasses.replace(scene.plan, stain="H&E", unevenness=0.0, effects=None, site="north")
    return dyes_of(dataclasses.replace(scene, plan=plan), grid, shape)


def _plan(**changes):
    return dataclasses.replace(plan_cohort(4, 12, 900.0)[2], **changes)


@pytest.mark.parametrize("site", sorted(SITES))
def test_without_effects_the_stain_is_the_sites(site):
    first, second = vectors(_plan(site=site))
    for vector, unit, strength in zip(
        (first, second),
        (SITES[site].hematoxylin, SITES[site].eosin),
        SITES[site].strength,
        strict=True,
    ):
        assert vector == pytest.approx(np.array(unit) * strength)


def test_effects_start_from_the_reference_and_multiply():
    first, second = vectors(_plan(effects=Effects()))
    assert first == pytest.approx(np.array(REFERENCE.hematoxylin) * REFERENCE.strength[0])
    assert second == pytest.approx(np.array(REFERENCE.eosin) * REFERENCE.strength[1])
    effects = Effects(hematoxylin=0.2, second=-0.1, thickness=0.3)
    darker = vectors(_plan(effects=effects))
    assert darker[0] == pytest.approx(first * math.exp(0.5))
    assert darker[1] == pytest.approx(second * math.exp(0.2))


def test_slides_are_drawn_with_their_own_stain(scene):
    plan = dataclasses.replace(scene.plan, site="elsewhere", stain="DAB", effects=Effects(second=1))
    own = dataclasses.replace(scene, plan=plan)
    assert stain_vectors(own)[:2] == pytest.approx(np.stack(vectors(plan)))
    grid, shape = (400.0, 350.0, 0.5), (80, 90)
    expected = _plain_dyes(own, grid, shape)
    stain(own, grid, expected)
    assert np.array_equal(dyes_of(own, grid, shape)[:2], expected[:2])


def test_dab_takes_the_place_of_eosin():
    second = vectors(_plan(effects=Effects(), stain="DAB"))[1]
    assert second / np.linalg.norm(second) == pytest.approx(np.array(DAB))


@pytest.mark.parametrize("deviation", [0.05, 0.2])
def test_unevenness_is_the_standard_deviation_of_log_thickness(scene, deviation):
    """10 mm on a side hold some 600 patches: the deviation is known to about 5 %."""
    plan = dataclasses.replace(scene.plan, unevenness=deviation)
    dyes = np.ones((3, 500, 500), np.float32)
    stain(dataclasses.replace(scene, plan=plan), (0.0, 0.0, 20.0), dyes)
    logs = np.log(dyes[0])
    assert logs.std() == pytest.approx(deviation, rel=0.15)
    assert np.array_equal(dyes[0], dyes[1])
    assert (dyes[2] == 1).all()
    # Patches, not grain: neighbors 20 µm apart are alike, places 2 mm apart are not.
    assert np.corrcoef(logs[:, :-1].ravel(), logs[:, 1:].ravel())[0, 1] > 0.95
    assert abs(np.corrcoef(logs[:, :-100].ravel(), logs[:, 100:].ravel())[0, 1]) < 0.25


def test_an_even_slide_of_h_and_e_is_left_as_it_is(scene):
    dyes = np.random.default_rng(0).random((3, 40, 40)).astype(np.float32)
    before = dyes.copy()
    stain(scene, (300.0, 300.0, 0.5), dyes)
    assert np.array_equal(dyes, before)


@pytest.mark.parametrize("planted", [0.0, 0.15, 0.6, 1.0])
def test_the_planted_share_of_nuclei_is_positive(scene, planted):
    table = positivity_table(_brown(scene, planted))
    assert table.schema.equals(POSITIVITY.schema)
    eligible, positive = (np.array(table[c].to_pylist()) for c in ("eligible", "positive"))
    kinds = np.array(CLASSES, dtype=object)[scene.nuclei.kind]
    assert np.array_equal(eligible, np.isin(kinds, ELIGIBLE))
    assert not (positive & ~eligible).any()
    count = int(eligible.sum())
    assert count > 200
    error = math.sqrt(count * planted * (1 - planted))
    assert abs(positive.sum() - count * planted) <= 3.3 * error
    intensity = np.array(table["intensity"].to_pylist())
    assert np.array_equal(intensity > 0, positive)


def test_h_and_e_has_no_positivity(scene):
    assert len(positivity_table(scene)) == 0


def test_brown_is_where_the_table_says(scene):
    """DAB at the centers of nuclei far from others: dense in positive ones, none elsewhere."""
    own = _brown(scene, 0.5)
    nuclei, mpp = own.nuclei, 0.5
    grid, shape = (mpp / 2, mpp / 2, mpp), (1580, 1800)
    dyes = _plain_dyes(own, grid, shape)
    plain = dyes.copy()
    stain(own, grid, dyes)
    inside = (nuclei.y < 780) & (nuclei.x < 890)
    at = np.stack([nuclei.y, nuclei.x])[:, inside] / mpp - 0.5
    dab, blue = (map_coordinates(plane, at, order=1) for plane in (dyes[1], plain[0]))
    table = positivity_table(own)
    positive = np.array(table["positive"].to_pylist())[inside]
    eligible = np.array(table["eligible"].to_pylist())[inside]
    stained = blue > 0.5
    assert np.median(dab[positive & stained]) > 0.4
    assert np.median(dab[~positive & stained]) < 0.05
    # A negative nucleus may lie under a positive one, but few do.
    assert np.mean(dab[~positive & eligible & stained] < 0.2) > 0.8
    assert np.mean(dab[positive & stained] > 0.2) > 0.9
    ground = plain[0] < 0.2
    assert np.quantile(dyes[1][ground], 0.99) < 0.1


def test_positive_nuclei_are_brown_and_negative_ones_blue(scene):
    own = _brown(scene, 0.5)
    nuclei, scanner = own.nuclei, SCANNERS["aria"]
    value = np.array(positivity_table(own)["intensity"].to_pylist())
    kinds = np.isin(np.array(CLASSES, dtype=object)[nuclei.kind], ELIGIBLE)
    inner = (abs(nuclei.x - 450) < 300) & (abs(nuclei.y - 400) < 250) & kinds
    colors = []
    for wanted in (value > 0.9, value == 0):
        pixels = []
        for n in np.flatnonzero(inner & wanted)[:40]:
            margin, mpp = reach(scanner), scanner.mpp
            x, y = (round(float(v) / mpp) for v in (nuclei.x[n], nuclei.y[n]))
            grid = ((x - margin + 0.5) * mpp, (y - margin + 0.5) * mpp, mpp)
            shape = (1 + 2 * margin, 1 + 2 * margin)
            dyes = _plain_dyes(own, grid, shape)
            stain(own, grid, dyes)
            light = np.stack([*vectors(own.plan), np.zeros(3)])
            pixels.append(scan(dyes, light, scanner, own.field, (x, y))[0, 0])
        assert len(pixels) > 10
        colors.append(np.median(pixels, axis=0))
    brown, blue = colors
    assert brown[0] > brown[2] + 30
    assert blue[2] > blue[0] + 10


def test_membranes_are_brown_around_positive_nuclei_only(scene):
    own = _brown(scene, 0.5)
    own = dataclasses.replace(own, plan=dataclasses.replace(own.plan, marker="membrane"))
    nuclei, mpp = own.nuclei, 0.25
    value = np.array(positivity_table(own)["intensity"].to_pylist())
    x0, y0, shape = 250.0, 200.0, (1600, 1600)
    dyes = _plain_dyes(own, (x0, y0, mpp), shape)
    blue = dyes[0].copy()
    stain(own, (x0, y0, mpp), dyes)
    inner = (abs(nuclei.x - 450) < 180) & (abs(nuclei.y - 400) < 180)
    kinds = np.isin(np.array(CLASSES, dtype=object)[nuclei.kind], ELIGIBLE)
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    around = []
    for wanted in (value > 0.5, value == 0):
        chosen = np.flatnonzero(inner & kinds & wanted)
        assert len(chosen) > 10
        rings = []
        for n in chosen:
            a, b = nuclei.long[n] / 2 + MEMBRANE_UM, nuclei.short[n] / 2 + MEMBRANE_UM
            cosine, sine = np.cos(nuclei.angle[n]), np.sin(nuclei.angle[n])
            u, v = a * np.cos(turn), b * np.sin(turn)
            x, y = nuclei.x[n] + cosine * u - sine * v, nuclei.y[n] + sine * u + cosine * v
            at = ((y - y0) / mpp, (x - x0) / mpp)
            free = map_coordinates(blue, at, order=1) < 0.2
            rings.append(map_coordinates(dyes[1], at, order=1)[free])
        around.append(np.median(np.concatenate(rings)))
    assert around[0] > 0.4
    assert around[1] < 0.1
    assert np.quantile(dyes[1][blue > 0.6], 0.9) < 0.1


@pytest.mark.parametrize(
    ("kind", "marker"), [("H&E", "nucleus"), ("DAB", "nucleus"), ("DAB", "membrane")]
)
def test_staining_does_not_depend_on_the_block(scene, kind, marker):
    changes = {"stain": kind, "marker": marker, "positive": 0.5, "unevenness": 0.2}
    plan = dataclasses.replace(scene.plan, **changes)
    own = dataclasses.replace(scene, plan=plan)
    x0, y0, mpp = 300.25, 260.25, 0.5
    whole = _plain_dyes(own, (x0, y0, mpp), (300, 300))
    part = whole[:, 120:260, 70:210].copy()
    stain(own, (x0, y0, mpp), whole)
    stain(own, (x0 + 70 * mpp, y0 + 120 * mpp, mpp), part)
    assert np.array_equal(part, whole[:, 120:260, 70:210])
