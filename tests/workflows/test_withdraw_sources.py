"""A withdrawn case leaves region images of sources, too, and no later command brings it back."""

from __future__ import annotations

import csv
import json
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from curatome.dataset.versions import load_log, withdrawing
from curatome.dataset.versions.model import read_info
from curatome.errors import BuildError, ProjectError, TableError, VersionError
from curatome.project import create_project, open_project
from curatome.tiles.cells import CellSettings
from curatome.tiles.shards import read_member
from curatome.workflows import purge_regions, region_units
from curatome.workflows.add import add_slides
from curatome.workflows.added import Wishes, load_added
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.annotation_options import Wishes as Asked
from curatome.workflows.annotations import import_files
from curatome.workflows.build import build_project
from curatome.workflows.cells import cut_project_cells
from curatome.workflows.check import Wishes as Check
from curatome.workflows.check import check_project
from curatome.workflows.create_version import create_version
from curatome.workflows.forget import forget_slides
from curatome.workflows.regions import build_sources
from curatome.workflows.sources import add_source, remove_source
from curatome.workflows.versions import compare_versions, verify_versions, withdraw_case
from curatome.workflows.withdrawn import load_withdrawn
from tests.sources.made import put
from tests.workflows.made import tree
from tests.workflows.made_regions import folder_source, rows_of

PATTERN = r"(?P<class>[a-z]+)/(?P<case>P\d)_[^/]*\.png"
BARE = r"(?P<class>[a-z]+)/[^/]*\.png"
SCALE = {"declared": "M", "why": "for a test"}
WHY = "consent withdrawn"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Units of three images, so that a case shares some with others and has one for itself."""
    monkeypatch.setattr(region_units, "_UNIT_IMAGES", 3)


def images(root, first, cases):
    """One image after the other, of the cases of a string of digits."""
    for number, case in enumerate(cases):
        put(root / "tumor" / f"P{case}_{first + number:02d}.png", first + number, (60, 50))
    return root


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Two sources that share cases P0 to P2; `two` holds a copy of an image of P0 as one of P2."""
    folder = tmp_path_factory.mktemp("roots")
    roots = {
        "one": images(folder / "one", 100, "000011122"),
        "two": images(folder / "two", 200, "0121"),
    }
    shutil.copy(roots["one"] / "tumor/P0_100.png", roots["two"] / "tumor/P2_900.png")
    return roots


@pytest.fixture
def project(whole, copy, roots):
    """Slides of P0 and P1, two sources, all built; no version yet."""
    project = copy(whole)
    for number, entry in enumerate(project.store.slides()):
        declared = {**entry.declared, "case": f"P{number // 2}"}
        project.store.save_slide(replace(entry, declared=declared), [])
    for name, root in roots.items():
        add_source(project, root, folder_source(name, PATTERN, **SCALE))
    build_sources(project)
    return project


def pictures(project, case):
    """The bytes of every image that the build holds of a case, tiles and regions."""
    slides = {entry.slide: entry.case for entry in project.store.slides()}
    tiles = pq.read_table(project.build / "tiles.parquet").to_pylist()
    places = [row for row in tiles if slides[row["slide"]] == case]
    found = {
        read_member(project.build / row["shard"], row["offset"], row["length"]) for row in places
    }
    return found | pictures_of_regions(project, case)


def pictures_of_regions(project, case):
    rows = rows_of(project)
    mine = {row["image"] for row in rows if row["case"] == case}
    return {
        read_member(project.build / row["shard"], row["offset"], row["length"])
        for row in rows
        if row["image"] in mine and row["shard"]
    }


def content(project):
    return b"".join(path.read_bytes() for path in project.root.rglob("*") if path.is_file())


def text(path):
    if path.suffix == ".parquet":
        return str(pq.read_table(path).to_pylist())
    return path.read_bytes().decode(errors="replace")


def none_left(project, gone):
    whole = content(project)
    return not [one for one in gone if one in whole]


def others(project, gone_images):
    return [row for row in rows_of(project) if row["image"] not in gone_images]


def gone_images(project, case="P0"):
    return {row["image"] for row in rows_of(project) if row["case"] == case}


