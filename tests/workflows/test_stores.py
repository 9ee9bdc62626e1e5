"""Slides and shards in an object store: the same dataset as here, whatever fails meanwhile."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from curatome.errors import BuildError, ProjectError, StorageError
from curatome.location import joined
from curatome.objects import objects_below, opened_object, put
from curatome.project import create_project, open_project
from curatome.tiles.batches import BatchReader, Loading, TileReader
from curatome.tiles.index import TileIndex
from curatome.tiles.read import open_tiles
from curatome.tiles.shards import read_member, shards_of
from curatome.workflows import purge_regions
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project
from curatome.workflows.cluster import cluster_for
from curatome.workflows.regions import build_sources
from curatome.workflows.versions import withdraw_case
from tests.stores import NEVER, s3_server
from tests.workflows.made import protocol, tree
from tests.workflows.made_regions import breakhis, project_with, rows_of

pytestmark = pytest.mark.timeout(300)
SLIDES = "s3://bucket/slides"
BUILD = [sys.executable, "-m", "curatome.cli.main", "build", "--workers", "1", "-p"]


@pytest.fixture(scope="module")
def store(tmp_path_factory, slides):
    """A store that holds the three slides; its faults."""
    before = os.environ.get("CURATOME_CACHE")
    os.environ["CURATOME_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    with s3_server() as faults:
        for path in slides:
            put(path, f"{SLIDES}/{path.name}")
        yield faults
    if before is None:
        del os.environ["CURATOME_CACHE"]
    else:
        os.environ["CURATOME_CACHE"] = before


@pytest.fixture(scope="module")
def registered(store, tmp_path_factory):
    """A project with the slides of the store, which nothing was built of yet."""
    project = create_project(tmp_path_factory.mktemp("registered") / "p", stored("none"))
    assert add_slides(project, [f"{SLIDES}/"], workers=2).added == 3
    return project


@pytest.fixture
def begun(registered, tmp_path, request, store):
    """A copy of that project with a folder of its own for shards."""
    root = shutil.copytree(registered.root, tmp_path / "p")
    (root / "curatome.toml").write_text(stored(request.node.name))
    yield open_project(root)
    store.denied, store.slow = NEVER, (NEVER, 0.0)


def stored(folder):
    table = f'[storage]\nshards = "s3://bucket/{folder}/"\n[[scales]]'
    return protocol().replace("[[scales]]", table, 1)


def shards(project):
    """Sizes of all shards in the store, by name."""
    found = objects_below(project.shards)
    return {u[len(project.shards) + 1 :]: n for u, n in found.items() if u.endswith(".tar")}


def shards_here(whole):
    paths = (whole.build / "shards").rglob("*.tar")
    return {path.relative_to(whole.build).as_posix(): path.stat().st_size for path in paths}


def rows(project):
    return pq.read_table(project.build / "tiles.parquet")


def test_the_same_dataset_as_from_files(begun, whole):
    assert build_project(begun, 2).findings == ()
    ours, theirs = tree(begun.build), tree(whole.build)
    differing = {"tiles.parquet", "slides.parquet", "build.json", "storage.json"}
    same = {name for name in theirs if not name.startswith("shards/")} - differing
    assert set(ours) == same | differing
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    assert rows(begun).equals(rows(whole))
    assert shards(begun) == shards_here(whole)
    assert build_project(begun, 2).made == 0

    here, there = open_tiles(whole.build), open_tiles(begun.build)
    for row in rows(whole).to_pylist()[::5]:
        assert np.array_equal(there.pixels(row), here.pixels(row))
    indices = [TileIndex(p.build / "tiles.parquet", scale="Q") for p in (begun, whole)]
    readers = [BatchReader(index, 16, seed=1, loading=Loading(verify=True)) for index in indices]
    for one, other in zip(*readers, strict=True):
        assert np.array_equal(one.pixels, other.pixels)


def test_slides_of_a_store_are_known_by_their_content(begun, slides):
    entries = begun.store.slides()
    assert [entry.path for entry in entries] == [f"{SLIDES}/s{n}.svs" for n in (1, 2, 3)]
    again = add_slides(begun, [f"{SLIDES}/*.svs"], workers=1)
    assert (again.added, again.known) == (0, 3)
    table = begun.root / "slides.csv"
    table.write_text(f"path,case\n{SLIDES}/s1.svs,C1\ns2.svs,C2\nslides/s3.svs,C3\n")
    add_slides(begun, [], table)
    assert [entry.case for entry in begun.store.slides()] == ["C1", "C2", "C3"]
    (copy,) = add_slides(begun, [slides[0]], workers=1).slides
    assert (copy.slide, copy.path) == (entries[0].slide, entries[0].path)


def test_nothing_at_a_url_is_an_error(begun):
    with pytest.raises(ProjectError, match="no slide at s3://bucket/void/: nothing is at"):
        add_slides(begun, ["s3://bucket/void/"])
    with pytest.raises(ProjectError, match=r"foo://x/a.svs: foo:// is not known"):
        add_slides(begun, ["foo://x/a.svs"])


def test_a_slide_that_may_not_be_read_is_left_out_and_the_others_go_on(begun, store):
    store.denied = "GET /bucket/slides/s2"
    shutil.rmtree(os.environ["CURATOME_CACHE"])
    result = build_project(begun, 1)
    (finding,) = result.findings
    assert (finding.code, finding.subject) == ("STO001", f"slide {begun.store.slides()[1].slide}")
    assert f"{SLIDES}/s2.svs cannot be read: access is denied" in finding.message
    assert result.slides == 2
    store.denied = NEVER
    assert build_project(begun, 1).findings == ()


def test_a_slide_that_changed_or_is_gone_is_a_finding(begun, slides, tmp_path):
    import fsspec

    for path in slides[:2]:
        put(path, f"s3://bucket/moving/{path.name}")
    add_slides(begun, ["s3://bucket/moving/"], workers=1)
    for entry in begun.store.slides()[:2]:  # where they are registered, they are still there
        assert entry.path.startswith(SLIDES)
    other = tmp_path / "x.svs"
    other.write_bytes(slides[0].read_bytes() + b"more")
    put(other, "s3://bucket/solo/x.svs")
    put(other, "s3://bucket/solo/y.svs")
    other.write_bytes(b"no slide")
    put(other, "s3://bucket/solo/z.svs")
    result = add_slides(begun, ["s3://bucket/solo/"], workers=1)
    assert sorted(f.code for f in result.findings) == ["ACQ001", "ACQ005"]
    fsspec.filesystem("s3").rm("bucket/solo/", recursive=True)
    found = build_project(begun, 1, dry_run=True).findings
    assert [f.code for f in found] == ["ACQ009"]
    assert found[0].message.endswith("/x.svs is not there any more.")


def test_a_shard_that_is_not_stored_is_a_finding_and_the_next_build_makes_it(begun, whole, store):
    name = sorted(shards_here(whole))[0]
    store.denied = f"PUT .*/{name}"
    result = build_project(begun, 2)
    (finding,) = result.findings
    assert finding.code == "STO002"
    assert f"{begun.shards}/{name} cannot be written: access is denied" in finding.message
    assert result.slides == 2
    parts = json.loads((begun.build / "build.json").read_text())["slides"]
    assert len(parts) == 2
    store.denied = NEVER
    again = build_project(begun, 2)
    assert again.findings == ()
    assert 0 < again.made < sum(again.tiles.values()) / 3
    assert shards(begun) == shards_here(whole)
    assert rows(begun).equals(rows(whole))


def test_a_store_that_takes_nothing_ends_the_build_before_it_begins(begun, store):
    store.denied = "PUT"
    with pytest.raises(StorageError, match=r"curatome\.txt cannot be written: access is denied"):
        build_project(begun, 1)
    assert tree(begun.build) == {}


def test_killed_while_it_uploads_it_leaves_no_half_shard(begun, whole, store):
    store.slow = (f"PUT /bucket/{begun.shards.rpartition('/')[2]}/shards", 0.4)
    before = len(store.asked)
    process = subprocess.Popen(
        [*BUILD, str(begun.root)], start_new_session=True, stdout=subprocess.DEVNULL
    )
    while not any("PUT" in line and "/shards/" in line for line in store.asked[before:]):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wanted = shards_here(whole)
    assert shards(begun).items() <= wanted.items()
    store.slow = (NEVER, 0.0)
    assert build_project(begun, 2).findings == ()
    assert shards(begun) == wanted
    assert rows(begun).equals(rows(whole))


def test_shards_that_were_moved_are_taken_only_if_all_are_there(begun, whole, store, tmp_path):
    root = shutil.copytree(whole.root, tmp_path / "moved")
    text = (root / "curatome.toml").read_text()
    (root / "curatome.toml").write_text(
        text.replace("[[scales]]", f'[storage]\nshards = "{begun.shards}"\n[[scales]]', 1)
    )
    project = open_project(root)
    with pytest.raises(BuildError, match=r"9 of them are missing or cut short, such as shards/P/"):
        build_project(project, 1)
    assert tree(root / "build") == tree(whole.build)
    for name in shards_here(whole):
        put(whole.build / name, f"{begun.shards}/{name}")
    shutil.rmtree(root / "build" / "shards")
    assert build_project(project, 1).made == 0
    index = TileIndex(root / "build" / "tiles.parquet", scale="P")
    assert TileReader(index, verify=True).read(np.arange(2)).shape == (2, 384, 384, 3)


def test_a_tile_that_its_store_does_not_give_is_named(begun, whole, store):
    for name in list(shards_here(whole))[1:]:
        put(whole.build / name, f"{begun.shards}/{name}")
    root = begun.root
    shutil.copytree(whole.build, root / "build")
    table = rows(whole)
    metadata = {**table.schema.metadata, b"curatome.shards": begun.shards.encode()}
    pq.write_table(table.replace_schema_metadata(metadata), root / "build" / "tiles.parquet")
    lost = next(iter(shards_here(whole)))
    index = TileIndex(root / "build" / "tiles.parquet", scale=lost.split("/")[1])
    with pytest.raises(BuildError, match=rf"tile \w+ cannot be read from {begun.shards}/{lost}"):
        TileReader(index).read(np.arange(len(index)))


def test_a_cluster_fetches_and_stores_by_itself(begun, whole):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        cluster_for(begun, cluster.scheduler_address) as found,
    ):
        assert build_project(begun, found.workers, run=found.run).findings == ()
    assert shards(begun) == shards_here(whole)
    assert rows(begun).equals(rows(whole))


def test_regions_are_stored_too(store, tmp_path):
    images = breakhis(tmp_path, 4)
    here = project_with(tmp_path / "here", images, 1)
    build_sources(here)
    there = project_with(tmp_path / "there", images, 1)
    table = '[storage]\nshards = "s3://bucket/regions"\n'
    (there.root / "curatome.toml").write_text('[dataset]\ntitle = "regions"\n' + table)
    there = open_project(there.root)
    store.denied = "PUT .*/regions/shards/"
    with pytest.raises(BuildError, match=r"could not be stored, such as this one: s3://bucket/re"):
        build_sources(there)
    store.denied = NEVER
    build_sources(there)
    assert rows_of(there) == rows_of(here)
    manifest = there.build / "regions.parquet"
    assert shards_of(manifest) == "s3://bucket/regions"
    for row in rows_of(here):
        place = row["offset"], row["length"]
        stored = read_member(joined(shards_of(manifest), row["shard"]), *place)
        assert stored == read_member(here.build / row["shard"], *place)


def test_a_withdrawn_case_leaves_shards_of_a_store_too(store, tmp_path):
    """Killed once with its pixels overwritten and once with them removed, then called again."""
    images = breakhis(tmp_path, 12)  # two cases, which share a shard of each scale
    project = project_with(tmp_path / "p", images, 1)
    table = '[storage]\nshards = "s3://bucket/withdrawn"\n'
    (project.root / "curatome.toml").write_text('[dataset]\ntitle = "regions"\n' + table)
    project = open_project(project.root)
    build_sources(project)
    before = rows_of(project)
    held = {row["region"]: _stored(project, row) for row in before}
    for number, step in enumerate(("_remove_shards", "_filter_manifest")):
        case = f"14-2254{number}"
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(purge_regions, step, _killed)
            withdraw_case(project, case, "consent withdrawn")
        withdraw_case(project, case, "consent withdrawn")
        rest = [row for row in before if row["case"] > case]
        assert rows_of(project) == rest
        assert all(_stored(project, row) == held[row["region"]] for row in rest)
        for url in shards(project):
            with opened_object(f"{project.shards}/{url}") as stream:
                whole = stream.read()
            assert not [r for r in before if r["case"] <= case and held[r["region"]] in whole]
    assert not shards(project)


def test_shards_that_end_with_a_withdrawn_case_can_be_moved(store, tmp_path):
    """They are longer than their last row says, and not cut short."""
    project = project_with(tmp_path / "p", breakhis(tmp_path, 12), 1)
    build_sources(project)
    withdraw_case(project, "14-22541", "consent withdrawn")
    rest = rows_of(project)
    for path in sorted((project.build / "regions" / "shards").rglob("*.tar")):
        put(path, f"s3://bucket/moved/{path.relative_to(project.build)}")
    table = '[storage]\nshards = "s3://bucket/moved"\n'
    (project.root / "curatome.toml").write_text('[dataset]\ntitle = "regions"\n' + table)
    moved = open_project(project.root)
    assert build_sources(moved).made == 0
    assert rows_of(moved) == rest
    assert all(len(_stored(moved, row)) == row["length"] for row in rest)


def _killed(*_):
    raise KeyboardInterrupt


def _stored(project, row):
    return read_member(joined(project.shards, row["shard"]), row["offset"], row["length"])
