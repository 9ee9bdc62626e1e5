"""What differs between versions, planted and told back."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely
from PIL import Image

from curatome.annotations.formats import Options, format_named
from curatome.annotations.formats.base import Frame, Frames
from curatome.dataset.versions import diff
from curatome.tables import ANNOTATIONS
from tests.dataset.versions.made import make

NOTHING = {"added": 0, "removed": 0, "changed": 0}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = make(tmp_path_factory.mktemp("dataset"))
    made.freeze("v1")
    return made


def changed(table: pa.Table, rows: dict[int, dict]) -> pa.Table:
    plain = table.to_pylist()
    for number, values in rows.items():
        plain[number].update(values)
    return pa.Table.from_pylist(plain, table.schema)


def compared(made, name: str, **tables: pa.Table):
    made.freeze(name, **tables)
    return diff(made.root / "v1", made.root / name)


def test_nothing_differs(made):
    found = compared(made, "same")
    assert not len(found.changes)
    assert (dict(found.labels), dict(found.splits), found.pixels) == ({}, {}, 0)


def test_labels_by_class_and_reader(made):
    table = made.tables["annotations"]
    rows = table.to_pylist()
    other = {i: {"labels": ["look-alike"]} for i in (0, 1, 9)}
    found = compared(made, "labels", annotations=changed(table, other))
    expected = Counter(
        ("annotations", rows[i]["reader"], "; ".join(rows[i]["labels"]), "look-alike")
        for i in (0, 1, 9)
    )
    assert dict(found.labels) == expected
    assert found.counts()["annotations"] == {**NOTHING, "changed": 3}
    assert {tuple(c) for c in found.changes["columns"].to_pylist()} == {("labels",)}


def test_annotations_that_come_go_and_change_shape(made):
    table = made.tables["annotations"]
    far = shapely.to_wkb(shapely.box(1e6, 1e6, 1e6 + 9, 1e6 + 9))
    new = table.slice(0, 1).to_pylist()[0] | {"annotation": "new", "geometry": far}
    moved = shapely.to_wkb(shapely.box(0, 0, 5, 5))
    later = pa.concat_tables(
        [changed(table.slice(2), {4: {"geometry": moved}}), ANNOTATIONS.from_rows([new])]
    )
    found = compared(made, "shapes", annotations=later)
    assert found.counts()["annotations"] == {"added": 1, "removed": 2, "changed": 1}
    rows = {row["change"]: row for row in found.changes.to_pylist()}
    assert rows["changed"]["columns"] == ["geometry"]
    assert rows["changed"]["id"] == table["annotation"][6].as_py()
    assert rows["added"]["id"] == "new"


def test_the_same_shape_written_in_another_order_is_no_change_of_shape(made):
    table = made.tables["annotations"]
    shape = shapely.from_wkb(table["geometry"][0].as_py())
    turned = shapely.Polygon(np.roll(np.array(shape.exterior.coords)[:-1], 2, axis=0))
    later = changed(table, {0: {"geometry": shapely.to_wkb(turned), "confidence": 0.5}})
    found = compared(made, "turned", annotations=later)
    assert found.changes.to_pylist()[0]["columns"] == ["confidence"]


def test_splits_and_pixels_of_items(made):
    table = made.tables["items"]
    rows = table.to_pylist()
    first = next(i for i, row in enumerate(rows) if row["split"] == "train")
    other = next(i for i, row in enumerate(rows) if row["split"] == "test")
    later = changed(table, {first: {"split": "test"}, other: {"hash": "0" * 32}})
    found = compared(made, "items", items=later)
    assert dict(found.splits) == {("train", "test"): 1}
    assert found.pixels == 1
    assert found.counts()["items"] == {**NOTHING, "changed": 2}


def test_cases_and_slides(made):
    cases, slides = made.tables["cases"], made.tables["slides"]
    found = compared(
        made,
        "cohort",
        cases=changed(cases.slice(1), {0: {"fields": '{"sex": "m"}'}}),
        slides=changed(slides.slice(2), {0: {"scanner": "AT2"}}),
    )
    assert found.counts()["cases"] == {"added": 0, "removed": 1, "changed": 1}
    assert found.counts()["slides"] == {"added": 0, "removed": 2, "changed": 1}


def test_label_images_without_ids_are_compared_by_overlap(data, tmp_path):
    """The published counts: 2 nuclei added, 35 modified, 8 deleted in 16 images."""
    folder = data / "nuclei" / "dsb2018-brightfield"
    before = sorted((folder / "masks_before_correction").glob("*.png"))
    assert len(before) == 16
    made = make(tmp_path)
    made.freeze("v1", annotations=pa.concat_tables(map(nuclei, before)))
    after = [folder / "masks" / path.name for path in before]
    found = compared(made, "v2", annotations=pa.concat_tables(map(nuclei, after)))
    assert found.counts()["annotations"] == {"added": 2, "removed": 8, "changed": 35}
    by_image = Counter((row["image"], row["change"]) for row in found.changes.to_pylist())
    names = {path.stem for path in before}
    told = {"added": "masks_added", "removed": "masks_deleted", "changed": "masks_modified"}
    for row in csv.DictReader((folder / "images.csv").open()):
        if row["image"] in names:
            for change, column in told.items():
                assert by_image[(row["image"], change)] == int(row[column]), row


def nuclei(path: Path) -> pa.Table:
    with Image.open(path) as picture:
        frame = Frame(path.stem, path.name, *picture.size)
    return format_named("masks").read(path, Frames(only=frame), Options()).table
