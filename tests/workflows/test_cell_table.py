"""Tables of cells: every way to write a shape, and every way to get it wrong."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.errors import TableError
from curatome.workflows.cell_table import read_shapes

TRIANGLE = shapely.Polygon([(1, 2), (9, 2), (1, 8.5)])


def csv(tmp_path, text):
    path = tmp_path / "cells.csv"
    path.write_bytes(text.encode())
    return path


def one(path):
    (row,) = read_shapes(path)
    return row


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f'slide,cell,geometry\ns,c,"{TRIANGLE.wkt}"\n', TRIANGLE),
        (f"\ufeffImage;ID;WKT\r\ns;c;{TRIANGLE.wkt}\r\n", TRIANGLE),
        (f"slide\tcell\tshape\ns\tc\t{TRIANGLE.wkb_hex}\n", TRIANGLE),
        ("slide,cell,x,y,w,h\ns,c,10,20.5,4,8\n", shapely.box(10, 20.5, 14, 28.5)),
        ("slide,cell,label,x,y\n s , c ,tumor,10,20.5\n", shapely.Point(10, 20.5)),
    ],
)
def test_ways_to_write_a_shape_in_csv(tmp_path, text, wanted):
    row = one(csv(tmp_path, text))
    assert (row.slide, row.cell, row.where) == ("s", "c", "cells.csv row 2")
    assert row.shape.equals(wanted)


@pytest.mark.parametrize("kind", ["wkb", "wkt", "geoparquet"])
def test_ways_to_write_a_shape_in_parquet(tmp_path, kind):
    path = tmp_path / "cells.parquet"
    name = {"wkb": "shape", "wkt": "geometry", "geoparquet": "Outline"}[kind]
    shape = TRIANGLE.wkt if kind == "wkt" else TRIANGLE.wkb
    table = pa.table({"slide": ["s"], "id": [7], name: [shape]})
    if kind == "geoparquet":
        about = {"version": "1.1.0", "primary_column": name, "columns": {name: {}}}
        table = table.replace_schema_metadata({"geo": json.dumps(about)})
    pq.write_table(table, path)
    row = one(path)
    assert (row.slide, row.cell, row.where) == ("s", "7", "cells.parquet row 1")
    assert row.shape.equals(TRIANGLE)


def test_rows_without_ids_are_counted_and_empty_ones_passed_over(tmp_path):
    rows = read_shapes(csv(tmp_path, "slide,x,y\na,1,2\n,,\n\nb,3,4\n"))
    assert [(row.slide, row.cell) for row in rows] == [("a", "2"), ("b", "5")]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ("x,2,3,4", 'x is no number, got "x"'),
        ("1,2,0,4", "w and h must be positive, got 0 and 4"),
        ("1,2,3,", 'h is no number, got ""'),
    ],
)
def test_a_row_that_is_no_box_says_why(tmp_path, values, why):
    row = one(csv(tmp_path, f"slide,cell,x,y,w,h\ns,c,{values}\n"))
    assert row.shape is None
    assert why in row.problem


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cells.csv row 1: the names of the columns are missing"),
        ("cell,x,y\nc,1,2\n", 'cells.csv has no column "slide". There are: cell, x, y.'),
        ("slide,cell\ns,c\n", 'neither "geometry" nor "x" and "y"'),
        ("slide,x,y,w\ns,1,2,3\n", 'only one of "w" and "h"'),
        ("slide,slide,x,y\ns,s,1,2\n", 'the column "slide" is there twice'),
        ("slide,cell,wkt\ns,c,POLYGON ((1 2, 9 2, 1 8, 1 2))\n", "row 2 has 6 cells, the header 3"),
        ("slide,x,y\n\xff", None),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, why):
    path = csv(tmp_path, text)
    if why is None:
        path.write_bytes(text.encode("latin-1"))
        why = "neither Parquet nor UTF-8 text"
    with pytest.raises(TableError, match=".*".join(why.split(" … "))):
        read_shapes(path)


def test_parquet_files_that_cannot_be_used(tmp_path):
    path = tmp_path / "cells.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(TableError, match=r"cells\.parquet cannot be read as Parquet"):
        read_shapes(path)
    pq.write_table(pa.table({"slide": ["s"], "geometry": [[1.0, 2.0]]}), path)
    with pytest.raises(TableError, match=r'"geometry" holds list.*, no WKB and no WKT'):
        read_shapes(path)
    with pytest.raises(TableError, match=r"none\.csv cannot be read: No such file"):
        read_shapes(tmp_path / "none.csv")


@given(
    st.lists(
        st.tuples(*[st.floats(-1e6, 1e6, allow_subnormal=False)] * 2, *[st.floats(0.01, 1e4)] * 2),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=25, deadline=None)
def test_boxes_and_their_outlines_are_the_same_shapes(tmp_path_factory, boxes):
    folder = tmp_path_factory.mktemp("boxes")
    as_boxes, as_wkb = folder / "boxes.csv", folder / "outlines.parquet"
    lines = [f"s,{x!r},{y!r},{w!r},{h!r}" for x, y, w, h in boxes]
    as_boxes.write_text("\n".join(["slide,x,y,w,h", *lines]))
    outlines = [shapely.box(x, y, x + w, y + h).wkb for x, y, w, h in boxes]
    pq.write_table(pa.table({"slide": ["s"] * len(boxes), "wkb": outlines}), as_wkb)
    for left, right in zip(read_shapes(as_boxes), read_shapes(as_wkb), strict=True):
        assert left.shape.wkb == right.shape.wkb
