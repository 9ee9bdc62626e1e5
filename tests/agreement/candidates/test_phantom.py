"""Mitoses of rendered slides that nobody marked."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.missed_mitoses import precision, tiles

from curatome.agreement.candidates import ranked, train


@pytest.mark.acceptance
def test_missed_mitoses_are_ranked_far_above_chance():
    """Tuned on seed 11; average precision of chance is the share of missed ones among blobs."""
    made = list(tiles(40, 23))
    detector = train(tile for tile, _ in made)
    hits, missed = precision(ranked(detector.read(tile) for tile, _ in made), made)
    average = (np.cumsum(hits) / np.arange(1, len(hits) + 1) * hits).sum() / missed
    assert hits.sum() / missed > 0.9
    assert average > 30 * hits.mean()
    assert hits[: 5 * missed].sum() / missed > 0.5
