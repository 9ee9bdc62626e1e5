import os
import signal
import subprocess
import sys
import time

import pytest

from curatome.errors import ClusterError
from curatome.jobs import Task
from tests.jobs.test_supervise import FAULTS

distributed = pytest.importorskip("distributed")
cluster = pytest.importorskip("curatome.jobs.cluster")
deploy = pytest.importorskip("curatome.jobs.deploy")

pytestmark = pytest.mark.timeout(120)

SBATCH = """#!/bin/sh
# Runs the script at once, on this machine, as SLURM would on another.
cp "$1" "{folder}/job.sh"
setsid sh "{folder}/job.sh" > "{folder}/job.log" 2>&1 &
echo $! > "{folder}/job"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
kill -TERM -- "-$1" 2> /dev/null || true
"""


def squares(client, count=6):
    tasks = [Task(str(n), FAULTS + "square", (n,)) for n in range(count)]
    return sorted(outcome.value for outcome in cluster.run_on_cluster(tasks, client))


def test_an_address():
    local = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    with local, deploy.connected(local.scheduler_address) as client:
        assert cluster.threads(client) == 1
        assert squares(client) == [0, 1, 4, 9, 16, 25]
        with (
            pytest.raises(ClusterError, match="Leave out --workers"),
            deploy.connected(local.scheduler_address, 3),
        ):
            pass


def test_slurm_starts_workers_through_sbatch_and_ends_them(tmp_path, monkeypatch):
    dask = pytest.importorskip("dask")
    pytest.importorskip("dask_jobqueue")
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        path = tmp_path / name
        path.write_text(text.format(folder=tmp_path))
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    settings = {
        "jobqueue.slurm.cores": 1,
        "jobqueue.slurm.memory": "1GB",
        "jobqueue.slurm.python": sys.executable,
        "jobqueue.slurm.scheduler-options": {"dashboard_address": ":0"},
    }
    with dask.config.set(settings), deploy.connected("slurm", 1) as client:
        job = int((tmp_path / "job").read_text())
        os.killpg(job, 0)
        assert squares(client) == [0, 1, 4, 9, 16, 25]
    for _ in range(100):
        if subprocess.run(["pgrep", "-g", str(job)], check=False, capture_output=True).returncode:
            return
        time.sleep(0.1)
    os.killpg(job, signal.SIGKILL)
    pytest.fail("the job outlived the cluster")


def test_what_cannot_be_reached_or_started_is_said_in_words(monkeypatch):
    monkeypatch.setattr(deploy, "_CONNECT_SECONDS", 0.5)
    cases = [
        (("tcp://127.0.0.1:1",), "no Dask scheduler answers at tcp://127.0.0.1:1"),
        (("moon",), "there is no cluster 'moon'"),
        (("slurm",), "say with --workers"),
        (("slurm", 2), "jobqueue.yaml"),
    ]
    for arguments, words in cases:
        with pytest.raises(ClusterError, match=words), deploy.connected(*arguments):
            pass


def test_a_scheduler_without_workers(monkeypatch):
    monkeypatch.setattr(deploy, "_CONNECT_SECONDS", 1.0)
    local = distributed.LocalCluster(n_workers=0, processes=True, dashboard_address=":0")
    with (
        local,
        pytest.raises(ClusterError, match=r"has no workers\. Start some: `dask worker tcp"),
        deploy.connected(local.scheduler_address),
    ):
        pass


@pytest.mark.parametrize("where", ["tcp://127.0.0.1:1", "slurm", "kubernetes"])
def test_a_package_that_is_not_there_is_named(where, monkeypatch):
    for name in ("distributed", "dask_jobqueue", "dask_kubernetes", "dask_kubernetes.operator"):
        monkeypatch.setitem(sys.modules, name, None)
    workers = None if "://" in where else 1
    with pytest.raises(ClusterError, match="pip install"), deploy.connected(where, workers):
        pass
