"""Every finding has a shape that raises it and a like one that does not."""

import struct
import time

import numpy as np
import pytest
import shapely
from shapely import Point, Polygon, box

from curatome.annotations.check import problems
from curatome.annotations.formats.base import Frame, Frames
from tests.annotations.shapes import annotations

FRAMES = Frames([Frame("A", "a.svs", 1_000, 800)])
EIGHT = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
RING = [(10, 10), (60, 10), (60, 60), (10, 60)]


def raw_polygon(*points):
    """WKB of a polygon as a careless program writes it."""
    body = b"".join(struct.pack("<dd", *point) for point in points)
    return b"\x01" + struct.pack("<III", 3, 1, len(points)) + body


def codes(*rows, frames=FRAMES):
    return [(one.code, one.subject) for one in problems(annotations(*rows), frames)]


@pytest.mark.parametrize(
    ("code", "kind", "wrong", "right"),
    [
        ("SYN001", "polygon", Point(1, 1), Polygon(RING)),
        ("SYN001", "point", shapely.MultiPoint([(1, 1), (2, 2)]), Point(1, 1)),
        ("SYN001", "polygon", b"\x01\x03\x00", Polygon(RING)),
        ("SYN001", "polygon", Polygon(), Polygon(RING)),
        ("SYN002", "point", Point(3e7, 5), Point(300, 5)),
        ("SYN002", "polygon", raw_polygon((0, 0), (np.nan, 9), (9, 9), (0, 0)), Polygon(RING)),
        ("SYN002", "polygon", raw_polygon((0, 0), (np.inf, 9), (9, 9), (0, 0)), Polygon(RING)),
        ("SYN003", "polygon", raw_polygon(*RING), raw_polygon(*RING, RING[0])),
        ("SYN004", "polygon", EIGHT, Polygon(RING)),
        ("SYN005", "polygon", Polygon(RING, [[(70, 70), (70, 80), (80, 80)]]),
         Polygon(RING, [[(20, 20), (20, 30), (30, 30)]])),
        ("SYN006", "line", shapely.LineString([(5, 5), (5, 5)]),
         shapely.LineString([(5, 5), (6, 5)])),
        ("SYN006", "box", box(5, 5, 5, 9), box(5, 5, 8, 9)),
        ("SYN007", "box", box(2_000, 5, 2_010, 15), box(990, 790, 1_000, 800)),
        ("SYN007", "point", Point(-4, 5), Point(0, 5)),
        ("SYN008", "box", box(995, 5, 1_005, 15), box(990, 5, 1_000, 15)),
        ("SYN008", "circle", box(-5, 5, 5, 15), box(0, 5, 10, 15)),
        ("SYN009", "polygon", Polygon([(0, 0), (40, 0), (80, 0.1), (40, 0.2), (40, 40), (0, 40)]),
         Polygon([(0, 0), (40, 0), (80, 10), (40, 20), (40, 40), (0, 40)])),
        ("SYN010", "polygon", Polygon([(0, 0), (90, 0), (90, 0.3), (0, 0.3)]),
         Polygon([(0, 0), (90, 0), (90, 3), (0, 3)])),
        ("SYN011", "polygon", Polygon([*RING[:2], RING[1], *RING[2:]]), Polygon(RING)),
        ("SYN012", "polygon", Polygon(RING, [[(20, 20), (30, 20), (30, 30)]]),
         Polygon(RING, [[(20, 20), (30, 30), (30, 20)]])),
    ],
)  # fmt: skip
def test_each_finding_is_raised_by_the_wrong_and_not_by_the_right(code, kind, wrong, right):
    assert (code, "annotation a0") in codes((kind, wrong))
    assert codes((kind, right)) == []


def test_a_turned_ellipse_is_judged_by_itself_and_not_by_its_rectangle():
    square = shapely.affinity.rotate(box(0.5, 0.5, 100.5, 100.5), 45)
    moved = shapely.affinity.translate(square, 0, 0)
    assert shapely.bounds(moved)[0] < -15
    assert codes(("ellipse", moved)) == []


