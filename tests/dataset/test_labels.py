"""Classes of tiles, worked out by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import shapely

from curatome.dataset.labels import labels_in, reference_of, shapes_of
from curatome.tables import ANNOTATIONS

TILES = np.array([[0, 0, 100, 100], [100, 0, 200, 100]], float)


def test_a_nucleus_belongs_to_the_tile_that_holds_half_of_it():
    shapes = np.array([shapely.box(90, 40, 108, 60), shapely.box(92, 40, 112, 60)])
    assert labels_in(TILES, shapes, [["a"], ["b"]]) == [["a"], ["b"]]


def test_a_region_labels_all_tiles_of_which_it_covers_a_quarter():
    shapes = np.array([shapely.box(-500, 0, 126, 100), shapely.box(0, 0, 30, 30)])
    assert labels_in(TILES, shapes, [["tumor"], ["x"]]) == [["tumor", "x"], ["tumor"]]
    less = np.array([shapely.box(-500, 0, 124, 100)])
    assert labels_in(TILES, less, [["tumor"]]) == [["tumor"], []]


def test_a_hole_is_not_covered():
    ring = shapely.box(-500, -500, 700, 700) - shapely.box(-1, -1, 101, 101)
    assert labels_in(TILES, np.array([ring]), [["tumor"]]) == [[], ["tumor"]]


def test_points_on_a_shared_edge_belong_to_one_tile():
    shapes = np.array([shapely.Point(100, 50), shapely.Point(0, 0), shapely.Point(200, 50)])
    assert labels_in(TILES, shapes, [["a"], ["b"], ["c"]]) == [["b"], ["a"]]


def test_several_labels_and_none():
    shapes = np.array([shapely.box(10, 10, 20, 20), shapely.box(30, 30, 40, 40)])
    assert labels_in(TILES, shapes, [["b", "a"], []]) == [["a", "b"], []]
    assert labels_in(TILES, np.empty(0, object), []) == [[], []]


def row(name: str, image: str, **more) -> dict:
    box = shapely.to_wkb(shapely.box(0, 0, 9, 9))
    common = {"kind": "box", "geometry": box, "labels": ["x"], "cannot_judge": False, "read": 1}
    common |= {"basis": "drawn", "parents": [], "properties": "{}"}
    return {"annotation": name, "image": image, **common, **more}


def test_what_was_adjudicated_replaces_the_reads_of_its_image_only():
    table = ANNOTATIONS.from_rows(
        [
            row("read", "S1"),
            row("decided", "S1", basis="adjudicated"),
            row("other", "S2"),
            row("proposed", "S2", basis="proposed"),
            row("unsure", "S2", cannot_judge=True),
        ]
    )
    assert reference_of(table)["annotation"].to_pylist() == ["decided", "other"]


def test_circles_and_masks_are_their_own_shape():
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.array([[True, False]])).save(stream, "PNG")
    square = shapely.to_wkb(shapely.box(0, 0, 10, 10))
    table = ANNOTATIONS.from_rows(
        [
            row("circle", "S", kind="circle", geometry=square),
            row("mask", "S", kind="mask", geometry=square, mask=stream.getvalue()),
            row("whole", "S", kind="whole", geometry=None),
        ]
    )
    shapes, labels = shapes_of(table)
    assert labels == [["x"], ["x"]]
    assert abs(shapes[0].area - 78.5) < 0.5
    assert shapes[1].equals(shapely.box(0, 0, 5, 10))
    assert isinstance(table, pa.Table)
