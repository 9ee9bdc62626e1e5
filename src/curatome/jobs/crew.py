"""The Dask worker's side of a cluster: one supervised child for each task under way.

`curatome.jobs.cluster` calls these functions on the workers. A worker keeps its children between
tasks, and ends those that nobody has needed for a while.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from curatome.jobs.supervise import Attendant, Limits, Outcome, Task

TOPIC = "curatome"
"""Dask's topic of the events that tell progress: `run`, `key` and `counts` so far."""

IDLE_SECONDS = 60.0
_TELL_SECONDS = 1.0


@dataclass(frozen=True)
class Premises:
    """What must hold on every worker of a cluster.

    Attributes:
        folder: a folder that all must see under the same path, and be able to write to.
        token: the name of a file in it that the workers look for.
        versions: distributions by name, which must be there in the same version.
    """

    folder: Path | None = None
    token: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def broken(self) -> str:
        """What does not hold here, in words; empty if all does."""
        if self.folder is not None:
            if not (self.folder / self.token).exists():
                return f"it does not see {self.folder} as this process does"
            if not os.access(self.folder, os.W_OK | os.X_OK):
                return f"it may not write to {self.folder}"
        for name, wanted in self.versions.items():
            found = _version(name)
            if found != wanted:
                return f"it has {name} {found or 'not at all'}, and this process has {wanted}"
        return ""


@dataclass(frozen=True)
class Order:
    """A task on its way to a worker.

    Attributes:
        run: the run it belongs to.
        task: the task.
        limits: what its child may use.
        premises: what must hold where it is done.
    """

    run: str
    task: Task
    limits: Limits
    premises: Premises


@dataclass(frozen=True)
class Answer:
    """What came of an order.

    Attributes:
        outcome: of the task; None if the worker cannot take part.
        counts: all that the child has reported.
        problem: why the worker cannot take part.
    """

    outcome: Outcome | None
    counts: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""


def attend(order: bytes) -> Answer:
    """Do a pickled `Order` in a supervised child of this Dask worker."""
    from distributed import get_worker

    wanted: Order = pickle.loads(order)
    problem = _crew.judge(wanted)
    if problem:
        return Answer(None, problem=problem)
    worker = get_worker()
    counts: Counter[str] = Counter()
    told = 0.0

    def tell(task: Task, more: Mapping[str, int]) -> None:
        nonlocal told
        counts.update(more)
        if time.monotonic() - told > _TELL_SECONDS:
            told = time.monotonic()
            event = {"run": wanted.run, "key": task.key, "counts": dict(counts)}
            worker.log_event(TOPIC, event)

    attendant = _crew.take(wanted)
    try:
        outcome = attendant.run(wanted.task, tell)
    finally:
        _crew.give_back(wanted, attendant)
    return Answer(outcome, dict(counts))


def examine(premises: bytes) -> str:
    """What of pickled `Premises` does not hold on this worker."""
    wanted: Premises = pickle.loads(premises)
    return wanted.broken()


def dismiss(run: str) -> None:
    """End the children of a run on this worker, whatever they are at."""
    _crew.dismiss(run)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


@dataclass
class _Idle:
    """A child without work."""

    order: Order
    attendant: Attendant
    since: float


class _Crew:
    """The children of this process. Dask calls it from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy: dict[Attendant, str] = {}
        self._idle: list[_Idle] = []
        self._judged: set[str] = set()
        self._over: set[str] = set()
        self._reaper: threading.Thread | None = None

    def judge(self, order: Order) -> str:
        """Why this worker cannot take part in a run; asked once for each run."""
        if order.run in self._over:
            return "the run is over"
        if order.run in self._judged:
            return ""
        problem = order.premises.broken()
        if not problem:
            self._judged.add(order.run)
        return problem

    def take(self, order: Order) -> Attendant:
        """A child for a task: one of the same run that is idle, or a new one."""
        with self._lock:
            of_run = [i for i in self._idle if i.order.run == order.run]
            fitting = [i for i in of_run if i.order.limits == order.limits]
            if fitting:
                self._idle.remove(fitting[-1])
            attendant = fitting[-1].attendant if fitting else Attendant(order.limits)
            self._busy[attendant] = order.run
            return attendant

    def give_back(self, order: Order, attendant: Attendant) -> None:
        """Keep a child for the next task, unless its run is over."""
        with self._lock:
            del self._busy[attendant]
            if order.run in self._over:
                attendant.close()
                return
            self._idle.append(_Idle(order, attendant, time.monotonic()))
            if self._reaper is None:
                self._reaper = threading.Thread(target=self._reap, daemon=True)
                self._reaper.start()

    def dismiss(self, run: str) -> None:
        """End a run's children; those at work die, and their tasks end."""
        with self._lock:
            self._over.add(run)
            self._judged.discard(run)
            for attendant, owner in self._busy.items():
                if owner == run:
                    attendant.stop()
            self._close([idle for idle in self._idle if idle.order.run == run])

    def _reap(self) -> None:
        # The process that ordered the work may die without a word.
        while True:
            time.sleep(IDLE_SECONDS / 4)
            with self._lock:
                longest = time.monotonic() - IDLE_SECONDS
                self._close([idle for idle in self._idle if idle.since < longest])
                if not self._idle:
                    self._reaper = None
                    return

    def _close(self, idle: list[_Idle]) -> None:
        for one in idle:
            self._idle.remove(one)
            one.attendant.close()


_crew = _Crew()
