"""`curatome build --prune` removes what nobody needs, and nothing else, whatever happens."""

import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from curatome.errors import StorageError
from curatome.objects import objects_below, put
from curatome.project import create_project, open_project
from curatome.tiles.read import open_tiles
from curatome.workflows import manifest, prune
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project
from curatome.workflows.forget import forget_slides
from curatome.workflows.prune import LeftOver, left_over, remove_left_over
from curatome.workflows.slides import find_entries
from tests.stores import s3_server
from tests.workflows.made import build, protocol, tree

OTHER = {"quality": 80}
FOREIGN = (
    "tiles.csv",
    "shards/P/mine.tar",
    "shards/mine.tar",
    "parts/mine.parquet",
    "slides/mine/record.json",
    "regions/parts/0123456789abcdef-01234567-00000.parquet",
    "cells/shards/0123456789abcdef-01234567-00000.tar",
)
PRUNE_AND_DIE = """
import os, pathlib, signal, sys
from curatome.project import open_project
from curatome.workflows.prune import remove_left_over
left, unlink = int(sys.argv[2]), pathlib.Path.unlink
def dying(path, **options):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    unlink(path, **options)
pathlib.Path.unlink = dying
with (project := open_project(pathlib.Path(sys.argv[1]))).locked():
    remove_left_over(project)
"""


def now_of(project, **settings):
    """The project under other settings of [build]."""
    (project.root / "curatome.toml").write_text(protocol(**settings))
    return open_project(project.root)


@pytest.fixture(scope="module")
def twice(tmp_path_factory, slides):
    """A slide that was built by two protocols; the files of the first. Not to be changed."""
    project = build(tmp_path_factory.mktemp("twice") / "p", slides[:1])
    first = tree(project.build)
    build_project(project := now_of(project, **OTHER))
    return project, first


def size(found):
    return sum(path.stat().st_size for path in found)


def test_a_removed_scale_goes_with_its_files(whole, copy, tmp_path, slides):
    project = copy(whole)
    text = protocol().rpartition("[[scales]]")[0]
    (project.root / "curatome.toml").write_text(text)
    project, before = open_project(project.root), set(project.build.rglob("*.*"))
    fresh = create_project(tmp_path / "fresh", text)
    add_slides(fresh, slides)
    build_project(fresh, 2)

    assert left_over(project) == LeftOver()  # the manifest needs all of it
    planned = build_project(project, dry_run=True, prune=True)
    gone = {p for p in before if p.parent.name != "build"} - set(fresh.build.rglob("*.*"))
    assert planned.left_over == LeftOver(len(gone), size(gone))
    assert (planned.removed, set(before) - set(project.build.rglob("*.*"))) == (LeftOver(), set())

    built = build_project(project, 2)
    assert (built.left_over, built.removed) == (planned.left_over, LeftOver())
    assert before <= set(project.build.rglob("*.*"))
    pruned = build_project(project, 2, prune=True)
    assert (pruned.removed, pruned.left_over, pruned.made) == (built.left_over, LeftOver(), 0)
    assert tree(project.build) == tree(fresh.build)
    assert not (project.build / "shards" / "R").exists()


def test_a_slide_that_was_removed_goes_in_one_run(whole, copy, slides, tmp_path):
    project = copy(whole)
    forget_slides(project, find_entries(project, ["s3"]))
    result = build_project(project, 2, prune=True)
    assert result.removed.files == 3 + 2 + 3
    assert tree(project.build) == tree(build(tmp_path / "fresh", slides[:2]).build)


def test_slides_that_are_held_back_keep_what_was_built(whole, copy):
    project = copy(whole)
    (entry,) = find_entries(project, ["s3"])
    project.store.save_slide(entry.__class__(**{**vars(entry), "state": "held", "mpp": None}), [])
    before = tree(project.build / "shards")
    assert build_project(project, prune=True).removed == LeftOver()
    assert tree(project.build / "shards") == before


