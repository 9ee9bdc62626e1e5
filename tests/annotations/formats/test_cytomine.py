"""Cytomine: every real answer of the server, y from the lower edge, and identity."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.annotations.formats.base import Frame, Frames, Options
from curatome.annotations.formats.cytomine import FORMAT
from curatome.errors import AnnotationError

from . import shapes

FRAME = Frame("s1", "LUNG2_pyr.tif", 60_000, 50_000)
KINDS = {
    "circle": "polygon",
    "freehand-line": "line",
    "freehand-polygon": "polygon",
    "line": "line",
    "point": "point",
    "polygon": "polygon",
    "rectangle": "box",
}


@pytest.mark.parametrize("name", KINDS)
def test_real_files(data, name):
    path = data / "annotations" / "cytomine" / f"cytomine-{name}.txt"
    one = json.loads(path.read_text())["annotation"]
    text = one["location"].replace("(", " ").replace(")", " ").split(" ", 1)[1]
    points = np.array([part.split() for part in text.split(",")], float)
    reading = FORMAT.read(path, Frames([FRAME]), Options())
    (row,) = reading.table.to_pylist()
    got = shapely.get_coordinates(shapely.from_wkb(row["geometry"]))
    assert np.array_equal(got, points * (1, -1) + (0, FRAME.height))
    assert (row["kind"], row["foreign"], row["reader"]) == (KINDS[name], str(one["id"]), "149848")
    assert row["time"].timestamp() == int(one["created"]) / 1000
    assert reading.doubts == ()
    blind = FORMAT.read(path, Frames(), Options())
    assert [doubt.about for doubt in blind.doubts] == ["axes"]
    assert FORMAT.recognize(path, path.read_bytes())


@settings(max_examples=40, deadline=None)
@given(st.lists(shapes.rows(FORMAT.carries.kinds, image="s1"), min_size=1, max_size=4))
def test_write_and_read_is_the_identity(rows):
    table = shapes.table(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        assert FORMAT.write(table, path, Frames([FRAME]), {}) == []
        back = FORMAT.read(path, Frames([FRAME]), Options()).table
    columns = {"kind", "labels", *FORMAT.carries.columns}
    assert shapes.told(back, columns) == shapes.told(table, columns)
    for one, other in zip(back.to_pylist(), rows, strict=True):
        a, b = shapely.from_wkb(one["geometry"]), shapely.from_wkb(other["geometry"])
        assert shapely.equals_exact(a, b, FORMAT.carries.precision)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"location": "POLYGON ((1 2"}, "not WKT"),
        ({"location": "POINT EMPTY"}, "empty"),
        ({"place": ""}, 'annotation 1 has no "location"'),
        ({"location": "POINT (1 2)", "created": "now"}, "not a time"),
    ],
)
def test_broken_files(tmp_path, value, message):
    path = tmp_path / "a.txt"
    path.write_text(json.dumps(value))
    with pytest.raises(AnnotationError, match=message):
        FORMAT.read(path, Frames(), Options())


def test_without_the_height_nothing_is_written(tmp_path):
    table = shapes.table([shapes.imported("point", shapely.to_wkb(shapely.Point(1, 2)))])
    with pytest.raises(AnnotationError, match="known height"):
        FORMAT.write(table, tmp_path / "a.json", Frames(), {})
