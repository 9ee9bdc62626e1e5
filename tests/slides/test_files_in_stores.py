"""Slides of a store: found and grouped as those of a folder, and opened from copies."""

import shutil

import numpy as np
import pytest

from curatome.errors import MissingObject, ProjectError
from curatome.objects import put
from curatome.slides.files import find_slides, slide_at
from curatome.slides.opening import local_slide, opened_slide
from curatome.slides.readers import open_slide
from tests.stores import s3_server, web_server


@pytest.fixture(scope="module")
def store():
    with s3_server() as faults:
        yield faults


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CURATOME_CACHE", str(tmp_path / "cache"))


def upload(folder, url):
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            put(path, f"{url}/{path.relative_to(folder).as_posix()}")


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def names(slides, base):
    start = len(str(base).rstrip("/")) + 1
    return [(str(s.path)[start:], [str(f)[start:] for f in s.files]) for s in slides]


def test_a_store_gives_the_slides_of_the_same_folder(store, tmp_path, data):
    folder = tmp_path / "slides"
    write(folder, "a.svs", "b/c.ndpi", "note.txt", ".hidden/d.svs", "m.mrxs", "m/Slidedat.ini")
    write(folder, "m/Data0.dat", "v.opt", "v.ndp", "w [1].svs")
    (folder / "v.vms").write_text("[Virtual Microscope]\nImageFile=v.opt\nMapFile=v.ndp\n")
    for path in (data / "slides" / "dicom").glob("boxes_*.dcm"):
        (folder / "dicom").mkdir(exist_ok=True)
        shutil.copy(path, folder / "dicom")
    upload(folder, "s3://bucket/whole")
    local = find_slides([folder])
    assert names(find_slides(["s3://bucket/whole/"]), "s3://bucket/whole") == names(local, folder)
    assert len(local) == 6
    for slide in local:
        url = f"s3://bucket/whole/{slide.path.relative_to(folder).as_posix()}"
        assert names([slide_at(url)], "s3://bucket/whole") == names([slide], folder)
    (dicom,) = [slide for slide in local if slide.path.suffix == ".dcm"]
    assert len(dicom.files) > 1


def test_a_named_object_is_taken_whatever_its_extension_is(store, tmp_path):
    write(tmp_path / "s", "scan.bin", "other.svs")
    upload(tmp_path / "s", "s3://bucket/named")
    assert [s.path for s in find_slides(["s3://bucket/named/scan.bin"])] == [
        "s3://bucket/named/scan.bin"
    ]
    pattern = find_slides(["s3://bucket/named/*", "s3://bucket/named/other.svs"])
    assert [slide.path for slide in pattern] == ["s3://bucket/named/other.svs"]
    with pytest.raises(ProjectError, match="no slide at s3://bucket/named/scan"):
        find_slides(["s3://bucket/named/scan"])


def test_a_file_url_is_a_path(tmp_path):
    write(tmp_path, "my slides/a.svs")
    (slide,) = find_slides([(tmp_path / "my slides").as_uri()])
    assert slide.path == tmp_path / "my slides" / "a.svs"


@pytest.mark.parametrize("pattern", ["aperio/cmu-1-small-region.svs", "dicom/boxes_0.dcm"])
def test_a_slide_of_a_store_has_the_same_pixels_and_hash(store, data, pattern):
    place = data / "slides" / pattern
    files = slide_at(place).files
    for path in files:
        put(path, f"s3://bucket/real/{path.name}")
    url = f"s3://bucket/real/{slide_at(place).path.name}"
    with local_slide(slide_at(url)) as here:
        assert here.sha256() == slide_at(place).sha256()
    reader = open_slide(slide_at(place).path)
    with opened_slide(url) as there:
        assert there.facts == reader.facts
        box = (0, 10, 20, 200, 150)
        assert np.array_equal(there.read(*box).pixels, reader.read(*box).pixels)
    reader.close()
    with pytest.raises(ValueError, match="must be copied to this machine"):
        slide_at(url).sha256()


def test_slides_of_a_web_server(data):
    with web_server(data / "slides" / "aperio") as address:
        found = [slide.path.rpartition("/")[2] for slide in find_slides([f"{address}/"])]
        assert "cmu-1-small-region.svs" in found
        with opened_slide(f"{address}/cmu-1-small-region.svs") as slide:
            assert (slide.facts.width, slide.facts.height) == (2220, 2967)
        with pytest.raises(MissingObject), opened_slide(f"{address}/none.svs"):
            pass
