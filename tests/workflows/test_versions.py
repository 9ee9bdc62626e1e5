"""Versions of a project: from built slides to a frozen, verified, divided dataset."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import shapely

from curatome.annotations.store import Act, Edit, open_annotations
from curatome.dataset.labels import labels_in
from curatome.dataset.versions import load_log
from curatome.dataset.versions.model import read_info
from curatome.errors import TableError, VersionError
from curatome.phantom.svs import SvsOptions, write_svs
from curatome.project import open_project
from curatome.tiles.read import open_tiles
from curatome.tiles.shards import read_member
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project
from curatome.workflows.create_version import create_version, divide_project, fold_project
from curatome.workflows.prune import remove_left_over
from curatome.workflows.splits import FILE, Folding, read_splits
from curatome.workflows.versions import (
    checkout,
    compare_versions,
    verify_versions,
    withdraw_case,
)
from tests.workflows.made import picture

ACT = Act("ann", "test")


@pytest.fixture
def project(whole, copy):
    """Three slides of two cases, built and annotated."""
    project = copy(whole)
    for number, entry in enumerate(project.store.slides()):
        declared = {**entry.declared, "case": f"P{number // 2}", "site": "Bonn"}

        project.store.save_slide(replace(entry, declared=declared), [])
    return project


def annotate(project, labels=("tumor",)):
    slide = project.store.slides()[0].slide
    values = {
        "image": slide,
        "kind": "polygon",
        "geometry": shapely.to_wkb(shapely.box(500, 400, 900, 800)),
        "labels": list(labels),
        "reader": "ann",
    }
    with open_annotations(project.annotations) as store:
        store.apply([Edit("a1", "create", None, values)], ACT)
    return slide


def test_a_version_holds_every_tile_with_its_pixels(project):
    slide = annotate(project)
    found = create_version(project, "first")
    (entry,) = load_log(project.root / "versions")
    folder = project.root / "versions" / entry.folder
    items = pq.read_table(folder / "items.parquet")
    tiles = pq.read_table(project.build / "tiles.parquet")
    assert items["item"].to_pylist() == tiles["tile_id"].to_pylist()
    assert found.items == len(tiles)
    source = open_tiles(project.build)
    by_id = {row["tile_id"]: row for row in tiles.to_pylist()}
    for row in items.to_pylist()[::40]:
        data = read_member(project.root / row["shard"], row["offset"], row["length"])
        other = by_id[row["item"]]
        assert data == read_member(project.build / other["shard"], other["offset"], other["length"])
        assert source.pixels(other).shape[0] == row["side_px"]
    mine = items.filter(pc.equal(items["slide"], slide)).to_pylist()
    box = shapely.box(500, 400, 900, 800)
    for row in mine:
        edges = [row["x"], row["y"], row["x"] + row["width"], row["y"] + row["height"]]
        expected = labels_in(np.array([edges]), np.array([box]), [["tumor"]])[0]
        assert row["labels"] == expected
    assert any(row["labels"] for row in mine)
    assert not all(row["labels"] for row in mine)


def test_splits_are_by_case_and_stay(project):
    create_version(project, "first")
    with (project.root / FILE).open() as stream:
        rows = {row["case"]: row["split"] for row in csv.DictReader(stream)}
    assert set(rows) == {"P0", "P1"}
    other = {case: {"train": "test"}.get(split, "train") for case, split in rows.items()}
    text = "case,split\n" + "".join(f"{case},{split}\n" for case, split in other.items())
    (project.root / FILE).write_text(text)
    division, _ = divide_project(project)
    assert division.split == other  # what a person wrote is kept
    assert not division.new
    one, two, found = (create_version(project, "moved"), *compare_versions(project, "v1")[1:])
    assert one.info.name == two.name == "v2"
    assert set(found.splits) == {(rows[case], other[case]) for case in rows}


def test_folds_are_kept_beside_the_splits(project):
    found = fold_project(project, Folding(folds=2))
    with (project.root / "folds.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["fold"], row["case"], row["split"]) for row in rows} == {
        (fold.name, case, one) for fold in found for case, one in fold.split.items()
    }
    assert not (project.root / FILE).exists()
    with pytest.raises(TableError, match='"color" cannot be left out'):
        fold_project(project, Folding(leave_out="color"))
    with pytest.raises(TableError, match="one domain cannot be left out of 1"):
        fold_project(project, Folding(leave_out="site"))


def test_a_case_in_a_split_that_is_not_declared_is_told(project):
    (project.root / FILE).write_text("case,split\nP0,holdout\n")
    with pytest.raises(TableError, match='has the split "holdout"'):
        create_version(project, "first")
    (project.root / FILE).write_text("case,split\nP0,test\nP0,train\n")
    with pytest.raises(TableError, match='row 3: case "P0" is there twice'):
        read_splits(project)


def test_slides_without_a_case_are_told(whole, copy):
    with pytest.raises(TableError, match="items have no case"):
        create_version(copy(whole), "first")


def test_the_diff_speaks_of_labels(project):
    annotate(project)
    create_version(project, "first")
    with open_annotations(project.annotations) as store:
        store.apply([Edit("a1", "relabel", store.head(), {"labels": ["normal"]})], ACT)
    create_version(project, "relabelled")
    _, _, found = compare_versions(project, "v1", "v2")
    assert found.labels["annotations", "ann", "tumor", "normal"] == 1
    tiles = [n for (table, _, b, a), n in found.labels.items() if table == "items"]
    assert sum(tiles) > 0
    assert found.pixels == 0


def test_a_version_can_be_checked_out_and_verified_elsewhere(project, tmp_path):
    create_version(project, "first")
    create_version(project, "second")
    assert not verify_versions(project.root)
    checkout(project, "v1", tmp_path / "out")
    assert not verify_versions(tmp_path / "out", ["v1"])
    shard = next((tmp_path / "out" / "build").rglob("*.tar"))
    shard.write_bytes(shard.read_bytes()[:-1])
    assert verify_versions(tmp_path / "out", ["v1"])
    assert not verify_versions(project.root)
    with pytest.raises(VersionError, match="holds other files"):
        checkout(project, "v1", tmp_path / "out")


def test_an_extended_build_extends_a_version(project, slides):
    create_version(project, "first")
    first = pq.read_table(project.root / "versions" / "v1" / "shards.parquet").to_pylist()
    build_project(project)
    create_version(project, "same build")
    second = pq.read_table(project.root / "versions" / "v2" / "shards.parquet").to_pylist()
    assert first == second


def test_a_withdrawn_case_leaves_nothing_behind(project):
    slide = annotate(project)
    create_version(project, "first")
    case = project.store.slide(slide).case
    slides = [e.slide for e in project.store.slides() if e.case == case]
    done = withdraw_case(project, case, "consent withdrawn")
    assert done.rows["v1"]["annotations"] == 1
    assert not verify_versions(project.root)
    left = [
        path
        for path in project.root.rglob("*")
        if path.is_file() and any(one.encode() in path.read_bytes() for one in slides)
    ]
    assert not left
    assert not [path for path in project.root.rglob("*") if any(s in path.name for s in slides)]
    reopened = open_project(project.root)
    assert case not in read_splits(reopened)
    assert case not in {entry.case for entry in reopened.store.slides()}
    build_project(reopened)  # and the rest can be built on
    create_version(reopened, "after")
    assert (
        read_info(project.root / "versions" / "v2").parent
        == load_log(project.root / "versions")[0].id
    )


def test_an_unknown_case_is_told(project):
    with pytest.raises(VersionError, match='no slide belongs to a case "P9"'):
        withdraw_case(project, "P9", "x")


def test_commands(project, capfd, monkeypatch):
    from curatome.cli import main

    def run(*words) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["curatome", *words])
        monkeypatch.chdir(project.root)
        capfd.readouterr()
        try:
            main.main()
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        return code, capfd.readouterr().out

    assert run("log")[1].startswith("No version yet")
    code, out = run("version", "create", "-m", "first", "--json")
    assert code == 0
    assert json.loads(out)["version"]["name"] == "v1"
    assert run("verify")[0] == 0
    assert "Nothing differs" in run("diff", "v1")[1]
    assert json.loads(run("split", "--json")[1])["splits"]
    code, out = run("withdraw", "P0", "-m", "asked", "--yes", "--json")
    assert code == 0
    assert "re-issued" in run("log")[1]


def test_what_a_version_needs_is_not_pruned(project):
    create_version(project, "first")
    path = project.root / "curatome.toml"
    path.write_text(path.read_text().replace("mpp = 1.0", "mpp = 1.1"))
    changed = open_project(project.root)
    build_project(changed)
    with changed.locked():
        remove_left_over(changed)
    assert not verify_versions(project.root)


def test_cases_that_share_a_picture_go_together(project, tmp_path):
    """The same slide under another patient's name, a little brighter."""
    pixels = np.minimum(picture(1).astype(int) + 3, 255).astype(np.uint8)
    path = tmp_path / "brighter.svs"
    height, width = pixels.shape[:2]
    options = SvsOptions(mpp=0.5, blocks=2)
    write_svs(path, (width, height), lambda x, y, w, h: pixels[y : y + h, x : x + w], options)
    add_slides(project, [path], workers=1)
    entry = next(e for e in project.store.slides() if e.name == "brighter.svs")
    project.store.save_slide(replace(entry, declared={**entry.declared, "case": "P9"}), [])
    build_project(open_project(project.root), 2)
    division, certificate = divide_project(open_project(project.root), near=True)
    assert division.split["P9"] == division.split["P0"]
    assert certificate.holds
