"""Many processes write at once and are killed: what was acknowledged is there, all else is not."""

import json
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
import sqlalchemy as sa

from curatome.annotations.store import open_annotations
from curatome.annotations.store.schema import claims, events
from tests.annotations.store.made import ANNA, row, table
from tests.annotations.store.writers import SHARED


def start(what, where, number, count):
    command = [sys.executable, "-m", "tests.annotations.store.writers", what]
    return subprocess.Popen(
        [*command, where, str(number), str(count)], stdout=subprocess.PIPE, text=True
    )


def shared(where):
    with open_annotations(where) as store:
        store.import_table(table([row(n, n * 20.0) for n in range(SHARED)]), ANNA)


def said(lines):
    """Label by event, as it was acknowledged."""
    found = {}
    for line in lines:
        if line.endswith("\n"):  # a process may die while it prints
            first, last, label = line.split()
            found |= dict.fromkeys(range(int(first), int(last) + 1), label)
    return found


def kept(store):
    """Label by event, as the store has it."""
    query = sa.select(events.c.seq, claims.c.labels)
    query = query.join(claims, claims.c.claim == events.c.claim).where(events.c.seq > SHARED)
    with store._engine.connect() as connection:
        return {seq: json.loads(labels)[0] for seq, labels in connection.execute(query)}


def write_together(where, processes, edits):
    shared(where)
    running = [start("edit", where, number, edits) for number in range(processes)]
    printed = [[] for _ in running]
    readers = [
        threading.Thread(target=lambda to, stream: to.extend(stream), args=(to, one.stdout))
        for to, one in zip(printed, running, strict=True)
    ]
    for reader in readers:
        reader.start()
    for reader, process in zip(readers, running, strict=True):
        reader.join()
        assert process.wait() == 0
    acknowledged = {}
    for lines in printed:
        assert len(lines) == edits
        acknowledged |= said(lines)
    with open_annotations(where) as store:
        assert len(acknowledged) == processes * edits == store.head() - SHARED
        assert kept(store) == acknowledged
        for name in store.current()["annotation"].to_pylist():
            bases = [event.base for event in store.history(name)]
            assert bases[1:] == [event.seq for event in store.history(name)][:-1]


def test_no_edit_of_processes_that_write_at_once_is_lost(where):
    write_together(where, 4, 25)


@pytest.mark.acceptance
@pytest.mark.timeout(900)
def test_none_of_16000_edits_of_eight_processes_is_lost(where):
    write_together(where, 8, 2000)


def kill_on(where, what, kills, count):
    """Kill one writer after another at any moment; what the store then lacks or has too much."""
    draw = random.Random(7)
    shared(where)
    acknowledged, complete = {}, 0
    for number in range(kills):
        process = start(what, where, number, count)
        first = process.stdout.readline()
        time.sleep(draw.random() * 0.15)
        process.send_signal(signal.SIGKILL)
        lines = [first, *process.stdout]
        assert process.wait() in (-signal.SIGKILL, 0)
        told = said(lines)
        complete += len(told)
        acknowledged |= told
        with open_annotations(where) as store:
            there = kept(store)
            assert there.items() >= acknowledged.items()
            # Only what was on disk but not yet printed may be there beside, one batch at most.
            beside = set(there) - set(acknowledged)
            assert len(beside) in (0, 1 if what == "edit" else count)
            assert store.head() == SHARED + len(there)
            state = store.current()
            store.rebuild()
            assert store.current().equals(state)
            acknowledged = there
    assert complete
    return complete


def test_killed_between_edits_exactly_the_acknowledged_are_there(tmp_path):
    kill_on(str(tmp_path / "a.db"), "edit", 6, 200)


def test_killed_within_imports_they_are_there_whole_or_not_at_all(tmp_path):
    kill_on(str(tmp_path / "a.db"), "import", 4, 300)


@pytest.mark.acceptance
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("what", "kills", "count"), [("edit", 100, 200), ("import", 40, 1000)])
def test_killed_at_many_moments(tmp_path, what, kills, count):
    print(kill_on(str(tmp_path / "a.db"), what, kills, count), "events acknowledged")
