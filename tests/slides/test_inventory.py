import pickle
from pathlib import Path

import pytest
import tifffile

from curatome.errors import UnreadableSlide, UnsupportedSlide
from curatome.slides.inventory import probe, refused, same_content, unreadable
from tests.slides.pictures import halved, picture, real_slide, write_pyramid


def test_probe_decodes_every_level_and_says_what_it_does(tmp_path):
    whole = picture(333, 257)
    path = write_pyramid(tmp_path / "a.tif", [whole, halved(whole, 2)])
    stages = []
    facts = probe(path, stages.append)
    assert stages == ["open", "decode level 0", "decode level 1"]
    assert (facts.width, facts.height) == (333, 257)
    assert pickle.loads(pickle.dumps(facts)) == facts


def test_probe_finds_a_slide_that_opens_and_cannot_be_decoded():
    stages = []
    with pytest.raises(UnreadableSlide, match=r"unreadable\.svs: level 0 cannot be decoded"):
        probe(real_slide("aperio/unreadable.svs"), stages.append)
    assert stages == ["open", "decode level 0"]
    with pytest.raises(UnreadableSlide, match="stage open"):
        probe(real_slide("aperio/broken.svs"))


def test_probe_finds_a_broken_coarser_level(tmp_path):
    whole = picture(640, 480)
    path = write_pyramid(tmp_path / "a.tif", [whole, halved(whole, 4)], tile=(256, 256))
    with tifffile.TiffFile(path) as file:
        page = file.series[0].levels[1].pages[0]
        at, length = page.dataoffsets[0], page.databytecounts[0]
    data = bytearray(path.read_bytes())
    data[at : at + length] = bytes(length)
    path.write_bytes(data)
    with pytest.raises(UnreadableSlide, match=r"a\.tif: level 1 cannot be decoded"):
        probe(path)


@pytest.mark.parametrize(
    "name",
    [
        "aperio/cmu-1-small-region.svs",
        "aperio/tcga-cr-7395-01a-01-ts1.svs",
        "dicom/boxes_0.dcm",
        "dicom/multi_frame_jpeg2000_camelyon_challenge_image.dcm",
        "dicom/multi_frame_jpeg_camelyon_challenge_image.dcm",
        "dicom/sm_image.dcm",
        "tiff/boxes.tiff",
        "tiff/cells.ome.tif",
        "tiff/kidney-48-5.tif",
    ],
)
def test_probe_accepts_every_sound_real_slide(name):
    facts = probe(real_slide(name))
    assert pickle.loads(pickle.dumps(facts)) == facts


def test_the_same_content_under_two_names():
    slides = [("ab" * 32, Path("x/1.svs")), ("cd" * 32, Path("2.svs")), ("ab" * 32, Path("3.svs"))]
    (finding,) = same_content(slides)
    assert (finding.code, str(finding.severity)) == ("ACQ005", "warning")
    assert finding.subject == "slide abababababababab"
    assert finding.evidence == {"files": ["x/1.svs", "3.svs"]}
    assert same_content([slides[0], slides[0], slides[1]]) == []


def test_findings_of_slides_that_cannot_be_used():
    broken = unreadable("slide 3f", "a.svs", "the child was killed at stage decode level 0")
    assert (broken.code, str(broken.severity)) == ("ACQ001", "error")
    assert broken.message == "a.svs: the child was killed at stage decode level 0"
    assert unreadable("slide 3f", "a.svs", "a.svs is broken").message == "a.svs is broken"
    other = refused("slide 3f", "b.tif", UnsupportedSlide("b.tif holds a palette"))
    assert (other.code, str(other.severity)) == ("ACQ006", "warning")
    assert other.message == "b.tif holds a palette"
