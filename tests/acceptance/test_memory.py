"""A slide of 60,000 x 40,000 pixels takes no more memory than tiles and tissue mask ask for."""

import pytest
from benchmarks.memory import MPP, measure, tissue_piece, write_slide

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

MB = 1_000_000
SIZE = (60_000, 40_000)
MASK_MPP = 8.0  # the protocol's default
LIBRARIES = 300 * MB  # the interpreter, codecs and one block of canvas
PER_MASK_PX = {"survey": 40, "tiles": 24}  # bytes; a whole glass of 75 x 25 mm has 29 million


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("big") / "slide.svs"
    write_slide(path, SIZE, tissue_piece(None))
    return path


def test_peak_memory_follows_the_tiles_and_not_the_slide(slide, tmp_path):
    decoded = SIZE[0] * SIZE[1] * 3
    assert decoded == 7_200 * MB
    mask = SIZE[0] * SIZE[1] * (MPP / MASK_MPP) ** 2
    peaks = {workers: measure(tmp_path / f"p{workers}", slide, "L", workers) for workers in (1, 2)}
    for workers, peak in peaks.items():
        print(f"{workers} workers: {peak}")
        assert peak.made > 100
        assert peak.children == workers
        assert 100 * MB < peak.survey < LIBRARIES + PER_MASK_PX["survey"] * mask
        assert 100 * MB < peak.tiles < LIBRARIES + PER_MASK_PX["tiles"] * mask
        assert 100 * MB < peak.supervisor < LIBRARIES + 50 * MB
    assert peaks[1].made == peaks[2].made
    # A second worker costs its own share and nothing of the first one's.
    assert peaks[2].tiles < peaks[1].tiles + 60 * MB
