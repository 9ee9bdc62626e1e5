"""COCO: MIDOG++ against plain JSON, identity of write and read, pycocotools as a reader."""

import contextlib
import io
import json
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.annotations.formats import run_lengths
from curatome.annotations.formats.base import Frame, Frames, Options
from curatome.annotations.formats.coco import FORMAT, classes_of, votes
from curatome.annotations.masks import mask_pixels, mask_png
from curatome.errors import AnnotationError

from . import shapes

FRAME = Frame("s1", "s1.svs", 100_000, 100_000)
SMALL = Frame("s2", "s2.png", 60, 40)
KINDS = FORMAT.carries.kinds - {"mask"}


def read(path, options=None):
    return FORMAT.read(path, Frames([FRAME, SMALL]), options or Options())


def test_midog(data):
    path = data / "annotations" / "coco" / "MIDOG++.json"
    given_ = json.loads(path.read_text())
    reading = read(path)
    table = reading.table
    assert table.num_rows == len(given_["annotations"]) == 26_286
    labels = Counter(label for (label,) in table["labels"].to_pylist())
    assert sorted(labels.values()) == [11_937, 14_349]
    (doubt,) = reading.doubts
    assert (doubt.about, doubt.assumed, doubt.instead) == ("box", "x1y1x2y2", "xywh")
    boxes = np.array([one["bbox"] for one in given_["annotations"]], float)
    got = shapely.bounds(shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False)))
    assert np.array_equal(got, boxes)
    sizes = {one["file_name"]: (one["width"], one["height"]) for one in given_["images"]}
    size = np.array([sizes[name] for name in table["image"].to_pylist()])
    assert int(((got[:, :2] < 0) | (got[:, 2:] > size)).any(axis=1).sum()) == 274
    found = votes(table, classes_of(path)).to_pylist()
    assert len(found) == sum(len(one["labels"]) for one in given_["annotations"])
    by_item = {}
    for vote in found:
        by_item.setdefault(vote["item"], set()).add(vote["label"])
    assert sum(len(one) > 1 for one in by_item.values()) == 5_515


def test_the_user_settles_the_doubt(data):
    path = data / "annotations" / "coco" / "MIDOG++.json"
    assert read(path, Options(box="x1y1x2y2")).doubts == ()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        shapes.rows(KINDS, shapes.ONE, "s1").filter(shapes.without_holes),
        min_size=1,
        max_size=4,
    )
)
def test_write_and_read_is_the_identity(rows):
    table = shapes.table(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        assert FORMAT.write(table, path, Frames([FRAME]), {}) == []
        back = read(path, Options(box="xywh")).table
    columns = {"kind", "labels", *FORMAT.carries.columns}
    assert shapes.told(back, columns) == shapes.told(table, columns)
    for one, other in zip(back.to_pylist(), table.to_pylist(), strict=True):
        a, b = shapely.from_wkb(one["geometry"]), shapely.from_wkb(other["geometry"])
        assert shapely.equals_exact(a, b, FORMAT.carries.precision * 100)


MASK = np.array([[1, 0, 1], [1, 1, 1]], bool)


def exported(folder):
    rows = [
        shapes.imported("box", shapely.to_wkb(shapely.box(1, 2, 5, 9)), labels=["a"]),
        shapes.imported("polygon", shapely.to_wkb(shapely.Polygon([(0, 0), (8, 0), (8, 6)]))),
        shapes.imported(
            "mask", shapely.to_wkb(shapely.box(5, 6, 8, 8)), mask=mask_png(MASK), labels=["b"]
        ),
        shapes.imported("line", shapely.to_wkb(shapely.LineString([(0, 0), (1, 1)]))),
    ]
    table = shapes.table([row | {"image": "s2"} for row in rows])
    return table, FORMAT.write(table, folder / "a.json", Frames([SMALL]), {})


def test_pycocotools_reads_an_export(tmp_path):
    api = pytest.importorskip("pycocotools.coco")
    _, losses = exported(tmp_path)
    assert [loss.field for loss in losses] == ["labels", "geometry"]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = api.COCO(str(tmp_path / "a.json"))
    box, polygon, mask = coco.loadAnns(coco.getAnnIds())
    assert box["bbox"] == [1, 2, 4, 7]
    assert [coco.cats[one["category_id"]]["name"] for one in (box, mask)] == ["a", "b"]
    assert coco.annToMask(mask)[6:8, 5:8].tolist() == MASK.astype(int).tolist()
    assert (coco.annToMask(mask).sum(), mask["area"]) == (5, 5)
    assert polygon["area"] == 24
    assert abs(int(coco.annToMask(polygon).sum()) - 24) <= 6


def test_a_mask_comes_back(tmp_path):
    table, _ = exported(tmp_path)
    row = read(tmp_path / "a.json").table.to_pylist()[2]
    before = table.to_pylist()[2]
    assert (row["kind"], row["geometry"]) == ("mask", before["geometry"])
    assert np.array_equal(mask_pixels(row["mask"]), MASK)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.randoms(use_true_random=False))
