"""Shapes and rows for write∘read properties of the JSON formats."""

from datetime import UTC, datetime

import shapely
from hypothesis import strategies as st

from curatome.annotations.formats.rows import imported
from curatome.annotations.model import ellipse_rectangle
from curatome.tables import ANNOTATIONS

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1)
NUMBER = st.one_of(
    st.integers(0, 99_999).map(float),
    st.integers(0, 9_999_999).map(lambda n: n / 100),
    st.floats(0, 1e5, allow_nan=False).map(lambda x: x if x > 1e-9 else 0.0),
)
SIDE = st.integers(1, 500).map(float)
PLACE = st.integers(1000, 50_000).map(float)


@st.composite
def boxes(draw):
    x, y = draw(PLACE), draw(PLACE)
    return shapely.box(x, y, x + draw(SIDE), y + draw(SIDE))


@st.composite
def holed(draw):
    x, y, side = draw(PLACE), draw(PLACE), draw(st.integers(20, 500))
    shell = [(x, y), (x + side, y + 1), (x + side + 2.25, y + side), (x, y + side - 0.1)]
    hole = [(x + 5, y + 5), (x + 9.5, y + 5.5), (x + 9, y + 10)]
    return shapely.Polygon(shell, [hole] if draw(st.booleans()) else [])


@st.composite
def several(draw):
    one = draw(holed())
    return shapely.MultiPolygon([one, shapely.transform(one, lambda points: points + 2000)])


SEVERAL = st.lists(TEXT, max_size=3, unique=True)
ONE = st.lists(TEXT, min_size=1, max_size=1)
POINTS = st.tuples(NUMBER, NUMBER)
SHAPES = {
    "point": POINTS.map(shapely.Point),
    "points": st.lists(POINTS, min_size=2, max_size=4, unique=True).map(shapely.MultiPoint),
    "line": st.lists(POINTS, min_size=2, max_size=5, unique=True).map(shapely.LineString),
    "box": boxes(),
    "circle": st.tuples(PLACE, PLACE, SIDE).map(lambda c: ellipse_rectangle(c[:2], (c[2], c[2]))),
    "ellipse": st.tuples(PLACE, PLACE, SIDE).map(
        lambda c: ellipse_rectangle(c[:2], (c[2], c[2] + 3))
    ),
    "polygon": holed(),
    "multipolygon": several(),
}


@st.composite
def rows(draw, kinds, labels=SEVERAL, image=None, **columns):
    """A row of one of the kinds, with something in most columns."""
    kind = draw(st.sampled_from(sorted(kinds)))
    values = {
        "labels": labels,
        "name": st.none() | TEXT,
        "reader": st.none() | TEXT,
        "guideline": st.none() | TEXT,
        "tool": st.none() | TEXT,
        "foreign": st.none() | TEXT,
        "read": st.integers(1, 3),
        "cannot_judge": st.booleans(),
        "confidence": st.none() | st.floats(0, 1),
        "time": st.none()
        | st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)).map(
            lambda time: time.replace(tzinfo=UTC)
        ),
        **columns,
    }
    drawn = {name: draw(one) for name, one in values.items()}
    return imported(kind, shapely.to_wkb(draw(SHAPES[kind])), image=image, **drawn)


def table(found):
    return ANNOTATIONS.from_rows(found)


def told(found, columns):
    """What is to come back of every row, by its id."""
    return {row["annotation"]: {name: row[name] for name in columns} for row in found.to_pylist()}


def without_holes(row):
    """Whether a row's shape has none."""
    parts = shapely.get_parts(shapely.from_wkb(row["geometry"]))
    return not shapely.get_num_interior_rings(parts).any()
