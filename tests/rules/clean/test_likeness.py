from __future__ import annotations

import numpy as np
import pytest
import shapely
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from curatome.rules.clean import likeness as looks
from tests.rules.clean.pictures import circles, disks


def test_the_direction_is_that_of_scikit_learn():
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(3, 3))
    inside = (rng.normal(size=(400, 3)) @ mixing + [2, 0, 1]).astype(np.float32)
    outside = (rng.normal(size=(400, 3)) @ mixing).astype(np.float32)
    ours = looks.contrast(inside, outside).weights
    both, kind = np.concatenate([inside, outside]), np.repeat([1, 0], 400)
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(both, kind).coef_[0]
    cosine = ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)
    assert cosine > 0.9999


def test_medians_become_one_and_zero():
    rng = np.random.default_rng(4)
    inside = rng.normal(1.0, 0.1, (501, 3)).astype(np.float32)
    outside = rng.normal(0.2, 0.1, (501, 3)).astype(np.float32)
    seen = looks.contrast(inside, outside)
    value = lambda pixels: np.median(pixels @ seen.weights - seen.outside)  # noqa: E731
    assert value(outside) == pytest.approx(0, abs=1e-6)
    assert value(inside) == pytest.approx(seen.inside - seen.outside)


def test_too_few_pixels_or_equal_ones_tell_nothing():
    some = np.full((100, 3), 0.3, np.float32)
    assert looks.contrast(some[:5], some) is None
    assert looks.contrast(some, some) is None


def test_cover_counts_outlines_over_every_pixel():
    shapes = circles([(10, 12), (18, 12), (38, 2), (-30, 5)], 8)
    y, x = np.mgrid[:30, :40] + 0.5
    want = sum(shapely.contains_xy(shape, x, y).astype(int) for shape in shapes)
    where = looks.cover(shapes, (30, 40))
    assert (where.count != want).sum() == 0
    assert where.core[12, 10]
    assert where.core[12, 18]
    assert not where.core[where.count == 0].any()


def test_disks_look_like_objects_and_ground_does_not():
    centers = [(40, 40), (100, 60), (60, 120)]
    rgb = disks(centers)
    where = looks.cover(circles(centers), rgb.shape[:2])
    value = looks.contrast(*looks.samples(rgb, where)).of(rgb)
    assert value[where.core].mean() == pytest.approx(1, abs=0.05)
    far = looks.cover(circles(centers, 20), rgb.shape[:2]).count == 0
    assert value[far].mean() == pytest.approx(0, abs=0.05)
