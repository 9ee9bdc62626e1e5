import numpy as np
import pytest
import tifffile

from curatome.errors import UnreadableSlide
from curatome.slides.readers import open_slide
from curatome.slides.readers.openslide import _location, open_openslide
from tests.slides.pictures import halved, picture, real_slide

TCGA = "aperio/tcga-cr-7395-01a-01-ts1.svs"
CMU = "aperio/cmu-1-small-region.svs"


def write_svs(path, levels):
    """A minimal Aperio file without loss: level 0, thumbnail, coarser levels."""
    height, width = levels[0].shape[:2]
    text = f"Aperio Image Library v11\r\n{width}x{height} (64x64)|AppMag = 40|MPP = 0.25"
    common = {"photometric": "rgb", "metadata": None}
    with tifffile.TiffWriter(path) as out:
        for index, level in enumerate(levels):
            out.write(level, tile=(64, 64), compression="zlib", description=text, **common)
            if index == 0:
                out.write(level[:32, :32], rowsperstrip=32, description="Aperio", **common)
    return path


def ramp(width, height):
    """Red tells the column within 16, in steps of 16; green and blue are 100."""
    pixels = np.full((height, width, 3), 100, np.uint8)
    pixels[..., 0] = np.arange(width) % 16 * 16
    return pixels


def test_facts_of_a_real_aperio_slide():
    slide = open_openslide(real_slide(CMU))
    facts = slide.facts
    assert (facts.reader, facts.format) == ("openslide", "aperio")
    assert (facts.width, facts.height) == (2220, 2967)
    assert facts.mpp == (0.499, 0.499)
    assert facts.objective_power == 20.0
    assert facts.scanner == "Aperio CPAPERIOCS"
    assert facts.associated == ("label", "macro", "thumbnail")
    assert slide.associated("label").shape == (463, 387, 3)
    assert facts.icc_profile is None
    with pytest.raises(KeyError):
        slide.associated("overview")


def test_a_real_slide_without_scale_and_with_a_truncated_level():
    facts = open_slide(real_slide(TCGA)).facts
    assert facts.mpp is None
    assert facts.objective_power is None
    assert len(facts.icc_profile) == 3144
    assert facts.icc_profile[36:40] == b"acsp"  # the signature of every ICC profile
    assert [at.downsample_x for at in facts.levels] == [1.0, 2.0]
    assert (facts.levels[1].width, facts.levels[1].height) == (2221, 1783)


def test_the_truncated_level_lies_where_a_factor_of_two_puts_it():
    """Far from the origin the ratio of the sizes, 2.0005, would be off by a whole pixel."""
    path = real_slide(TCGA)
    fine, coarse = (tifffile.imread(path, series=0, level=n).astype(float) for n in (0, 1))
    rows, columns = slice(600, 900), slice(2060, 2180)
    want = coarse[rows, columns].mean(-1)

    def at(shift):
        part = fine[2 * rows.start : 2 * rows.stop, 2 * columns.start + shift :]
        part = part[:, : 2 * (columns.stop - columns.start)].mean(-1)
        return np.abs(part.reshape(300, 2, 120, 2).mean((1, 3)) - want).mean()

    assert min(range(-3, 4), key=at) == 0


def test_level_0_equals_the_file_s_own_tiles():
    whole = tifffile.imread(real_slide(TCGA), series=0, level=0)
    slide = open_openslide(real_slide(TCGA))
    for x, y in [(1000, 1000), (4300, 3500), (-30, 17)]:
        region = slide.read(0, x, y, x + 200.5, y + 99)
        left, top = max(x, 0), max(y, 0)
        expected = whole[top : y + 99, left : x + 201]
        assert (region.x, region.y) == (left, top)
        # OpenSlide and imagecodecs decode JPEG 2000 with the same library, without rounding apart.
        assert np.array_equal(region.pixels, expected)


