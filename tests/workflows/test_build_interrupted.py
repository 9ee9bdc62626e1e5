"""A second writer, and a disk without room, cost nothing that was done."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

from curatome.errors import BuildError, ProjectError
from curatome.jobs import Task, run_tasks
from curatome.project import create_project
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project
from tests.workflows.made import build, protocol, stamps, tree

Usage = namedtuple("Usage", "total used free")
BUILD = [sys.executable, "-m", "curatome.cli.main", "build", "--workers", "2", "-p"]
LIMIT = 150_000  # bytes a file may have: less than a shard of large PNG tiles


def run(command, **options):
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, **options
    )


def fill_up(path, number):
    """A task that writes to a disk without room."""
    raise OSError(number, os.strerror(number), path)


def test_a_second_process_is_turned_away_and_changes_nothing(whole, copy):
    project = copy(whole)
    before = stamps(project.build)
    with project.locked():
        done = run([*BUILD, str(project.root)])
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert f"is being changed by process {os.getpid()}" in said
    assert stamps(project.build) == before


def test_the_lock_ends_with_the_process_that_held_it(whole, copy):
    project = copy(whole)
    hold = (
        "import pathlib, sys, time\n"
        "from curatome.project import open_project\n"
        "with open_project(pathlib.Path(sys.argv[1])).locked():\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", hold, str(project.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ProjectError, match=f"process {holder.pid}"):
            build_project(project)
        holder.kill()
    assert build_project(project).slides == 3


def test_a_build_that_does_not_fit_on_the_disk_is_refused(tmp_path, slides, monkeypatch):
    project = create_project(tmp_path / "p", protocol())
    add_slides(project, slides[:1])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 10_000, 10_000))
    with pytest.raises(BuildError, match="GB free, and the build needs about"):
        build_project(project, 2)
    assert not (project.build / "shards").exists()
    assert not (project.build / "tiles.parquet").exists()
    monkeypatch.undo()
    assert build_project(project, 2).slides == 1


def test_a_disk_that_fills_up_ends_the_build_and_the_next_one_completes_it(tmp_path, slides):
    roomy = build(tmp_path / "roomy", slides[:1], codec="png").build
    wanted = tree(roomy)
    assert max(path.stat().st_size for path in roomy.glob("shards/*/*")) > LIMIT
    project = create_project(tmp_path / "full", protocol(codec="png"))
    add_slides(project, slides[:1])

    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))

    done = run([*BUILD, str(project.root)], preexec_fn=little_room)
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "has no room left" in said
    assert "ACQ001" not in done.stdout + said  # it is no slide's fault
    left = tree(project.build)
    assert 0 < len(left) < len(wanted)
    assert left.items() <= wanted.items()
    assert "tiles.parquet" not in left
    assert build_project(project, 2).findings == ()
    assert tree(project.build) == wanted


@pytest.mark.parametrize(
    ("name", "kind"), [("ENOSPC", "disk"), ("EDQUOT", "disk"), ("EIO", "error")]
)
def test_only_a_lack_of_room_is_told_from_other_errors(name, kind):
    number = getattr(errno, name)
    task = Task("t", "tests.workflows.test_build_interrupted:fill_up", ("f", number))
    (outcome,) = run_tasks([task])
    assert outcome.failure.kind == kind
    assert os.strerror(number) in outcome.failure.message
