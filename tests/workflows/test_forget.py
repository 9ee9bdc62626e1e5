"""What was found about files that are gone does not stand for ever."""

import shutil

import pytest

from curatome.errors import ProjectError
from curatome.project import create_project, open_project
from curatome.slides.inventory import unreadable
from curatome.workflows.add import add_slides
from curatome.workflows.forget import forget_gone, forget_slides
from curatome.workflows.slides import find_entries, set_mpp, unset_mpp
from tests.workflows.made import protocol, slide


@pytest.fixture
def folder(tmp_path):
    """Slides: one sound, one broken, one that is broken and lies elsewhere as well."""
    slide(tmp_path / "in" / "sound.svs", 1, (960, 800))
    (tmp_path / "in" / "broken.svs").write_bytes(b"no slide")
    (tmp_path / "in" / "twice.svs").write_bytes(b"no slide at all")
    (tmp_path / "out").mkdir()
    shutil.copy(tmp_path / "in" / "twice.svs", tmp_path / "out" / "twice.svs")
    return tmp_path / "in"


@pytest.fixture
def project(tmp_path, folder):
    made = create_project(tmp_path / "p", protocol())
    add_slides(made, [folder, tmp_path / "out"])
    lost = f"file:{folder / 'lost.svs'}"
    made.store.save_findings(lost, [unreadable(lost, "lost.svs", "it died")])
    there = f"file:{folder / 'sound.svs'}"
    made.store.save_findings(there, [unreadable(there, "sound.svs", "it died")])
    return made


def names(project):
    return sorted(entry.name for entry in project.store.slides())


def forget(project, *paths):
    with project.locked():
        forget_gone(project, paths)


@pytest.mark.parametrize("pattern", ["", "*.svs", "**/b*"])
def test_slides_that_could_not_be_used_go_with_their_files(project, folder, pattern):
    for name in ("sound", "broken", "twice"):
        (folder / f"{name}.svs").unlink()
    slide(folder / "new.svs", 2, (960, 800))
    forget(project, folder / pattern)
    assert names(project) == ["sound.svs", "twice.svs"]  # it is ready; it lies elsewhere as well
    assert project.store.origins("file:") == []
    about = {f.subject for f in project.store.findings()}
    assert about == {f"slide {e.slide}" for e in project.store.slides() if e.name == "twice.svs"}


def test_files_elsewhere_and_files_that_are_there_keep_their_findings(project, folder, tmp_path):
    before = project.store.findings()
    (folder / "broken.svs").unlink()
    forget(project, tmp_path / "out", tmp_path / "in2", tmp_path / "i")
    assert project.store.findings() == before
    forget(project, folder)
    assert project.store.origins("file:") == [f"file:{folder / 'sound.svs'}"]


def test_a_disk_that_is_away_clears_nothing(project, folder):
    before = project.store.findings()
    shutil.move(folder, folder.with_name("away"))
    forget(project, folder, folder / "*.svs")
    assert project.store.findings() == before
    assert len(names(project)) == 3


def test_scales_are_set_by_what_is_known_when_it_is_done(project):
    (stale,) = find_entries(project, ["sound"])
    again = open_project(project.root)
    again.store.save_slide(stale.__class__(**{**vars(stale), "declared": {"case": "C1"}}), [])
    for change in (
        lambda: set_mpp(project, [stale], 0.4, 0.4),
        lambda: unset_mpp(project, [stale]),
    ):
        ((now, _),) = change()
        assert now.case == "C1"
    forget_slides(again, [stale])
    with pytest.raises(ProjectError, match=r"sound\.svs was removed meanwhile"):
        set_mpp(project, [stale], 0.4, 0.4)
    assert "sound.svs" not in names(project)
