"""The same picture through every reader: pixels lie where NumPy says they lie."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from curatome.slides.readers import open_slide
from tests.slides.pictures import halved, picture, write_pyramid

LEVELS = [picture(333, 257)]
LEVELS += [halved(LEVELS[0], 2), halved(LEVELS[0], 4)]
ONE = LEVELS[:1]


def _png(path):
    Image.fromarray(ONE[0]).save(path / "a.png")
    return path / "a.png"


def _bmp(path):
    Image.fromarray(ONE[0]).save(path / "a.bmp")
    return path / "a.bmp"


def _webp(path):
    Image.fromarray(ONE[0]).save(path / "a.webp", lossless=True)
    return path / "a.webp"


def _pyramid(path):
    return write_pyramid(path / "a.tif", LEVELS)


def _flat_pyramid(path):
    """Levels as pages that follow one another, as `vips tiffsave --pyramid` writes them."""
    with tifffile.TiffWriter(path / "flat.tif") as out:
        for n, level in enumerate(LEVELS):
            kind = 1 if n else 0
            out.write(level, photometric="rgb", tile=(32, 64), metadata=None, subfiletype=kind)
    return path / "flat.tif"


def _planar(path):
    planes = [np.ascontiguousarray(np.moveaxis(level, -1, 0)) for level in LEVELS]
    return write_pyramid(path / "planar.tif", planes, planarconfig="separate")


def _lzw_strips(path):
    options = {"rowsperstrip": 10, "compression": "lzw", "predictor": True}
    tifffile.imwrite(path / "strips.tif", ONE[0], photometric="rgb", **options)
    return path / "strips.tif"


def _one_strip(path):
    tifffile.imwrite(path / "strip.tif", ONE[0], photometric="rgb", metadata=None)
    return path / "strip.tif"


def _ome(path):
    return write_pyramid(path / "a.ome.tif", LEVELS, metadata={"axes": "YXS"})


def _opaque_rgba(path):
    full = np.full((*ONE[0].shape[:2], 1), 255, np.uint8)
    rgba = np.concatenate([ONE[0], full], axis=-1)
    options = {"photometric": "rgb", "extrasamples": ["unassalpha"], "tile": (64, 64)}
    tifffile.imwrite(path / "rgba.tif", rgba, metadata=None, **options)
    return path / "rgba.tif"


CASES = [
    (_png, "image", ONE),
    (_bmp, "image", ONE),
    (_webp, "image", ONE),
    (_pyramid, "tiff", LEVELS),
    (_flat_pyramid, "tiff", LEVELS),
    (_planar, "tiff", LEVELS),
    (_lzw_strips, "tiff", ONE),
    (_one_strip, "tiff", ONE),
    (_ome, "ome-tiff", LEVELS),
    (_opaque_rgba, "tiff", ONE),
]


@pytest.mark.parametrize(("write", "reader", "levels"), CASES, ids=[c[0].__name__ for c in CASES])
def test_every_format_puts_pixels_where_they_are(tmp_path, write, reader, levels):
    slide = open_slide(write(tmp_path))
    facts = slide.facts
    assert facts.reader == reader
    assert [(at.width, at.height) for at in facts.levels] == [
        (pixels.shape[1], pixels.shape[0]) for pixels in levels
    ]
    assert [at.downsample_x for at in facts.levels] == [1.0, 2.0, 4.0][: len(levels)]
    rng = np.random.default_rng(11)
    for index, pixels in enumerate(levels):
        step = 2.0**index
        for _ in range(25):
            x0, x1 = np.sort(rng.uniform(-20, 350, 2))
            y0, y1 = np.sort(rng.uniform(-20, 280, 2))
            region = slide.read(index, x0, y0, x1, y1)
            left, top = int(max(x0, 0) // step), int(max(y0, 0) // step)
            right, bottom = int(-(-max(x1, 0) // step)), int(-(-max(y1, 0) // step))
            expected = pixels[top:bottom, left:right]
            assert np.array_equal(region.pixels, expected)
            assert region.pixels.dtype == np.uint8
            if expected.size:
                assert (region.x, region.y) == (left * step, top * step)
            assert (region.step_x, region.step_y) == (step, step)
    slide.close()


@pytest.mark.parametrize("compression", ["jpeg", "webp", "jpeg2000", "deflate", "zstd"])
def test_compressed_tiles_are_those_that_tifffile_decodes(tmp_path, compression):
    smooth = np.add.outer(np.arange(257), np.arange(333))[..., None] * np.array([1, 2, 3]) // 8
    path = tmp_path / "a.tif"
    options = {"photometric": "rgb", "tile": (64, 64), "compression": compression}
    tifffile.imwrite(path, smooth.astype(np.uint8), metadata=None, **options)
    whole = tifffile.imread(path)
    region = open_slide(path).read(0, 50, 40, 333, 257)
    assert np.array_equal(region.pixels, whole[40:257, 50:333])


def test_only_the_tiles_that_a_box_needs_are_decoded(tmp_path):
    slide = open_slide(write_pyramid(tmp_path / "a.tif", ONE, tile=(64, 64)))
    asked = []
    page = slide.stored[0].page
    decode = page.decode
    page.decode = lambda data, index, **more: asked.append(index) or decode(data, index, **more)
    slide.read(0, 70, 70, 120, 120)
    assert asked == [7]  # six tiles in a row; the second of the second row
    slide.read(0, 60, 70, 120, 120)
    assert asked == [7, 6]  # the second tile is kept


def test_tiles_that_a_file_leaves_out_are_white(tmp_path):
    sparse = np.zeros((128, 128, 3), np.uint8)
    sparse[:64, :64] = 90
    tiles = (t if t.any() else None for t in (sparse[:64, :64], *[np.zeros((64, 64, 3), "u1")] * 3))
    path = tmp_path / "sparse.tif"
    options = {"photometric": "rgb", "tile": (64, 64), "compression": "zlib", "metadata": None}
    tifffile.imwrite(path, tiles, shape=(128, 128, 3), dtype="uint8", **options)
    pixels = open_slide(path).read(0, 0, 0, 128, 128).pixels
    assert (pixels[:64, :64] == 90).all()
    assert (pixels[64:] == 255).all()
    assert (pixels[:, 64:] == 255).all()
