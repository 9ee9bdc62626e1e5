"""ImageScope XML: TCGA's file by hand, negative regions, types and layers."""

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import shapely

from curatome.annotations.formats import Frames, Options
from curatome.annotations.formats.halo import FORMAT as HALO
from curatome.annotations.formats.imagescope import FORMAT
from curatome.errors import AnnotationError

from .exchange import FRAME, FRAMES, exchange, row, star, table


@pytest.fixture
def tcga(data):
    return data / "annotations" / "imagescope" / "TCGA-EJ-5518-01Z-00-DX1.xml"


def test_the_real_file_has_its_2820_vertices(tcga):
    reading = FORMAT.read(tcga, Frames(), Options())
    text = tcga.read_text()
    found = re.findall(r'<Vertex X="([\d.]+)" Y="([\d.]+)"', text)
    assert len(found) == 2820
    shapes = [shapely.from_wkb(g) for g in reading.table.column("geometry").to_pylist()]
    read = [xy for shape in shapes for xy in shape.exterior.coords[:-1]]
    regions = [len(r.findall(".//Vertex")) for r in ElementTree.fromstring(text).iter("Region")]
    # A ring whose last vertex repeats its first says it once.
    again = sum(
        r.findall(".//Vertex")[0].attrib == r.findall(".//Vertex")[-1].attrib
        for r in ElementTree.fromstring(text).iter("Region")
    )
    assert len(read) == 2820 - again
    assert len(regions) == len(shapes) == 4
    assert set(read) == {(float(x), float(y)) for x, y in found}
    assert reading.table.column("labels").to_pylist() == [["CaP"], ["CaP"], [], []]
    assert reading.colors == {"CaP": "#00ff00"}
    assert "5 layers" in reading.dialect


def test_sizes_are_worked_out_as_imagescope_does(tcga, tmp_path):
    frames = Frames([replace(FRAME, mpp_x=0.252, mpp_y=0.252)])
    reading = FORMAT.read(tcga, frames, Options())
    assert reading.doubts == ()
    path = tmp_path / "again.xml"
    FORMAT.write(reading.table, path, frames, reading.colors)
    # ImageScope leaves the edge that closes a freehand shape (Type 0) out of its length.
    sizes = ["Area", "AreaMicrons", "Zoom", "DisplayId", "Type"]
    for old, new in zip(*(ElementTree.parse(p).iter("Region") for p in (tcga, path)), strict=True):
        lengths = ["Length", "LengthMicrons"] if old.get("Type") == "1" else []
        for name in sizes + lengths:
            assert float(new.get(name)) == pytest.approx(float(old.get(name)), rel=1e-5), name
    again = FORMAT.read(path, frames, Options())
    columns = ["annotation", "kind", "geometry", "labels", "image"]
    assert again.table.select(columns).equals(reading.table.select(columns))


def test_another_scale_is_doubted(tcga):
    (doubt,) = FORMAT.read(tcga, Frames([replace(FRAME, mpp_x=0.5)]), Options()).doubts
    assert doubt.about == "image"
    assert doubt.evidence == "the file says 0.252 µm/px, and slide.ndpi has 0.5"


def test_the_two_tools_are_told_apart(tcga, data):
    halo = data / "annotations" / "halo" / "123456_annotation_from_halo.xml"
    heads = {path: path.read_bytes()[: 1 << 16] for path in (tcga, halo)}
    assert FORMAT.recognize(tcga, heads[tcga])
    assert HALO.recognize(halo, heads[halo])
    assert FORMAT.recognize(halo, heads[halo]) is None
    assert HALO.recognize(tcga, heads[tcga]) is None


LAYER = """<Annotations MicronsPerPixel="0.25">
<Annotation Id="1" Name="" LineColor="16711935"><Attributes>
<Attribute Name="Description" Id="0" Value="Gland"/></Attributes><Regions>{}</Regions>
</Annotation></Annotations>"""


