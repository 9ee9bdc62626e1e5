"""Finding slides on disk, and which files are one slide."""

import hashlib
import shutil

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from curatome.errors import ProjectError
from curatome.slides.files import find_slides, slide_id
from tests.slides.pictures import real_slide

WHOLE_SLIDE, SEGMENTATION = "1.2.840.10008.5.1.4.1.1.77.1.6", "1.2.840.10008.5.1.4.1.1.66.4"


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def found(*paths):
    return [slide.path for slide in find_slides(paths)]


def dicom(path, series, uid, side, kind=WHOLE_SLIDE, flavor="VOLUME"):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = kind
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = f"1.2.3.{uid}"
    data.SeriesInstanceUID = f"1.2.9.{series}"
    data.ImageType = ["ORIGINAL", "PRIMARY", flavor, "NONE"]
    data.TotalPixelMatrixColumns = data.TotalPixelMatrixRows = side
    data.save_as(path, enforce_file_format=True)


def test_folders_are_searched_in_order_and_other_files_passed_over(tmp_path):
    touch(tmp_path, "b.svs", "a/z.tif", "a/b.PNG", "notes.txt", "t.csv", "x.parquet", "s.json")
    touch(tmp_path, ".hidden.svs", ".cache/c.svs", "a/.d.tif")
    assert found(tmp_path) == [tmp_path / "a/b.PNG", tmp_path / "a/z.tif", tmp_path / "b.svs"]


def test_named_files_are_taken_and_each_slide_is_found_once(tmp_path):
    touch(tmp_path, "odd.dat", "a.svs", "b.svs")
    (tmp_path / "link.svs").symlink_to(tmp_path / "a.svs")
    assert found(tmp_path / "odd.dat") == [tmp_path / "odd.dat"]
    assert found(tmp_path / "a.svs", str(tmp_path), tmp_path / "link.svs") == [
        tmp_path / "a.svs",
        tmp_path / "b.svs",
    ]


def test_globs(tmp_path):
    touch(tmp_path, "a1.svs", "a2.svs", "b.svs", "sub/a3.svs", "a.txt", "we[1]ird.svs", "x.raw")
    assert found(str(tmp_path / "a*")) == [tmp_path / "a1.svs", tmp_path / "a2.svs"]
    assert found(str(tmp_path / "**/a3.svs")) == [tmp_path / "sub/a3.svs"]
    assert found(str(tmp_path / "*.raw")) == [tmp_path / "x.raw"]
    assert found(str(tmp_path / "we[1]ird.svs")) == [tmp_path / "we[1]ird.svs"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none.svs", "no such file or folder"),
        ("*.ndpi", "nothing matches"),
        ("texts", "nothing there ends in one of"),
    ],
)
def test_a_path_without_slides_is_named(tmp_path, name, reason):
    touch(tmp_path, "a.svs", "texts/a.txt")
    with pytest.raises(ProjectError, match=reason) as caught:
        find_slides([tmp_path / "a.svs", str(tmp_path / name)])
    assert f"no slide at {tmp_path / name}" in str(caught.value)


def test_a_mirax_slide_is_its_index_and_its_folder(tmp_path):
    touch(tmp_path, "m.mrxs", "m/Data0000.dat", "m/Slidedat.ini", "m/preview.jpg")
    (slide,) = find_slides([tmp_path])
    assert slide.path == tmp_path / "m.mrxs"
    names = ["m.mrxs", "m/Data0000.dat", "m/Slidedat.ini", "m/preview.jpg"]
    assert sorted(slide.files) == sorted(tmp_path / name for name in names)
    assert find_slides([tmp_path / "m.mrxs"]) == [slide]
    hashes = sorted(hashlib.sha256(name.encode()).hexdigest() for name in names)
    assert slide.sha256() == hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def test_a_vms_set_owns_its_jpegs(tmp_path):
    touch(tmp_path, "s.jpg", "s(1,0).jpg", "s_map.jpg", "other.jpg", "s.opt")
    lines = ["[Virtual Microscope Specimen]", "ImageFile=s.jpg", "ImageFile(1,0)=s(1,0).jpg"]
    lines += ["MapFile=s_map.jpg", "OptimisationFile=s.opt", "MacroImage=gone.jpg"]
    lines += ["Secret=../outside.jpg"]
    (tmp_path / "s.vms").write_text("\r\n".join(lines))
    other, vms = find_slides([tmp_path])
    assert other.files == (tmp_path / "other.jpg",)
    assert vms.path == tmp_path / "s.vms"
    assert {file.name for file in vms.files} == {
        "s.vms",
        "s.jpg",
        "s(1,0).jpg",
        "s_map.jpg",
        "s.opt",
    }


def test_a_dicom_series_is_one_slide_opened_at_its_largest_volume(tmp_path):
    dicom(tmp_path / "a.dcm", 1, 1, side=500, flavor="OVERVIEW")
    dicom(tmp_path / "b.dcm", 1, 2, side=100)
    dicom(tmp_path / "c.dcm", 1, 3, side=400)
    dicom(tmp_path / "d.dcm", 2, 4, side=10)
    dicom(tmp_path / "e.dcm", 1, 5, side=900, kind=SEGMENTATION)
    first, second = find_slides([tmp_path])
    assert first.path == tmp_path / "c.dcm"
    assert first.files == (tmp_path / "a.dcm", tmp_path / "b.dcm", tmp_path / "c.dcm")
    assert second.files == (tmp_path / "d.dcm",)
    # Whichever of its files is named, the slide is the same.
    assert find_slides([tmp_path / "b.dcm"]) == [first]
    assert found(tmp_path / "e.dcm") == [tmp_path / "e.dcm"]


def test_broken_dicom_stands_alone_for_the_reader_to_report(tmp_path):
    dicom(tmp_path / "a.dcm", 1, 1, side=500)
    (tmp_path / "b.dcm").write_bytes(b"\xff" * 300)
    assert [len(slide.files) for slide in find_slides([tmp_path])] == [1, 1]


def test_real_dicom(tmp_path):
    folder = real_slide("dicom/boxes_0.dcm").parent
    slides = {slide.path.name: slide for slide in find_slides([folder])}
    assert [file.name for file in slides["boxes_0.dcm"].files] == ["boxes_0.dcm", "boxes_1.dcm"]
    # Both claim to be the same instance and hold other pixels: two slides.
    assert [file.name for file in slides["sm_image.dcm"].files] == ["sm_image.dcm"]
    assert [file.name for file in slides["sm_image_control.dcm"].files] == ["sm_image_control.dcm"]
    assert len(slides) == 5


def test_a_slide_is_known_by_its_content(tmp_path):
    touch(tmp_path, "a.svs")
    (slide,) = find_slides([tmp_path])
    sha256 = hashlib.sha256(b"a.svs").hexdigest()
    assert slide.sha256() == sha256
    assert slide_id(sha256) == sha256[:16]
    shutil.move(tmp_path / "a.svs", tmp_path / "moved.svs")
    (moved,) = find_slides([tmp_path])
    assert moved.sha256() == sha256
