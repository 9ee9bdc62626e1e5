"""HALO XML against its real file."""

import re
from xml.etree import ElementTree

import shapely

from curatome.annotations.formats import Frames, Options
from curatome.annotations.formats.halo import FORMAT
from curatome.annotations.model import ellipse_rectangle

from .exchange import FRAMES, exchange, row, table


def test_the_real_file(data, tmp_path):
    path = data / "annotations" / "halo" / "123456_annotation_from_halo.xml"
    reading = FORMAT.read(path, FRAMES, Options())
    box, polygon = reading.table.to_pylist()
    found = [
        (float(x), float(y)) for x, y in re.findall(r'<V X="(\d+)" Y="(\d+)"', path.read_text())
    ]
    assert len(found) == 10
    assert (box["kind"], box["labels"]) == ("box", ["Layer 1"])
    assert shapely.from_wkb(box["geometry"]).equals(shapely.box(1, 1, 10, 40))
    assert (polygon["kind"], polygon["labels"]) == ("polygon", ["Tumor"])
    assert list(shapely.from_wkb(polygon["geometry"]).exterior.coords)[:-1] == found[2:]
    assert reading.colors == {"Layer 1": "#ffff00", "Tumor": "#ff0000"}
    losses = FORMAT.write(reading.table, tmp_path / "a.xml", FRAMES, reading.colors)
    assert losses == []
    old, new = (ElementTree.parse(p).getroot() for p in (path, tmp_path / "a.xml"))
    assert [a.attrib for a in new] == [a.attrib for a in old]
    assert len(list(new.iter("V"))) == 10


def test_shapes_are_written_as_halo_does(tmp_path):
    before = table(
        row(1, "circle", ellipse_rectangle((50, 60), (10, 10))),
        row(2, "point", shapely.Point(1, 2)),
        row(3, "line", shapely.LineString([(1, 2), (3, 4)])),
        row(4, "ellipse", ellipse_rectangle((50, 60), (10, 20), 0.5)),
    )
    losses, reading = exchange(FORMAT, before, tmp_path / "a.annotations", Frames())
    regions = list(ElementTree.parse(tmp_path / "a.annotations").iter("Region"))
    assert [(r.get("Type"), len(r.find("Vertices"))) for r in regions] == [
        ("Ellipse", 2), ("Pin", 1), ("Ruler", 2), ("Polygon", 64),
    ]  # fmt: skip
    (loss,) = losses
    assert loss.reason == "HALO XML has no turned ellipses; its outline was kept."
    assert reading.table.column("kind").to_pylist() == ["circle", "point", "line", "polygon"]
