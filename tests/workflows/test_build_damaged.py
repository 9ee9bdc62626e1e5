"""What was deleted, cut short or overwritten in a build is told, and made again."""

import os
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from curatome.errors import BuildError
from curatome.project import create_project, open_project
from curatome.tiles.index import TileIndex, TileTable
from curatome.tiles.read import open_tiles
from curatome.tiles.record import load_mask, load_record, part_path
from curatome.tiles.state import part_shards as sizes
from curatome.workflows import manifest, parts
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project
from tests.workflows.made import build, protocol, slide, stamps, tree

FILES = ("slides.parquet", "tiles.parquet", "build.json")


def cut(path):
    """Half of a file is lost, at its end."""
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path):
    """All of a file is lost but for its first and last bytes."""
    size = path.stat().st_size
    with path.open("r+b") as stream:
        stream.seek(4)
        stream.write(b"\xff" * (size - 8))


@pytest.mark.parametrize("damage", [cut, os.remove])
def test_a_shard_that_is_not_whole_is_made_again(whole, copy, damage):
    project = copy(whole)
    (shard, *_), wanted = sorted(project.build.glob("shards/P/*")), tree(whole.build)
    damage(shard)
    tiles = len(pq.read_table(part_path(project.build, shard.stem[:-6], 0)))
    assert build_project(project, dry_run=True).estimate.tiles == tiles
    assert build_project(project, 2).made == tiles
    assert tree(project.build) == wanted
    before = stamps(project.build)
    assert build_project(project).made == 0
    assert stamps(project.build) == before


@pytest.mark.parametrize("damage", [cut, overwrite])
def test_a_damaged_part_is_made_again(whole, copy, damage):
    project = copy(whole)
    damage(min(project.build.glob("parts/*")))
    assert build_project(project, 2).made > 0
    assert tree(project.build) == tree(whole.build)


def test_a_part_that_stays_as_it_was_is_read_once(whole, copy, monkeypatch):
    project, read = copy(whole), []
    there = {path.name for path in project.build.glob("parts/*")}
    monkeypatch.setattr(parts, "part_shards", lambda path: read.append(path.name) or sizes(path))
    assert parts.broken_parts(project, there) == set()
    assert sorted(read) == sorted(there)
    assert parts.broken_parts(project, there) == set()
    assert len(read) == len(there)
    os.utime(project.build / "parts" / min(there))
    (shard, *_) = sorted(project.build.glob(f"shards/P/{max(there)[:25]}*"))
    cut(shard)
    assert parts.broken_parts(project, there) == {f"{shard.stem}.parquet"}
    assert read[len(there) :] == [min(there)]
    (project.root / ".curatome" / "parts.json").write_text("[1")  # it is but a memory
    assert parts.broken_parts(project, there) == {f"{shard.stem}.parquet"}


def test_a_slide_whose_shard_cannot_be_made_again_is_left_out(tmp_path):
    paths = [slide(tmp_path / f"{n}.svs", n, (960, 800)) for n in (1, 2)]
    project = build(tmp_path / "p", paths)
    lost = {entry.name: entry.slide for entry in project.store.slides()}["1.svs"]
    for shard in project.build.glob(f"shards/*/{lost}*"):
        shard.unlink()
    paths[0].write_bytes(b"no slide any more")
    result = build_project(project)
    assert [finding.code for finding in result.findings] == ["ACQ009"]
    assert lost not in pq.read_table(project.build / "tiles.parquet")["slide"].to_pylist()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [cut, overwrite, os.remove])
def test_a_damaged_manifest_counts_as_not_written(whole, copy, name, damage):
    project = copy(whole)
    damage(project.build / name)
    with pytest.raises(BuildError, match=f"{name} cannot be read or is not there. Run"):
        open_tiles(project.build)
    build_project(project)
    assert tree(project.build) == tree(whole.build)
    open_tiles(project.build)


