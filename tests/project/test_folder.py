"""The project folder: made, found, moved and locked."""

import os
import subprocess
import sys

import pytest

from curatome.errors import ProjectError, ProtocolError
from curatome.project import SlideEntry, create_project, open_project

TEXT = '[dataset]\ntitle = "test"\n'


def test_it_is_found_from_any_folder_inside(tmp_path):
    create_project(tmp_path / "p", TEXT)
    deep = tmp_path / "p" / "slides" / "2024"
    deep.mkdir(parents=True)
    assert open_project(deep).root == (tmp_path / "p").resolve()
    assert open_project(deep).protocol.dataset.title == "test"


def test_the_nearest_one_is_meant(tmp_path):
    create_project(tmp_path, TEXT)
    create_project(tmp_path / "inner", TEXT.replace("test", "inner"))
    assert open_project(tmp_path / "inner").protocol.dataset.title == "inner"


def test_outside_there_is_none(tmp_path):
    with pytest.raises(ProjectError, match=r"no curatome\.toml in .* or above"):
        open_project(tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unusable_protocol_makes_no_project(tmp_path):
    with pytest.raises(ProtocolError):
        create_project(tmp_path / "p", '[dataset]\ntitel = "x"\n')
    with pytest.raises(ProjectError, match="exists already"):
        create_project(tmp_path / "p", TEXT)


def test_a_project_moves_with_the_slides_inside_it(tmp_path):
    project = create_project(tmp_path / "old", TEXT)
    inside, outside = project.root / "slides" / "a.svs", tmp_path / "archive" / "b.svs"
    for path in (inside, outside):
        path.parent.mkdir()
        path.write_bytes(b"x")
    assert project.relative(inside) == "slides/a.svs"
    assert project.relative(outside) == str(outside.absolute())
    for number, path in enumerate((inside, outside)):
        entry = SlideEntry(f"{number:016d}", "0" * 64, project.relative(path), "unreadable")
        project.store.save_slide(entry, [])
    project.root.rename(tmp_path / "new")
    moved = open_project(tmp_path / "new")
    places = [moved.absolute(entry.path) for entry in moved.store.slides()]
    assert all(place.exists() for place in places)
    assert (tmp_path / "new" / "slides" / "a.svs").resolve() in places


def test_relative_paths_are_of_the_working_folder(tmp_path, monkeypatch):
    project = create_project(tmp_path / "p", TEXT)
    (project.root / "slides").mkdir()
    monkeypatch.chdir(project.root / "slides")
    assert project.relative(os.path.join(os.pardir, "slides", "a.svs")) == "slides/a.svs"  # noqa: PTH118


def test_a_path_through_a_link_to_the_project_lies_inside_it(tmp_path):
    project = create_project(tmp_path / "disk" / "p", TEXT)
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    (tmp_path / "named").symlink_to(project.root)
    (project.root / "more").symlink_to(tmp_path)
    for folder in (tmp_path / "link" / "p", tmp_path / "named"):
        assert open_project(folder).relative(folder / "slides" / "a.svs") == "slides/a.svs"
    assert project.relative(project.root / "more" / "b.svs") == "more/b.svs"
    assert project.relative(tmp_path / "link" / "b.svs") == str(tmp_path / "link" / "b.svs")


def test_one_writer_at_a_time(tmp_path):
    project = create_project(tmp_path, TEXT)
    with (
        project.locked(),
        pytest.raises(ProjectError, match=f"being changed by process {os.getpid()}"),
        open_project(tmp_path).locked(),
    ):
        pass
    with project.locked():
        pass


def test_the_lock_ends_with_its_process(tmp_path):
    project = create_project(tmp_path, TEXT)
    script = (
        "import os, sys; from pathlib import Path; from curatome.project import open_project\n"
        "with open_project(Path(sys.argv[1])).locked():\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ProjectError, match=f"process {holder.pid}"), project.locked():
        pass
    holder.kill()
    holder.communicate()
    with project.locked():
        pass
