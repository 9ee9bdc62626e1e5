"""CVAT XML: shapes of images and tracks as CVAT's documentation shows them."""

import pytest
import shapely

from curatome.annotations.formats import Frames, Options
from curatome.annotations.formats.cvat import FORMAT
from curatome.errors import AnnotationError

from .exchange import exchange, png, row, table

IMAGES = """<annotations><version>1.1</version><meta><task><labels><label><name>cell</name>
<color>#fa3253</color></label></labels></task></meta>
<image id="0" name="a.png" width="100" height="80">
<box label="cell" occluded="0" xtl="10" ytl="20" xbr="30" ybr="50" z_order="2">
<attribute name="quality">good</attribute></box>
<box label="cell" xtl="10" ytl="20" xbr="30" ybr="50" rotation="90.0"></box>
<ellipse label="cell" cx="20" cy="20" rx="4" ry="2" rotation="30.0"></ellipse>
<polygon label="cell" points="0,0;9,0;9,9"></polygon>
<polyline label="cell" points="0,0;9,0;9,9"></polyline>
<points label="cell" points="1,2"></points><points label="cell" points="1,2;3,4"></points>
<mask label="cell" rle="1, 2, 1" left="5" top="6" width="2" height="2"></mask>
<tag label="cell"></tag><cuboid label="cell"></cuboid></image></annotations>"""
VIDEO = """<annotations><version>1.1</version><track id="3" label="cell" source="manual">
<box frame="0" keyframe="1" outside="0" xtl="1" ytl="2" xbr="3" ybr="4"></box>
<box frame="7" keyframe="0" outside="0" xtl="2" ytl="2" xbr="4" ybr="4"></box>
<box frame="8" keyframe="1" outside="1" xtl="2" ytl="2" xbr="4" ybr="4"></box></track>
</annotations>"""


def read(tmp_path, text):
    path = tmp_path / "a.xml"
    path.write_text(text)
    assert FORMAT.recognize(path, text.encode())
    return FORMAT.read(path, Frames(), Options())


def test_images(tmp_path):
    reading = read(tmp_path, IMAGES)
    rows = reading.table.to_pylist()
    assert [one["kind"] for one in rows] == [
        "box", "polygon", "ellipse", "polygon", "line", "point", "points", "mask", "whole",
    ]  # fmt: skip
    assert {one["image"] for one in rows} == {"a.png"}
    turned = shapely.from_wkb(rows[1]["geometry"])
    assert turned.bounds == pytest.approx((5, 25, 35, 45))
    assert rows[7]["mask"] == png([[0, 1], [1, 0]])
    assert '"good"' in rows[0]["properties"]
    assert reading.colors == {"cell": "#fa3253"}
    assert "<cuboid> was left out" in reading.notes[0]
    losses, again = exchange(FORMAT, reading.table, tmp_path / "b.xml", Frames())
    assert losses == []
    kept = ["annotation", "kind", "labels", "mask", "image"]
    assert again.table.select(kept).equals(reading.table.select(kept))


def test_tracks(tmp_path):
    rows = read(tmp_path, VIDEO).table.to_pylist()
    assert [one["image"] for one in rows] == ["frame_000000", "frame_000007"]
    assert all(one["labels"] == ["cell"] and '"track"' in one["properties"] for one in rows)


def test_a_mask_between_pixels_becomes_its_outline(tmp_path):
    before = table(row(1, "mask", shapely.box(0.5, 0, 2.5, 2), mask=png([[1, 1], [1, 0]])))
    losses, reading = exchange(FORMAT, before, tmp_path / "a.xml", Frames())
    assert [loss.reason for loss in losses] == ["CVAT XML has no masks; its outline was kept."]
    assert shapely.from_wkb(reading.table.column("geometry")[0].as_py()).area == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('rle="1, 2, 1"', 'rle="9, 9"', r"line 11: rle holds 18 pixels, and the mask is 2 x 2"),
        ('points="1,2"', 'points="1;2"', r'line 10: "1" is no pair'),
    ],
)
def test_bad_shapes_are_refused(tmp_path, old, new, message):
    with pytest.raises(AnnotationError, match=message):
        read(tmp_path, IMAGES.replace(old, new))
