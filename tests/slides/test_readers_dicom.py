"""Frames of DICOM files against OpenSlide, which shares only libjpeg and OpenJPEG with them."""

from functools import partial

import imagecodecs
import numpy as np
import openslide
import pydicom
import pytest
import simplejpeg

from curatome.errors import UnreadableSlide
from curatome.slides.readers import open_slide
from curatome.slides.readers.dicom import open_dicom
from curatome.slides.readers.levels import nearest_finer
from curatome.slides.resample import resample
from tests.oracle import exact_tile, level0, psnr, shift
from tests.slides.dicoms import (
    JPEG_2000,
    NATIVE,
    Written,
    jpeg_2000,
    jpeg_rgb,
    write_dicom,
)

CMU = "slides/aperio/cmu-1-small-region.svs"
REAL = [
    "slides/dicom/boxes_0.dcm",
    "slides/dicom/multi_frame_jpeg2000_camelyon_challenge_image.dcm",
    "slides/dicom/multi_frame_jpeg_camelyon_challenge_image.dcm",
]
LOSSLESS = partial(jpeg_2000, reversible=True, level=0)
WAVELET = Written(encode=jpeg_2000, syntax=JPEG_2000, color="YBR_ICT")
KINDS = {
    "jpeg 4:2:0": Written(),
    "jpeg rgb": Written(encode=jpeg_rgb, color="RGB"),
    "extended table": Written(table="extended"),
    "no table": Written(table="none"),
    "fragments": Written(fragments=3),
    "sparse": Written(sparse=True, leave_out=(3, 7)),
    "sparse without table": Written(sparse=True, table="none", tile=128),
    "jpeg 2000 ict": WAVELET,
    "jpeg 2000 rct": Written(encode=LOSSLESS, syntax=JPEG_2000, color="YBR_RCT"),
    "jpeg 2000 rgb": Written(encode=partial(jpeg_2000, mct=False), syntax=JPEG_2000, color="RGB"),
}
UNKNOWN_TO_OPENSLIDE = {
    "jpeg-ls": Written(imagecodecs.jpegls_encode, "1.2.840.10008.1.2.4.80", "RGB"),
    "htj2k": Written(imagecodecs.htj2k_encode, "1.2.840.10008.1.2.4.201", "YBR_RCT"),
    "fragments without table": Written(fragments=3, table="none"),
}


@pytest.fixture(scope="module")
def tissue(data):
    return level0(data / CMU).astype(np.uint8)[200:1100, 300:1400]


def openslides(path, level=0):
    with openslide.OpenSlide(path) as slide:
        rgba = np.asarray(slide.read_region((0, 0), level, slide.level_dimensions[level]))
    return np.where(rgba[..., 3:] == 0, 255, rgba[..., :3]).astype(int)


def refuses(path):
    """Instead of OpenSlide."""
    raise openslide.OpenSlideUnsupportedFormatError(path)


def whole(slide, level=0):
    at = slide.facts.levels[level]
    size = at.width * at.downsample_x, at.height * at.downsample_y
    return slide.read(level, 0, 0, *size).pixels.astype(int)


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_openslides(data, name):
    slide = open_dicom(data / name)
    assert slide.facts.reader == open_slide(data / name).facts.reader == "dicom"
    np.testing.assert_array_equal(whole(slide), openslides(data / name))
    slide.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_layout_and_codec_is_openslides(tissue, tmp_path, kind):
    path = write_dicom(tmp_path / "a.dcm", tissue, KINDS[kind])
    slide = open_dicom(path)
    allowed = 1 if kind == "jpeg 2000 ict" else 0  # two builds of OpenJPEG round a float their way
    assert np.abs(whole(slide) - openslides(path)).max() <= allowed
    assert slide.facts.mpp == (0.25, 0.5)
    slide.close()


def test_facts_are_openslides_whoever_reads_the_header(tissue, tmp_path, monkeypatch):
    write_dicom(tmp_path / "a.dcm", tissue)
    write_dicom(tmp_path / "b.dcm", tissue[::4, ::4])
    write_dicom(tmp_path / "l.dcm", tissue[:256, :256], Written(role="LABEL"))
    theirs = open_dicom(tmp_path / "b.dcm")
    assert len(theirs.facts.levels) == 2
    assert theirs.facts.associated == ("label",)

    monkeypatch.setattr("curatome.slides.readers.dicom.OpenSlideReader", refuses)
    ours = open_dicom(tmp_path / "b.dcm")
    for name in ("levels", "mpp", "objective_power", "scanner", "associated", "icc_profile"):
        assert getattr(ours.facts, name) == getattr(theirs.facts, name)
    assert ours.facts.properties.items() <= theirs.facts.properties.items()
    np.testing.assert_array_equal(ours.associated("label"), theirs.associated("label"))
    np.testing.assert_array_equal(whole(ours, 1), whole(theirs, 1))


