import os
import signal
import threading
import time
from pathlib import Path

import pytest

from curatome.errors import ClusterError
from curatome.jobs import Limits, Task
from curatome.jobs.crew import Premises
from tests.jobs.test_supervise import FAULTS, task

distributed = pytest.importorskip("distributed")
cluster_module = pytest.importorskip("curatome.jobs.cluster")

pytestmark = pytest.mark.timeout(120)
LONG = 60


@pytest.fixture(scope="module")
def local():
    """Two worker processes of one thread, restarted when they die."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        yield cluster


@pytest.fixture
def client(local):
    with distributed.Client(local, set_as_default=False) as client:
        client.wait_for_workers(2, LONG)
        yield client


def run(client, *tasks, **kwargs):
    outcomes = cluster_module.run_on_cluster(tasks, client, **kwargs)
    return {outcome.task.key: outcome for outcome in outcomes}


def worker_pids(client):
    return set(client.run(os.getpid).values())


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def gone(pid, seconds=5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end and alive(pid):
        time.sleep(0.05)
    return not alive(pid)


def test_values_come_back_for_every_task_once(client):
    tasks = [Task(str(n), FAULTS + "square", (n,)) for n in range(60)]
    outcomes = list(cluster_module.run_on_cluster(tasks, client))
    assert sorted((int(o.task.key), o.value) for o in outcomes) == [(n, n * n) for n in range(60)]


def test_each_worker_has_one_child_that_serves_many_tasks_and_ends_with_the_run(client):
    outcomes = run(client, *[Task(str(n), FAULTS + "own_pid") for n in range(12)])
    pids = {outcome.value for outcome in outcomes.values()}
    assert 1 <= len(pids) <= 2
    assert not pids & worker_pids(client)
    assert all(gone(pid) for pid in pids)


def test_a_childs_death_is_an_outcome_and_never_the_workers(client):
    before = worker_pids(client)
    outcomes = run(client, task("crash", signal.SIGSEGV), task("square", 7), task("surprise"))
    failure = outcomes["crash"].failure
    assert (failure.kind, failure.stage) == ("killed", "decode level 0")
    assert "SIGSEGV" in failure.message
    assert outcomes["square"].value == 49
    assert outcomes["surprise"].failure.message.startswith("KeyError:")
    assert worker_pids(client) == before


def test_a_child_killed_from_outside_costs_nothing(client, tmp_path):
    outcomes = run(client, task("crash_once", str(tmp_path / "marker")))
    assert outcomes["crash_once"].value == "second try"


def test_limits_hold_on_the_workers(client):
    outcomes = run(
        client, task("hang"), task("eat", 3), limits=Limits(silence_seconds=2, memory_bytes=1 << 30)
    )
    assert (outcomes["hang"].failure.kind, outcomes["hang"].failure.stage) == ("deadline", "open")
    assert outcomes["eat"].failure.kind == "memory"


def test_progress_is_told_once_for_each_step(client):
    seen = []
    outcomes = run(
        client, task("slow_but_alive", 10), on_progress=lambda t, counts: seen.append((t, counts))
    )
    assert outcomes["slow_but_alive"].value == 10
    assert sum(counts["tiles"] for _, counts in seen) == 10
    assert len(seen) > 1  # while it was at work, not only in the end
    assert {t.key for t, _ in seen} == {"slow_but_alive"}


def test_the_task_of_a_killed_worker_is_done_by_another(client, tmp_path):
    victims = worker_pids(client)
    marks = [tmp_path / str(n) for n in range(4)]
    tasks = [Task(mark.name, FAULTS + "mark_and_wait", (str(mark), 1.5)) for mark in marks]

    def kill_one():
        while not any(mark.exists() for mark in marks):
            time.sleep(0.02)
        os.kill(min(victims), signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    outcomes = list(cluster_module.run_on_cluster(tasks, client))
    killer.join()
    assert sorted(outcome.task.key for outcome in outcomes) == [mark.name for mark in marks]
    assert all(outcome.failure is None for outcome in outcomes)
    begun = sum(len(mark.read_text()) for mark in marks)
    assert begun > len(marks)  # at least one was begun twice
    client.wait_for_workers(2, LONG)
    assert min(victims) not in worker_pids(client)


def test_tasks_are_drawn_only_when_there_is_room(client):
    drawn = []

    def many():
        for n in range(1000):
            drawn.append(n)
            yield Task(str(n), FAULTS + "square", (n,))

    outcomes = cluster_module.run_on_cluster(many(), client)
    next(outcomes)
    assert len(drawn) <= 2 * 2 + 1
    outcomes.close()
    assert len(drawn) < 20


def test_closing_ends_the_children_and_the_workers_go_on(client, tmp_path):
    mark = tmp_path / "pid"
    tasks = [task("own_pid"), Task("wait", FAULTS + "mark_and_wait", (str(mark), 600, "pid"))]
    outcomes = cluster_module.run_on_cluster(tasks, client)
    first = next(outcomes).value
    while not (mark.exists() and mark.read_text()):
        time.sleep(0.02)
    waiting = int(mark.read_text())
    assert alive(waiting)
    outcomes.close()
    assert gone(first)
    assert gone(waiting)
    assert run(client, task("square", 3))["square"].value == 9


def test_an_exception_at_the_consumer_ends_the_children(client):
    pids = []

    def consume():
        for outcome in cluster_module.run_on_cluster([task("own_pid"), task("hang")], client):
            pids.append(outcome.value)
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        consume()
    assert gone(pids[0])


def test_workers_must_see_the_folder(client, tmp_path):
    assert run(client, task("square", 2), premises=Premises(tmp_path))["square"].value == 4
    assert list(tmp_path.iterdir()) == []
    drawn = []
    tasks = (drawn.append(n) for n in range(3))
    elsewhere = Premises(Elsewhere(tmp_path))
    with pytest.raises(ClusterError, match=r"does not see .* as this process does"):
        next(cluster_module.run_on_cluster(tasks, client, premises=elsewhere))
    assert drawn == []
    assert list(tmp_path.iterdir()) == []


class Elsewhere(type(Path())):
    """A path that leads to another place on the workers."""

    def __reduce__(self):
        return (Path, ("/somewhere/else",))


def test_workers_must_have_the_same_versions(client):
    premises = Premises(versions={"numpy": "0.1", "pillow": "0.1"})
    with pytest.raises(ClusterError, match=r"it has numpy \d.*, and this process has 0\.1"):
        run(client, task("square", 2), premises=premises)
    with pytest.raises(ClusterError, match="it has nosuchthing not at all"):
        run(client, task("square", 2), premises=Premises(versions={"nosuchthing": "1"}))


def test_a_lost_scheduler_is_an_error_in_words(tmp_path):
    mark = tmp_path / "begun"
    tasks = [Task("wait", FAULTS + "mark_and_wait", (str(mark), 600))]
    local = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    client = distributed.Client(local.scheduler_address, set_as_default=False, timeout=3)

    def close():
        while not mark.exists():
            time.sleep(0.02)
        local.close()

    closer = threading.Thread(target=close)
    closer.start()
    with pytest.raises(ClusterError, match="scheduler was lost"):
        list(cluster_module.run_on_cluster(tasks, client))
    closer.join()
    client.close()