@pytest.mark.parametrize("versions", [0, 1, 2])
def test_nothing_of_the_case_is_left_and_all_else_is_as_it_was(project, versions):
    for number in range(versions):
        create_version(project, f"number {number}", near=False)
    gone, names = pictures(project, "P0"), gone_images(project)
    kept = pictures(project, "P1") | pictures(project, "P2") - gone
    rest = others(project, names)
    pixels = {r["region"]: read_member(project.build / r["shard"], r["offset"], r["length"])
              for r in rest if r["shard"]}  # fmt: skip
    assert len(gone) > 20
    assert not none_left(project, gone)
    withdraw_case(project, "P0", WHY)
    assert none_left(project, gone)
    assert rows_of(project) == rest
    for row in rest:
        place = project.build / row["shard"]
        assert read_member(place, row["offset"], row["length"]) == pixels[row["region"]]
    whole = content(project)
    assert all(one in whole for one in kept)
    if versions:
        assert not verify_versions(project.root)
    left = {path.name for path in (project.root / ".curatome").rglob("*") if path.is_file()}
    assert "withdrawn.json" in left
    for path in project.root.rglob("*"):
        if path.is_file() and path.suffix != ".tar":  # a member keeps its name
            held = text(path)
            assert not [name for name in names if name in held], path


def test_later_commands_do_not_bring_it_back(project, roots, slides):
    build_project(project)  # the manifest says which case each slide is of
    create_version(project, "before", near=False)
    gone, names = pictures(project, "P0"), gone_images(project)
    rest = others(project, names)
    withdraw_case(project, "P0", WHY)
    after = tree(project.build)
    assert build_sources(project).made == 0
    assert tree(project.build) == after  # nothing was left to be done
    again = add_source(project, roots["one"], folder_source("one", PATTERN, **SCALE))
    day = load_withdrawn(project).cases[0].time[:10]
    assert again.left_out == (f"left out: 4 images of case P0, withdrawn on {day}: {WHY}",)
    assert build_sources(project).made == 0
    assert rows_of(project) == rest
    added = add_slides(project, [*slides])
    assert added.left_out == (f"left out: 2 slides of case P0, withdrawn on {day}: {WHY}",)
    assert added.added == 0
    build_project(project)
    create_version(project, "after")
    assert none_left(project, gone)
    assert not verify_versions(project.root)
    _, _, found = compare_versions(project, "v1", "v2")
    assert not len(found.changes)
    with pytest.raises(VersionError, match=f"nothing is left of case P0, withdrawn on {day}"):
        withdraw_case(project, "P0", "again")


def test_from_nothing_the_same_images_are_built_without_it(project):
    gone, rest = pictures(project, "P0"), others(project, gone_images(project))
    withdraw_case(project, "P0", WHY)
    shutil.rmtree(project.build)
    build_sources(project)
    place = ("shard", "offset")
    assert [{k: v for k, v in row.items() if k not in place} for row in rows_of(project)] == [
        {k: v for k, v in row.items() if k not in place} for row in rest
    ]
    assert none_left(project, gone)


def test_a_source_that_was_added_under_another_name_is_known_by_its_pixels(project, roots):
    gone = pictures(project, "P0")
    withdraw_case(project, "P0", WHY)
    result = add_source(project, roots["one"], folder_source("three", BARE, **SCALE))
    assert result.images == 5
    build_sources(project)
    assert none_left(project, gone)


def test_new_images_of_the_case_are_left_out_for_good(project, tmp_path):
    withdraw_case(project, "P0", WHY)
    put(tmp_path / "new/tumor/P0_300.png", 300, (60, 50))
    put(tmp_path / "new/tumor/P5_301.png", 301, (60, 50))
    assert add_source(project, tmp_path / "new", folder_source("new", PATTERN, **SCALE)).images == 1
    (tmp_path / "new/tumor/P0_300.png").rename(tmp_path / "new/tumor/x.png")
    assert add_source(project, tmp_path / "new", folder_source("new", BARE, **SCALE)).images == 1


def test_only_the_case_of_one_source(project):
    before = rows_of(project)
    copies = gone_images(project) & {r["image"] for r in before if r["source"] == "two"}
    withdraw_case(project, "two/P1", WHY)
    rest = [row for row in before if (row["source"], row["case"]) != ("two", "P1")]
    assert rows_of(project) == rest
    assert len(rest) == len(before) - 2
    assert copies <= {row["image"] for row in rest}


def test_an_image_without_a_case_goes_by_its_path(project, tmp_path):
    root = images(tmp_path / "bare", 400, "3456")
    add_source(project, root, folder_source("bare", BARE, **SCALE))
    build_sources(project)
    rest = [row for row in rows_of(project) if row["path"] != "tumor/P4_401.png"]
    withdraw_case(project, "bare/tumor/P4_401.png", WHY)
    assert rows_of(project) == rest


