import os
import shutil

import pytest

from curatome.errors import ProjectError
from curatome.project import create_project
from curatome.workflows.add import add_slides
from tests.workflows.made import protocol, slide


@pytest.fixture
def project(tmp_path):
    return create_project(tmp_path / "p", protocol())


def names(project):
    return sorted((entry.name, entry.state) for entry in project.store.slides())


def test_a_file_that_was_replaced_leaves_no_slide_behind(project, tmp_path):
    path = slide(tmp_path / "a.svs", 1)
    (first,) = add_slides(project, [path]).slides
    slide(path, 2)
    (second,) = add_slides(project, [path]).slides
    assert first.slide != second.slide
    assert [entry.slide for entry in project.store.slides()] == [second.slide]


def test_a_broken_file_that_was_mended_leaves_no_finding(project, tmp_path):
    path = tmp_path / "a.svs"
    path.write_bytes(b"no slide at all")
    assert [f.code for f in add_slides(project, [path]).findings] == ["ACQ001"]
    assert names(project) == [("a.svs", "unreadable")]
    slide(path, 1)
    assert add_slides(project, [path]).findings == ()
    assert names(project) == [("a.svs", "ready")]
    assert project.store.findings() == []


def test_a_slide_that_moved_keeps_what_is_known_of_it(project, tmp_path):
    path = slide(tmp_path / "a.svs", 1)
    table = tmp_path / "slides.csv"
    table.write_text("path,case\na.svs,C1\n")
    (before,) = add_slides(project, [path], table).slides
    moved = tmp_path / "elsewhere" / "b.svs"
    moved.parent.mkdir()
    path.rename(moved)
    (after,) = add_slides(project, [moved]).slides
    assert (after.slide, after.case) == (before.slide, "C1")
    assert project.absolute(after.path) == moved


def test_two_files_that_change_places_do_so_in_the_project(project, tmp_path):
    one, two = slide(tmp_path / "a.svs", 1), slide(tmp_path / "b.svs", 2)
    add_slides(project, [one, two])
    before = {entry.name: entry.slide for entry in project.store.slides()}
    shutil.move(one, tmp_path / "c")
    shutil.move(two, one)
    shutil.move(tmp_path / "c", two)
    for path in (one, two):
        os.utime(path)
    add_slides(project, [one, two])
    after = {entry.name: entry.slide for entry in project.store.slides()}
    assert after == {"a.svs": before["b.svs"], "b.svs": before["a.svs"]}


def test_a_copy_is_one_slide_with_a_finding_until_it_is_gone(project, tmp_path):
    path = slide(tmp_path / "a.svs", 1)
    copy = tmp_path / "copy.svs"
    shutil.copy(path, copy)
    result = add_slides(project, [path, copy], workers=1)
    assert names(project) == [("a.svs", "ready")]
    assert [f.code for f in result.findings] == ["ACQ005"]
    copy.unlink()
    assert add_slides(project, [path]).findings == ()


def test_a_path_without_a_slide_is_an_error(project, tmp_path):
    with pytest.raises(ProjectError, match=r"no slide at .*nowhere"):
        add_slides(project, [tmp_path / "nowhere"])


def test_a_slide_whose_first_copy_is_gone_is_found_at_the_other(project, tmp_path):
    path, copy = slide(tmp_path / "a.svs", 1), tmp_path / "copy.svs"
    shutil.copy(path, copy)
    add_slides(project, [path, copy], workers=1)
    (entry,) = project.store.slides()
    gone, left = (path, copy) if entry.name == "a.svs" else (copy, path)
    gone.unlink()
    add_slides(project, [left])
    (entry,) = project.store.slides()
    assert project.absolute(entry.path) == left


def test_an_emptied_cell_takes_back_what_it_said(project, tmp_path):
    path, table = slide(tmp_path / "a.svs", 1), tmp_path / "slides.csv"
    table.write_text("path,case,mpp\na.svs,C1,0.7\n")
    (told,) = add_slides(project, [path], table).slides
    assert (told.case, told.mpp.x, told.mpp.source) == ("C1", 0.7, "table")
    table.write_text("path,case,mpp\na.svs,,\n")
    (untold,) = add_slides(project, [], table).slides
    assert (untold.case, untold.mpp.source) == (None, "file")
    table.write_text("path,case\na.svs,C2\n")  # a table without the column says nothing of it
    (entry,) = add_slides(project, [], table).slides
    assert (entry.case, entry.mpp.source) == ("C2", "file")


def test_a_renamed_slide_keeps_its_case_though_its_name_is_taken(project, tmp_path):
    folder = tmp_path / "slides"
    path, table = slide(folder / "a.svs", 1), tmp_path / "slides.csv"
    table.write_text("path,case\na.svs,C1\n")
    (first,) = add_slides(project, [folder], table).slides
    path.rename(folder / "z.svs")
    slide(path, 2)
    add_slides(project, [folder], workers=1)
    cases = {entry.name: (entry.slide, entry.case) for entry in project.store.slides()}
    assert cases["z.svs"] == (first.slide, "C1")
    assert cases["a.svs"][1] is None


def test_adding_the_folder_again_clears_what_was_found_about_files_that_are_gone(project, tmp_path):
    slide(tmp_path / "in" / "a.svs", 1)
    (broken := tmp_path / "in" / "broken.svs").write_bytes(b"no slide")
    assert [f.code for f in add_slides(project, [tmp_path / "in"]).findings] == ["ACQ001"]
    broken.unlink()
    assert add_slides(project, [tmp_path / "in"]).findings == ()
    assert names(project) == [("a.svs", "ready")]
    assert project.store.findings() == []


def test_a_case_that_its_table_names_no_more_is_removed(project, tmp_path):
    table, other = tmp_path / "cases.csv", tmp_path / "more.csv"
    table.write_text("case,age\nC1,50\nC2,60\n")
    other.write_text("case,age\nC3,70\n")
    add_slides(project, [], case_table=table)
    add_slides(project, [], case_table=other)
    table.write_text("case,age\nC2,61\n")
    add_slides(project, [], case_table=table)
    assert project.store.cases() == {"C2": {"age": 61.0}, "C3": {"age": 70.0}}
