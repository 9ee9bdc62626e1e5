"""Sources from files on disk to shards and manifests, on real images and on broken ones."""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curatome.errors import SourceError
from curatome.project import create_project
from curatome.sources import find_source, load_source
from curatome.workflows import region_units
from curatome.workflows.added import Wishes
from curatome.workflows.regions import build_sources
from curatome.workflows.sources import add_source, remove_source
from tests.oracle import exact_tile
from tests.sources.made import MAKERS, encoded, put
from tests.workflows.made import stamps, tree
from tests.workflows.made_regions import (
    PNG,
    breakhis,
    folder_source,
    pixels_of,
    project_with,
    rows_of,
    source_pixels,
)

OSTEO = r"(?P<class>[A-Za-z-]+)___(?P<case>Case-\d+|P\d+)[^/]*\.jpg"


@pytest.fixture(scope="module")
def real(data, tmp_path_factory):
    """Osteosarcoma and colorectal tiles and thyroid crops in one dataset, as PNG."""
    folder = tmp_path_factory.mktemp("real")
    project = create_project(folder / "p", PNG)
    images = data / "images"
    osteo = folder_source("osteo", OSTEO, declared="L", why="20x fields of about 1 mm")
    crc = folder_source("crc", r"(?P<class>[A-Z]+)___[^/]*\.jpg", mpp=0.5)
    roots = {
        "osteo": images / "osteosarcoma" / "projects" / "Osteosarcoma" / "test",
        "crc": images / "crc-he-7k" / "projects" / "Colorectal-Cancer" / "test",
        "thyroid": folder / "thyroid",
    }
    add_source(project, roots["osteo"], osteo, workers=2)
    add_source(project, roots["crc"], crc, workers=2)
    labels = thyroid(data / "cells" / "thyroid", roots["thyroid"])
    add_source(project, roots["thyroid"], load_source(roots["thyroid"] / "thyroid.toml"))
    result = build_sources(project, 2)
    return project, roots, labels, result


def thyroid(cells, root):
    """A listing of some crops with their nine features, as a CSV source beside the crops."""
    labels = dict(list(json.loads((cells / "labels.json").read_text()).items())[:40])
    names = ["Elongation", "Grooves", "Inclusion", "Glassy", "Crowding", "Wrinkled"]
    names += ["Enlargement", "Irregular", "Overlapping"]
    root.mkdir()
    (root / "crops").mkdir()
    lines = ["cell," + ",".join(names)]
    for name, values in labels.items():
        (root / "crops" / f"{name}.jpg").symlink_to(cells / "crops" / f"{name}.jpg")
        lines.append(f"{name}," + ",".join(map(str, values)))
    (root / "cells.csv").write_text("\n".join(lines) + "\n")
    columns = ", ".join(f'"{name}"' for name in names)
    (root / "thyroid.toml").write_text(
        'name = "thyroid"\ntitle = "Thyroid cells"\nfield = "cytopathology"\n'
        '[layout]\nadapter = "csv"\ntable = "cells.csv"\nimage = "crops/{cell}.jpg"\n'
        f'label_columns = [{columns}]\n[scale]\ndeclared = "S"\nwhy = "single cells"\n'
    )
    return {
        name: ";".join(n for n, value in zip(names, values, strict=True) if value)
        for name, values in labels.items()
    }


def test_real_images_are_all_there_with_scale_and_reason(real):
    project, _, _, result = real
    rows = rows_of(project)
    assert Counter((row["source"], row["scale"]) for row in rows) == {
        ("osteo", "L"): 60,
        ("crc", "M"): 70,
        ("thyroid", "S"): 40,
    }
    assert result.made == 170
    assert {row["reason"] for row in rows} == {
        "declared: 20x fields of about 1 mm",
        "field of view 112 µm at 0.5 µm/px (registry)",
        "declared: single cells",
    }
    assert Counter(row["class"] for row in rows if row["source"] == "osteo") == {
        "Viable": 20,
        "Non-Viable-Tumor": 20,
        "Non-Tumor": 20,
    }
    assert len({row["region"] for row in rows}) == len(rows)


