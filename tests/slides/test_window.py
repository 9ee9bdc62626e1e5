"""Windows of slides: exact at level 0, means below it, white beyond the edge."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from curatome.slides.overview import read_overview
from curatome.slides.readers import open_slide
from curatome.slides.window import read_window
from curatome.units import Mpp

MPP = Mpp(0.5, 0.5, "user")


@pytest.fixture
def picture():
    return np.random.default_rng(3).integers(0, 256, (300, 400, 3), np.uint8)


@pytest.fixture
def slide(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png")
    reader = open_slide(tmp_path / "a.png")
    yield reader
    reader.close()


def test_pixels_as_they_are(slide, picture) -> None:
    window = read_window(slide, MPP, (20.0, 30.0, 120.0, 90.0), 0.5)
    assert np.array_equal(window, picture[30:90, 20:120])


def test_means_of_pixels(slide, picture) -> None:
    window = read_window(slide, MPP, (0.0, 0.0, 400.0, 300.0), 5.0)
    means = picture.reshape(30, 10, 40, 10, 3).mean(axis=(1, 3))
    assert window.shape == (30, 40, 3)
    assert np.abs(window - means).max() <= 1
    whole, *_ = read_overview(slide, MPP, 5.0)
    assert np.array_equal(window, whole)


def test_white_beyond_the_edge(slide, picture) -> None:
    window = read_window(slide, MPP, (-10.0, -20.0, 410.0, 310.0), 0.5)
    assert window.shape == (330, 420, 3)
    assert np.array_equal(window[20:320, 10:410], picture)
    assert (window[:20] == 255).all()
    assert (window[:, 410:] == 255).all()
    assert (read_window(slide, MPP, (500.0, 0.0, 510.0, 10.0), 0.5) == 255).all()


def test_large_windows_are_read_in_blocks(tmp_path, monkeypatch, slide) -> None:
    from curatome.slides import window

    whole = read_window(slide, MPP, (3.0, 5.0, 390.0, 280.0), 1.7)
    monkeypatch.setattr(window, "_BLOCK_PX", 37)
    parts = read_window(slide, MPP, (3.0, 5.0, 390.0, 280.0), 1.7)
    assert np.array_equal(whole, parts)


@pytest.mark.parametrize(
    ("box", "mpp"), [((0, 0, 0, 5), 0.5), ((0, 5, 5, 5), 0.5), ((0, 0, 5, 5), 0.0)]
)
def test_what_is_no_window(slide, box, mpp) -> None:
    with pytest.raises(ValueError, match="needs a scale and an area"):
        read_window(slide, MPP, box, mpp)