def region(kind, points, negative=0, **more):
    said = "".join(f' {name}="{value}"' for name, value in more.items())
    vertices = "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in points)
    return (
        f'\n<Region Id="7" Type="{kind}" NegativeROA="{negative}"{said}>'
        f"<Vertices>{vertices}</Vertices></Region>"
    )


def read(tmp_path, *regions):
    path = tmp_path / "a.xml"
    path.write_text(LAYER.format("".join(regions)))
    return FORMAT.read(path, Frames(), Options())


SQUARE = [(0, 0), (100, 0), (100, 100), (0, 100)]
SMALL = [(10, 10), (20, 10), (20, 20), (10, 20)]


@pytest.mark.parametrize(
    ("kind", "points", "wanted"),
    [
        (0, SQUARE, "polygon"),
        (1, SQUARE, "box"),
        (1, [(0, 0), (5, 5)], "box"),
        (1, [(0, 0), (9, 1), (5, 5), (1, 6), (0, 3)], "polygon"),
        (2, [(0, 0), (5, 9)], "ellipse"),
        (2, SQUARE, "circle"),
        (3, [(0, 0), (5, 9)], "line"),
        (4, [(0, 0), (5, 9)], "line"),
        (5, [(3, 4)], "point"),
        (5, SMALL, "points"),
    ],
)
def test_types_of_regions(tmp_path, kind, points, wanted):
    reading = read(tmp_path, region(kind, points, Text="note"))
    (one,) = reading.table.to_pylist()
    assert (one["kind"], one["labels"], one["name"]) == (wanted, ["Gland"], "note")
    assert reading.colors == {"Gland": "#ff00ff"}
    if wanted == "line":
        losses, again = exchange(FORMAT, reading.table, tmp_path / "b.xml", Frames())
        old, new = (json.loads(r.table.column("properties")[0].as_py()) for r in (reading, again))
        assert new.get("Type") == old.get("Type")
        assert [loss for loss in losses if loss.field == "properties"] == []


def test_negative_regions_are_holes_of_the_smallest_region_around(tmp_path):
    wide = [(x * 10 - 50, y * 10 - 50) for x, y in SQUARE]
    reading = read(tmp_path, region(0, wide), region(0, SQUARE), region(2, SMALL, 1))
    outer, inner = (shapely.from_wkb(g) for g in reading.table.column("geometry").to_pylist())
    assert len(outer.interiors) == 0
    assert inner.area == pytest.approx(10000 - 25 * 3.1365484905459, rel=1e-9)
    assert reading.notes == ()


def test_a_negative_region_by_itself_stays_without_class(tmp_path):
    far = [(x + 500, y) for x, y in SQUARE]
    reading = read(tmp_path, region(0, SQUARE), region(0, far, 1), region(0, [(1, 1), (2, 2)]))
    _, alone = reading.table.to_pylist()
    assert alone["labels"] == []
    assert [note.split(":")[0] for note in reading.notes] == ["a.xml line 6", "a.xml line 5"]
    exchange(FORMAT, reading.table, tmp_path / "b.xml", Frames())
    layers = ElementTree.parse(tmp_path / "b.xml").findall("Annotation")
    assert [layer.get("Name") for layer in layers] == ["Gland"]
    negative = [one.get("NegativeROA") for one in layers[0].iter("Region")]
    assert negative == ["0", "1"]


def test_an_unknown_type_is_refused(tmp_path):
    with pytest.raises(AnnotationError, match=r'a.xml line 4: a region of Type "9" is not known'):
        read(tmp_path, region(9, SQUARE))


def test_holes_are_written_as_negative_regions(tmp_path):
    shell, hole = star(500, 600, [100] * 8), star(500, 600, [25] * 8)
    before = table(row(1, "polygon", shapely.Polygon(shell.exterior, [hole.exterior])))
    exchange(FORMAT, before, tmp_path / "a.xml", FRAMES)
    regions = list(ElementTree.parse(tmp_path / "a.xml").iter("Region"))
    assert [(r.get("NegativeROA"), r.get("Type")) for r in regions] == [("0", "0"), ("1", "0")]