def test_the_place_is_where_it_is_wrong():
    (found,) = problems(annotations(("polygon", EIGHT)), FRAMES)
    assert (found.place.x, found.place.y) == (5.0, 5.0)
    assert found.message == "polygon crosses itself at (5.0, 5.0)."
    assert found.remedy


def test_unknown_images_are_not_judged_by_size():
    assert codes(("box", box(2_000, 5, 2_010, 15)), frames=None) == []


def test_labels_of_whole_images_have_no_shape_to_check():
    assert codes(("whole", None)) == []
    assert codes() == []


def test_exact_copies_are_found_wherever_the_ring_begins():
    again = Polygon([*RING[2:], *RING[:2]])
    turned = Polygon(RING[::-1])
    found = problems(
        annotations(
            ("polygon", Polygon(RING)),
            ("polygon", again, {"labels": ["stroma"]}),
            ("polygon", turned),
            ("polygon", Polygon(RING), {"reader": "bob"}),
            ("polygon", Polygon(RING), {"read": 2}),
            ("polygon", Polygon(RING), {"image": "B"}),
        ),
        FRAMES,
    )
    assert [(one.code, one.subject) for one in found] == [
        ("SYN013", "annotation a1"),
        ("SYN013", "annotation a2"),
    ]
    assert found[0].message.endswith("annotation a0, and is called stroma, not tumor.")
    assert found[1].message.endswith("annotation a0.")


def test_near_copies_are_found_from_95_percent_on():
    found = codes(
        ("polygon", box(100, 100, 200, 200)),
        ("polygon", box(101, 101, 201, 201)),  # 9801 of 10199 px, 0.961
        ("polygon", box(104, 104, 204, 204)),  # 0.854 and 0.889 of the others
        ("box", box(100, 100, 200, 200)),  # another kind
    )
    assert found == [("SYN014", "annotation a1")]


def test_planted_faults_among_many_are_found_and_no_others():
    rng = np.random.default_rng(5)
    corners = np.stack(np.meshgrid(np.arange(20), np.arange(16)), -1).reshape(-1, 2) * 50.0
    shapes = [Polygon(np.array(RING) * 0.5 + corner) for corner in corners]
    rows = [("polygon", shape) for shape in shapes]
    wrong = rng.choice(len(rows), 60, replace=False)
    for row in wrong[:30]:
        rows[row] = ("polygon", shapely.affinity.translate(EIGHT, *corners[row]))
    for row in wrong[30:]:
        points = np.insert(np.array(RING) * 0.5 + corners[row], 1, 0.5 * np.array(RING[0])
                           + corners[row], axis=0)  # fmt: skip
        rows[row] = ("polygon", Polygon(points))
    expected = [("SYN004", f"annotation a{row}") for row in sorted(wrong[:30])]
    expected += [("SYN011", f"annotation a{row}") for row in sorted(wrong[30:])]
    assert codes(*rows) == expected


@pytest.mark.acceptance
def test_a_million_shapes_are_checked_in_time():
    count = 1_000_000
    rng = np.random.default_rng(1)
    angles = np.linspace(0, 2 * np.pi, 23)
    # Neighbors may overlap, but no two are nearly the same.
    grid = np.stack(np.meshgrid(*[np.arange(1000)] * 2), -1).reshape(count, 1, 2)
    middle = 100 + 99.7 * grid + rng.uniform(0, 94, (count, 1, 2))
    rays = np.stack([np.cos(angles), np.sin(angles)], -1)
    wkb = shapely.to_wkb(shapely.polygons(middle + 12 * rays))
    table = annotations(("polygon", box(0, 0, 1, 1)))
    columns = {name: [table[name][0].as_py()] * count for name in table.column_names}
    columns |= {"geometry": wkb, "annotation": [str(number) for number in range(count)]}
    many = type(table).from_pydict(columns, schema=table.schema)
    start = time.process_time()
    assert problems(many, Frames([Frame("A", "a.svs", 100_000, 100_000)])) == []
    assert time.process_time() - start < 40  # processor time of all threads
