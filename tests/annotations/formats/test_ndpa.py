"""NDPA: both real files, every type that NDP.view writes, and places on the glass."""

import re
from dataclasses import replace

import pytest
import shapely

from curatome.annotations.formats import Frames, Options
from curatome.annotations.formats.ndpa import FORMAT
from curatome.errors import AnnotationError

from .exchange import FRAME, FRAMES, exchange, row, star, table

# What NDP.view 2 writes of each of its drawing tools; nm from the center of the glass.
NDP_VIEW = """<?xml version="1.0" encoding="utf-8" standalone="yes"?>
<annotations>
<ndpviewstate id="1"><title>Tumor</title><details>seen twice</details>
<coordformat>nanometers</coordformat><lens>3.3</lens><x>0</x><y>0</y><z>0</z>
<showtitle>0</showtitle>{}</ndpviewstate></annotations>"""
POINTS = "<pointlist>{}</pointlist>"


def point(x, y):
    return f"<point><x>{x}</x><y>{y}</y></point>"


SQUARE = POINTS.format("".join(map(point, (0, 25000, 25000, 0), (0, 0, 25000, 25000))))
DRAWN = {
    "polygon": f'<annotation type="freehand" displayname="AnnotateFreehand" color="#000000">'
    f"<measuretype>3</measuretype>{SQUARE}<closed>1</closed></annotation>",
    "line": f'<annotation type="freehand" displayname="AnnotateFreehandLine" color="#000000">'
    f"<measuretype>0</measuretype>{SQUARE}<closed>0</closed></annotation>",
    "box": f'<annotation type="freehand" displayname="AnnotateRectangle" color="#000000">'
    f"<measuretype>3</measuretype>{SQUARE}<specialtype>rectangle</specialtype>"
    "<closed>1</closed></annotation>",
    "circle": '<annotation type="circle" displayname="AnnotateCircle" color="#000000">'
    "<x>12500</x><y>12500</y><radius>12500</radius><measuretype>0</measuretype></annotation>",
    "point": '<annotation type="pin" displayname="AnnotatePin" color="#000000">'
    "<x>0</x><y>0</y><icon>pinblue</icon><stricon>iconpinblue</stricon></annotation>",
    "pointer": '<annotation type="pointer" displayname="AnnotatePointer" color="#000000">'
    "<x1>0</x1><y1>0</y1><x2>25000</x2><y2>25000</y2></annotation>",
    "ruler": '<annotation type="linearmeasure" displayname="AnnotateRuler" color="#000000">'
    "<x1>0</x1><y1>0</y1><x2>25000</x2><y2>25000</y2></annotation>",
}
LEFT, TOP = 20000 - 1000 / 250, 15000 + 3000 / 250  # where (0, 0) nm lies on FRAME


@pytest.mark.parametrize("name", DRAWN)
def test_every_drawing_tool(name, tmp_path):
    path = tmp_path / "slide.ndpi.ndpa"
    path.write_text(NDP_VIEW.format(DRAWN[name]))
    reading = FORMAT.read(path, FRAMES, Options())
    (one,) = reading.table.to_pylist()
    assert one["kind"] == {"pointer": "line", "ruler": "line"}.get(name, name)
    bounds = shapely.from_wkb(one["geometry"]).bounds
    size = 0 if name == "point" else 100
    assert bounds == pytest.approx((LEFT, TOP, LEFT + size, TOP + size), abs=1e-9)
    assert (one["image"], one["labels"], one["foreign"]) == (FRAME.image, ["Tumor"], "1")
    assert '"lens": "3.3"' in one["properties"]
    losses, again = exchange(FORMAT, reading.table, tmp_path / "again.ndpa")
    assert {loss.field for loss in losses} == {"foreign"}
    kept = ["annotation", "kind", "geometry", "labels", "properties"]
    assert again.table.select(kept).equals(reading.table.select(kept))
    inner = (tmp_path / "again.ndpa").read_text()
    assert re.findall(r"<annotation type=\S+ displayname=\S+", inner) == re.findall(
        r"<annotation type=\S+ displayname=\S+", DRAWN[name]
    )


def test_the_mixed_file(data):
    path = data / "annotations" / "ndpa" / "annotations_mixed.ndpa"
    reading = FORMAT.read(path, FRAMES, Options())
    assert path.read_text().count("<annotation ") == 4
    polygon, line, pin = reading.table.to_pylist()
    assert [one["kind"] for one in (polygon, line, pin)] == ["polygon", "line", "point"]
    assert [one["labels"] for one in (polygon, line, pin)] == [
        ["Tumor"],
        ["Margin"],
        ["Review here"],
    ]
    assert shapely.from_wkb(polygon["geometry"]).area == pytest.approx(400 * 800)
    x, y = shapely.from_wkb(pin["geometry"]).coords[0]
    assert (x, y) == pytest.approx((LEFT + 200, TOP - 2400))
    (note,) = reading.notes
    assert note.startswith('annotations_mixed.ndpa line 36: "Empty annotation" was left out')
    assert reading.colors == {"Tumor": "#ff0000", "Margin": "#00ff00", "Review here": "#0000ff"}


def test_the_malformed_file_is_refused(data):
    path = data / "annotations" / "ndpa" / "annotations_malformed.ndpa"
    with pytest.raises(
        AnnotationError, match=r"annotations_malformed.ndpa line 9: no element found"
    ):
        FORMAT.read(path, FRAMES, Options())


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (Frames(), "Say which slide"),
        (Frames([replace(FRAME, mpp_x=None)]), "the µm per px of slide.ndpi is not known"),
        (Frames([replace(FRAME, center_nm=None)]), "offset from the slide's center"),
    ],
)
def test_without_the_slide_nothing_is_guessed(frames, message, data, tmp_path):
    path = data / "annotations" / "ndpa" / "annotations_mixed.ndpa"
    with pytest.raises(AnnotationError, match=message):
        FORMAT.read(path, frames, Options())
    with pytest.raises(AnnotationError, match=message):
        FORMAT.write(table(row(1, "point", shapely.Point(1, 2))), tmp_path / "a.ndpa", frames, {})


def test_the_slide_is_found_by_the_name_of_the_file(tmp_path):
    other = replace(FRAME, image="other", name="other.ndpi", center_nm=(0.0, 0.0))
    path = tmp_path / "other.ndpi.ndpa"
    path.write_text(NDP_VIEW.format(DRAWN["point"]))
    reading = FORMAT.read(path, Frames([FRAME, other]), Options())
    assert reading.table.column("image").to_pylist() == ["other"]
    assert shapely.from_wkb(reading.table.column("geometry")[0].as_py()).coords[0] == (20000, 15000)


def test_holes_are_lost_and_said_so(tmp_path):
    shell, hole = star(500, 600, [100] * 8), star(500, 600, [25] * 8)
    before = table(row(1, "polygon", shapely.Polygon(shell.exterior, [hole.exterior])))
    losses, reading = exchange(FORMAT, before, tmp_path / "a.ndpa")
    assert [loss.reason for loss in losses] == [
        "Hamamatsu NDPA has no holes; the outer ring was kept."
    ]
    assert shapely.from_wkb(reading.table.column("geometry")[0].as_py()).equals_exact(shell, 0.01)


def test_another_unit_is_refused(tmp_path):
    path = tmp_path / "a.ndpa"
    path.write_text(NDP_VIEW.format(DRAWN["point"]).replace("nanometers", "pixels"))
    with pytest.raises(AnnotationError, match=r'a.ndpa line 3: coordinates are in "pixels"'):
        FORMAT.read(path, FRAMES, Options())