def test_files_of_different_builds_are_not_read_together(whole, copy, monkeypatch):
    project = copy(whole)
    (first, *_) = project.store.slides()
    project.store.forget_slide(first.slide)

    def dies(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(manifest, "_groups", dies)
    with pytest.raises(KeyboardInterrupt):
        build_project(project)
    monkeypatch.undo()
    with pytest.raises(BuildError, match=r"not of the same build.*Run `curatome build`"):
        open_tiles(project.build)
    build_project(project)
    assert len(open_tiles(project.build)._records) == 2


def test_pages_of_the_manifest_that_are_damaged_are_told(whole, copy):
    path = copy(whole).build / "tiles.parquet"
    footer = pq.read_metadata(path).serialized_size + 8
    with path.open("r+b") as stream:
        stream.seek(4)
        stream.write(b"\xff" * (path.stat().st_size - footer - 4))
    table = TileTable(path)  # its footer is sound
    calls = (
        lambda: table.take(np.array([0])),
        lambda: table.find(["0" * 16]),
        lambda: TileIndex(path, "Q"),
    )
    for call in calls[::2]:
        with pytest.raises(BuildError, match=r"tiles\.parquet is damaged .*curatome build"):
            call()
    ids = pq.read_table(whole.build / "tiles.parquet", columns=["tile_id"])["tile_id"]
    with pytest.raises(BuildError, match=r"tiles\.parquet is damaged"):
        table.find([ids[0].as_py()])


def test_a_damaged_mask_and_run_record_are_told(whole, copy):
    project = copy(whole)
    mask = min(project.build.glob("slides/*/tissue.png"))
    record = load_record(project.build, mask.parent.name)
    cut(mask)
    with pytest.raises(BuildError, match=r"tissue\.png cannot be read .* Remove its folder"):
        load_mask(project.build, mask.parent.name, record)


def test_a_build_is_opened_by_any_name_of_its_folder(tmp_path, monkeypatch):
    project = create_project(tmp_path / "p", protocol(output="coordinates"))
    add_slides(project, [slide(project.root / "slides" / "a.svs", 1, (960, 800))])
    build_project(project)
    (row, *_) = pq.read_table(project.build / "tiles.parquet").to_pylist()
    wanted = open_tiles(project.build).pixels(row)
    monkeypatch.chdir(project.build)
    for name in (".", "shards/..", "../build"):
        (project.build / "shards").mkdir(exist_ok=True)
        assert np.array_equal(
            open_tiles(open_project(project.root).build / name).pixels(row), wanted
        )
        assert np.array_equal(open_tiles(project.build.__class__(name)).pixels(row), wanted)
    moved = shutil.move(project.build, tmp_path / "disk")
    project.build.symlink_to(moved)
    assert np.array_equal(open_tiles(project.build).pixels(row), wanted)


def test_coordinates_are_read_from_the_slides_they_were_made_of(tmp_path):
    path = slide(tmp_path / "a.svs", 1, (960, 800))
    project = build(tmp_path / "p", [path], output="coordinates")
    (row, *_) = pq.read_table(project.build / "tiles.parquet").to_pylist()
    wanted = open_tiles(project.build).pixels(row)
    os.utime(path)  # another time, the same content
    assert np.array_equal(open_tiles(project.build).pixels(row), wanted)
    slide(path, 2, (960, 800))
    with pytest.raises(BuildError, match=r"a\.svs has changed since the build"):
        open_tiles(project.build).pixels(row)
    path.unlink()
    with pytest.raises(BuildError, match=r"a\.svs is not there any more\. Run `curatome add`"):
        open_tiles(project.build).pixels(row)
    slide(path, 1, (960, 800))
    shutil.rmtree(project.root / ".curatome")
    (project.root / "curatome.toml").unlink()  # nobody knows a stamp
    assert np.array_equal(open_tiles(project.build).pixels(row), wanted)


def test_a_slide_of_the_registered_stamp_is_not_hashed(tmp_path, monkeypatch):
    path = slide(tmp_path / "a.svs", 1, (960, 800))
    project = build(tmp_path / "p", [path], output="coordinates")
    (row, *_) = pq.read_table(project.build / "tiles.parquet").to_pylist()
    monkeypatch.setattr("curatome.slides.files.files_sha256", lambda *_: pytest.fail("hashed"))
    assert open_tiles(project.build).pixels(row).shape == (row["side_px"], row["side_px"], 3)
