"""Traits co-occur as the thyroid dataset's labels do."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from curatome.phantom.traits import (
    CELLS,
    FREQUENCIES,
    MARKED,
    PHI,
    TOGETHER,
    both,
    correlations,
    draw_traits,
    latent_root,
    tetrachoric,
)

# Nine frequencies and 36 correlations, each two-sided, at 1 % for all 45 together (Bonferroni).
BOUND = norm.isf(0.01 / (2 * 45))


def z_scores(marks, frequencies, phi):
    """Standard scores of nine frequencies and of 36 correlations against what was planted.

    The error of a correlation follows from its influence function, xy - r (x² + y²) / 2.
    """
    n, found = len(marks), marks.mean(axis=0)
    of_frequency = (found - frequencies) / np.sqrt(frequencies * (1 - frequencies) / n)
    unit = (marks - found) / np.sqrt(found * (1 - found))
    i, j = np.triu_indices(9, 1)
    r = (unit[:, i] * unit[:, j]).mean(axis=0)
    influence = unit[:, i] * unit[:, j] - r * (unit[:, i] ** 2 + unit[:, j] ** 2) / 2
    return np.concatenate([of_frequency, (r - phi[i, j]) / (influence.std(axis=0) / n**0.5)])


def test_counts_are_those_of_the_dataset(data):
    labels = json.loads((data / "cells" / "thyroid" / "labels.json").read_text())
    marks = np.array(list(labels.values()))
    assert len(marks) == CELLS
    assert np.array_equal(marks.T @ marks, TOGETHER)
    assert pytest.approx(np.corrcoef(marks.T), abs=1e-12) == PHI
    assert pytest.approx(marks.mean(axis=0)) == FREQUENCIES


@given(h=st.floats(-3, 3), k=st.floats(-3, 3), r=st.floats(-0.95, 0.95))
def test_both_is_the_bivariate_normal(h, k, r):
    expected = multivariate_normal.cdf([-h, -k], cov=[[1, r], [r, 1]])
    assert both(h, k, np.float64(r)) == pytest.approx(expected, abs=1e-7)


@given(r=st.floats(-0.98, 0.98))
def test_medians_follow_sheppard(r):
    """Split at their medians, normals correlate by 2 / π · arcsin r (Sheppard 1899)."""
    phi = np.array([[1, 2 / np.pi * np.arcsin(r)], [0, 1]])
    phi[1, 0] = phi[0, 1]
    assert tetrachoric(np.array([0.5, 0.5]), phi)[0, 1] == pytest.approx(r, abs=1e-6)


def test_impossible_correlations_are_refused():
    phi = np.array([[1, 0.9], [0.9, 1]])
    with pytest.raises(ValueError, match=r"marks 0 and 1 .* 0\.900 .* 0\.100 and 0\.500"):
        tetrachoric(np.array([0.1, 0.5]), phi)


def test_latent_correlations_need_no_repair():
    latent = tetrachoric(FREQUENCIES, PHI)
    assert np.linalg.eigvalsh(latent).min() == pytest.approx(0.017, abs=0.001)
    assert latent_root() @ latent_root().T == pytest.approx(latent, abs=1e-12)


def test_marks_have_the_frequencies_and_correlations_planted():
    strength = draw_traits(np.random.default_rng(11), 200_000, FREQUENCIES)
    assert np.abs(z_scores(strength >= MARKED, FREQUENCIES, PHI)).max() < BOUND


def test_the_scores_see_a_wrong_correlation():
    """One correlation of 0.40 missing among 36 is far outside of the bounds."""
    strength = draw_traits(np.random.default_rng(11), 4000, FREQUENCIES)
    strength[:, 0] = np.random.default_rng(5).permutation(strength[:, 0])
    assert np.abs(z_scores(strength >= MARKED, FREQUENCIES, PHI)).max() > 2 * BOUND


def test_strengths_are_graded_and_rare_where_asked():
    rng = np.random.default_rng(3)
    usual = draw_traits(rng, 20_000, FREQUENCIES)
    assert usual.min() >= 0
    assert usual.max() <= 1
    assert ((usual > 0.1) & (usual < 0.4)).mean(axis=0).min() > 0.05
    rare = draw_traits(rng, 50_000, 0.1 * FREQUENCIES) >= MARKED
    error = np.sqrt(0.1 * FREQUENCIES / 50_000)
    assert np.abs(rare.mean(axis=0) - 0.1 * FREQUENCIES).max() < 4 * error.max()
    assert not draw_traits(rng, 100, np.zeros(9)).any()


def test_correlations_of_counts():
    """Two marks that always go together, and a third that never goes with them."""
    together = np.array([[2, 2, 0], [2, 2, 0], [0, 0, 2]])
    expected = np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1]])
    assert correlations(together, 4) == pytest.approx(expected)
