"""The same pixels as SVS, OME-TIFF and DICOM, as readers that are not ours see them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import openslide
import pydicom
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from curatome.phantom import SvsOptions, plan_cohort, write_svs
from curatome.phantom.dicom import DicomOptions, write_dicom
from curatome.phantom.labels import aperio_identity, dicom_identity, make_label
from curatome.phantom.ome_tiff import OmeOptions, write_ome_tiff
from curatome.slides.files import find_slides
from curatome.slides.readers import open_slide

WIDTH, HEIGHT, MPP = 2210, 1730, 0.2514


@pytest.fixture(scope="module")
def picture():
    """Clouds of hematoxylin and eosin with some grain."""
    rng = np.random.default_rng(2)
    dyes = [gaussian_filter(rng.normal(0, 1, (HEIGHT, WIDTH)), 6) for _ in range(2)]
    uptake = np.stack([np.abs(dye) * 9 for dye in dyes], axis=2)
    light = 10 ** -(uptake @ np.array([[0.60, 0.71, 0.36], [0.17, 0.83, 0.52]]))
    return (240 * light + rng.normal(0, 1, (HEIGHT, WIDTH, 1))).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def plan():
    return plan_cohort(3, 12)[0]


@pytest.fixture(scope="module")
def written(picture, plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    _write(folder, picture, plan)
    return folder


def _write(folder, picture, plan):
    def read(x, y, w, h):
        return picture[y : y + h, x : x + w]

    size, label = (WIDTH, HEIGHT), make_label(plan)
    shared = {"mpp": MPP, "quality": 95, "label": label}
    svs = SvsOptions(objective=40, properties=aperio_identity(plan), **shared)
    write_svs(folder / "a.svs", size, read, svs)
    write_ome_tiff(folder / "a.ome.tif", size, read, OmeOptions(**shared))
    identity = dicom_identity(plan)
    dicom = DicomOptions(objective=40, name=plan.name, identity=identity, **shared)
    write_dicom(folder / "dicom", size, read, dicom)


def _paths(folder):
    return [folder / "a.svs", folder / "a.ome.tif", folder / "dicom" / "level-0.dcm"]


def _whole(reader, level):
    return reader.read(level, 0, 0, WIDTH, HEIGHT).pixels.astype(float)


def _psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a - b) ** 2))


def test_our_readers_see_the_same_slide_in_all_three(written, picture):
    readers = [open_slide(path) for path in _paths(written)]
    for reader in readers:
        assert (reader.facts.width, reader.facts.height) == (WIDTH, HEIGHT)
        assert reader.facts.mpp == pytest.approx((MPP, MPP), rel=1e-4)
        assert [(v.width, v.height) for v in reader.facts.levels] == [(WIDTH, HEIGHT), (552, 432)]
        assert {"label", "macro"} <= set(reader.facts.associated)
    for level in (0, 1):
        images = [_whole(reader, level) for reader in readers]
        assert np.array_equal(images[0], images[1])
        assert np.array_equal(images[0], images[2])
    assert _psnr(_whole(readers[0], 0), picture.astype(float)) > 32
    for reader in readers:
        reader.close()


def test_openslide_reads_the_dicom_series(written):
    path = str(written / "dicom" / "level-0.dcm")
    assert openslide.OpenSlide.detect_format(path) == "dicom"
    with openslide.OpenSlide(path) as slide, openslide.OpenSlide(str(written / "a.svs")) as svs:
        assert slide.level_dimensions == svs.level_dimensions
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(MPP, rel=1e-6)
        assert slide.properties["openslide.objective-power"] == "40"
        assert set(slide.associated_images) == {"label", "macro"}
        assert slide.color_profile is not None
        a, b = (
            np.asarray(s.read_region((500, 300), 0, (900, 900)))[..., :3].astype(float)
            for s in (slide, svs)
        )
        assert _psnr(a, b) > 40


def test_wsidicom_reads_the_dicom_series(written, picture):
    wsidicom = pytest.importorskip("wsidicom", reason="wsidicom reads DICOM slides on its own")
    with wsidicom.WsiDicom.open(written / "dicom") as slide:
        assert (slide.size.width, slide.size.height) == (WIDTH, HEIGHT)
        assert slide.mpp.width == pytest.approx(MPP, rel=1e-4)
        assert [level.level for level in slide.levels] == [0, 2]
        got = np.asarray(slide.read_region((700, 600), 0, (500, 400)))
        assert _psnr(got.astype(float), picture[600:1000, 700:1200].astype(float)) > 32
        assert slide.read_label().size == (400, 460)
        assert slide.read_overview().size == (1280, 430)


def test_the_files_of_a_series_are_one_slide(written):
    found = find_slides([written / "dicom"])
    assert len(found) == 1


def test_dicom_says_what_it_must(written, plan):
    level = pydicom.dcmread(written / "dicom" / "level-0.dcm")
    assert level.ImageType == ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    assert level.DimensionOrganizationType == "TILED_FULL"
    assert level.NumberOfFrames == 9 * 7
    assert level.file_meta.TransferSyntaxUID == pydicom.uid.JPEGBaseline8Bit
    assert len(list(pydicom.encaps.generate_frames(level.PixelData, number_of_frames=63))) == 63
    assert str(level.PatientName) == dicom_identity(plan)["PatientName"]
    assert level.BurnedInAnnotation == "NO"
    lower = pydicom.dcmread(written / "dicom" / "level-1.dcm")
    assert lower.ImageType == ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]
    assert lower.SeriesInstanceUID == level.SeriesInstanceUID
    assert lower.SOPInstanceUID != level.SOPInstanceUID
    label = pydicom.dcmread(written / "dicom" / "label.dcm")
    assert label.ImageType[2] == "LABEL"
    assert label.BurnedInAnnotation == "YES"
    assert label.BarcodeValue == dicom_identity(plan)["AccessionNumber"]


def test_a_label_survives_in_all_three(written, plan):
    expected = make_label(plan).pixels.astype(float)
    for path in _paths(written):
        reader = open_slide(path)
        assert _psnr(reader.associated("label").astype(float), expected) > 25
        reader.close()


def test_aperio_metadata_give_the_patient_away(written, plan):
    with openslide.OpenSlide(str(written / "a.svs")) as slide:
        for field, text in aperio_identity(plan).items():
            assert slide.properties[f"aperio.{field}"] == text


def test_lower_levels_of_ome_tiff_are_sub_ifds(written):
    with tifffile.TiffFile(written / "a.ome.tif") as tiff:
        assert tiff.is_ome
        assert [level.shape for level in tiff.series[0].levels] == [
            (HEIGHT, WIDTH, 3),
            (432, 552, 3),
        ]
        assert len(tiff.pages[0].subifds) == 1
        assert [series.name for series in tiff.series] == ["PHANTOM", "label", "macro"]


def test_the_same_pixels_give_the_same_bytes(written, picture, plan, tmp_path):
    _write(tmp_path, picture, plan)
    files = sorted(p.relative_to(written) for p in written.rglob("*") if p.is_file())
    assert len(files) == 6
    for file in files:
        assert (tmp_path / file).read_bytes() == (written / file).read_bytes()


@pytest.mark.parametrize("write", [write_dicom, write_ome_tiff])
def test_impossible_slides_are_refused(tmp_path, write):
    with pytest.raises(ValueError, match="Got 0 × 5"):
        write(tmp_path / "a.ome.tif", (0, 5), lambda *box: np.zeros((1, 1, 3), np.uint8))


_BIG = """
import resource, sys
import numpy as np
from pathlib import Path
from curatome.phantom.dicom import DicomOptions, write_dicom
from curatome.phantom.ome_tiff import OmeOptions, write_ome_tiff
rows = np.random.default_rng(0).integers(180, 200, (256, 2048, 3), dtype=np.uint8)
def read(x, y, w, h):
    return rows[:h, :w]
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
folder = Path(sys.argv[1])
for size in ((600, 600), (18_000, 9_000)):
    before = peak()
    write_dicom(folder / f"d{size[0]}", size, read, DicomOptions(quality=30))
    write_ome_tiff(folder / f"{size[0]}.ome.tif", size, read, OmeOptions(quality=30))
print(peak() - before)
"""


def test_memory_stays_bounded_for_big_slides(tmp_path):
    """162 Mpx are 464 MiB raw; the writers must need far less."""
    done = subprocess.run(
        [sys.executable, "-c", _BIG, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert float(done.stdout.splitlines()[-1]) < 60
