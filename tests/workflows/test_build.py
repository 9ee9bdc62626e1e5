"""A build is a function of slides and protocol, whatever the course it takes."""

import json
import os
import shutil
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import tifffile

from curatome import durable
from curatome.durable import new_file
from curatome.findings import Severity
from curatome.project import create_project
from curatome.tiles.engine import build_unit
from curatome.tiles.record import slide_key
from curatome.workflows import manifest
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project
from curatome.workflows.slides import find_entries, set_mpp
from tests.workflows.made import build, protocol, slide, stamps, tree


def rows(project):
    return pq.read_table(project.build / "tiles.parquet").to_pylist()


def key_of(project, name):
    (entry,) = find_entries(project, [name])
    return slide_key(entry.sha256, entry.mpp, project.protocol)


def part_of(found, *names):
    return {path: value for path, value in found.items() if path.split("/")[0] in names}


def heavy(found):
    """What is made once and never again: shards, parts and the records of slides."""
    return {p: v for p, v in part_of(found, "shards", "parts", "slides").items() if "." in p}


@pytest.mark.parametrize("workers", [1, 3])
def test_bytes_depend_on_neither_workers_nor_folder_nor_order(tmp_path, slides, whole, workers):
    project = build(tmp_path / "elsewhere", slides[::-1], workers)
    found = tree(project.build)
    # Per slide three shards, two parts, overview, mask and record; and three files for all.
    assert len(found) == 3 * (3 + 2 + 3) + 3
    assert found == tree(whole.build)


def test_a_second_build_does_no_work(slides, whole, copy):
    project = copy(whole)
    before = stamps(project.build)
    assert build_project(project, 2).made == 0
    assert stamps(project.build) == before
    again = add_slides(project, slides)
    assert (again.added, again.known) == (0, 3)
    result = build_project(project, 1)
    assert (result.made, result.bytes, result.slides) == (0, 0, 3)
    assert stamps(project.build) == before


@pytest.mark.parametrize("name", ["tiles.parquet", "slides.parquet", "build.json"])
def test_a_manifest_that_is_missing_is_written_again(whole, copy, name):
    project = copy(whole)
    (project.build / name).unlink()
    assert build_project(project).made == 0
    assert tree(project.build) == tree(whole.build)


@pytest.mark.parametrize("written", [1, 2])
def test_a_change_that_was_half_written_and_taken_back_leaves_nothing(
    tmp_path, slides, whole, copy, monkeypatch, written
):
    project = copy(whole)
    table = tmp_path / "slides.csv"
    done = []

    def stop_after(path):
        if project.build not in path.parents:
            return new_file(path)
        if len(done) == written:
            raise KeyboardInterrupt
        done.append(path)
        return new_file(path)

    table.write_text(f"slide,stain\n{slides[0].name},IHC\n")
    add_slides(project, [], table)
    monkeypatch.setattr(manifest, "new_file", stop_after)
    monkeypatch.setattr(durable, "new_file", stop_after)
    with pytest.raises(KeyboardInterrupt):
        build_project(project)
    monkeypatch.undo()
    assert [path.name for path in done] == ["slides.parquet", "build.json"][:written]
    (entry,) = find_entries(project, [slides[0].stem])
    before = replace(entry, declared={})
    project.store.save_slide(before, [])
    build_project(project)
    assert tree(project.build) == tree(whole.build)


def test_slides_added_later_extend_the_build(tmp_path, slides, whole):
    project = build(tmp_path / "p", slides[:2])
    files, contents, known = stamps(project.build), tree(project.build), rows(project)
    assert 0 < len(known) < len(rows(whole))
    add_slides(project, slides)
    result = build_project(project, 2)
    assert result.made == len(rows(whole)) - len(known)
    now = stamps(project.build)
    assert {path: now[path] for path in heavy(files)} == heavy(files)
    assert {path: tree(project.build)[path] for path in heavy(contents)} == heavy(contents)
    ids = {row["slide"] for row in known}
    assert [row for row in rows(project) if row["slide"] in ids] == known
    assert tree(project.build) == tree(whole.build)