def test_what_it_did_not_write_stays(whole, copy):
    project = now_of(copy(whole), output="coordinates")
    for name in FOREIGN:
        (project.build / name).parent.mkdir(parents=True, exist_ok=True)
        (project.build / name).write_text("mine")
    (notes := next(project.build.glob("slides/*-*")) / "notes.txt").write_text("mine")
    build_project(project)
    assert build_project(project, prune=True).removed.files == 3 * (3 + 2 + 3)
    assert all((project.build / name).read_text() == "mine" for name in FOREIGN)
    assert [path.name for path in notes.parent.iterdir()] == ["notes.txt"]
    assert build_project(project).left_over == LeftOver()


def test_nothing_goes_while_it_cannot_be_told_what_the_manifest_needs(whole, copy, monkeypatch):
    project = now_of(copy(whole), **OTHER)
    before = tree(project.build)

    def dies(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(manifest, "_groups", dies)
    with pytest.raises(KeyboardInterrupt):
        build_project(project, 2)
    monkeypatch.undo()
    with project.locked():
        assert remove_left_over(project) == LeftOver()
    assert before.keys() <= tree(project.build).keys()
    assert build_project(project, prune=True).removed.files == 3 * (3 + 2 + 3)


def test_room_is_made_before_tiles_are(twice, copy, monkeypatch):
    project = now_of(copy(twice[0]), quality=70)

    def full(*_):
        raise OSError("full")

    monkeypatch.setattr("curatome.workflows.build._make_units", full)
    with pytest.raises(OSError, match="full"):
        build_project(project, prune=True)
    monkeypatch.undo()
    # What the first protocol made is gone; the manifest is still whole, of the second one.
    assert len(list(project.build.glob("slides/*"))) == 2
    rows = pq.read_table(project.build / "tiles.parquet").to_pylist()
    assert open_tiles(project.build).pixels(rows[0]).shape == (rows[0]["side_px"],) * 2 + (3,)


@pytest.mark.parametrize("files", [1, 3, 6, 7])
def test_after_kill_9_the_next_build_is_whole(twice, copy, files):
    project, wanted = copy(twice[0]), twice[1]
    assert len(wanted) == 3 + 2 + 3 + 3
    command = [sys.executable, "-c", PRUNE_AND_DIE, str(project.root), str(files)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert left_over(project).files == 8 - files
    result = build_project(project := now_of(project), prune=True)
    assert result.findings == ()
    assert tree(project.build) == wanted


def test_shards_in_a_store(tmp_path, slides, monkeypatch):
    monkeypatch.setenv("CURATOME_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(prune, "_AT_ONCE", 2)
    with s3_server() as faults:

        def stored(**settings):
            table = '[storage]\nshards = "s3://bucket/d"\n[[scales]]'
            return protocol(**settings).replace("[[scales]]", table, 1)

        project = create_project(tmp_path / "p", stored())
        add_slides(project, slides[:1])
        build_project(project)
        first = set(objects_below("s3://bucket/d/shards/"))
        (another := tmp_path / "a.tar").write_bytes(b"of another project")
        others = "s3://bucket/d/shards/P/0123456789abcdef-01234567-00000.tar"
        put(another, others)
        (project.root / "curatome.toml").write_text(stored(**OTHER))
        project = open_project(project.root)
        assert build_project(project).left_over.files == 3 + 2 + 3
        assert first < set(objects_below("s3://bucket/d/shards/"))
        faults.denied = "GET /bucket.*list-type"
        assert build_project(project).left_over is None
        faults.denied = "POST"
        with pytest.raises(StorageError, match="cannot be removed"):
            build_project(project, prune=True)
        faults.denied = "(?!)"
        assert build_project(project, prune=True).left_over.files == 0
        now = set(objects_below("s3://bucket/d/shards/"))
        assert not first & now
        assert len(now) == 4
        assert others in now
        rows = pq.read_table(project.build / "tiles.parquet").to_pylist()
        assert {f"s3://bucket/d/{row['shard']}" for row in rows} == now - {others}

        lost = sorted(now - {others})[0]
        put(another, lost)  # cut short
        assert build_project(project).made > 0
        assert build_project(project).made == 0