def test_case_and_labels_are_those_of_files_and_listing(real):
    project, _, labels, _ = real
    for row in rows_of(project):
        if row["source"] == "osteo":
            assert row["case"] == re.match(r".*___(Case-\d+|P\d+)", row["path"])[1]
        elif row["source"] == "thyroid":
            assert row["class"] == labels[row["path"].removeprefix("crops/")[:-4]]


def test_pixels_are_those_an_independent_reading_gives(real):
    project, roots, _, _ = real
    rows = rows_of(project)
    for row in rows[::7]:
        pixels = source_pixels(roots[row["source"]] / row["path"])
        assert pixels.shape == (row["height"], row["width"], 3)
        step = row["side"] / 384
        wanted, _ = exact_tile(pixels, row["x"], row["y"], (step, step), 384)
        assert np.abs(pixels_of(project, row) - wanted).max() <= 0.51
        assert row["enlargement"] == pytest.approx(max(1, 1 / step))
        assert row["side"] == min(row["width"], row["height"])


def test_enlargement_is_noted_never_silent(real):
    found = {f.subject: f for f in real[3].findings if f.code == "SRC009"}
    assert sorted(found) == ["source crc", "source thyroid"]
    assert found["source crc"].evidence == {"count": 70, "largest": 1.7143}


def test_shards_are_tar_files_of_the_manifest(real):
    project, *_ = real
    rows = rows_of(project)
    for name in {row["shard"] for row in rows}:
        with tarfile.open(project.build / name) as tar:
            members = {member.name: member for member in tar.getmembers()}
        mine = [row for row in rows if row["shard"] == name]
        assert set(members) == {f"{row['region']}.png" for row in mine}
        for row in mine:
            member = members[f"{row['region']}.png"]
            assert (member.offset_data, member.size) == (row["offset"], row["length"])


