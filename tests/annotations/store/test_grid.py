"""The grid finds what a search through all shapes finds."""

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from curatome.annotations.store import open_annotations
from curatome.annotations.store.grid import LEVELS, cells, level_range, spanned
from tests.annotations.store.made import ANNA, row, table

EDGE = st.one_of(
    st.floats(-300, 300), st.integers(-8, 8).map(lambda n: n * 64.0), st.floats(-(2.0**31), 2.0**31)
)
BOX = st.tuples(EDGE, EDGE, EDGE, EDGE).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)


@given(st.lists(BOX, min_size=1, max_size=8), BOX)
def test_every_shape_that_meets_a_box_lies_in_a_cell_that_is_searched(shapes, box):
    found = cells(np.array(shapes, float))
    for shape, cell in zip(shapes, found.tolist(), strict=True):
        level = cell >> 56
        first, last = level_range(level)
        assert 0 <= level < LEVELS
        assert first <= cell <= last
        meets = (
            shape[0] <= box[2] and shape[2] >= box[0] and shape[1] <= box[3] and shape[3] >= box[1]
        )
        if meets:
            same = found[(found >> 56) == level]
            span = spanned(box, level, (int(same.min()), int(same.max())))
            assert span is not None
            assert span.start <= cell <= span.last + span.width
            assert (cell - span.start) % span.step <= span.width


def test_a_view_gives_what_a_search_through_all_shapes_gives(where):
    draw = np.random.default_rng(5)
    count = 3000
    size = np.exp(draw.uniform(0, 9, (count, 2)))
    corner = draw.uniform(-2000, 30_000, (count, 2))
    edges = np.hstack([corner, corner + size])
    rows = [
        row(n, image=f"s{n % 3}", geometry=shapely.to_wkb(shapely.box(*edges[n])))
        for n in range(count)
    ]
    images = np.arange(count) % 3
    with open_annotations(where) as store:
        store.import_table(table(rows), ANNA)
        for image in range(3):
            for _ in range(15):
                left, top = draw.uniform(-3000, 30_000, 2)
                right, bottom = np.array([left, top]) + np.exp(draw.uniform(0, 10, 2))
                view = store.current(f"s{image}", (left, top, right, bottom))
                meets = (
                    (images == image)
                    & (edges[:, 0] <= right) & (edges[:, 2] >= left)
                    & (edges[:, 1] <= bottom) & (edges[:, 3] >= top)
                )  # fmt: skip
                expected = {rows[n]["annotation"] for n in np.flatnonzero(meets)}
                assert set(view["annotation"].to_pylist()) == expected
                assert len(view) == len(expected)
