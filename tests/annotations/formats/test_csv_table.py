"""CSV: names in many spellings, units, delimiters, and refusals by row."""

import pytest
import shapely

from curatome.annotations.formats import Frames, Options
from curatome.annotations.formats.csv_table import FORMAT
from curatome.errors import AnnotationError

from .exchange import FRAMES

GOOD = {
    "x,y\n5,6\n": ("point", (5, 6, 5, 6)),
    "Centroid X µm;Centroid Y µm;Class\n1,25;2,5;tumor\n": ("point", (5, 10, 5, 10)),
    "image\tx_um\ty_um\nslide\t1.25\t2.5\n": ("point", (5, 10, 5, 10)),
    "xmin|ymin|xmax|ymax|label\n1|2|3|4|a\n": ("box", (1, 2, 3, 4)),
    "x,y,width,height\n1,2,3,4\n": ("box", (1, 2, 4, 6)),
    "x_center,y_center,w,h\n10,10,4,2\n": ("box", (8, 9, 12, 11)),
    'id,WKT\n7,"POLYGON ((0 0, 9 0, 9 9, 0 0))"\n': ("polygon", (0, 0, 9, 9)),
}


def read(tmp_path, text, frames=FRAMES):
    path = tmp_path / "a.csv"
    path.write_text(text, "utf-8")
    return FORMAT.read(path, frames, Options())


@pytest.mark.parametrize("text", GOOD)
def test_spellings(text, tmp_path):
    assert FORMAT.recognize(tmp_path / "a.csv", text.encode())
    (one,) = read(tmp_path, text).table.to_pylist()
    kind, bounds = GOOD[text]
    assert one["kind"] == kind
    assert shapely.from_wkb(one["geometry"]).bounds == pytest.approx(bounds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", r"row 1: the header has no x and y"),
        ("x_um,y_px\n1,2\n", r"row 1: the header mixes px and µm"),
        ("x,y\n1,2\n1,ten\n", r"row 3: y must be a number"),
        ("x,y\n1,nan\n", r"row 2: y must be a number"),
        ("x,y\n1,2,3\n", r"row 2: it has 3 cells, and the header has 2"),
        ("x,y,score\n1,2,high\n", r'row 2: confidence cannot be "high"'),
        ("wkt\nPOLYGON ((0 0\n", r"row 2: the shape is no WKT"),
        ("x1,y1,x2,y2\n5,5,1,1\n", r"row 2: the box is empty or inside out"),
    ],
)
def test_bad_rows_are_named(text, message, tmp_path):
    with pytest.raises(AnnotationError, match=f"a.csv {message}"):
        read(tmp_path, text)


def test_micrometers_need_the_scale(tmp_path):
    with pytest.raises(AnnotationError, match=r"row 2: coordinates are in µm"):
        read(tmp_path, "x_um,y_um\n1,2\n", Frames())
    assert FORMAT.recognize(tmp_path / "a.csv", b"slide,scanner\n1,2") is None
