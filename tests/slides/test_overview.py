import numpy as np
import pytest

from curatome.slides import overview as module
from curatome.slides.overview import read_overview
from curatome.slides.readers.base import Level, Region, SlideFacts
from curatome.slides.resample import resample
from curatome.units import Mpp


class Slide:
    """Levels by averaging blocks; reads are aligned to the level and noted."""

    def __init__(self, pixels, downsamples=(1,)):
        self.pixels = [_halve(pixels, d) for d in downsamples]
        height, width = pixels.shape[:2]
        levels = tuple(
            Level(p.shape[1], p.shape[0], width / p.shape[1], height / p.shape[0])
            for p in self.pixels
        )
        self.facts = SlideFacts("test", "test", levels)
        self.reads = []

    def read(self, level, x0, y0, x1, y1, *, shrink=1.0):
        assert shrink == 1.0
        at = self.facts.levels[level]
        left, top = int(x0 / at.downsample_x), int(y0 / at.downsample_y)
        right = min(int(np.ceil(x1 / at.downsample_x)), at.width)
        bottom = min(int(np.ceil(y1 / at.downsample_y)), at.height)
        self.reads.append((level, right - left, bottom - top))
        return Region(
            self.pixels[level][top:bottom, left:right],
            left * at.downsample_x,
            top * at.downsample_y,
            at.downsample_x,
            at.downsample_y,
        )


def _halve(pixels, factor):
    height, width = (n // factor for n in pixels.shape[:2])
    blocks = pixels[: height * factor, : width * factor]
    return blocks.reshape(height, factor, width, factor, 3).mean((1, 3)).astype(np.uint8)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize(("width", "height"), [(1001, 777), (1600, 800), (33, 5), (3, 1)])
def test_the_overview_covers_odd_slides_exactly(width, height):
    pixels, step_x, step_y = read_overview(Slide(noise(height, width)), Mpp(0.5, 0.25), 8.0)
    assert pixels.shape == (max(1, round(height / 32)), max(1, round(width / 16)), 3)
    assert step_x * pixels.shape[1] == pytest.approx(width)
    assert step_y * pixels.shape[0] == pytest.approx(height)


@pytest.mark.parametrize("block", [64, 200, 5000])
def test_blocks_leave_no_seam(monkeypatch, block):
    monkeypatch.setattr(module, "_BLOCK_PX", block)
    pixels = noise(403, 611)
    slide = Slide(pixels)
    found, step_x, step_y = read_overview(slide, Mpp(0.5, 0.5), 8.0)
    whole = np.empty_like(found)
    resample(Region(pixels, 0.0, 0.0, 1.0, 1.0), 0.0, 0.0, (step_x, step_y), whole)
    assert np.abs(found.astype(int) - whole).max() <= 1  # weights at the rounding border
    assert (found != whole).mean() < 0.01
    assert max(max(read[1:]) for read in slide.reads) <= block + 18


def test_the_coarsest_level_that_is_finer_is_read():
    slide = Slide(noise(640, 960), (1, 4, 16, 32))
    pixels, *_ = read_overview(slide, Mpp(0.5, 0.5), 8.0)
    assert {read[0] for read in slide.reads} == {2}
    np.testing.assert_array_equal(pixels, slide.pixels[2])


def test_a_slide_coarser_than_the_target_keeps_its_scale():
    original = noise(31, 17)
    pixels, step_x, step_y = read_overview(Slide(original), Mpp(29.0, 29.0), 8.0)
    np.testing.assert_array_equal(pixels, original)
    assert (step_x, step_y) == (1.0, 1.0)


@pytest.mark.parametrize(("mpp", "target"), [(Mpp(0.0, 0.5), 8.0), (Mpp(0.5, 0.5), -1.0)])
def test_scales_must_be_positive(mpp, target):
    with pytest.raises(ValueError, match="must be positive"):
        read_overview(Slide(noise(4, 4)), mpp, target)


def test_every_block_is_a_sign_of_life(monkeypatch):
    # Children that are silent are killed, and a block of a giant slide may take a while.
    slide = Slide(noise(900, 1000))
    told = []
    monkeypatch.setattr(module, "_BLOCK_PX", 256)
    monkeypatch.setattr(module, "progress", lambda blocks: told.append((blocks, len(slide.reads))))
    read_overview(slide, Mpp(0.5, 0.5), 8.0)
    assert len(slide.reads) > 10
    assert told == [(1, number + 1) for number in range(len(slide.reads))]
