"""What shapes become on items: overlaps, several readers, masks, several labels."""

import json

import numpy as np
import pytest
import shapely
from PIL import Image

from curatome.annotations.masks import mask_png
from curatome.tables import ANNOTATIONS
from tests.dataset.export.made import SIDE, about, annotation, make, write

STEPS = np.array([[1, 0, 1, 1], [0, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]], bool)


def _version(folder, *rows):
    return make(folder / "p", annotations=ANNOTATIONS.from_rows(list(rows)))


def _mask(folder, item="aa_M_0_0"):
    return np.asarray(Image.open(folder / f"train/masks/{item}.png"))


def test_the_smaller_of_two_shapes_keeps_the_pixels(tmp_path):
    version = _version(
        tmp_path,
        annotation("small", "box", shapely.box(32, 32, 64, 64), ["tumor"]),
        annotation("large", "box", shapely.box(0, 0, 100, 100), ["stroma"]),
        annotation("alike", "box", shapely.box(90, 90, 104, 104), ["stroma"]),
    )
    losses = write(version, "masks-png", tmp_path / "out", scales=("M",), splits=("train",))
    wanted = np.zeros((SIDE, SIDE), np.uint8)
    wanted[:50, :50] = 2
    wanted[45:52, 45:52] = 2
    wanted[16:32, 16:32] = 1
    assert (_mask(tmp_path / "out") == wanted).all()
    assert about(losses, "geometry") == {"small"}


def test_what_was_adjudicated_stands_for_the_readers(tmp_path):
    drawn = [
        annotation("a", "box", shapely.box(0, 0, 32, 32), ["tumor"]),
        annotation("b", "box", shapely.box(2, 2, 34, 34), ["tumor"], reader="ben"),
    ]
    version = _version(tmp_path, *drawn)
    losses = write(version, "coco", tmp_path / "out", scales=("M",))
    assert about(losses, "reader") == {"aa"}
    agreed = annotation("c", "box", shapely.box(0, 0, 40, 40), ["tumor"], basis="adjudicated")
    version = _version(tmp_path / "other", *drawn, agreed)
    losses = write(version, "coco", tmp_path / "one", scales=("M",))
    assert not losses
    said = json.loads((tmp_path / "one/annotations/train.json").read_text())
    assert [one["annotation"] for one in said["annotations"] if not one["iscrowd"]] == ["c"]


def test_masks_are_run_lengths_that_keep_their_pixels(tmp_path):
    tool = pytest.importorskip("pycocotools.coco")
    mask = mask_png(np.kron(STEPS, np.ones((4, 4), bool)))  # 16 px of the slide, 8 of the item
    version = _version(
        tmp_path, annotation("m", "mask", shapely.box(8, 16, 24, 32), ["tumor"], mask=mask)
    )
    write(version, "coco", tmp_path / "out", scales=("M",))
    found = tool.COCO(str(tmp_path / "out/annotations/train.json"))
    (one,) = [a for a in found.dataset["annotations"] if not a["iscrowd"]]
    wanted = np.zeros((SIDE, SIDE), np.uint8)
    wanted[8:16, 4:12] = np.kron(STEPS, np.ones((2, 2), np.uint8))
    assert (found.annToMask(one) == wanted).all()
    assert one["area"] == 4 * STEPS.sum()


def test_a_circle_is_round_and_two_labels_become_one(tmp_path):
    version = _version(
        tmp_path, annotation("o", "circle", shapely.box(24, 24, 104, 104), ["stroma", "tumor"])
    )
    losses = write(version, "masks-png", tmp_path / "out", scales=("M",), splits=("train",))
    mask = _mask(tmp_path / "out")
    assert set(np.unique(mask)) == {0, 2}
    assert (mask == 2).sum() == pytest.approx(np.pi * 20**2, rel=0.01)
    assert "o" in about(losses, "labels")


def test_a_point_on_the_edge_lies_on_one_item(tmp_path):
    version = _version(tmp_path, annotation("p", "point", shapely.Point(128, 64), ["mitosis"]))
    write(version, "coco", tmp_path / "out", scales=("M",))
    said = json.loads((tmp_path / "out/annotations/train.json").read_text())
    points = [one for one in said["annotations"] if "keypoints" in one]
    assert [one["keypoints"] for one in points] == [[0, 32, 2]]
    names = {one["id"]: one["file_name"] for one in said["images"]}
    assert names[points[0]["image_id"]].startswith("aa_M_64_0.")
