"""Label Studio: regions in percent, brushes, choices, several annotators; identity."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.annotations.formats.base import Frame, Frames, Options
from curatome.annotations.formats.labelstudio import FORMAT
from curatome.annotations.formats.run_lengths import packed_bytes, unpacked_bytes
from curatome.annotations.masks import mask_pixels, mask_png
from curatome.annotations.model import outline
from curatome.errors import AnnotationError

from . import shapes

FRAME = Frame("s1", "s1.png", 100_000, 80_000)
SMALL = Frame("s2", "s2.png", 60, 40)
MASK = np.array([[1, 0, 1], [1, 1, 1]], bool)


def region(identity, way, **value):
    return {
        "id": identity,
        "type": way,
        "from_name": "label",
        "to_name": "image",
        "original_width": 200,
        "original_height": 100,
        "value": value,
    }


def written(path, *annotations, **task):
    value = [{"id": 1, "data": {"image": "/data/upload/3/0a1b2c3d-s2.png"}, **task}]
    value[0]["annotations"] = list(annotations)
    path.write_text(json.dumps(value))
    return path


def read(path):
    return FORMAT.read(path, Frames([SMALL, FRAME]), Options())


def test_regions_are_in_percent(tmp_path):
    given_ = [
        region("a", "rectanglelabels", x=10, y=20, width=30, height=40, rectanglelabels=["t"]),
        region("b", "ellipselabels", x=50, y=50, radiusX=10, radiusY=10, rotation=0),
        region("c", "keypointlabels", x=25, y=50, width=1, keypointlabels=["k", "m"]),
        region("d", "polygonlabels", points=[[0, 0], [50, 0], [50, 50]], polygonlabels=["p"]),
        region("e", "rectangle", x=50, y=50, width=10, height=10, rotation=90),
        region("e", "labels", x=50, y=50, width=10, height=10, rotation=90, labels=["q"]),
    ]
    path = written(
        tmp_path / "a.json",
        {"completed_by": {"email": "ann@x.org"}, "created_at": "2024-05-06T07:08:09.5Z"}
        | {"result": given_},
        {"completed_by": 2, "result": given_[:1]},
        {"completed_by": 3, "was_cancelled": True, "result": given_},
        predictions=[{"model_version": "m1", "score": 0.5, "result": given_[:1]}],
    )
    assert FORMAT.recognize(path, path.read_bytes())
    found = read(path).table.to_pylist()
    assert [row["reader"] for row in found] == ["ann@x.org"] * 5 + ["2", "m1"]
    assert [row["basis"] for row in found[-2:]] == ["imported", "proposed"]
    assert {row["image"] for row in found} == {"s2"}
    box, ellipse, point, polygon, turned = map(shapely.from_wkb, [r["geometry"] for r in found[:5]])
    assert box.bounds == (20, 20, 80, 60)
    assert (found[1]["kind"], ellipse.bounds) == ("ellipse", (80, 40, 120, 60))
    assert (point.x, point.y, found[2]["labels"]) == (50, 50, ["k", "m"])
    assert polygon.area == 2500
    # 20 × 10 px about (100, 50), a quarter clockwise: to the left and down.
    assert np.allclose(turned.bounds, (90, 50, 100, 70))
    assert found[4]["labels"] == ["q"]
    assert found[0]["time"].isoformat().startswith("2024-05-06T07:08:09.5")


def test_choices_are_labels_of_the_whole_image(tmp_path):
    choice = {"id": "x", "type": "choices", "from_name": "c", "value": {"choices": ["blurred"]}}
    (row,) = read(written(tmp_path / "a.json", {"result": [choice]})).table.to_pylist()
    assert (row["kind"], row["geometry"], row["labels"]) == ("whole", None, ["blurred"])


def test_rle_pack_as_its_documentation_decodes():
    # 16 values: head of 32 bits, word 8, sizes 3, 4, 8, 16, then a run of ten 7s and six values.
    bits = f"{16:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    bits += f"1{'01'}{9:04b}{7:08b}" + f"0{'00'}{5:03b}" + "".join(f"{v:08b}" for v in range(6))
    packed = np.packbits([int(bit) for bit in bits]).tolist()
    assert unpacked_bytes(packed).tolist() == [7] * 10 + [0, 1, 2, 3, 4, 5]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 255), st.sampled_from([1, 2, 9, 257, 65_536, 65_537])),
        min_size=1,
        max_size=4,
    )
)
def test_rle_pack_is_the_identity(runs):
    values = np.concatenate([np.full(count, value, np.uint8) for value, count in runs])
    assert np.array_equal(unpacked_bytes(packed_bytes(values)), values)


def test_a_brush_comes_back(tmp_path):
    box = shapely.to_wkb(shapely.box(5, 6, 8, 8))
    row = shapes.imported("mask", box, mask=mask_png(MASK), labels=["a"], image="s2")
    assert FORMAT.write(shapes.table([row]), tmp_path / "a.json", Frames([SMALL]), {}) == []
    (back,) = read(tmp_path / "a.json").table.to_pylist()
    assert (back["kind"], back["geometry"], back["labels"]) == ("mask", box, ["a"])
    assert np.array_equal(mask_pixels(back["mask"]), MASK)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        shapes.rows(FORMAT.carries.kinds - {"mask", "whole"}, image="s1").filter(
            shapes.without_holes
        ),
        min_size=1,
        max_size=4,
    )
)
def test_write_and_read_is_the_identity(rows):
    table = shapes.table(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        assert FORMAT.write(table, path, Frames([FRAME]), {}) == []
        back = read(path).table
    columns = {"kind", "labels", *FORMAT.carries.columns}
    assert shapes.told(back, columns) == shapes.told(table, columns)
    before = {row["annotation"]: row for row in rows}
    for one in back.to_pylist():
        kind, wkb = one["kind"], before[one["annotation"]]["geometry"]
        a, b = shapely.from_wkb(one["geometry"]), shapely.from_wkb(wkb)
        assert shapely.hausdorff_distance(outline(kind, a), outline(kind, b)) < 1e-6


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (region("a", "brushlabels", rle=[1, 2], format="rle"), "task 1"),
        (region("a", "polygonlabels", points=[[1, 2]]), "task 1"),
        (region("a", "keypointlabels", x="left", y=3), "task 1"),
        (region("a", "rectangle", x=1, y=2, width=3, height=4) | {"original_width": 0}, "positive"),
    ],
)
def test_broken_regions(tmp_path, one, message):
    with pytest.raises(AnnotationError, match=message):
        read(written(tmp_path / "a.json", {"result": [one]}))


def test_without_the_size_nothing_is_written(tmp_path):
    table = shapes.table([shapes.imported("point", shapely.to_wkb(shapely.Point(1, 2)), image="z")])
    with pytest.raises(AnnotationError, match="size of image z"):
        FORMAT.write(table, tmp_path / "a.json", Frames(), {})
