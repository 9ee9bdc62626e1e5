"""LabelMe: every type of shape, identity of write and read, broken files."""

import base64
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from curatome.annotations.formats.base import Frame, Frames, Options
from curatome.annotations.formats.labelme import FORMAT
from curatome.annotations.masks import mask_pixels, mask_png
from curatome.errors import AnnotationError

from . import shapes

FRAME = Frame("s1", "s1.png", 100_000, 100_000)
MASK = np.array([[1, 0, 1], [1, 1, 1]], bool)


def read(path, *frames):
    return FORMAT.read(path, Frames(frames), Options())


def written(path, *found):
    value = {"version": "5.4.1", "imagePath": "s1.png", "shapes": list(found)}
    path.write_text(json.dumps(value))
    return path


def gray(mask):
    """A mask as LabelMe packs it: an 8-bit PNG in base64."""
    stream = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize(
    ("way", "points", "kind", "wkt"),
    [
        ("polygon", [[0, 0], [4, 0], [4, 3]], "polygon", "POLYGON ((0 0, 4 0, 4 3, 0 0))"),
        ("rectangle", [[5, 6], [1, 2]], "box", "POLYGON ((5 2, 5 6, 1 6, 1 2, 5 2))"),
        ("circle", [[5, 5], [8, 9]], "circle", "POLYGON ((0 0, 10 0, 10 10, 0 10, 0 0))"),
        ("line", [[0, 0], [1, 2]], "line", "LINESTRING (0 0, 1 2)"),
        ("linestrip", [[0, 0], [1, 2], [3, 3]], "line", "LINESTRING (0 0, 1 2, 3 3)"),
        ("point", [[1.5, 2]], "point", "POINT (1.5 2)"),
        ("points", [[1, 2], [3, 4]], "points", "MULTIPOINT (1 2, 3 4)"),
    ],
)
def test_types(tmp_path, way, points, kind, wkt):
    one = {"label": "a", "points": points, "shape_type": way, "group_id": 3, "flags": {}}
    (row,) = read(written(tmp_path / "a.json", one), FRAME).table.to_pylist()
    assert (row["kind"], row["labels"], row["image"]) == (kind, ["a"], "s1")
    assert shapely.equals(shapely.from_wkb(row["geometry"]), shapely.from_wkt(wkt))
    assert json.loads(row["properties"]) == {"group_id": 3}


def test_a_mask_is_spread_over_its_box(tmp_path):
    one = {"label": "a", "points": [[4, 5], [6, 6]], "shape_type": "mask", "mask": gray(MASK)}
    path = written(tmp_path / "a.json", one)
    assert FORMAT.recognize(path, path.read_bytes())
    (row,) = read(path).table.to_pylist()
    assert shapely.from_wkb(row["geometry"]).bounds == (4, 5, 7, 7)
    assert np.array_equal(mask_pixels(row["mask"]), MASK)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        shapes.rows(FORMAT.carries.kinds - {"mask"}, shapes.ONE, "s1").filter(shapes.without_holes),
        min_size=1,
        max_size=4,
    )
)
def test_write_and_read_is_the_identity(rows):
    table = shapes.table(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        assert FORMAT.write(table, path, Frames([FRAME]), {}) == []
        back = read(path, FRAME).table
    columns = {"kind", "labels", *FORMAT.carries.columns}
    assert shapes.told(back, columns) == shapes.told(table, columns)
    for one, other in zip(back.to_pylist(), rows, strict=True):
        a, b = shapely.from_wkb(one["geometry"]), shapely.from_wkb(other["geometry"])
        assert shapely.equals_exact(shapely.normalize(a), shapely.normalize(b), 1e-6)


def test_what_is_lost_is_said(tmp_path):
    square = shapely.box(0, 0, 9, 9)
    holed = shapely.Polygon(square.exterior, [[(1, 1), (3, 1), (3, 3)]])
    two = shapely.MultiPolygon([square, shapely.box(20, 20, 30, 30)])
    rows = [
        shapes.imported("polygon", shapely.to_wkb(holed), labels=["a", "b"]),
        shapes.imported("multipolygon", shapely.to_wkb(two)),
        shapes.imported("whole", None, labels=["x"]),
        shapes.imported("mask", shapely.to_wkb(shapely.box(4, 5, 7, 7)), mask=mask_png(MASK)),
    ]
    losses = FORMAT.write(shapes.table(rows), tmp_path / "a.json", Frames(), {})
    assert [(rows[0]["annotation"], "labels"), (rows[0]["annotation"], "geometry")] == [
        (loss.annotation, loss.field) for loss in losses[:2]
    ]
    assert [loss.annotation for loss in losses[2:]] == [one["annotation"] for one in rows[1:3]]
    back = read(tmp_path / "a.json").table
    assert back["kind"].to_pylist() == ["polygon"] * 3 + ["mask"]
    assert np.array_equal(mask_pixels(back["mask"][3].as_py()), MASK)


@pytest.mark.parametrize(
    ("one", "message"),
    [
        ({"points": [[1, 2]], "shape_type": "rectangle"}, "shape 1: a rectangle needs 2 points"),
        ({"points": [[1, 2], [3, 4]], "shape_type": "star"}, '"star" is not a shape'),
        ({"points": [1, 2]}, r"must be a list of \[x, y\]"),
        ({"points": [[0, 0], [1, 1]], "shape_type": "mask", "mask": "€"}, "shape 1"),
        (7, "shape 1 is not an object"),
    ],
)
def test_broken_shapes(tmp_path, one, message):
    with pytest.raises(AnnotationError, match=message):
        read(written(tmp_path / "a.json", one))