def test_the_summary_has_cpia_s_columns(real):
    project, *_ = real
    table = pq.read_table(project.build / "sources.parquet").to_pylist()
    numbers = {row["source"]: row["number"] for row in table}
    assert numbers == {"osteo": 60, "crc": 70, "thyroid": 40}
    with (project.build / "sources.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["source"] for line in lines] == ["crc", "osteo", "thyroid"]
    cpia = ["organ", "disease", "number", "storage_part", "dyeing_method", "field", "year"]
    cpia += ["link", "literature"]
    assert set(cpia) <= set(lines[0])
    assert lines[2]["field"] == "cytopathology"
    assert lines[2]["storage_part"] == "regions/shards/S"


def test_a_second_build_changes_nothing(real):
    project, *_ = real
    before = stamps(project.build / "regions"), stamps(project.build)["regions.parquet"]
    assert build_sources(project, 2).made == 0
    assert (stamps(project.build / "regions"), stamps(project.build)["regions.parquet"]) == before


@pytest.fixture
def small(monkeypatch):
    """Units of four images, so that a few images are several units."""
    monkeypatch.setattr(region_units, "_UNIT_IMAGES", 4)


def test_the_same_bytes_for_any_number_of_workers(tmp_path, small):
    root = breakhis(tmp_path)
    built = {}
    for workers in (1, 3):
        project = project_with(tmp_path / str(workers), root, workers)
        assert build_sources(project, workers).made == 12
        built[workers] = tree(project.build)
    assert built[1] == built[3]
    rows = rows_of(project)
    assert {(row["part"], row["scale"]) for row in rows} == {
        ("40", "L"),
        ("100", "M"),
        ("200", "M"),
    }
    assert {row["case"] for row in rows} == {"14-22540", "14-22541"}
    assert len(list((project.build / "regions" / "parts").glob("*.parquet"))) == 3


def test_the_source_may_lie_elsewhere(tmp_path, small):
    root = breakhis(tmp_path)
    here = project_with(tmp_path / "a", root, 1)
    build_sources(here)
    (tmp_path / "moved").mkdir()
    shutil.move(root, tmp_path / "moved" / root.name)
    there = project_with(tmp_path / "b", tmp_path / "moved" / "BreaKHis_v1", 1)
    build_sources(there)
    assert tree(here.build) == tree(there.build)


def test_killed_at_many_moments_and_resumed_it_gives_the_same_bytes(tmp_path):
    root = breakhis(tmp_path, 24)
    wanted = project_with(tmp_path / "whole", root, 1)
    code = (
        "import pathlib, sys\nfrom curatome.project import open_project\n"
        "from curatome.workflows import region_units, regions\nregion_units._UNIT_IMAGES = 4\n"
        "regions.build_sources(open_project(pathlib.Path(sys.argv[1])), 2)\n"
    )
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", code, wanted.root], check=True, timeout=120)
    seconds = time.monotonic() - began
    project = project_with(tmp_path / "killed", root, 1)
    parts = project.build / "regions" / "parts"
    seen = set()
    for moment in (0.5, 0.65, 0.8):
        child = subprocess.Popen([sys.executable, "-c", code, project.root], start_new_session=True)
        time.sleep(moment * seconds)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        seen.add(len(list(parts.glob("*.parquet"))))
    subprocess.run([sys.executable, "-c", code, project.root], check=True, timeout=120)
    assert tree(project.build) == tree(wanted.build)
    print(f"units done at the kills: {sorted(seen)} of 6")


def test_tiles_of_a_large_image(tmp_path):
    put(tmp_path / "d" / "a" / "1.png", 1, (2100, 1000))
    project = create_project(tmp_path / "p", PNG)
    source = folder_source("d", "(?P<class>a)/[^/]+")
    add_source(project, tmp_path / "d", source, Wishes(mpp=0.5, crop="tile"))
    build_sources(project)
    rows = rows_of(project)
    assert [row["region"][-4:] for row in rows] == ["_0_0", "_1_0"]
    pixels = source_pixels(tmp_path / "d" / "a" / "1.png")
    for row in rows:
        assert row["side_um"] == pytest.approx(474.432)
        step = row["side"] / 384
        wanted, _ = exact_tile(pixels, row["x"], row["y"], (step, step), 384)
        assert np.abs(pixels_of(project, row) - wanted).max() <= 0.51


def test_parquet_sources_are_read_in_place(tmp_path):
    root, *_ = MAKERS["pcam"](tmp_path)
    project = create_project(tmp_path / "p", PNG)
    add_source(project, root, find_source("pcam"))
    assert build_sources(project, 2).made == 6
    for row in rows_of(project):
        assert (row["scale"], row["mpp"], row["enlargement"]) == ("M", 1.0, 4.0)
    row = next(row for row in rows_of(project) if row["path"].startswith("data/valid"))
    assert (row["row"], row["class"], row["split"]) == (0, "tumor", "valid")
    pixels = np.asarray(Image.open(io.BytesIO(encoded(5, (96, 96)))), np.float64)
    wanted, _ = exact_tile(pixels, 0.0, 0.0, (0.25, 0.25), 384)
    assert np.abs(pixels_of(project, row) - wanted).max() <= 0.51


def test_a_source_that_is_removed_is_out_of_the_next_build(tmp_path):
    project = create_project(tmp_path / "p", PNG)
    for name in ("mhist", "bach"):
        add_source(project, MAKERS[name](tmp_path)[0], find_source(name))
    build_sources(project)
    assert {row["source"] for row in rows_of(project)} == {"mhist", "bach"}
    remove_source(project, "bach")
    build_sources(project)
    assert {row["source"] for row in rows_of(project)} == {"mhist"}
    assert not [f for f in project.store.findings("sources:") if "bach" in f.subject]
    with pytest.raises(SourceError, match="no source"):
        remove_source(project, "bach")
