"""Kill -9 at any moment, then resume: the same bytes as an undisturbed run."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

from curatome.project import create_project
from curatome.workflows.add import add_slides
from tests.workflows.made import slide, tree

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

KILLS = 50
SLIDES = 3
SIZE = (3200, 2400)
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


@dataclass
class Course:
    """What an undisturbed build gave, and how long it took."""

    tree: dict[str, str]
    seconds: float


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


def kill(process, group):
    """Kill it, with its children or without; whether it was still running."""
    running = process.poll() is None
    if group:
        os.killpg(process.pid, signal.SIGKILL)  # not yet waited for, so the id is still its own
    else:
        process.kill()
    process.wait()
    process.stderr.close()
    return running


def finished(folder):
    """The files that count, without those that say of themselves that they do not."""
    found = tree(folder)
    return {path: value for path, value in found.items() if not path.endswith(".unfinished")}


def parts(root):
    return len([*(root / "build" / "parts").glob("[!.]*.parquet")])


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
    """A build that nothing happened to."""
    times = []
    for n in range(2):  # the first one also warms the disk
        root = shutil.copytree(registered, tmp_path_factory.mktemp("whole") / f"p{n}")
        began = time.monotonic()
        finish(root)
        times.append(time.monotonic() - began)
    assert parts(root) == UNITS
    return Course(tree(root / "build"), times[-1])


def test_killed_at_fifty_moments_and_resumed_it_gives_the_same_bytes(
    registered, undisturbed, tmp_path
):
    draw = random.Random(20_240_917)
    moments = [draw.random() for _ in range(KILLS)]
    kills = hits = chains = 0
    phases = {"start": 0, "survey": 0, "tiles": 0, "manifest": 0}
    while kills < KILLS:
        root = shutil.copytree(registered, tmp_path / f"p{chains}")
        for _ in range(draw.choice([1, 1, 1, 2, 4])):
            process = start(root)
            time.sleep(moments[kills % KILLS] * undisturbed.seconds)
            running = kill(process, group=kills % 2 == 0)
            hits += running
            kills += 1
            phases[phase_of(root)] += running
            left = finished(root / "build") if (root / "build").exists() else {}
            # Whatever is visible under its own name is whole already.
            assert left.items() <= undisturbed.tree.items()
        finish(root)
        assert tree(root / "build") == undisturbed.tree
        shutil.rmtree(root)
        chains += 1
    print(f"{kills} kills in {chains} builds, {hits} while running: {phases}")
    assert hits >= 0.6 * KILLS
    assert phases["survey"] >= 3
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
def test_killed_around_each_step_of_the_manifest(registered, undisturbed, tmp_path, group):
    """The manifest takes a few hundredths of a second, so it is waited for."""
    finished_root = shutil.copytree(registered, tmp_path / "p")
    finish(finished_root)
    draw = random.Random(7)
    seen = set()
    for _ in range(12):
        names = ("slides.parquet", "build.json", "tiles.parquet")
        for name in names:
            (finished_root / "build" / name).unlink(missing_ok=True)
        process = start(finished_root)
        while process.poll() is None and not [
            *(finished_root / "build").glob(".*.unfinished"),
            *(finished_root / "build").glob("slides.parquet"),
        ]:
            time.sleep(0.0005)
        time.sleep(draw.random() * 0.015)
        kill(process, group)
        there = tuple(name for name in names if (finished_root / "build" / name).exists())
        seen.add(there)
        left = finished(finished_root / "build")
        assert left.items() <= undisturbed.tree.items()
        finish(finished_root)
        assert tree(finished_root / "build") == undisturbed.tree
    print(f"files of the manifest that were there after a kill: {sorted(seen)}")
    assert len(seen) >= 2
