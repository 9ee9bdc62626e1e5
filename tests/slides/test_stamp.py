"""Noticing that any file of a slide has changed."""

import os

import pytest

from curatome.slides.files import slide_at
from curatome.slides.stamp import slide_stamps
from tests.slides.dicoms import write_dicom
from tests.slides.pictures import picture, real_slide


def stamp(path):
    return slide_stamps([path])[path]


def mirax(folder):
    (folder / "s/sub").mkdir(parents=True)
    (folder / "s.mrxs").write_bytes(b"index")
    for name in ("Slidedat.ini", "Data0001.dat", "Data0000.dat", "sub/x.dat", ".hidden"):
        (folder / "s" / name).write_bytes(name.encode())
    return folder / "s.mrxs", ["Data0000.dat", "Data0001.dat", "Slidedat.ini", "x.dat", "s.mrxs"]


def vms(folder):
    (folder / "s.vms").write_text("[Virtual]\nImageFile=a.jpg\nMap=b.jpg\nOther=../c\nN=3\n")
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (folder / name).write_bytes(b"x")
    return folder / "s.vms", ["a.jpg", "b.jpg", "s.vms"]


def dicom(folder):
    pixels = picture(64, 48)
    for name, scaled in (("b.dcm", pixels), ("a.dcm", pixels[::2, ::2])):
        write_dicom(folder / name, scaled)
    (folder / "c.txt").write_text("no part")
    return folder / "a.dcm", ["a.dcm", "b.dcm"]


def single(folder):
    (folder / "s.svs").write_bytes(b"slide")
    (folder / "t.svs").write_bytes(b"another")
    return folder / "s.svs", ["s.svs"]


KINDS = [mirax, vms, dicom, single]


@pytest.mark.parametrize("make", KINDS)
def test_all_files_of_a_slide(tmp_path, make):
    path, names = make(tmp_path)
    assert [part.name for part in slide_at(path).files] == names


@pytest.mark.parametrize("make", KINDS)
def test_a_change_of_any_file_is_noticed(tmp_path, make):
    path, _ = make(tmp_path)
    before = stamp(path)
    assert stamp(path) == before
    for number, part in enumerate(slide_at(path).files):
        os.utime(part, ns=(0, number))
        after = stamp(path)
        assert after != before
        before = after


@pytest.mark.parametrize("make", [mirax, vms, dicom])
def test_a_lost_file_is_noticed(tmp_path, make):
    path, _ = make(tmp_path)
    before = stamp(path)
    next(part for part in slide_at(path).files if part != path).unlink()
    assert stamp(path) not in (before, None)


def test_files_beside_a_slide_do_not_matter(tmp_path):
    path, _ = dicom(tmp_path)
    before = stamp(path)
    (tmp_path / "new.txt").write_text("beside")
    os.utime(tmp_path / "c.txt", ns=(0, 0))
    assert stamp(path) == before


def test_a_slide_that_is_gone_has_no_stamp(tmp_path):
    assert stamp(tmp_path / "s.svs") is None
    assert stamp(tmp_path / "s.dcm") is None
    assert stamp(tmp_path / "no/folder/s.mrxs") is None


def test_real_dicom():
    path = real_slide("dicom/boxes_0.dcm")
    assert [part.name for part in slide_at(path).files][:1] == ["boxes_0.dcm"]
    assert real_slide("dicom/boxes_1.dcm") in slide_at(path).files
    assert real_slide("dicom/sm_image.dcm") not in slide_at(path).files
