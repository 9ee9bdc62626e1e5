"""EXACT: all exports of the EIPH study against a reading by split, and identity."""

import tempfile
from pathlib import Path

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.annotations.formats.base import Frame, Frames, Options
from curatome.annotations.formats.exact import FORMAT
from curatome.errors import AnnotationError

from . import shapes

ROW = (
    'a.png|2|{"x1": "243","y1": "147","x2": "256","y2": "175",}|ann|2020-01-11 15:55:06.370021|'
    "ben|2020-01-12 10:28:31|8612d5e1-cfa3-4cba-9185-3fef73606b49|False|256|256"
)


def read(path, options=None):
    return FORMAT.read(path, Frames(), options or Options())


def test_every_export(data):
    paths = sorted((data / "annotations" / "exact" / "EIPH").rglob("*.txt"))
    assert len(paths) == 29
    for path in paths:
        lines = [line for line in path.read_text().splitlines() if line]
        wholes = [line for line in lines if line.startswith("[")]
        boxes = [line.split("|") for line in lines if not line.startswith("[")]
        assert FORMAT.recognize(path, path.read_bytes()), path
        found = read(path).table.to_pylist()
        assert len(found) == len(lines)
        assert sum(row["kind"] == "whole" for row in found) == len(wholes)
        rows = [row for row in found if row["kind"] == "box"]
        assert [(r["annotation"], r["labels"][0], r["reader"]) for r in rows] == [
            (fields[7], fields[1], fields[5]) for fields in boxes
        ]
        numbers = [[float(part) for part in fields[2].split('"')[3::4]] for fields in boxes]
        assert [list(shapely.from_wkb(r["geometry"]).bounds) for r in rows] == numbers


KEPT = dict.fromkeys(["name", "guideline", "tool", "foreign", "confidence"], st.none()) | {
    "read": st.just(1),
    "cannot_judge": st.just(False),
    "reader": st.none() | st.sampled_from(["ann", "ben"]),
    "labels": st.lists(st.sampled_from(["a", "b c", "3"]), min_size=1, max_size=1),
}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        shapes.rows({"point", "box", "polygon"}, image="s1.png", **KEPT).filter(
            shapes.without_holes
        ),
        min_size=1,
        max_size=4,
    )
)
def test_write_and_read_is_the_identity(rows):
    table = shapes.table(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.txt"
        assert FORMAT.write(table, path, Frames([Frame("s1.png", "s1.png", 9, 9)]), {}) == []
        back = read(path).table
    columns = {"kind", "labels", "geometry", *FORMAT.carries.columns}
    assert shapes.told(back, columns) == shapes.told(table, columns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROW + "\n" + ROW, "line 2: .* second time"),
        (ROW.replace("|False", ""), "line 1 has 10 fields"),
        (ROW.replace('"x2"', '"x3"'), "lacks a coordinate"),
        (ROW.replace("256", "NaN", 1), "not a vector"),
        (ROW.replace("243", "999"), "ends before"),
        (ROW.replace("2020-01-12", "yesterday"), "not a time"),
        (ROW.replace("8612d5e1", "x"), "not the id"),
        ("[a.png|ann]", "line 1 is not"),
    ],
)
def test_broken_rows(tmp_path, text, message):
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(AnnotationError, match=message):
        read(path)


def test_classes_by_number(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(ROW)
    (row,) = read(path, Options(classes={2: "grade 2"})).table.to_pylist()
    assert (row["labels"], row["reader"], row["image"]) == (["grade 2"], "ben", "a.png")
