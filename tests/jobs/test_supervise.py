import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curatome.jobs import Children, Limits, Task, run_tasks

FAULTS = "tests.jobs.faults:"


def run(*tasks, **kwargs):
    return {outcome.task.key: outcome for outcome in run_tasks(tasks, **kwargs)}


def task(key, *arguments, function=None):
    return Task(key, FAULTS + (function or key), arguments)


def test_values_come_back_for_every_task():
    tasks = [Task(str(n), FAULTS + "square", (n,)) for n in range(40)]
    outcomes = run(*tasks, workers=3)
    assert {key: outcome.value for key, outcome in outcomes.items()} == {
        str(n): n * n for n in range(40)
    }


def test_one_child_serves_many_tasks():
    outcomes = run(*[Task(str(n), FAULTS + "own_pid") for n in range(10)])
    assert len({outcome.value for outcome in outcomes.values()}) == 1
    assert os.getpid() not in {outcome.value for outcome in outcomes.values()}


def test_children_are_kept_from_run_to_run_unless_limits_differ():
    def pids(children, limits=None):
        return {outcome.value for outcome in children.run([task("own_pid")], 2, limits)}

    with Children() as children:
        first = pids(children)
        assert pids(children) == first
        others = pids(children, Limits(silence_seconds=7))
        assert others.isdisjoint(first)
        assert all(map(_ended, first))
        assert not any(map(_ended, others))
    assert all(map(_ended, others))


def test_a_run_that_is_left_ends_the_children_at_work_alone():
    with Children() as children:
        tasks = [task("own_pid"), task("hang")]
        (idle,) = (outcome.value for outcome in [next(children.run(tasks, 2))])
        assert not _ended(idle)
        assert [outcome.value for outcome in children.run([task("own_pid")])] == [idle]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_names_signal_and_stage_and_the_rest_goes_on(number):
    outcomes = run(task("crash", number), task("square", 7), workers=1)
    failure = outcomes["crash"].failure
    assert failure.kind == "killed"
    assert signal.Signals(number).name in failure.message
    assert failure.stage == "decode level 0"
    assert outcomes["square"].value == 49


def test_a_child_killed_from_outside_costs_nothing(tmp_path):
    outcomes = run(task("crash_once", str(tmp_path / "marker")))
    assert outcomes["crash_once"].value == "second try"


def test_silence_ends_at_the_deadline():
    started = time.monotonic()
    outcomes = run(task("hang"), task("square", 3), limits=Limits(silence_seconds=2))
    assert outcomes["hang"].failure.kind == "deadline"
    assert outcomes["hang"].failure.stage == "open"
    assert outcomes["square"].value == 9
    assert time.monotonic() - started < 20


def test_progress_is_a_sign_of_life_and_is_counted():
    seen = []
    outcomes = run(
        task("slow_but_alive", 10),
        limits=Limits(silence_seconds=2),
        on_progress=lambda _, counts: seen.append(counts["tiles"]),
    )
    assert outcomes["slow_but_alive"].value == 10
    assert sum(seen) == 10


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS is Linux's")
def test_memory_is_limited():
    outcomes = run(task("eat", 3), task("square", 2), limits=Limits(memory_bytes=1 << 30))
    assert outcomes["eat"].failure.kind == "memory"
    assert outcomes["eat"].failure.stage == "decode"
    assert outcomes["square"].value == 4


def test_our_errors_keep_their_words_and_others_their_type():
    outcomes = run(task("refuse"), task("surprise"))
    assert outcomes["refuse"].failure.message == "a.svs is no TIFF."
    assert str(outcomes["refuse"].failure) == "a.svs is no TIFF. (stage: open)"
    assert outcomes["surprise"].failure.message.startswith("KeyError:")


def test_closing_the_iterator_ends_the_children():
    outcomes = run_tasks([task("own_pid"), task("hang")], workers=2)
    pid = next(outcomes).value
    outcomes.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_children_do_not_outlive_a_killed_supervisor():
    script = (
        "from curatome.jobs import Task, run_tasks\n"
        f"tasks = [Task('a', '{FAULTS}own_pid'), Task('b', '{FAULTS}hang')]\n"
        "for outcome in run_tasks(tasks, workers=1):\n"
        "    print(outcome.value, flush=True)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    for _ in range(50):
        time.sleep(0.1)
        if _ended(pid):
            return
    pytest.fail(f"child {pid} is still alive")


def _ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True
