"""Kill -9 at any moment, then resume: the same bytes as an undisturbed run."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from curatome.project import create_project
from curatome.workflows.add import add_slides
from tests.workflows.made import slide, tree

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

KILLS = 50
SLIDES = 3
SIZE = (2400, 1800)
PROTOCOL = """
[dataset]
title = "kill"
[[scales]]
name = "A"
mpp = 0.55
side_px = 768
[[scales]]
name = "B"
mpp = 0.55
side_px = 96
parent = "A"
[[scales]]
name = "C"
mpp = 0.8
side_px = 64
[[scales]]
name = "D"
mpp = 1.1
side_px = 64
[[scales]]
name = "E"
mpp = 2.5
side_px = 64
"""
UNITS = SLIDES * 4  # a unit never holds two resolutions


def start(root):
    command = [sys.executable, "-m", "curatome.cli.main", "build", "-p", str(root)]
    return subprocess.Popen(
        [*command, "--workers", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(root):
    process = start(root)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()


def over(process):
    """Whether it has ended by itself. It is not waited for, so its id stays its own."""
    flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
    return os.waitid(os.P_PID, process.pid, flags) is not None


def kill(process, group):
    """Kill it, with its children or without; whether it was still running."""
    running = not over(process)
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    return running


def finished(folder):
    """The files that count, without those that say of themselves that they do not.

    Those are not even read: a child outlives its killed parent for half a second and may finish
    or remove the one it was at.
    """
    paths = [p for p in folder.rglob("*") if not p.name.endswith(".unfinished") and p.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def count(root):
    """Files of the build, finished or not."""
    return sum(path.is_file() for path in (root / "build").rglob("*"))


def parts(root):
    return len([*(root / "build" / "parts").glob("[!.]*.parquet")])


_SURVEYED = 3 * SLIDES
"""Files that the survey leaves."""


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """A project with slides that nothing was built of yet."""
    folder = tmp_path_factory.mktemp("kill")
    slides = [slide(folder / "slides" / f"s{n}.svs", n, SIZE) for n in range(SLIDES)]
    project = create_project(folder / "p", PROTOCOL)
    assert add_slides(project, slides).added == SLIDES
    return project.root


@pytest.fixture(scope="module")
def undisturbed(registered, tmp_path_factory):
    """The files of a build that nothing happened to."""
    root = shutil.copytree(registered, tmp_path_factory.mktemp("whole") / "p")
    finish(root)
    assert parts(root) == UNITS
    return tree(root / "build")


def test_killed_at_fifty_moments_and_resumed_it_gives_the_same_bytes(
    registered, undisturbed, tmp_path
):
    draw = random.Random(20_240_917)
    kills = chains = late = 0
    phases = {"start": 0, "survey": 0, "tiles": 0, "manifest": 0}
    while kills < KILLS:
        root = shutil.copytree(registered, tmp_path / f"p{chains}")
        chains += 1
        wanted = min(draw.choice([1, 1, 1, 2, 4]), KILLS - kills)
        while wanted:
            # A moment is so many files further on and a little later: by the clock alone, kills
            # would all fall into the first phase on a busy machine. The survey is short and leaves
            # few files, so a part of the moments is drawn from it alone.
            there, early = count(root), draw.random() < 0.3
            last = max(there, _SURVEYED) if early else len(undisturbed)
            files, delay = draw.randint(there, last), draw.random() * (0.05 if early else 0.2)
            process = start(root)
            while count(root) < files and not over(process):
                time.sleep(0.002)
            time.sleep(delay)
            if not kill(
                process, kills % 2 == 0
            ):  # it had done all that was left; begin another build
                late += 1
                break
            wanted -= 1
            kills += 1
            phases[phase_of(root)] += 1
            # Whatever is visible under its own name is whole already.
            left = finished(root / "build") if (root / "build").exists() else {}
            assert left.items() <= undisturbed.items()
        finish(root)
        assert tree(root / "build") == undisturbed
        shutil.rmtree(root)
    print(f"{kills} kills in {chains} builds by phase {phases}; {late} came too late")
    assert late < KILLS
    assert phases["survey"] >= 5
    assert phases["tiles"] >= 10


def phase_of(root):
    """How far an interrupted build has come, by what it has left."""
    build = root / "build"
    if (build / "slides.parquet").exists() or parts(root) == UNITS:
        return "manifest"
    if (build / "shards").exists():
        return "tiles"
    return "survey" if build.exists() else "start"


@pytest.mark.parametrize("group", [True, False])
def test_killed_at_each_step_of_the_manifest(registered, undisturbed, tmp_path, group):
    """The manifest takes a few hundredths of a second, so each of its steps is waited for."""
    root = shutil.copytree(registered, tmp_path / "p")
    finish(root)
    build = root / "build"
    names = ("slides.parquet", "build.json", "tiles.parquet")
    seen = set()
    for step in [pattern for name in names for pattern in (f".{name}.*.unfinished", name)]:
        for name in names:
            (build / name).unlink()
        process = start(root)
        while not over(process) and not any(build.glob(step)):
            time.sleep(0.0005)
        kill(process, group)
        seen.add(tuple(name for name in names if (build / name).exists()))
        assert finished(build).items() <= undisturbed.items()
        finish(root)
        assert tree(build) == undisturbed
    print(f"whole files after a kill: {sorted(seen)}")
    assert len(seen) >= 3