def test_packed_run_lengths_are_those_of_pycocotools(height, width, random):
    masks = pytest.importorskip("pycocotools.mask")
    mask = np.array([[random.random() < 0.4 for _ in range(width)] for _ in range(height)])
    theirs = masks.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    assert run_lengths.packed(mask) == theirs
    assert np.array_equal(run_lengths.mask_of(theirs, (height, width)), mask)


def test_results_have_scores(tmp_path):
    path = tmp_path / "results.json"
    one = {"image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.25}
    path.write_text(json.dumps([one]))
    assert FORMAT.recognize(path, path.read_bytes()) == "an array of COCO results"
    (row,) = FORMAT.read(path, Frames(), Options(classes={2: "cell"})).table.to_pylist()
    assert (row["image"], row["labels"], row["confidence"]) == ("7", ["cell"], 0.25)
    assert shapely.from_wkb(row["geometry"]).bounds == (1, 2, 4, 6)


def test_keypoints_and_crowds(tmp_path):
    path = tmp_path / "a.json"
    common = {"image_id": 1, "category_id": 1}
    runs = {"size": [2, 3], "counts": [1, 2, 3]}
    value = {
        "images": [{"id": 1, "file_name": "s2.png", "width": 60, "height": 40}],
        "categories": [{"id": 1, "name": "eye"}],
        "annotations": [
            {**common, "id": 1, "keypoints": [3, 4, 2, 0, 0, 0, 5, 6, 1], "num_keypoints": 2},
            {**common, "id": 2, "segmentation": runs, "iscrowd": 1},
        ],
    }
    path.write_text(json.dumps(value))
    points, crowd = read(path).table.to_pylist()
    assert shapely.get_coordinates(shapely.from_wkb(points["geometry"])).tolist() == [
        [3, 4],
        [5, 6],
    ]
    assert mask_pixels(crowd["mask"]).tolist() == [[False, True], [True, False]]
    assert json.loads(crowd["properties"]) == {"iscrowd": 1}
    assert crowd["image"] == "s2"


@pytest.mark.parametrize(
    ("one", "message"),
    [
        ({"image_id": 9}, "annotation 5 is of image 9"),
        ({"category_id": 9}, "annotation 5 is of category 9"),
        ({"bbox": [1, 2, -3, 4]}, "ends before it begins"),
        ({"bbox": [1, 2]}, "neither a sound"),
        ({"segmentation": [[1, 2, 3]]}, "at least three points"),
        ({"segmentation": {"size": [2, 2], "counts": [9]}}, "add up to 9"),
    ],
)
def test_broken_annotations(tmp_path, one, message):
    path = tmp_path / "a.json"
    sound = {"id": 5, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    image = {"id": 1, "file_name": "x.png", "width": 9, "height": 9}
    value = {
        "images": [image],
        "categories": [{"id": 1, "name": "a"}],
        "annotations": [sound | one],
    }
    path.write_text(json.dumps(value))
    with pytest.raises(AnnotationError, match=message):
        read(path)
