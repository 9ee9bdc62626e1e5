"""Blobs of disks with a known place and size, and of real nuclei."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from curatome.agreement.candidates import NAMES, features, find_blobs
from curatome.stain import HE, compose, separate


def disks(places, diameter, shape=(200, 240), mpp=0.5):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    plane = np.zeros(shape, np.float32)
    for row, column in places:
        plane[np.hypot(rows - row, columns - column) * mpp <= diameter / 2] = 0.5
    return gaussian_filter(plane, 0.5)


PLACES = [(40, 60), (120, 150), (30, 200)]


@pytest.mark.parametrize("diameter", [4.0, 6.0, 9.0, 13.0])
def test_disks_are_found_where_they_are_and_as_large(diameter):
    found = find_blobs(disks(PLACES, diameter), 0.5)
    kept = found.response > 0.15
    assert kept.sum() == 3
    places = sorted(zip(found.row[kept].tolist(), found.column[kept].tolist(), strict=True))
    np.testing.assert_allclose(places, sorted(PLACES), atol=1.01)
    assert (found.diameter_um[kept] == diameter).all()


def test_scale_is_in_micrometers():
    coarse = find_blobs(disks(PLACES, 9.0), 0.5)
    fine = find_blobs(disks([(2 * r, 2 * c) for r, c in PLACES], 9.0, (400, 480), 0.25), 0.25)
    assert coarse.response.max() == pytest.approx(fine.response.max(), rel=0.05)


def test_pixels_too_coarse_are_refused():
    with pytest.raises(ValueError, match="need 2 px"):
        find_blobs(np.zeros((9, 9), np.float32), 4.0)


def test_features_say_what_a_blob_is():
    """A long and a round blob; one dark, one with eosin."""
    rows, columns = np.mgrid[:120, :240]
    amounts = np.zeros((120, 240, 3))
    amounts[..., 0] += 0.8 * np.exp(-(((rows - 60) / 6) ** 2 + ((columns - 60) / 6) ** 2) / 2)
    amounts[..., 0] += 0.5 * np.exp(-(((rows - 60) / 3) ** 2 + ((columns - 180) / 12) ** 2) / 2)
    amounts[..., 1] += 0.3 * (columns > 120)
    rgb = compose(amounts, HE)
    apart = separate(rgb)
    blobs = find_blobs(apart[..., 0], 0.5)
    values = features(rgb, apart, blobs, 0.5)
    assert values.shape == (len(blobs), len(NAMES))
    round_, long = (
        values[np.hypot(blobs.row - 60, blobs.column - column).argmin()] for column in (60, 180)
    )
    at = {name: k for k, name in enumerate(NAMES)}
    assert round_[at["elongation 2.5 µm"]] < 0.1
    assert long[at["elongation 2.5 µm"]] > 0.4
    assert round_[at["darkest"]] > long[at["darkest"]] + 0.2
    assert long[at["other 2.5 µm"]] == pytest.approx(0.3, abs=0.05)
    assert round_[at["other 2.5 µm"]] == pytest.approx(0.0, abs=0.05)


def centers_found(rgb, mask, mpp):
    """Share of labeled nuclei in which a blob lies, and blobs per nucleus."""
    blobs = find_blobs(separate(rgb)[..., 0], mpp)
    hit = np.unique(mask[blobs.row, blobs.column])
    nuclei = np.unique(mask)
    return (hit > 0).sum(), (nuclei > 0).sum(), len(blobs)


def test_real_nuclei_hold_a_blob(data):
    """dsb2018-brightfield, H&E-like images; scale assumed as in benchmarks/phantom_nuclei.py."""
    folder = data / "nuclei/dsb2018-brightfield"
    with (folder / "images.csv").open(newline="") as stream:
        names = [row["image"] for row in csv.DictReader(stream) if "purple" in row["kind"]]
    hits = nuclei = 0
    for name in names[:12]:
        rgb = np.asarray(Image.open(folder / f"images/{name}.png").convert("RGB"))
        mask = np.asarray(Image.open(folder / f"masks/{name}.png"))
        sizes = np.bincount(mask.ravel())[1:]
        median = 2 * np.sqrt(np.median(sizes[sizes > 0]) / np.pi)
        found = centers_found(rgb, mask, 0.25 if median >= 27 else 0.5)
        hits, nuclei = hits + found[0], nuclei + found[1]
    assert hits / nuclei > 0.8
