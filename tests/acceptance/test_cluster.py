"""Many slides on a cluster whose workers die one after the other: the bytes of a serial run."""

import shutil

import pyarrow.parquet as pq
import pytest

from curatome.project import create_project, open_project
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project
from curatome.workflows.cluster import cluster_for
from tests.many import PROTOCOL, write_slides
from tests.workflows.made import tree

distributed = pytest.importorskip("distributed")

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

SLIDES = 200  # the thousand of them are in benchmarks/cluster.py
WORKERS = 3
SECONDS = 2.0


def test_killed_workers_lose_nothing_and_double_nothing(tmp_path):
    from tests.killer import Killer

    write_slides(tmp_path / "slides", SLIDES)
    serial = create_project(tmp_path / "serial", PROTOCOL)
    assert add_slides(serial, [tmp_path / "slides"], workers=2).added == SLIDES
    spread = open_project(shutil.copytree(serial.root, tmp_path / "spread"))
    alone = build_project(serial, 1)
    local = distributed.LocalCluster(
        n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    with (
        local,
        cluster_for(spread, local.scheduler_address) as cluster,
        Killer(local.scheduler_address, SECONDS, WORKERS) as killer,
    ):
        result = build_project(spread, cluster.workers, run=cluster.run)
    print(f"{killer.killed} kills, {killer.at_work} at work; {result.seconds:.0f} s")
    assert killer.at_work >= 3
    assert result.findings == alone.findings == ()
    assert result.made == alone.made == sum(alone.tiles.values())
    assert tree(spread.build) == tree(serial.build)
    ids = pq.read_table(spread.build / "tiles.parquet", columns=["tile_id"])["tile_id"]
    assert len(ids) == len(ids.unique()) == alone.made
    parts = [path.name for path in (spread.build / "parts").iterdir()]
    assert len(parts) == 2 * SLIDES
