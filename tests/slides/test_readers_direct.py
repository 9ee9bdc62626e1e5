"""Stored tiles against OpenSlide, which shares only libjpeg and OpenJPEG with them."""

import numpy as np
import openslide
import pytest

from curatome.phantom.svs import SvsOptions, write_svs
from curatome.slides.readers import open_slide
from curatome.slides.readers.direct import open_direct
from curatome.slides.readers.levels import nearest_finer
from curatome.slides.resample import resample
from tests.oracle import exact_tile, level0, psnr, shift

CMU = "slides/aperio/cmu-1-small-region.svs"
TCGA = "slides/aperio/tcga-cr-7395-01a-01-ts1.svs"


def tissue_svs(path, data, size, tile=256):
    """A slide of real tissue, JPEG 4:2:0, as large as wanted."""
    piece = level0(data / CMU).astype(np.uint8)[:2048, :2048]

    def block(x, y, width, height):
        rows, columns = (y + np.arange(height)) % 2048, (x + np.arange(width)) % 2048
        return piece[np.ix_(rows, columns)]

    write_svs(path, size, block, SvsOptions(mpp=0.25, objective=40, scanner="T", tile=tile))
    return path


@pytest.mark.parametrize("slide", [CMU, TCGA])
def test_whole_levels_are_openslides(data, slide):
    ours, theirs = open_direct(data / slide), openslide.OpenSlide(data / slide)
    assert ours.facts.reader == open_slide(data / slide).facts.reader == "direct"
    for index, size in enumerate(theirs.level_dimensions):
        wanted = np.asarray(theirs.read_region((0, 0), index, size).convert("RGB"))
        at = ours.facts.levels[index]
        region = ours.read(index, 0, 0, at.width * at.downsample_x, at.height * at.downsample_y)
        assert (region.x, region.y) == (0, 0)
        assert np.abs(region.pixels.astype(int) - wanted).max() <= 1


def test_jpeg_in_ycbcr_agrees_too(data, tmp_path):
    path = tissue_svs(tmp_path / "a.svs", data, (1500, 1100))
    region = open_direct(path).read(0, 301, 207, 1500, 1100)
    whole = level0(path)
    top, left = round(region.y), round(region.x)
    wanted = whole[top : top + region.pixels.shape[0], left : left + region.pixels.shape[1]]
    assert (left, top) == (301, 207)
    assert np.abs(region.pixels - wanted).max() <= 1


@pytest.mark.parametrize("step", [1.98, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 9.1, 17.3])
@pytest.mark.parametrize("kind", ["jpeg 4:2:0", "jpeg rgb", "jpeg 2000"])
def test_reduced_decoding_is_an_average_without_shift(data, tmp_path, kind, step):
    if kind == "jpeg 4:2:0":
        path = tissue_svs(tmp_path / "a.svs", data, (2048, 2048))
    else:
        path = data / (CMU if kind == "jpeg rgb" else TCGA)
    slide, source = open_direct(path), level0(path)
    _, shrink = nearest_finer(slide.facts.levels[:1], step, step)
    side = int(1700 / step)
    x, y = 211 // step * step, 320 // step * step  # on the canvas's own grid, as all tiles are
    found = np.empty((side, side, 3), np.uint8)
    region = slide.read(0, x, y, x + side * step, y + side * step, shrink=shrink)
    assert region.step_x == shrink
    resample(region, x, y, (step, step), found)
    wanted, _ = exact_tile(source, x, y, (step, step), side)
    quality, (dx, dy) = psnr(found, wanted), shift(found.astype(float), wanted)
    print(f"{kind} {step} by {shrink}: {quality:.1f} dB, shift {dx:.3f} {dy:.3f}")
    assert quality > 38
    assert max(abs(dx), abs(dy)) < 0.1
    assert np.abs(found.mean((0, 1)) - wanted.mean((0, 1))).max() < 0.5


def test_a_tile_comes_out_as_a_jpeg_file_of_its_own(data, tmp_path):
    import simplejpeg

    path = tissue_svs(tmp_path / "a.svs", data, (1024, 768))
    for slide in (path, data / CMU):
        opened = open_direct(slide)
        side = opened.stored[0].tile_width
        picture = simplejpeg.decode_jpeg(opened.stored[0].jpeg(1, 2))
        region = opened.read(0, side, 2 * side, 2 * side, 3 * side)
        np.testing.assert_array_equal(picture, region.pixels)
    assert open_direct(data / TCGA).stored[0].jpeg(0, 0) is None