@pytest.mark.parametrize("kind", UNKNOWN_TO_OPENSLIDE)
def test_what_openslide_does_not_open_is_read_all_the_same(tissue, tmp_path, kind):
    how = UNKNOWN_TO_OPENSLIDE[kind]
    path = write_dicom(tmp_path / "a.dcm", tissue, how)
    with pytest.raises(openslide.OpenSlideError):
        openslides(path)
    (tmp_path / "known").mkdir()
    known = write_dicom(tmp_path / "known/a.dcm", tissue, Written())
    wanted = openslides(known) if kind.startswith("fragments") else tissue
    np.testing.assert_array_equal(whole(open_dicom(path)), wanted)


def test_a_concatenation_is_one_level(tissue, tmp_path):
    parts = [("b.dcm", slice(0, 9)), ("a.dcm", slice(9, None))]
    for name, part in parts:
        write_dicom(tmp_path / name, tissue, part=part)
    wanted = openslides(tmp_path / "a.dcm")
    for name, _ in parts:
        slide = open_dicom(tmp_path / name)
        np.testing.assert_array_equal(whole(slide), wanted)
        assert len(slide.facts.levels) == 1
    (tmp_path / "b.dcm").unlink()
    with pytest.raises(UnreadableSlide, match=r"a\.dcm is one of 2 files .* 1 are here"):
        open_slide(tmp_path / "a.dcm")


@pytest.mark.parametrize(
    "how",
    [
        Written(encode=np.ndarray.tobytes, syntax=NATIVE, color="RGB"),
        Written(also={"TotalPixelMatrixFocalPlanes": 2}),
        Written(also={"NumberOfFrames": 7}),
        Written(also={"PhotometricInterpretation": "YBR_FULL"}),
        Written(sparse=True, also={"PerFrameFunctionalGroupsSequence": []}),
    ],
)
def test_the_rest_is_left_to_openslide(tissue, tmp_path, how):
    assert open_dicom(write_dicom(tmp_path / "a.dcm", tissue, how)) is None


def test_two_images_of_one_size_are_left_to_openslide(tissue, tmp_path):
    for uid in (1, 2):
        write_dicom(tmp_path / f"{uid}.dcm", tissue, uid=uid)
    assert open_dicom(tmp_path / "1.dcm") is None


@pytest.mark.parametrize("step", [2.0, 2.5, 8.0, 17.3])
@pytest.mark.parametrize("kind", ["jpeg 4:2:0", "jpeg rgb", "jpeg 2000 ict"])
def test_reduced_decoding_is_an_average_without_shift(data, tmp_path, kind, step):
    tissue = level0(data / CMU).astype(np.uint8)[512:1792, 512:1792]
    path = write_dicom(tmp_path / "a.dcm", tissue, KINDS[kind])
    slide, source = open_dicom(path), openslides(path).astype(float)
    _, shrink = nearest_finer(slide.facts.levels, step, step)
    side = int(900 / step)
    x, y = 211 // step * step, 120 // step * step
    found = np.empty((side, side, 3), np.uint8)
    region = slide.read(0, x, y, x + side * step, y + side * step, shrink=shrink)
    assert region.step_x == shrink
    resample(region, x, y, (step, step), found)
    wanted, _ = exact_tile(source, x, y, (step, step), side)
    quality, (dx, dy) = psnr(found, wanted), shift(found.astype(float), wanted)
    print(f"{kind} {step} by {shrink}: {quality:.1f} dB, shift {dx:.3f} {dy:.3f}")
    assert quality > 38
    assert max(abs(dx), abs(dy)) < 0.1


def test_a_codestream_is_not_halved_more_often_than_it_can_be(tissue, tmp_path):
    few = partial(jpeg_2000, resolutions=2)
    how = Written(encode=few, syntax=JPEG_2000, color="YBR_ICT")
    path = write_dicom(tmp_path / "a.dcm", tissue, how)
    slide = open_dicom(path)
    assert slide.facts.levels[0].shrinks == (1.0, 2.0)
    found, wanted = slide.read(0, 256, 256, 512, 512, shrink=2.0), openslides(path)
    assert (found.x, found.y) == (255.5, 255.5)  # the wavelet's half a pixel
    exact, _ = exact_tile(wanted.astype(float), 255.5, 255.5, (2.0, 2.0), 128)
    assert psnr(found.pixels[:128, :128], exact) > 30


