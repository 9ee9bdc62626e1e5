"""ASAP XML against its real files, and against a reader made of ASAP's own loading rules."""

import re
from xml.etree import ElementTree

import pytest
import shapely

from curatome.annotations.formats import Frames, Options
from curatome.annotations.formats.asap import FORMAT
from curatome.errors import AnnotationError

from .exchange import FRAMES, exchange, row, star, table


@pytest.mark.parametrize(("name", "kind"), [("dot", "point"), ("pointset", "points"),
                                            ("polygon", "polygon")])  # fmt: skip
def test_real_files(data, name, kind):
    path = data / "annotations" / "asap" / f"asap-{name}.xml"
    reading = FORMAT.read(path, FRAMES, Options())
    (one,) = reading.table.to_pylist()
    found = re.findall(r'X="([\d.]+)" Y="([\d.]+)"', path.read_text())
    points = shapely.get_coordinates(shapely.from_wkb(one["geometry"]))
    assert points[: len(found)].tolist() == [[float(x), float(y)] for x, y in found]
    assert (one["kind"], one["labels"], one["name"]) == (kind, [], None)
    assert one["image"] == FRAMES.only.image
    assert FORMAT.recognize(path, path.read_bytes()) == "its root is <ASAP_Annotations>"


def asap_loads(path):
    """XmlRepository::loadFromRepo of ASAP, in Python: groups and annotations, or None."""
    root = ElementTree.parse(path).getroot()
    groups = {g.get("Name"): g.get("PartOfGroup") for g in root.find("AnnotationGroups")}
    found = []
    for one in root.find("Annotations"):
        group = one.get("PartOfGroup")
        if group not in ("None", *groups):
            return None
        inside = one.find("Coordinates")
        ordered = [None] * len(inside)
        for place in inside:
            ordered[int(place.get("Order"))] = (float(place.get("X")), float(place.get("Y")))
        found.append((one.get("Name"), one.get("Type"), group, ordered))
    return groups, found


def test_asap_loads_what_is_written(tmp_path):
    shell, hole = star(500.125, 600.5, [100] * 8), star(500.125, 600.5, [25] * 8)
    polygon = shapely.Polygon(shell.exterior, [hole.exterior])
    before = table(
        row(1, "polygon", polygon, name="region"),
        row(2, "box", shapely.box(1, 2, 3, 4), ["stroma"]),
        row(3, "points", shapely.MultiPoint([(1, 2), (3, 4)]), []),
        row(4, "line", shapely.LineString([(1, 2), (3, 4)]), ["tumor"]),
        row(5, "line", shapely.LineString([(1, 2), (3, 4), (5, 5)]), ["tumor"]),
    )
    path = tmp_path / "a.xml"
    losses, reading = exchange(FORMAT, before, path)
    groups, found = asap_loads(path)
    assert groups == {"tumor": "None", "stroma": "None", "Exclusion": "None"}
    assert [(n, t, g, len(p)) for n, t, g, p in found] == [
        ("region", "Polygon", "tumor", 8),
        ("region", "Polygon", "Exclusion", 8),
        ("Annotation 2", "Rectangle", "stroma", 4),
        ("Annotation 3", "PointSet", "None", 2),
        ("Annotation 4", "Measurement", "tumor", 2),
    ]
    assert shapely.Polygon(found[0][3]).equals(shell)
    assert [(x.annotation[-1], x.field, x.reason) for x in losses] == [
        ("5", "geometry", "ASAP XML has no lines; it was left out.")
    ]
    assert len(reading.table) == 4
    assert reading.colors["tumor"] == "#ff8000"


CAMELYON = """<?xml version="1.0"?>
<ASAP_Annotations><Annotations>
<Annotation Name="Annotation 0" Type="Polygon" PartOfGroup="_0" Color="#F4FA58"><Coordinates>
{outer}</Coordinates></Annotation>
<Annotation Name="Annotation 1" Type="Spline" PartOfGroup="_2" Color="#F4FA58"><Coordinates>
{inner}</Coordinates></Annotation>
<Annotation Name="far" Type="Rectangle" PartOfGroup="_2" Color="#F4FA58"><Coordinates>
{far}</Coordinates></Annotation>
<Annotation Name="click" Type="Polygon" PartOfGroup="_0" Color="#F4FA58"><Coordinates>
<Coordinate Order="0" X="1" Y="1" /></Coordinates></Annotation>
</Annotations><AnnotationGroups>
<Group Name="_0" PartOfGroup="None" Color="#00ff00"><Attributes /></Group>
<Group Name="_2" PartOfGroup="_0" Color="#ff0000"><Attributes /></Group>
</AnnotationGroups></ASAP_Annotations>"""


def places(points):
    return "".join(
        f'<Coordinate Order="{i}" X="{x}" Y="{y}" />\n'
        for i, (x, y) in reversed([*enumerate(points)])
    )


def test_groups_of_exclusion_are_holes_and_order_counts(tmp_path):
    path = tmp_path / "camelyon.xml"
    square = [(0, 0), (100, 0), (100, 100), (0, 100)]
    path.write_text(
        CAMELYON.format(
            outer=places(square),
            inner=places([(x / 2 + 10, y / 2 + 10) for x, y in square]),
            far=places([(x + 500, y) for x, y in square]),
        )
    )
    reading = FORMAT.read(path, Frames(), Options())
    region, far = reading.table.to_pylist()
    shape = shapely.from_wkb(region["geometry"])
    assert (shape.area, len(shape.interiors), region["labels"]) == (7500, 1, ["_0"])
    assert (far["kind"], far["labels"], far["name"]) == ("box", ["_2"], "far")
    assert far["properties"] == '{"PartOfGroup": ["_0"]}'
    assert len(reading.notes) == 2
    assert "too few points" in reading.notes[0]
    assert "camelyon.xml line" in reading.notes[1]
    assert reading.colors == {"_0": "#00ff00", "_2": "#ff0000"}


def test_a_group_that_is_not_there_is_refused(tmp_path):
    path = tmp_path / "b.xml"
    path.write_text(CAMELYON.format(outer="", inner="", far="").replace('Name="_0"', 'Name="x"'))
    with pytest.raises(AnnotationError, match=r'b.xml line 3: it is part of the group "_0"'):
        FORMAT.read(path, Frames(), Options())


def test_a_group_within_itself_is_refused(tmp_path):
    path = tmp_path / "c.xml"
    text = CAMELYON.format(outer=places([(0, 0), (1, 0), (1, 1)]), inner="", far="")
    path.write_text(text.replace('"_0" PartOfGroup="None"', '"_0" PartOfGroup="_2"'))
    with pytest.raises(AnnotationError, match="is part of itself"):
        FORMAT.read(path, Frames(), Options())
