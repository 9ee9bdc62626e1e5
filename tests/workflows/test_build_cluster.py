"""A build on a cluster: the bytes of one on this machine, whatever is done twice."""

import shutil
import subprocess
import sys
import tarfile

import pytest

from curatome.errors import ClusterError
from curatome.project import create_project
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project
from curatome.workflows.cluster import cluster_for
from tests.workflows.made import protocol, tree

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def address():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def registered(slides, tmp_path):
    project = create_project(tmp_path / "p", protocol())
    add_slides(project, slides)
    return project


def test_the_same_bytes_as_on_this_machine(registered, whole, address):
    with cluster_for(registered, address) as cluster:
        assert cluster.workers == 2
        result = build_project(registered, cluster.workers, run=cluster.run)
        assert result.made == sum(result.tiles.values()) > 0
        assert tree(registered.build) == tree(whole.build)
        assert build_project(registered, cluster.workers, run=cluster.run).made == 0


def test_what_was_begun_here_goes_on_there(registered, whole, address):
    shutil.copytree(whole.build, registered.build)
    for part in sorted((registered.build / "parts").iterdir())[::2]:
        part.unlink()
    with cluster_for(registered, address) as cluster:
        result = build_project(registered, cluster.workers, run=cluster.run)
    assert 0 < result.made < sum(result.tiles.values())
    assert tree(registered.build) == tree(whole.build)


def test_a_build_with_workers_elsewhere_ends_before_it_begins(registered, address, monkeypatch):
    monkeypatch.setattr("curatome.workflows.cluster.__version__", "0.0.0")
    with (
        cluster_for(registered, address) as cluster,
        pytest.raises(ClusterError, match=r"it has curatome .*, and this process has 0\.0\.0"),
    ):
        build_project(registered, cluster.workers, run=cluster.run)
    assert [*registered.build.iterdir()] == []


AGAIN = """
import sys
from pathlib import Path
from curatome.tiles.engine import build_unit
build, path, key = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[4])):
    for unit in (0, 1):
        build_unit(build, path, key, unit)
"""


def test_the_same_units_made_at_the_same_time_by_three_are_whole_at_any_moment(
    slides, whole, tmp_path
):
    build = tmp_path / "build"
    shutil.copytree(whole.build / "slides", build / "slides")
    entry = min(whole.store.slides(), key=lambda entry: entry.path)
    (key,) = [folder.name for folder in (build / "slides").glob(f"{entry.slide}-*")]
    command = [sys.executable, "-c", AGAIN, str(build), entry.path, key, "8"]
    pipe = subprocess.PIPE
    makers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    for maker in makers:
        assert maker.stdout.readline() == "ready\n"
    for maker in makers:
        maker.stdin.write("go\n")
        maker.stdin.flush()
    wanted = tree(whole.build)
    looks = 0
    while any(maker.poll() is None for maker in makers):
        for path in [*build.glob("shards/*/[!.]*"), *build.glob("parts/[!.]*")]:
            name = str(path.relative_to(build))
            assert name in wanted
            if path.suffix == ".tar":
                with tarfile.open(path) as shard:
                    assert shard.getmembers()
            looks += 1
    assert [maker.wait() for maker in makers] == [0, 0, 0]
    assert looks > 20
    found = tree(build)
    assert len([name for name in found if name.startswith("parts/")]) == 2
    assert found.items() <= wanted.items()
    for maker in makers:
        maker.stdin.close()
        maker.stdout.close()
