"""Sectra: both real exports, whose stated sizes check the scale, and identity."""

import json
import tempfile
from pathlib import Path

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.annotations.formats.base import Frame, Frames, Options
from curatome.annotations.formats.sectra import FORMAT
from curatome.errors import AnnotationError

from . import shapes

# 23.63 mm wide, by both exports.
FRAME = Frame("s1", "s1.svs", 94_520, 60_000, 0.25, 0.25)
NAMES = {"pathologycore-area.json": ("polygon", 27), "pathologycore-polyline.json": ("line", 6)}


@pytest.mark.parametrize("name", NAMES)
def test_real_files(data, name):
    path = data / "annotations" / "sectra" / name
    value = json.loads(path.read_text())
    (one,) = value if isinstance(value, list) else [value]
    reading = FORMAT.read(path, Frames([FRAME]), Options())
    (row,) = reading.table.to_pylist()
    shape = shapely.from_wkb(row["geometry"])
    kind, count = NAMES[name]
    assert (row["kind"], row["reader"], reading.doubts) == (kind, "Admin User", ())
    assert len(one["content"]) == count == len(shapely.get_coordinates(shape)) - (kind == "polygon")
    size = shape.area * 0.00025**2 if kind == "polygon" else shape.length * 0.00025
    assert size == pytest.approx(float(one["result"].split()[0]), abs=0.005)
    assert FORMAT.recognize(path, path.read_bytes())


def test_another_width_is_doubted(data):
    path = data / "annotations" / "sectra" / "pathologycore-area.json"
    half = Frame("s1", "s1.svs", 47_260, 30_000, 0.25, 0.25)
    (doubt,) = FORMAT.read(path, Frames([half]), Options()).doubts
    assert "23.64 mm wide" in doubt.evidence
    with pytest.raises(AnnotationError, match="Say which image"):
        FORMAT.read(path, Frames(), Options())


@settings(max_examples=40, deadline=None)
@given(st.lists(shapes.rows({"line", "polygon", "box"}, image="s1"), min_size=1, max_size=4))
def test_write_and_read_is_the_identity(rows):
    table = shapes.table(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        losses = FORMAT.write(table, path, Frames([FRAME]), {})
        back = FORMAT.read(path, Frames([FRAME]), Options()).table
    lost = {loss.annotation for loss in losses}
    columns = {"kind", "labels", *FORMAT.carries.columns}
    assert shapes.told(back, columns) == shapes.told(table, columns)
    for one, other in zip(back.to_pylist(), rows, strict=True):
        a, b = shapely.from_wkb(one["geometry"]), shapely.from_wkb(other["geometry"])
        holed = one["kind"] == "polygon" and len(b.interiors) > 0
        assert holed == (one["annotation"] in lost)
        assert holed or shapely.equals_exact(a, b, FORMAT.carries.precision)
