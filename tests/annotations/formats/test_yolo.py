"""YOLO: the formula by hand, names in every spelling, folders, and refusals by row."""

from dataclasses import replace

import pytest
import shapely

from curatome.annotations.formats import Frames, Options
from curatome.annotations.formats.yolo import FORMAT
from curatome.errors import AnnotationError

from .exchange import FRAME, exchange, row, table

TWO = Frames([replace(FRAME, width=200, height=100), replace(FRAME, image="b", name="b.png")])
NAMES = ["names: [tumor, 'not tumor']", "names: {0: tumor, 1: not tumor}",
         "names:\n  0: tumor\n  1: \"not tumor\"", "names:\n- tumor\n- not tumor",
         "nc: 2\nnames:\n  - tumor\n  - 'not tumor'\nval: x"]  # fmt: skip


@pytest.mark.parametrize("names", NAMES)
def test_a_folder_with_names(names, tmp_path):
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "data.yaml").write_text(names)
    (tmp_path / "labels" / "train" / "slide.txt").write_text(
        "0 0.5 0.5 0.2 0.4\n\n1 0.1 0.1 0.2 0.1 0.2 0.3\n0 0.5 0.5 0.2 0.4 0.75\n"
    )
    assert "1 files" in FORMAT.recognize(tmp_path, b"")
    reading = FORMAT.read(tmp_path, TWO, Options())
    box, polygon, guess = reading.table.to_pylist()
    assert shapely.from_wkb(box["geometry"]).bounds == pytest.approx((80, 30, 120, 70))
    assert shapely.from_wkb(polygon["geometry"]).area == pytest.approx(200)
    assert [one["labels"] for one in (box, polygon)] == [["tumor"], ["not tumor"]]
    assert (guess["confidence"], guess["image"]) == (0.75, FRAME.image)


def test_what_is_written_comes_back(tmp_path):
    before = table(
        row(1, "box", shapely.box(1, 2, 33, 44), ["it's"]),
        row(2, "polygon", shapely.Polygon([(0, 0), (9, 1), (5, 7)]), ["b: c"], image="b"),
        row(3, "point", shapely.Point(1, 2)),
        row(4, "box", shapely.box(1, 2, 3, 4), []),
        row(5, "box", shapely.box(1, 2, 3, 4), ["x"], reader="joe"),
    )
    losses, reading = exchange(FORMAT, before, tmp_path / "set", TWO)
    assert {(x.annotation[-1], x.field) for x in losses if x.field != "annotation"} == {
        ("3", "geometry"), ("4", "geometry"), ("5", "reader"),
    }  # fmt: skip
    back = {one["labels"][0]: one for one in reading.table.to_pylist()}
    assert set(back) == {"it's", "b: c", "x"}
    assert back["b: c"]["image"] == "b"
    for label, one in (("it's", 0), ("b: c", 1), ("x", 4)):
        wanted = shapely.from_wkb(before.column("geometry")[one].as_py()).normalize()
        found = shapely.from_wkb(back[label]["geometry"]).normalize()
        assert found.equals_exact(wanted, 1e-6)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tumor 0.1 0.1 0.1 0.1", "the class must be a whole number"),
        ("0 0.1 0.1", "2 numbers are neither a box"),
        ("0 0.1 0.1 nan 0.1", "must be a number"),
        ("0 0.1 0.1 0 0.1", "no width or height"),
        ("7 0.1 0.1 0.1 0.1", "there is no class 7"),
    ],
)
def test_bad_rows_are_named(line, message, tmp_path):
    path = tmp_path / "slide.txt"
    path.write_text(f"0 0.5 0.5 0.1 0.1\n{line}\n")
    with pytest.raises(AnnotationError, match=f"slide.txt row 2: .*{message}"):
        FORMAT.read(path, TWO, Options(classes={0: "tumor"}))


def test_without_the_size_nothing_is_guessed(tmp_path):
    path = tmp_path / "unknown.txt"
    path.write_text("0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(AnnotationError, match="need its size"):
        FORMAT.read(path, Frames(), Options())
