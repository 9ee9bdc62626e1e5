"""Pascal VOC: pixels from 1, the flags and parts, folders."""

from xml.etree import ElementTree

import pytest
import shapely

from curatome.annotations.formats import Frames, Options
from curatome.annotations.formats.voc import FORMAT
from curatome.errors import AnnotationError

from .exchange import FRAMES, exchange, row, table

VOC = """<annotation><folder>VOC2012</folder><filename>slide.png</filename>
<size><width>500</width><height>375</height><depth>3</depth></size><segmented>0</segmented>
<object><name>mitosis</name><pose>Left</pose><truncated>1</truncated><difficult>1</difficult>
<bndbox><xmin>{}</xmin><ymin>20</ymin><xmax>{}</xmax><ymax>29</ymax></bndbox>
<part><name>plate</name><bndbox><xmin>12</xmin><ymin>21</ymin><xmax>14</xmax><ymax>22</ymax>
</bndbox></part></object></annotation>"""


def test_pixels_are_counted_from_one_and_the_last_is_inside(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(VOC.format(11, 20))
    reading = FORMAT.read(path, FRAMES, Options())
    (one,) = reading.table.to_pylist()
    # Pixels 11 to 20 and 20 to 29, counted from 1, are ten by ten.
    assert shapely.from_wkb(one["geometry"]).equals(shapely.box(10, 19, 20, 29))
    assert (one["labels"], reading.doubts) == (["mitosis"], ())
    losses, again = exchange(FORMAT, reading.table, tmp_path / "b.xml")
    assert losses == []
    assert again.table.equals(reading.table)
    assert FORMAT.recognize(path, path.read_bytes())


def test_a_zero_shows_corners(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(VOC.format(0, 20))
    reading = FORMAT.read(path, FRAMES, Options())
    assert reading.doubts[0].evidence == "1 of 1 boxes begin at 0, and VOC's first pixel is 1"
    shape = shapely.from_wkb(reading.table.column("geometry")[0].as_py())
    assert shape.equals(shapely.box(0, 20, 20, 29))


def test_a_folder_holds_several_images(tmp_path):
    before = table(
        row(1, "box", shapely.box(1, 2, 3, 4), image="p"),
        row(2, "polygon", shapely.Polygon([(0, 0), (9, 1), (5, 7)]), image="q"),
        row(3, "point", shapely.Point(1, 1), image="q"),
    )
    losses, reading = exchange(FORMAT, before, tmp_path / "voc", Frames())
    assert [(x.annotation[-1], x.reason) for x in losses] == [
        ("2", "Pascal VOC XML has no polygons; its bounds were kept."),
        ("3", "Pascal VOC XML has no points; it was left out."),
    ]
    assert sorted(p.name for p in (tmp_path / "voc").iterdir()) == ["p.xml", "q.xml"]
    assert reading.table.column("image").to_pylist() == ["p", "q"]
    assert FORMAT.recognize(tmp_path / "voc", b"")
    box = ElementTree.parse(tmp_path / "voc" / "p.xml").find("object/bndbox")
    assert [b.text for b in box] == ["2", "3", "3", "4"]
    with pytest.raises(AnnotationError, match="Name a folder"):
        FORMAT.write(before, tmp_path / "one.xml", Frames(), {})


def test_a_box_inside_out_is_refused(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(VOC.format(30, 20))
    with pytest.raises(AnnotationError, match=r"a.xml line 3: the box is empty or inside out"):
        FORMAT.read(path, FRAMES, Options())