def test_what_former_settings_and_removed_sources_left_goes_too(project):
    gone = pictures(project, "P0")
    path = project.root / "curatome.toml"
    path.write_text(path.read_text().replace("[build]", '[build]\ncodec = "png"\n'))
    project = open_project(project.root)
    build_sources(project)
    gone |= pictures(project, "P0")
    remove_source(project, "two")
    build_sources(project)
    assert not none_left(project, gone)
    withdraw_case(project, "P0", WHY)
    assert none_left(project, gone)
    assert build_sources(project).made == 0


def test_shards_of_a_unit_that_was_not_finished_go_too(project):
    gone = pictures(project, "P0")
    parts = sorted((project.build / "regions" / "parts").glob("*"))
    for path in parts:
        path.unlink()
    (project.build / "regions.parquet").unlink()
    withdraw_case(project, "P0", WHY)
    assert none_left(project, gone)
    build_sources(project)
    assert none_left(project, gone)


def test_splits_and_folds_forget_it(project):
    create_version(project, "first", near=False)
    path = project.root / "splits.csv"
    before = path.read_text().splitlines()
    folds = project.root / "folds.csv"
    folds.write_text("fold,case,split\n0,one/P0,test\n0,P1,train\n")
    withdraw_case(project, "P0", WHY)
    gone = {"P0", "one/P0", "two/P0"}
    assert path.read_text().splitlines() == [ln for ln in before if ln.split(",")[0] not in gone]
    assert len(before) - len(path.read_text().splitlines()) == 3
    with folds.open() as stream:
        assert [row["case"] for row in csv.DictReader(stream)] == ["P1"]


STEPS = [
    (withdrawing, "_reissue"),
    (withdrawing, "_replace"),
    (purge_regions, "_filter_manifest"),
    (purge_regions, "problems_text"),
    (purge_regions, "_remove_part"),
    (purge_regions, "_remove_parts"),
    (purge_regions, "_remove_shards"),
    (purge_regions, "save_added"),
    (purge_regions, "write_region_manifest"),
]


@pytest.mark.parametrize("frozen", [False, True])
def test_killed_anywhere_the_same_call_finishes_it(project, tmp_path, frozen):
    """At the first and at the second call of each step; every end is the same."""
    if frozen:
        create_version(project, "first", near=False)
    gone, rest = pictures(project, "P0"), others(project, gone_images(project))
    ends = []
    for number, (module, step) in enumerate([(None, ""), *STEPS]):
        for calls in (1, 2) if step else (0,):
            root = shutil.copytree(project.root, tmp_path / f"{number}-{calls}")
            mine = open_project(root)
            if step:
                killed = _kill_at(module, step, calls)
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(module, step, killed)
                    try:
                        withdraw_case(mine, "P0", WHY)
                    except KeyboardInterrupt:
                        assert (root / "versions" / "withdrawal.json").exists()
                mine = open_project(root)
                if (root / "versions" / "withdrawal.json").exists():
                    withdraw_case(mine, "P0", WHY)
            else:
                withdraw_case(mine, "P0", WHY)
            assert none_left(mine, gone), (step, calls)
            assert rows_of(mine) == rest
            assert not (frozen and verify_versions(root))
            ends.append({**tree(root / "build"), **tree(root / ".curatome" / "sources")})
    differing = [n for end in ends for n in {*end, *ends[0]} if end.get(n) != ends[0].get(n)]
    assert not differing


KILLED = """
import os, pathlib, signal, sys
from curatome import durable
from curatome.project import open_project
from curatome.workflows import region_units
from curatome.workflows.versions import withdraw_case

region_units._UNIT_IMAGES = 3
left, fsync = int(sys.argv[2]), os.fsync

def counted(descriptor):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)

durable.os.fsync = counted
withdraw_case(open_project(pathlib.Path(sys.argv[1])), "P0", "consent withdrawn")
"""


def test_killed_at_its_writes_the_same_call_finishes_it(project, tmp_path):
    """The process dies with a file half done, at every seventh of its writes."""
    create_version(project, "first", near=False)
    gone, rest = pictures(project, "P0"), others(project, gone_images(project))
    ends, killed, writes = [], True, 3
    while killed:
        root = shutil.copytree(project.root, tmp_path / f"killed-{writes}")
        child = [sys.executable, "-c", KILLED, str(root), str(writes)]
        killed = subprocess.run(child, timeout=120, check=False).returncode == -signal.SIGKILL
        mine = open_project(root)
        if killed:
            withdraw_case(mine, "P0", WHY)
        assert none_left(mine, gone), writes
        assert rows_of(mine) == rest
        assert not verify_versions(root)
        assert not list(root.rglob(".*.unfinished"))
        ends.append({**tree(root / "build"), **tree(root / ".curatome" / "sources")})
        writes += 7
    assert len(ends) > 4
    differing = [n for end in ends for n in {*end, *ends[0]} if end.get(n) != ends[0].get(n)]
    assert not differing