def test_a_frame_comes_out_as_a_jpeg_file_of_its_own(tissue, tmp_path):
    for kind in ("jpeg 4:2:0", "jpeg rgb", "fragments"):
        slide = open_dicom(write_dicom(tmp_path / "a.dcm", tissue, KINDS[kind]))
        picture = simplejpeg.decode_jpeg(slide.stored[0].jpeg(1, 2))
        np.testing.assert_array_equal(picture, slide.read(0, 256, 512, 512, 768).pixels)
        slide.close()
    slide = open_dicom(write_dicom(tmp_path / "a.dcm", tissue, WAVELET))
    assert slide.stored[0].jpeg(0, 0) is None


@pytest.mark.parametrize("table", ["basic", "extended", "none"])
def test_a_file_that_ends_early_is_named(tissue, tmp_path, table):
    path = write_dicom(tmp_path / "a.dcm", tissue, Written(table=table))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    slide = open_slide(path)
    with pytest.raises(UnreadableSlide, match=r"a\.dcm.*(ends before frame|promises 20 frames)"):
        slide.read(0, 900, 700, 1100, 900)


def test_a_missing_frame_is_counted(tissue, tmp_path):
    path = write_dicom(tmp_path / "a.dcm", tissue, Written(table="none"))
    data = pydicom.dcmread(path)
    frames = list(pydicom.encaps.generate_frames(data.PixelData, number_of_frames=20))
    data.PixelData = pydicom.encaps.encapsulate(frames[:12] + frames[13:], has_bot=False)
    data.save_as(path)
    with pytest.raises(UnreadableSlide, match=r"a\.dcm promises 20 frames, holds 19"):
        open_slide(path).read(0, 0, 0, 10, 10)


def with_table(path, change):
    """The same file with another basic offset table."""
    data = pydicom.dcmread(path)
    table = np.frombuffer(data.PixelData, "<u4", 20, 8).copy()
    change(table)
    data.PixelData = data.PixelData[:8] + table.tobytes() + data.PixelData[8 + table.nbytes :]
    data.save_as(path)
    return path


def test_an_offset_table_that_cannot_be_is_not_believed(tissue, tmp_path):
    path = write_dicom(tmp_path / "a.dcm", tissue)
    wanted = whole(open_dicom(path))

    def wrap_around(table):  # as in files beyond 4 GB
        table[10:] = table[:10]

    np.testing.assert_array_equal(whole(open_dicom(with_table(path, wrap_around))), wanted)


@pytest.mark.parametrize("lie", ["inside a frame", "a frame left out", "beyond the file"])
def test_an_offset_table_that_lies_is_found_out(tissue, tmp_path, lie):
    path = write_dicom(tmp_path / "a.dcm", tissue)

    def change(table):
        if lie == "inside a frame":
            table[7] += 100
        elif lie == "a frame left out":
            table[7:19] = table[8:20]
            table[19] += 100
        else:
            table[19] += 1 << 30

    reader = open_slide(with_table(path, change))
    with pytest.raises(UnreadableSlide, match=r"frame|offset table"):
        whole(reader)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["jpeg 4:2:0", "sparse without table"])
def test_damaged_headers_end_in_an_error_of_ours(tissue, tmp_path, monkeypatch, kind):
    # Without OpenSlide, which some of these files kill; that is what children are for.
    monkeypatch.setattr(openslide.OpenSlide, "detect_format", lambda _: "dicom")
    monkeypatch.setattr("curatome.slides.readers.dicom.OpenSlideReader", refuses)
    sound = write_dicom(tmp_path / "a.dcm", tissue[:300, :300], KINDS[kind]).read_bytes()
    (tmp_path / "a.dcm").unlink()
    header = sound.index(b"\xe0\x7f\x10\x00OB") + 100
    rng, path = np.random.default_rng(3), tmp_path / "b.dcm"
    outcomes = {"read": 0, "refused": 0, "broken": 0}
    for number in range(200):
        damaged = bytearray(sound)
        for at in rng.integers(132, header, 4):
            damaged[at] = rng.integers(0, 256)
        path.write_bytes(damaged[: rng.integers(132, header)] if number % 4 == 0 else damaged)
        slide = open_dicom(path)
        if slide is None:
            outcomes["refused"] += 1
            continue
        at = slide.facts.levels[0]
        try:
            slide.read(0, 0, 0, min(at.width, 500), min(at.height, 500))
            outcomes["read"] += 1
        except UnreadableSlide:
            outcomes["broken"] += 1
        slide.close()
    assert min(outcomes["read"], outcomes["refused"]) > 5, outcomes
