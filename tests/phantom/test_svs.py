from __future__ import annotations

import subprocess
import sys

import numpy as np
import openslide
import pytest
import tifffile

from curatome.phantom import SvsOptions, write_svs
from curatome.phantom.pyramid import level_sizes, shrink

COLORS = [(220, 40, 60), (40, 180, 70), (50, 70, 210), (200, 190, 60)]


def _quarters(width, height):
    """Each quarter of the slide in a color of its own."""

    def read(x, y, w, h):
        i, j = np.arange(x, x + w) >= width // 2, np.arange(y, y + h) >= height // 2
        return np.array(COLORS, np.uint8)[2 * j[:, None] + i[None, :]]

    return read


@pytest.fixture(scope="module")
def quarters(tmp_path_factory):
    path = tmp_path_factory.mktemp("svs") / "quarters.svs"
    options = SvsOptions(mpp=0.263, objective=40, scanner="SS1", properties={"Date": "01/02/20"})
    write_svs(path, (4531, 4203), _quarters(4531, 4203), options)
    return path


def test_openslide_reads_what_was_promised(quarters):
    assert openslide.OpenSlide.detect_format(str(quarters)) == "aperio"
    with openslide.OpenSlide(str(quarters)) as slide:
        assert slide.level_dimensions == ((4531, 4203), (1132, 1050), (283, 262))
        assert slide.level_downsamples == pytest.approx((1, 4, 16), rel=0.01)
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.263)
        assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(0.263)
        assert slide.properties["openslide.objective-power"] == "40"
        assert slide.properties["aperio.ScanScope ID"] == "SS1"
        assert slide.properties["aperio.Date"] == "01/02/20"
        assert set(slide.associated_images) == {"thumbnail", "label", "macro"}
        assert slide.associated_images["thumbnail"].size == (906, 840)


def test_colors_are_right_at_every_level_for_both_readers(quarters):
    with openslide.OpenSlide(str(quarters)) as slide, tifffile.TiffFile(quarters) as tiff:
        tiled = [page for page in tiff.pages if page.is_tiled]
        assert len(tiled) == slide.level_count
        for level, page in enumerate(tiled):
            width, height = slide.level_dimensions[level]
            whole = page.asarray()
            for n, color in enumerate(COLORS):
                x, y = width // 4 + (n % 2) * width // 2, height // 4 + (n // 2) * height // 2
                place = slide.level_downsamples[level]
                got = slide.read_region((int(x * place), int(y * place)), level, (4, 4))
                assert np.abs(np.asarray(got)[0, 0, :3].astype(int) - color).max() <= 3
                assert np.abs(whole[y, x].astype(int) - color).max() <= 3
        thumbnail = np.asarray(slide.associated_images["thumbnail"].convert("RGB")).astype(int)
        height, width, _ = thumbnail.shape
        for n, color in enumerate(COLORS):
            pixel = thumbnail[
                height // 4 + (n // 2) * height // 2, width // 4 + (n % 2) * width // 2
            ]
            assert np.abs(pixel - color).max() <= 4


def test_level_one_is_the_area_average_of_level_zero(tmp_path):
    rng = np.random.default_rng(3)
    coarse = rng.integers(30, 225, (320, 290, 3))
    whole = np.kron(coarse, np.ones((4, 4, 1))) + rng.normal(0, 5, (1280, 1160, 3))
    whole = whole.clip(0, 255).astype(np.uint8)
    path = tmp_path / "average.svs"
    options = SvsOptions(quality=97)
    write_svs(path, (1160, 1280), lambda x, y, w, h: whole[y : y + h, x : x + w], options)
    expected = whole.reshape(320, 4, 290, 4, 3).mean(axis=(1, 3))
    # Colors are kept at half the resolution (4:2:0), so brightness is what can be compared.
    weights = np.array([0.299, 0.587, 0.114])
    with openslide.OpenSlide(str(path)) as slide:
        got = np.asarray(slide.read_region((0, 0), 1, (290, 320)))[..., :3]
    error = (got - expected) @ weights
    assert np.abs(error).mean() < 2.5
    assert abs(error.mean()) < 0.5
    assert np.corrcoef((got @ weights).ravel(), (expected @ weights).ravel())[0, 1] > 0.98


def test_shrink_is_the_rounded_mean():
    block = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    out = np.empty((2, 3, 3), np.uint8)
    shrink(block, out)
    mean = block[:8, :12].reshape(2, 4, 3, 4, 3).mean(axis=(1, 3))
    assert np.abs(out - mean).max() <= 0.5


def test_levels_go_on_until_a_tile_is_enough():
    assert level_sizes(100_000, 60_000) == [
        (100_000, 60_000),
        (25_000, 15_000),
        (6_250, 3_750),
        (1_562, 937),
    ]
    assert level_sizes(300, 300) == [(300, 300)]


def test_every_block_is_asked_for_once_and_in_order(tmp_path):
    asked = []

    def read(x, y, w, h):
        asked.append((y, x, w, h))
        return np.full((h, w, 3), 200, np.uint8)

    write_svs(tmp_path / "a.svs", (1500, 700), read, SvsOptions(tile=240, blocks=3))
    assert asked == sorted(asked)
    assert sum(w * h for _, _, w, h in asked) == 1500 * 700
    assert len(set(asked)) == len(asked)


def test_without_mpp_or_objective_the_file_says_neither(tmp_path):
    path = tmp_path / "none.svs"
    write_svs(path, (300, 280), _quarters(300, 280), SvsOptions(mpp=None, objective=None))
    with openslide.OpenSlide(str(path)) as slide:
        assert "openslide.mpp-x" not in slide.properties
        assert "aperio.MPP" not in slide.properties
        assert "openslide.objective-power" not in slide.properties
        assert slide.level_count == 1


@pytest.mark.parametrize(("size", "tile"), [((0, 5), 256), ((5, 5), 250)])
def test_impossible_files_are_refused(tmp_path, size, tile):
    with pytest.raises(ValueError, match="Got"):
        write_svs(tmp_path / "a.svs", size, _quarters(5, 5), SvsOptions(tile=tile))


_BIG = """
import resource, sys
import numpy as np
from pathlib import Path
from curatome.phantom import SvsOptions, write_svs
rows = np.random.default_rng(0).integers(180, 200, (256, 2048, 3), dtype=np.uint8)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
path = Path(sys.argv[1])
write_svs(path, (600, 600), lambda x, y, w, h: rows[:h, :w])
before = peak()
write_svs(path, (24_000, 16_000), lambda x, y, w, h: rows[:h, :w], SvsOptions(quality=30))
print(peak() - before)
"""


def test_memory_stays_bounded_for_big_slides(tmp_path):
    """384 Mpx are 1,100 MiB raw and 70 MiB at level 1; the writer must need far less."""
    path = tmp_path / "big.svs"
    done = subprocess.run(
        [sys.executable, "-c", _BIG, str(path)], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 60
    with openslide.OpenSlide(str(path)) as slide:
        assert slide.dimensions == (24_000, 16_000)
        assert slide.level_count == 3
