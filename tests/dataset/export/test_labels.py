"""Formats of labels, read by the tools they are for."""

import csv
import json
import os
import tarfile

import numpy as np
import pytest
from PIL import Image

from curatome.dataset.export import all_exports, export_named
from curatome.dataset.export.base import file_stem
from curatome.errors import VersionError
from tests.dataset.export.made import CLASSES, LABELS, SPLITS, about, truth, write

ITEMS = {
    "train": ["aa_M_0_0", "aa_M_64_0", "aa_M_0_64", "aa_M_64_64"],
    "val": ["bb_M_0_0", "bb_M_64_0", "bb_M_0_64", "bb_M_64_64"],
    "test": ["cc_M_0_0", "cc_M_64_0", "cc_M_0_64", "cc_M_64_64"],
}
LABELS_OF = {
    item: set(labels)
    for slide, split in SPLITS.items()
    for item, labels in zip(ITEMS[split], LABELS.get(slide, ((),) * 4), strict=True)
}
KNOWN_OF = {item: {"tumor"} for item in ITEMS["val"]} | {item: set() for item in ITEMS["test"]}
KNOWN_OF |= {"aa_M_0_0": set(CLASSES), "aa_M_0_64": set(CLASSES)}
KNOWN_OF |= {"aa_M_64_0": {"tumor", "stroma"}, "aa_M_64_64": {"mitosis"}}
SHAPES = {"tumor-1", "stroma-1", "mitosis-1", "line-1", "whole-1", "guess-1", "unsure-1"}


def test_names_of_files_are_safe_and_differ():
    assert file_stem("aa_M_0_0") == "aa_M_0_0"
    names = {file_stem(one) for one in ("a/b.c", "a.b/c", "a-b-c", "x" * 73, "x" * 74, "ä")}
    assert len(names) == 6
    assert all(set(name) & set("./ä") == set() and len(name) <= 90 for name in names)


def test_there_are_all_formats():
    names = [one.name for one in all_exports()]
    assert len(names) == len(set(names)) == 10
    with pytest.raises(VersionError, match=r'no export "zip".*webdataset'):
        export_named("zip")


def test_webdataset_gives_back_pixels_and_labels(version, tmp_path):
    webdataset = pytest.importorskip("webdataset")
    losses = write(version, "webdataset", tmp_path / "out", scales=("M",))
    assert about(losses, "geometry") == SHAPES
    right = truth(version)
    for split, items in ITEMS.items():
        shards = [str(one) for one in sorted((tmp_path / "out" / split).glob("*.tar"))]
        read = webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8")
        samples = list(read)
        assert [one["__key__"] for one in samples] == items
        for one in samples:
            said = one["json"]
            assert (one.get("jpg", one.get("png")) == right[said["item"]]).all()
            assert set(said["labels"]) == LABELS_OF[said["item"]]
            assert set(said["known"]) == KNOWN_OF[said["item"]]
            assert (said["slide"], said["width"], said["mpp_x"]) == (said["item"][:2], 128, 0.5)
            assert "split" not in said
            assert "shard" not in said


def test_webdataset_through_a_loader_of_two_workers(version, tmp_path):
    webdataset, data = pytest.importorskip("webdataset"), pytest.importorskip("torch.utils.data")
    write(version, "webdataset", tmp_path / "out")
    pattern = sorted(str(one) for one in (tmp_path / "out").rglob("*.tar"))
    assert len(pattern) == 3
    read = webdataset.WebDataset(pattern, shardshuffle=False).decode("rgb8")
    samples = list(data.DataLoader(read, batch_size=None, num_workers=2))
    assert len(samples) == 15
    right = truth(version)
    for one in samples:
        assert (one.get("jpg", one.get("png")).numpy() == right[one["json"]["item"]]).all()


def test_shards_are_full_and_listed(version, tmp_path, monkeypatch):
    monkeypatch.setattr("curatome.dataset.export.webdataset._SAMPLES", 3)
    write(version, "webdataset", tmp_path / "out", splits=("train",))
    listed = json.loads((tmp_path / "out/shards.json").read_text())["train"]
    assert [one["nsamples"] for one in listed] == [3, 3, 1]
    for one in listed:
        with tarfile.open(tmp_path / "out" / one["url"]) as tar:
            assert len(tar.getnames()) == 2 * one["nsamples"]
    assert not (tmp_path / "out/val").exists()


@pytest.mark.parametrize("small", [False, True])
def test_hugging_face_datasets_load_it(version, tmp_path, monkeypatch, small):
    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    if small:
        monkeypatch.setattr("curatome.dataset.export.huggingface._GROUP", 2)
        monkeypatch.setattr("curatome.dataset.export.huggingface._BYTES", 1)
    write(version, "huggingface", tmp_path / "out")
    files = list((tmp_path / "out/data").glob("train-*.parquet"))
    assert len(files) == (4 if small else 1)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(one) for name, one in loaded.items()} == {"train": 7, "val": 4, "test": 4}
    names = loaded["train"].features["labels"].feature.names
    assert tuple(names) == CLASSES
    right = truth(version)
    for split, items in loaded.items():
        assert [one for one in items["item"] if "_M_" in one] == ITEMS[split]
        for one in items:
            assert (np.asarray(one["image"]) == right[one["item"]]).all()
            if one["scale"] == "M":
                assert {names[k] for k in one["labels"]} == LABELS_OF[one["item"]]
                assert {names[k] for k in one["known"]} == KNOWN_OF[one["item"]]


def test_a_folder_per_class_leaves_out_what_it_cannot_say(version, tmp_path):
    losses = write(version, "folders", tmp_path / "out", scales=("M",))
    found = {str(one.relative_to(tmp_path / "out")) for one in (tmp_path / "out").rglob("*_*.*")}
    assert found == {
        "train/tumor/aa_M_0_0.png",
        "train/background/aa_M_0_64.png",
        "train/mitosis/aa_M_64_64.jpg",
        "val/tumor/bb_M_0_0.png",
    }
    right = truth(version)
    image = Image.open(tmp_path / "out/train/mitosis/aa_M_64_64.jpg")
    assert (np.asarray(image) == right["aa_M_64_64"]).all()
    assert about(losses, "labels") == {"aa_M_64_0"}
    assert about(losses, "exhaustive") == {*ITEMS["val"][1:], *ITEMS["test"]}


def test_a_folder_per_class_of_one_class_knows_its_background(version, tmp_path):
    losses = write(version, "folders", tmp_path / "out", scales=("M",), classes=("tumor",))
    assert len(list((tmp_path / "out/val/background").iterdir())) == 3
    assert len(list((tmp_path / "out/train/tumor").iterdir())) == 2
    assert about(losses, "exhaustive") == {"aa_M_64_64", *ITEMS["test"]}


def test_csv_lists_files_labels_and_what_is_known(version, tmp_path):
    write(version, "csv", tmp_path / "out", scales=("M",))
    right = truth(version)
    for split, items in ITEMS.items():
        with (tmp_path / "out" / f"{split}.csv").open() as stream:
            rows = list(csv.DictReader(stream))
        assert [row["item"] for row in rows] == items
        for row in rows:
            image = np.asarray(Image.open(tmp_path / "out" / row["file"]))
            assert (image == right[row["item"]]).all()
            assert set(filter(None, row["labels"].split(";"))) == LABELS_OF[row["item"]]
            assert set(filter(None, row["known"].split(";"))) == KNOWN_OF[row["item"]]