def _kill_at(module, step, calls):
    whole, count = getattr(module, step), []

    def killed(*arguments, **named):
        count.append(1)
        if len(count) == calls:
            raise KeyboardInterrupt
        return whole(*arguments, **named)

    return killed


def test_the_next_build_finishes_what_was_interrupted(project):
    create_version(project, "first", near=False)
    gone = pictures(project, "P0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(purge_regions, "save_added", _kill_at(purge_regions, "save_added", 1))
        with pytest.raises(KeyboardInterrupt):
            withdraw_case(project, "P0", WHY)
    assert build_sources(project).made == 0
    assert none_left(project, gone)
    assert not (project.root / "versions" / "withdrawal.json").exists()


def test_slides_that_were_removed_before_are_known_from_versions(project):
    build_project(project)
    gone = pictures(project, "P0")
    create_version(project, "first", near=False)
    slides = [entry for entry in project.store.slides() if entry.case == "P0"]
    forget_slides(project, slides)
    withdraw_case(project, "P0", WHY)
    assert none_left(project, gone)
    assert none_left(project, [entry.slide.encode() for entry in slides])
    assert not verify_versions(project.root)


def test_a_table_that_names_the_case_later_brings_nothing_back(project, slides, tmp_path):
    """The slide was registered without a case, so nobody knew whose it was."""
    (entry,) = [one for one in project.store.slides() if one.case == "P1"]
    project.store.save_slide(replace(entry, declared={}), [])
    build_project(project)
    withdraw_case(project, "P0", WHY)
    tables = tmp_path / "slides.csv", tmp_path / "cases.csv"
    tables[0].write_text(f"path,case\n{entry.path},P0\n")
    tables[1].write_text("case,sex\nP0,f\nP7,m\n")
    result = add_slides(project, [], *tables)
    (line,) = result.left_out
    assert line.startswith(f"refused: {entry.name} is of case P0, withdrawn on")
    assert set(project.store.cases()) == {"P7"}
    with pytest.raises(BuildError, match="no slide is ready"):
        build_project(project)
    withdraw_case(project, "P0", WHY)
    assert not project.store.slides()
    assert none_left(project, [entry.slide.encode()])
    assert len(load_withdrawn(project).cases) == 1


def test_annotations_of_it_are_not_imported_again(project, tmp_path):
    entries = project.store.slides()
    withdraw_case(project, "P0", WHY)
    gone, (kept,) = [e for e in entries if e.case == "P0"], project.store.slides()
    square = {"type": "Polygon", "coordinates": [[[0, 0], [90, 0], [90, 90], [0, 90], [0, 0]]]}
    feature = {"type": "Feature", "geometry": square, "properties": {"objectType": "annotation"}}
    about = tmp_path / f"{Path(gone[0].name).stem}.geojson"
    about.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    (refused,) = import_files(project, [about])
    assert refused.error.startswith("is about a slide of case P0, withdrawn on")
    coco = tmp_path / "all.json"
    pictures = [{"id": n, "file_name": e.name, "width": 1600, "height": 1200}
                for n, e in enumerate([*gone, kept])]  # fmt: skip
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [10, 10, 50, 60], "area": 3000,
              "iscrowd": 0} for n in range(3)]  # fmt: skip
    coco.write_text(json.dumps({"images": pictures, "annotations": boxes,
                                "categories": [{"id": 1, "name": "tumor"}]}))  # fmt: skip
    (read,) = import_files(project, [coco], Asked(yes=True))
    (line,) = read.left_out
    assert line.startswith("left out: 2 annotations of case P0, withdrawn on")
    with annotation_store(project) as store:
        assert store.current()["image"].to_pylist() == [kept.slide]


