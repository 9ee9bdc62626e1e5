"""Profiles of spheroids in a slab are those of geometry."""

import numpy as np
import pytest

from curatome.phantom import sectioning
from curatome.phantom.sectioning import heights, profiles


def test_profiles_of_spheres_in_thin_sections_follow_wicksell(monkeypatch):
    """Their mean diameter is π/4 of the spheres', and of its square 2/3 (Wicksell 1925)."""
    monkeypatch.setattr(sectioning, "SECTION_UM", 1e-6)
    monkeypatch.setattr(sectioning, "_FAINTEST", 1.0)
    rng, form, tilt = np.random.default_rng(5), np.full((200_000, 2), 4.0), np.zeros(200_000)
    seen = profiles(form, tilt, heights(rng, form, tilt)) / 4.0
    assert seen.mean(axis=0) == pytest.approx(np.full(2, np.pi / 4), abs=0.003)
    assert (seen**2).mean(axis=0) == pytest.approx(np.full(2, 2 / 3), abs=0.003)


def test_a_body_within_the_section_shows_its_silhouette():
    form, tilt = np.array([[1.6, 0.5], [1.6, 0.5]]), np.array([0.0, 0.8])
    silhouette = np.hypot(1.6 * np.cos(tilt), 0.5 * np.sin(tilt))
    assert profiles(form, tilt, np.zeros(2)) == pytest.approx(
        np.column_stack([silhouette, [0.5, 0.5]])
    )


def test_a_spindle_on_end_is_round():
    seen = profiles(np.array([[8.0, 2.0]]), np.array([np.pi / 2]), np.array([3.0]))
    assert seen[0, 0] == pytest.approx(seen[0, 1])


@pytest.mark.parametrize("tilt", [-0.6, 0.0, 0.3, 0.6, 1.2])
@pytest.mark.parametrize("height", [0.0, 1.7, -3.0])
def test_a_tilted_spheroid_is_cut_as_points_within_it_are(tilt, height):
    """The extent, along and across, of random points of the body that lie in the slab."""
    rng, a, b = np.random.default_rng(7), 8.0, 4.0
    points = rng.normal(size=(200_000, 3))
    points *= np.array([a, b, b]) / np.linalg.norm(points, axis=1)[:, None]
    points *= rng.uniform(0.9, 1, (len(points), 1))
    across, z = np.cos(tilt), height + points[:, 0] * np.sin(tilt) + points[:, 2] * np.cos(tilt)
    x = points[:, 0] * across - points[:, 2] * np.sin(tilt)
    inside = np.abs(z) < sectioning.SECTION_UM / 2
    seen = profiles(np.array([[a, b]]), np.array([tilt]), np.array([height]))[0]
    expected = [np.ptp(x[inside]) / 2, np.ptp(points[inside, 1]) / 2]
    assert seen == pytest.approx(expected, rel=0.015)