def test_a_slide_that_changes_its_case_changes_the_column_alone(tmp_path, slides, whole, copy):
    project = copy(whole)
    before, known = stamps(project.build), rows(project)
    assert {row["case"] for row in known} == {None}
    table = tmp_path / "slides.csv"
    for cases in (("C1", "C1", "C2"), ("C1", "C3", "C2")):
        lines = [f"{path.name},{case}" for path, case in zip(slides, cases, strict=True)]
        table.write_text("\n".join(["slide,case", *lines]) + "\n")
        add_slides(project, [], table)
        result = build_project(project)
        assert result.made == 0
        assert heavy(stamps(project.build)) == heavy(before)
        summaries = [json.loads((p.build / "build.json").read_bytes()) for p in (project, whole)]
        assert summaries[0].pop("state") != summaries[1].pop("state")
        assert summaries[0] == summaries[1]
        names = {entry.slide: entry.name for entry in project.store.slides()}
        expected = dict(zip([path.name for path in slides], cases, strict=True))
        assert rows(project) == [{**row, "case": expected[names[row["slide"]]]} for row in known]


def test_another_mpp_makes_that_slide_anew_and_no_other(slides, whole, copy):
    project = copy(whole)
    before, known = stamps(project.build), rows(project)
    (entry,) = find_entries(project, ["s2"])
    old_key = key_of(project, "s2")
    set_mpp(project, [entry], 0.6, 0.6)
    result = build_project(project, 2)
    now = rows(project)
    mine = [row for row in now if row["slide"] == entry.slide]
    assert result.made == len(mine) > 0
    assert {path: stamps(project.build)[path] for path in heavy(before)} == heavy(before)
    others = [row for row in known if row["slide"] != entry.slide]
    assert [row for row in now if row["slide"] != entry.slide] == others
    assert not [row for row in now if old_key in row["shard"]]
    for row in mine:  # a tile is as large as ever in µm, so it takes fewer of the larger pixels
        assert row["side_um"] == pytest.approx(row["side_px"] * row["mpp_x"])
        assert row["width"] == pytest.approx(row["side_um"] / 0.6)
    set_mpp(project, [entry], 0.5, 0.5)
    assert build_project(project).made == 0
    assert rows(project) == known


def test_a_slide_that_breaks_is_left_out_as_a_whole(tmp_path, slides, whole):
    folder = tmp_path / "slides"
    mine = [shutil.copy2(path, tmp_path / path.name) for path in slides]
    project = create_project(folder, protocol())
    add_slides(project, mine, workers=2)
    build_project(project, 2, dry_run=True)
    bad = mine[1]
    key = key_of(project, "s2")
    # Its second unit is made while it is sound, from level 1; then level 0 breaks.
    assert build_unit(project.build, bad, key, 1)["tiles"] > 0
    sound, stat = bad.read_bytes(), bad.stat()
    with tifffile.TiffFile(bad) as file:
        page = file.pages[0]
        middle = len(page.dataoffsets) // 2
        start = page.dataoffsets[middle]
        end = start + page.databytecounts[middle]
    bad.write_bytes(sound[:start] + bytes(end - start) + sound[end:])
    os.utime(bad, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    result = build_project(project, 2)
    assert result.slides == 2
    (finding,) = result.findings
    assert (finding.code, finding.severity) == ("ACQ001", Severity.ERROR)
    assert "s2.svs" in finding.message
    assert "level 0 cannot be decoded" in finding.message
    assert finding.evidence["stage"]
    assert "stage decode" in finding.message
    (entry,) = find_entries(project, ["s2"])
    assert rows(project) == [row for row in rows(whole) if row["slide"] != entry.slide]
    bad.write_bytes(sound)
    os.utime(bad, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    result = build_project(project, 2)
    assert (result.slides, result.findings) == (3, ())
    assert rows(project) == rows(whole)
    assert heavy(tree(project.build)) == heavy(tree(whole.build))


def test_a_file_that_went_away_or_changed_is_found(tmp_path, slides):
    mine = [shutil.copy2(path, tmp_path / path.name) for path in slides]
    project = create_project(tmp_path / "p", protocol())
    add_slides(project, mine, workers=2)
    mine[0].unlink()
    slide(mine[1], 9)
    result = build_project(project, 2)
    assert result.slides == 1
    assert {(f.code, f.severity) for f in result.findings} == {("ACQ009", Severity.ERROR)}
    gone, changed = sorted(f.message for f in result.findings)
    assert gone == f"{mine[0]} is not there any more."
    assert changed == f"{mine[1]} has changed since it was added."
    (entry,) = find_entries(project, ["s3"])
    assert {row["slide"] for row in rows(project)} == {entry.slide}
    # Tiles that were made stay in the dataset when their slide is not at hand.
    mine[2].unlink()
    before = stamps(project.build)
    result = build_project(project)
    assert len(result.findings) == 3
    assert result.slides == 1
    assert stamps(project.build) == before