def test_cells_and_what_check_remembers_go_too(project):
    entries = project.store.slides()
    spots = [shapely.Point(700 + 60 * n, 600).buffer(12) for n in range(4)]
    glass = shapely.Point(-400, -400).buffer(5)  # the same white crop on every slide
    table = pa.table(
        {
            "slide": [e.slide for e in entries for _ in (*spots, glass)],
            "cell": [f"c{n}" for _ in entries for n in range(5)],
            "shape": [shapely.to_wkb(one) for _ in entries for one in (*spots, glass)],
        }
    )
    cut = cut_project_cells(project, "spots", table, CellSettings(side_px=40, mpp=0.6))
    cells = [row for row in pq.read_table(cut.table).to_pylist() if row["cell"] != "c4"]
    case = {entry.slide: entry.case for entry in entries}
    crops = {
        one: {read_member(cut.table.parent / row["shard"], row["offset"], row["length"])
              for row in cells if case[row["slide"]] == one}
        for one in ("P0", "P1")
    }  # fmt: skip
    check_project(project, Check(near=True))
    withdraw_case(project, "P0", WHY)
    whole = content(project)
    assert not [one for one in crops["P0"] if one in whole]
    assert all(one in whole for one in crops["P1"])
    slides = [entry.slide for entry in entries if entry.case == "P0"]
    check_project(project, Check(near=True))
    for path in project.root.rglob("*"):
        held = text(path) if path.is_file() else ""
        assert not [one for one in slides if one in held], path
    with pytest.raises(TableError, match="is not ready"):
        cut_project_cells(project, "spots", table, CellSettings(side_px=40, mpp=0.6))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_mix_of_cases_and_copies(tmp_path, seed):
    """Two sources of images of drawn cases, some the same; one case after the other withdraws."""
    draw = random.Random(seed)
    project = create_project(tmp_path / "p", '[dataset]\ntitle = "t"\n')
    for name in ("one", "two"):
        for number in range(14):
            case = draw.choice("01234")
            path = tmp_path / name / "tumor" / f"P{case}_{number:02d}.png"
            put(path, draw.randrange(18), (60, 50))
        add_source(project, tmp_path / name, folder_source(name, PATTERN, **SCALE))
    build_sources(project)
    before = rows_of(project)
    create_version(project, "first", near=False)
    left, out = {"P0", "P1", "P2", "P3", "P4"}, set()
    for case in draw.sample(sorted(left), 3):
        gone = pictures_of_regions(project, case)
        if not gone:
            continue  # its images went with others, being the same
        withdraw_case(project, case, WHY)
        out |= {row["image"] for row in before if row["case"] == case}
        rest = [row for row in before if row["image"] not in out]
        assert none_left(project, gone)
        assert rows_of(project) == rest
        held = content(project)
        assert all(
            read_member(project.build / row["shard"], row["offset"], row["length"]) in held
            for row in rest
            if row["shard"]
        )
        assert not verify_versions(project.root)
        assert build_sources(project).made == 0
        assert rows_of(project) == rest
    assert out


def test_a_damaged_list_is_told(project):
    (project.root / ".curatome" / "withdrawn.json").write_text("{}")
    with pytest.raises(ProjectError, match="says which cases were withdrawn"):
        withdraw_case(project, "P0", WHY)


def test_a_tombstone_stays_without_the_case_s_name(project):
    create_version(project, "first", near=False)
    items = sum(
        row["case"] in {"P0", "one/P0", "two/P0"}
        for row in pq.read_table(project.root / "versions/v1/items.parquet").to_pylist()
    )
    withdraw_case(project, "P0", WHY)
    folder = project.root / "versions" / load_log(project.root / "versions")[0].folder
    (stone,) = read_info(folder).withdrawn
    assert stone.rows["items"] >= items
    assert stone.reason == WHY
    assert "P0" not in (folder / "version.json").read_text()


def test_commands_say_what_was_withdrawn(project, roots):
    def run(*words):
        command = [sys.executable, "-m", "curatome.cli.main", *words, "-p", str(project.root)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        return done.stdout

    assert "removed" in run("withdraw", "P0", "-m", WHY, "--yes")
    assert "without   case P0, withdrawn on" in run("status")
    assert run("log").startswith("Without case P0, withdrawn on")
    added = run("sources", "add", str(roots["one"]), "--adapter", "folders", "--name", "one",
                "--pattern", PATTERN, "--scale", "M")  # fmt: skip
    assert "left out: 4 images of case P0, withdrawn on" in added


def test_sources_are_listed_without_it(project):
    withdraw_case(project, "P0", WHY)
    for name in ("one", "two"):
        assert "P0" not in {entry.case for entry in load_added(project, name).entries}
    assert Wishes() == load_added(project, "one").wishes
