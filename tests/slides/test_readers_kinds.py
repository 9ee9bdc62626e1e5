"""What is read, what is refused and why, and which scale is recorded."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from curatome.errors import UnreadableSlide, UnsupportedSlide
from curatome.slides.readers import open_slide
from tests.slides.pictures import picture, real_slide, write_pyramid

RGB = picture(96, 64)


def tiff(path, pixels=RGB, **options):
    tifffile.imwrite(path, pixels, **{"photometric": "rgb", "metadata": None, **options})
    return path


def test_the_real_ome_tiff_is_planar_rgb_and_not_fluorescence():
    path = real_slide("tiff/cells.ome.tif")
    slide = open_slide(path)
    assert slide.facts.reader == "ome-tiff"
    assert (slide.facts.width, slide.facts.height) == (93, 131)
    assert slide.facts.mpp == (0.25, 0.25)
    whole = np.moveaxis(tifffile.imread(path), 0, -1)
    assert np.array_equal(slide.read(0, 10, 20, 93, 131).pixels, whole[20:, 10:])


def test_real_tiffs():
    boxes = open_slide(real_slide("tiff/boxes.tiff"))
    assert boxes.facts.mpp == pytest.approx((352.7778, 352.7778), abs=1e-4)
    assert [at.downsample_y for at in boxes.facts.levels] == [1.0, 2.0, 4.0, 8.0]
    kidney = open_slide(real_slide("tiff/kidney-48-5.tif"))
    assert (kidney.facts.width, kidney.facts.height) == (1493, 901)
    assert kidney.facts.mpp is None


GRAY = RGB[..., 0]
REFUSED = {
    "gray.tif": ({"pixels": GRAY, "photometric": "minisblack"}, "a grayscale image"),
    "tiled_gray.tif": (
        {"pixels": GRAY, "photometric": "minisblack", "tile": (32, 32)},
        "a grayscale image",
    ),
    "deep.tif": ({"pixels": RGB.astype(np.uint16)}, "uint16 samples of"),
    "palette.tif": (
        {"pixels": GRAY, "photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)},
        "a palette of colors",
    ),
    "stack.tif": ({"pixels": np.stack([RGB] * 4)}, "4 pages of one size"),
    "five.tif": (
        {"pixels": np.concatenate([RGB, RGB[..., :2]], -1), "planarconfig": "contig"},
        "5 channels instead of",
    ),
    "cmyk.tif": (
        {"pixels": np.concatenate([RGB, RGB[..., :1]], -1), "photometric": "separated"},
        "SEPARATED pixels",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_tiffs_that_are_no_8_bit_rgb_are_refused_with_the_reason(tmp_path, name):
    options, reason = REFUSED[name]
    with pytest.raises(UnsupportedSlide, match=f"{name} holds {reason}"):
        open_slide(tiff(tmp_path / name, **options))


def ome(path, pixels, axes, **metadata):
    options = {"photometric": metadata.pop("photometric", "minisblack")}
    tifffile.imwrite(path, pixels, metadata={"axes": axes, **metadata}, ome=True, **options)
    return path


def test_fluorescence_is_refused_and_its_channels_are_named(tmp_path):
    channels = {"Channel": {"Name": ["DAPI", "CD8", "panCK"]}}
    path = ome(tmp_path / "if.ome.tif", np.moveaxis(RGB, -1, 0), "CYX", **channels)
    with pytest.raises(UnsupportedSlide, match=r"3 separate channels \(DAPI, CD8, panCK\)"):
        open_slide(path)
    one = {"Channel": {"Name": ["DAPI"]}}
    with pytest.raises(UnsupportedSlide, match="a grayscale image"):
        open_slide(ome(tmp_path / "one.ome.tif", GRAY, "YX", **one))
    lit = {"Channel": {"EmissionWavelength": [461]}, "photometric": "rgb"}
    with pytest.raises(UnsupportedSlide, match=r"a fluorescence channel \(EmissionWavelength 461"):
        open_slide(ome(tmp_path / "lit.ome.tif", RGB, "YXS", **lit))


@pytest.mark.parametrize(("axis", "what"), [("Z", "focal planes"), ("T", "time points")])
def test_stacks_are_refused(tmp_path, axis, what):
    path = ome(tmp_path / "a.ome.tif", np.stack([RGB] * 3), f"{axis}YXS", photometric="rgb")
    with pytest.raises(UnsupportedSlide, match=f"3 {what}"):
        open_slide(path)


@pytest.mark.parametrize(
    ("size", "unit", "mpp"),
    [(0.25, "µm", 0.25), (250.0, "nm", 0.25), (0.0005, "mm", 0.5), (1.0, "pixel", None)],
)
def test_ome_scales_in_their_units(tmp_path, size, unit, mpp):
    scale = {"PhysicalSizeX": size, "PhysicalSizeY": 2 * size}
    scale |= {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    facts = open_slide(ome(tmp_path / "a.ome.tif", RGB, "YXS", photometric="rgb", **scale)).facts
    assert facts.mpp == (None if mpp is None else pytest.approx((mpp, 2 * mpp)))


@pytest.mark.parametrize(
    ("resolution", "unit", "mpp"),
    [
        ((40000, 20000), "centimeter", (0.25, 0.5)),
        ((101600, 101600), "inch", (0.25, 0.25)),
        ((72, 72), "inch", (352.778, 352.778)),  # judged by the scale rule, not here
        ((4, 4), "none", None),
    ],
)
def test_tiff_resolution_tags(tmp_path, resolution, unit, mpp):
    facts = open_slide(tiff(tmp_path / "a.tif", resolution=resolution, resolutionunit=unit)).facts
    assert facts.mpp == (None if mpp is None else pytest.approx(mpp, rel=1e-5))


def test_imagej_scale(tmp_path):
    path = tmp_path / "ij.tif"
    pixels = np.moveaxis(RGB, -1, 0)[None].transpose(0, 2, 3, 1)
    tifffile.imwrite(path, pixels[0], imagej=True, resolution=(4, 2), metadata={"unit": "um"})
    assert open_slide(path).facts.mpp == pytest.approx((0.25, 0.5))


def test_rgba_tiff_is_laid_over_white(tmp_path):
    alpha = np.zeros((64, 96, 1), np.uint8)
    alpha[:, 48:] = 255
    rgba = np.concatenate([RGB, alpha], -1)
    pixels = open_slide(tiff(tmp_path / "a.tif", rgba, extrasamples=["unassalpha"])).read(
        0, 0, 0, 96, 64
    )
    assert (pixels.pixels[:, :48] == 255).all()
    assert np.array_equal(pixels.pixels[:, 48:], RGB[:, 48:])


def test_label_and_macro_series_of_an_ome_tiff(tmp_path):
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as out:
        out.write(RGB[:20, :30], photometric="rgb", metadata={"axes": "YXS", "Name": "Label"})
        out.write(RGB, photometric="rgb", metadata={"axes": "YXS", "Name": "scan"})
    slide = open_slide(path)
    assert (slide.facts.width, slide.facts.height) == (96, 64)
    assert slide.facts.associated == ("label",)
    assert np.array_equal(slide.associated("label"), RGB[:20, :30])


def test_a_truncated_tiff_fails_where_its_tiles_are_missing(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as out:
        options = {"tile": (32, 32), "compression": "zlib", "metadata": None}
        out.write(RGB, photometric="rgb", **options)
    with tifffile.TiffFile(path) as file:
        last = file.pages[0].dataoffsets[-1]
    path.write_bytes(path.read_bytes()[: last + 10])
    slide = open_slide(path)
    assert np.array_equal(slide.read(0, 0, 0, 32, 32).pixels, RGB[:32, :32])
    with pytest.raises(UnreadableSlide, match=r"a\.tif: level 0 cannot be decoded.*ends within"):
        slide.read(0, 70, 40, 96, 64)
    path.write_bytes(path.read_bytes()[:6])
    with pytest.raises(UnreadableSlide, match=r"a\.tif is a broken TIFF"):
        open_slide(path)


def test_a_corrupt_tile_is_an_unreadable_slide(tmp_path):
    path = write_pyramid(tmp_path / "a.tif", [RGB])
    with tifffile.TiffFile(path) as file:
        first = file.pages[0].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[first : first + 40] = b"\xff" * 40
    path.write_bytes(data)
    with pytest.raises(UnreadableSlide, match="reader tiff, stage decode"):
        open_slide(path).read(0, 0, 0, 10, 10)


def save(path, mode="RGB", **options):
    image = Image.fromarray(RGB)
    image.convert(mode).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "mode", "reason"),
    [
        ("a.png", "L", "grayscale"),
        ("a.png", "1", "black and white"),
        ("a.png", "I;16", "16 bits"),
        ("a.png", "LA", "grayscale"),
        ("a.jpg", "CMYK", "CMYK, made for print"),
    ],
)
def test_images_that_are_no_8_bit_rgb_are_refused(tmp_path, name, mode, reason):
    path = tmp_path / name
    if mode == "I;16":
        Image.fromarray(GRAY.astype(np.uint16) * 200).save(path)
    else:
        save(path, mode)
    with pytest.raises(UnsupportedSlide, match=rf"{name} is .*{reason}"):
        open_slide(path)


def test_16_bit_color_is_not_silently_cut_to_8(tmp_path):
    # A PNG of 2 x 1 px that Pillow can read, and cannot write.
    def chunk(name, data):
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    body = zlib.compress(b"\0" + bytes(12))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(png)
    with pytest.raises(UnsupportedSlide, match="color of 16 bits per channel"):
        open_slide(tmp_path / "deep.png")


def test_palette_and_opacity_become_rgb_over_white(tmp_path):
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "p.png", transparency=1)
    pixels = open_slide(tmp_path / "p.png").read(0, 0, 0, 2, 1).pixels
    assert pixels.tolist() == [[[10, 20, 30], [255, 255, 255]]]
    Image.new("RGBA", (1, 1), (0, 100, 255, 51)).save(tmp_path / "a.png")
    assert open_slide(tmp_path / "a.png").read(0, 0, 0, 1, 1).pixels.tolist() == [[[204, 224, 255]]]


def test_an_exif_orientation_is_recorded_and_not_applied(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # rotate by 90 degrees for display
    facts = open_slide(save(tmp_path / "a.jpg", exif=exif)).facts
    assert (facts.width, facts.height) == (96, 64)
    assert facts.properties["exif.Orientation"] == "6"


@pytest.mark.parametrize(
    ("name", "options", "mpp"),
    [
        ("a.png", {"dpi": (101600, 50800)}, (0.25, 0.5)),
        ("a.png", {}, None),
        ("a.jpg", {"dpi": (72, 72)}, (352.778, 352.778)),
        ("a.jpg", {}, None),
        ("a.bmp", {"dpi": (50800, 50800)}, (0.5, 0.5)),
    ],
)
def test_scales_that_images_record(tmp_path, name, options, mpp):
    facts = open_slide(save(tmp_path / name, **options)).facts
    assert facts.mpp == (None if mpp is None else pytest.approx(mpp, rel=1e-3))


def test_an_image_that_is_too_large_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow refuses twice as many
    with pytest.raises(UnsupportedSlide, match=r"a\.png is too large .*vips tiffsave"):
        open_slide(path)


def test_a_truncated_image_is_unreadable(tmp_path):
    path = save(tmp_path / "a.png")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UnreadableSlide, match=r"a\.png cannot be decoded"):
        open_slide(path)


def test_missing_empty_and_other_files(tmp_path):
    with pytest.raises(UnreadableSlide, match="does not exist"):
        open_slide(tmp_path / "no.svs")
    with pytest.raises(UnreadableSlide, match="is a folder"):
        open_slide(tmp_path)
    (tmp_path / "empty.svs").touch()
    with pytest.raises(UnreadableSlide, match="it is empty"):
        open_slide(tmp_path / "empty.svs")
    (tmp_path / "note.tif").write_text("no slide")
    with pytest.raises(UnreadableSlide, match="begins with the bytes 6e 6f"):
        open_slide(tmp_path / "note.tif")
