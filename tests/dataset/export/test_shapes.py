"""Formats of shapes: coordinates, pixels, and what was not searched. See `made` for the numbers."""

import csv
import json

import numpy as np
import pytest
import shapely
import tifffile
import yaml
from PIL import Image

from curatome.annotations.formats import Frame, Frames, Options, format_named
from curatome.errors import VersionError
from tests.dataset.export.made import CLASSES, SIDE, about, truth, write

TUMOR, STROMA, MITOSIS = 1, 2, 3
UNSEARCHED = {"aa_M_64_0", "aa_M_64_64"} | {
    f"{s}_M_{x}_{y}" for s in ("bb", "cc") for x in (0, 64) for y in (0, 64)
}


def _square(left, top, right, bottom, value=1):
    found = np.zeros((SIDE, SIDE), np.uint8)
    found[top:bottom, left:right] = value
    return found


STROMA_IN_0 = _square(50, 10, 64, 40) - _square(55, 15, 60, 20)


@pytest.fixture(scope="module")
def coco(version, tmp_path_factory):
    """The folder, and the losses."""
    out = tmp_path_factory.mktemp("coco") / "out"
    return out, write(version, "coco", out, scales=("M",))


def _loaded(folder, split="train"):
    tool = pytest.importorskip("pycocotools.coco")
    found = tool.COCO(str(folder / f"annotations/{split}.json"))
    images = {one["file_name"].split(".")[0]: one["id"] for one in found.dataset["images"]}
    return found, images


def _of(found, image, crowd):
    chosen = found.loadAnns(found.getAnnIds(imgIds=[image], iscrowd=crowd))
    return {one["category_id"]: one for one in chosen}


def test_coco_holds_shapes_in_the_pixels_of_the_item(version, coco):
    found, images = _loaded(coco[0])
    assert {one["id"]: one["name"] for one in found.dataset["categories"]} == dict(
        enumerate(CLASSES, start=1)
    )
    here = _of(found, images["aa_M_0_0"], crowd=False)
    assert set(here) == {TUMOR, STROMA}
    assert here[TUMOR]["bbox"] == [16, 16, 32, 32]
    assert here[TUMOR]["area"] == 1024
    assert (found.annToMask(here[TUMOR]) == _square(16, 16, 48, 48)).all()
    assert (here[TUMOR]["annotation"], here[TUMOR]["truncated"]) == ("tumor-1", False)
    assert (found.annToMask(here[STROMA]) == STROMA_IN_0).all()
    assert here[STROMA]["area"] == 14 * 30 - 25
    assert here[STROMA]["bbox"] == [50, 10, 14, 30]
    right = _of(found, images["aa_M_64_0"], crowd=False)
    assert set(right) == {STROMA}
    assert (found.annToMask(right[STROMA]) == _square(0, 10, 16, 40)).all()
    assert right[STROMA]["truncated"] is True
    point = _of(found, images["aa_M_64_64"], crowd=False)[MITOSIS]
    assert point["keypoints"] == [36, 36, 2]
    image = np.asarray(Image.open(coco[0] / "train/aa_M_0_0.png"))
    assert (image == truth(version)["aa_M_0_0"]).all()


def test_coco_covers_with_crowds_what_was_not_searched(coco):
    found, images = _loaded(coco[0])
    for searched in ("aa_M_0_0", "aa_M_0_64"):
        assert not _of(found, images[searched], crowd=True)
    right = found.loadAnns(found.getAnnIds(imgIds=[images["aa_M_64_0"]], iscrowd=True))
    masks = [(one["category_id"], found.annToMask(one)) for one in right]
    assert sorted(key for key, mask in masks if mask.all()) == [TUMOR, STROMA, MITOSIS]
    unsure = [(key, mask) for key, mask in masks if not mask.all()]
    assert len(unsure) == 1
    assert unsure[0][0] == TUMOR
    assert (unsure[0][1] == _square(6, 50, 16, 60)).all()
    found, images = _loaded(coco[0], "val")
    for image in images.values():
        assert set(_of(found, image, crowd=True)) == {STROMA, MITOSIS}
    regions = found.dataset["curatome"]["exhaustive"]
    assert {one["image"].split(".")[0] for one in regions} == set(images)
    assert all(one["classes"] == ["tumor"] for one in regions)


def test_pycocotools_counts_no_false_hit_where_nobody_looked(coco):
    tool = pytest.importorskip("pycocotools.cocoeval")
    found, images = _loaded(coco[0])

    def precision(place):
        hit = {"image_id": images["aa_M_0_0"], "category_id": TUMOR, "score": 0.5}
        false = {"image_id": images[place], "category_id": TUMOR, "score": 0.9}
        said = [hit | {"bbox": [16, 16, 32, 32]}, false | {"bbox": [2, 2, 20, 20]}]
        judge = tool.COCOeval(found, found.loadRes(said), "bbox")
        judge.params.catIds = [TUMOR]
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
        return judge.stats[0]

    assert precision("aa_M_64_64") == pytest.approx(1)  # not searched
    assert precision("aa_M_0_64") == pytest.approx(0.5)  # searched, and there is none


def test_coco_names_what_it_cannot_hold(coco):
    assert about(coco[1], "geometry") == {"line-1", "whole-1"}
    assert {field for _, field, _ in coco[1]} == {"geometry"}