@pytest.mark.parametrize("x", [0, 400, 1000, 1111, 1200, 2000, 2401, 2990])
def test_a_region_of_a_truncated_level_says_where_its_pixels_truly_lie(tmp_path, x):
    slide = open_openslide(write_svs(tmp_path / "a.svs", [ramp(3001, 2001), ramp(1500, 1000)]))
    assert slide.facts.reader == "openslide"
    assert slide.facts.levels[1].downsample_x == 2.0
    region = slide.read(1, x, 901, x + 300, 1100)
    assert region.x <= x
    assert region.y <= 901
    assert region.x > x - 5
    assert region.y + 2 * region.pixels.shape[0] >= 1100
    assert region.x + 2 * region.pixels.shape[1] >= min(x + 300, 3000)
    # The red ramp tells each pixel's column; between two columns OpenSlide interpolates.
    inside = region.pixels[:, :-1]
    place = region.x / 2 + np.arange(inside.shape[1])
    left, part = np.floor(place), place % 1
    expected = (1 - part) * (left % 16 * 16) + part * ((left + 1) % 16 * 16)
    assert np.abs(inside[..., 0] - expected).max() < 3
    assert inside[..., 1].min() >= 98  # no seams between tiles
    assert inside[..., 1].max() <= 100


def test_a_whole_factor_is_read_without_interpolation(tmp_path):
    levels = [picture(512, 384), halved(picture(512, 384), 2)]
    slide = open_openslide(write_svs(tmp_path / "a.svs", levels))
    rng = np.random.default_rng(5)
    for _ in range(20):
        x0, x1 = np.sort(rng.integers(0, 513, 2))
        y0, y1 = np.sort(rng.integers(0, 385, 2))
        region = slide.read(1, x0, y0, x1, y1)
        expected = levels[1][y0 // 2 : -(-y1 // 2), x0 // 2 : -(-x1 // 2)]
        assert np.array_equal(region.pixels, expected)
        assert (region.x, region.y) == (x0 // 2 * 2, y0 // 2 * 2)


def test_a_region_wider_than_openslide_s_own_pieces_stays_in_step(tmp_path):
    slide = open_openslide(write_svs(tmp_path / "a.svs", [ramp(9001, 101), ramp(4500, 50)]))
    region = slide.read(1, 0, 20, 9001, 60)
    assert region.pixels.shape[1] == 4500
    assert region.x == 0.0
    error = np.abs(region.pixels[..., 0] - np.arange(4500.0) % 16 * 16)
    # A shift by a tenth of a pixel would show as 24 where the ramp falls back from 240 to 0.
    assert error.max() < 24


@pytest.mark.parametrize("downsample", [1.0, 2.0, 2.0005055500659967, 4.016129032258064, 16.0031])
def test_a_location_starts_at_or_before_the_pixel_with_the_least_interpolation(downsample):
    for pixel in range(0, 4000, 37):
        location, start = _location(pixel, downsample)
        assert location >= 0
        assert pixel - 1.5 - 1e-6 <= start <= pixel + 1e-6
        assert start == pytest.approx(location / downsample)
        assert abs(start - round(start)) <= 0.5 / downsample + 1e-6


def test_a_box_beyond_the_slide_is_cut_off(tmp_path):
    slide = open_openslide(write_svs(tmp_path / "a.svs", [ramp(100, 100)]))
    region = slide.read(0, 90, 90, 200, 200)
    assert region.pixels.shape == (10, 10, 3)
    assert slide.read(0, 300, 300, 400, 400).pixels.size == 0


def test_a_slide_that_breaks_on_decoding_says_file_level_and_box():
    slide = open_openslide(real_slide("aperio/unreadable.svs"))
    for _ in range(2):  # the second time too: the handle is not poisoned
        with pytest.raises(UnreadableSlide, match=r"unreadable\.svs: level 0 .*\(2, 3\) to \(9, 9"):
            slide.read(0, 2, 3, 9, 9)


def test_a_file_of_no_known_format_is_named():
    with pytest.raises(UnreadableSlide, match=r"broken\.svs cannot be opened by any reader"):
        open_slide(real_slide("aperio/broken.svs"))


def test_dicom_facts():
    facts = open_slide(real_slide("dicom/sm_image.dcm")).facts
    assert (facts.reader, facts.format) == ("openslide", "dicom")
    assert facts.scanner == "Test Manufacturer Test Model abcd"
    assert (facts.width, facts.height, facts.mpp) == (50, 50, (0.499, 0.499))
    overview = "dicom/multi_frame_jpeg2000_camelyon_challenge_image.dcm"
    assert open_slide(real_slide(overview)).facts.mpp == pytest.approx((28.969, 28.968))