def test_our_own_reader_takes_the_regions_back(coco):
    names = [one.name for one in (coco[0] / "train").iterdir()]
    frames = Frames([Frame(name, name, SIDE, SIDE) for name in names])
    read = format_named("coco").read(coco[0] / "annotations/train.json", frames, Options())
    assert [set(one["classes"]) for one in read.regions] == [set(CLASSES)] * 2
    assert {one["image"] for one in read.regions} == {"aa_M_0_0.png", "aa_M_0_64.png"}
    shapes = [shapely.from_wkb(one["geometry"]) for one in read.regions]
    assert all(one.equals(shapely.box(0, 0, SIDE, SIDE)) for one in shapes)


@pytest.mark.parametrize("name", ["masks-png", "masks-ome"])
def test_masks_are_void_where_nobody_looked(version, tmp_path, name):
    out = tmp_path / "out"
    losses = write(version, name, out, scales=("M",))

    def mask(place):
        if name == "masks-png":
            return np.asarray(Image.open(out / f"{place}.png"))
        with tifffile.TiffFile(out / f"{place}.ome.tif") as file:
            assert 'PhysicalSizeX="0.5"' in file.ome_metadata
            return file.asarray()

    wanted = TUMOR * _square(16, 16, 48, 48) + STROMA * STROMA_IN_0
    assert (mask("train/masks/aa_M_0_0") == wanted).all()
    beyond = np.where(_square(0, 10, 16, 40), STROMA, 255)
    assert (mask("train/masks/aa_M_64_0") == beyond).all()
    assert (mask("train/masks/aa_M_0_64") == 0).all()
    for place in ("train/masks/aa_M_64_64", "val/masks/bb_M_0_0", "test/masks/cc_M_0_0"):
        assert (mask(place) == 255).all()
    with (out / "classes.csv").open() as stream:
        table = {int(row["value"]): row["class"] for row in csv.DictReader(stream)}
    assert table == {0: "background", 1: "tumor", 2: "stroma", 3: "mitosis", 255: "unknown"}
    assert about(losses, "geometry") == {"line-1", "whole-1", "mitosis-1"}
    assert about(losses, "labels") == {"bb_M_0_0", "aa_M_64_0"}  # labels without a shape there
    assert (out / "val/images/bb_M_0_0.png").exists()


def test_masks_of_a_class_that_was_searched_for_have_background(version, tmp_path):
    write(version, "masks-png", tmp_path / "out", scales=("M",), classes=("tumor",))
    assert (np.asarray(Image.open(tmp_path / "out/val/masks/bb_M_64_0.png")) == 0).all()
    unsure = np.asarray(Image.open(tmp_path / "out/train/masks/aa_M_64_0.png"))
    assert (unsure == 255).all()


def test_yolo_has_boxes_and_names_what_was_not_searched(version, tmp_path):
    out = tmp_path / "out"
    losses = write(version, "yolo", out, scales=("M",))
    about_it = yaml.safe_load((out / "data.yaml").read_text())
    assert about_it["names"] == dict(enumerate(CLASSES))
    lines = (out / "labels/train/aa_M_0_0.txt").read_text().splitlines()
    numbers = [[float(word) for word in line.split()] for line in lines]
    assert numbers == [
        [0, 0.5, 0.5, 0.5, 0.5],
        [1, 57 / 64, 25 / 64, 14 / 64, 30 / 64],
    ]
    for split in ("train", "val", "test"):
        images = sorted(one.stem for one in (out / about_it[split]).iterdir())
        assert images == sorted(one.stem for one in (out / f"labels/{split}").iterdir())
        assert len(images) == 4
    assert about(losses, "exhaustive") == UNSEARCHED
    assert about(losses, "geometry") == {"line-1", "whole-1", "mitosis-1", "tumor-1", "stroma-1"}


@pytest.mark.parametrize("name", ["dicom-seg", "dicom-ann"])
def test_dicom_holds_the_shapes_of_each_slide_by_split(version, tmp_path, name):
    losses = write(version, name, tmp_path / "out")
    files = [one.relative_to(tmp_path / "out") for one in (tmp_path / "out").rglob("*.dcm")]
    assert [str(one) for one in files] == ["train/aa.dcm"]
    frames = Frames([Frame("aa", "aa.svs", 256, 256, 0.25, 0.25)])
    reader = format_named(name.replace("-", "_"))
    read = reader.read(tmp_path / "out/train/aa.dcm", frames, Options()).table.to_pylist()
    found = {one["labels"][0] for one in read}
    assert found == ({"tumor", "stroma"} if name == "dicom-seg" else set(CLASSES))
    assert about(losses, "exhaustive") == {"r1", "r2"}
    assert about(losses, "image") == {"train", "val", "test"}


def test_formats_of_shapes_need_something_to_hold(version, tmp_path):
    with pytest.raises(VersionError, match="no slide of these items has a shape"):
        write(version, "dicom-seg", tmp_path / "out", splits=("test",))
    assert not (tmp_path / "out").exists()


def test_an_annotation_that_no_item_shows_is_named(version, tmp_path):
    losses = write(version, "coco", tmp_path / "out", scales=("S",))
    told = {subject: reason for subject, _, reason in losses}
    assert told["mitosis-1"] == "no exported item shows it."
    assert json.loads((tmp_path / "out/annotations/train.json").read_text())["images"]
