"""The supervisor's side: hand out tasks, watch the children, tell what came of each task."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Literal

_ATTEMPTS = 2  # a task whose child died is tried once more, alone in a fresh child
_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Limits:
    """What a child may use.

    Attributes:
        silence_seconds: longest time without a sign of life (a stage, progress, or the result).
        memory_bytes: address space (RLIMIT_AS); 0 for no limit.
    """

    silence_seconds: float = 120.0
    memory_bytes: int = 4 << 30


@dataclass(frozen=True)
class Task:
    """A function to call in a child.

    Attributes:
        key: what the task is known by, unique within a run.
        function: `module:name`, importable in the child.
        arguments: picklable.
    """

    key: str
    function: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Failure:
    """Why a task gave no value.

    Attributes:
        kind: `error` (raised), `memory`, `disk` (no room to write), `deadline` (silent too long)
            or `killed` (died).
        stage: what the child was doing, in its own words.
        message: a clause for a person, without the stage.
    """

    kind: Literal["error", "memory", "disk", "deadline", "killed"]
    stage: str
    message: str

    def __str__(self) -> str:
        return f"{self.message} (stage: {self.stage})" if self.stage else self.message


@dataclass(frozen=True)
class Outcome:
    """What came of a task: a value, or a failure."""

    task: Task
    value: Any = None
    failure: Failure | None = None
    seconds: float = 0.0


OnProgress = Callable[[Task, Mapping[str, int]], None]


def run_tasks(
    tasks: Iterable[Task],
    workers: int = 1,
    limits: Limits | None = None,
    on_progress: OnProgress | None = None,
) -> Iterator[Outcome]:
    """Run tasks in supervised children and yield outcomes as they come, in no fixed order.

    Tasks are drawn from the iterable only when a child is free. Closing the iterator, or an
    exception at its consumer, ends the children.

    Args:
        tasks: what to do.
        workers: how many children at the most.
        limits: what each child may use.
        on_progress: called with the counts that a child reports.
    """
    with Children() as children:
        yield from children.run(tasks, workers, limits, on_progress)


Runner = Callable[[Iterable[Task], int, Limits, OnProgress | None], Iterator[Outcome]]
"""`run_tasks`, or what runs tasks elsewhere by the same contract."""


class Children:
    """Children that are kept from one run of tasks to the next, for to start one takes a second.

    A context manager; `run` keeps the contract of `run_tasks`.
    """

    def __init__(self) -> None:
        self._children: list[_Child] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all children; later runs start new ones."""
        self._dismiss(self._children)

    def run(
        self,
        tasks: Iterable[Task],
        workers: int = 1,
        limits: Limits | None = None,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Outcome]:
        """See `run_tasks`. Children of other limits are ended first, those at work at the end."""
        limits = limits or Limits()
        source = iter(tasks)
        again: deque[tuple[Task, int]] = deque()
        self._dismiss(child for child in self._children if child.limits != limits)
        self._dismiss(self._children[workers:])
        try:
            while True:
                _hand_out(source, again, self._children, workers, limits)
                busy = [child for child in self._children if child.task is not None]
                if not busy:
                    return
                for child in _ready(busy):
                    outcome = child.listen(on_progress)
                    if outcome is None:
                        continue
                    if child.dead:
                        self._children.remove(child)
                    if _worth_another_try(outcome, child.attempt):
                        again.append((outcome.task, child.attempt + 1))
                    else:
                        yield outcome
        finally:
            self._dismiss(child for child in self._children if child.task is not None)

    def _dismiss(self, children: Iterable[_Child]) -> None:
        for child in list(children):
            child.kill()
            self._children.remove(child)


class Attendant:
    """One child at a time, kept from task to task: `run_tasks` for a thread that has one task.

    Args:
        limits: what the child may use.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._child: _Child | None = None
        self._stopped = False

    def run(self, task: Task, on_progress: OnProgress | None = None) -> Outcome:
        """Do one task; like `run_tasks`, once more in a fresh child if the first one dies."""
        attempt = 1
        while True:
            if self._child is None or self._child.dead:
                self._child = _Child(self._limits)
            self._child.start(task, attempt)
            outcome = None
            while outcome is None:
                for child in _ready([self._child]):
                    outcome = child.listen(on_progress)
            if self._stopped or not _worth_another_try(outcome, attempt):
                return outcome
            attempt += 1

    def stop(self) -> None:
        """Let `run` end at once, its child killed. May be called by any thread."""
        self._stopped = True
        if self._child is not None:
            self._child.shoot()

    def close(self) -> None:
        """End the child. Not while `run` is at work."""
        if self._child is not None:
            self._child.kill()


def _worth_another_try(outcome: Outcome, attempt: int) -> bool:
    return outcome.failure is not None and outcome.failure.kind == "killed" and attempt < _ATTEMPTS


def _hand_out(
    source: Iterator[Task],
    again: deque[tuple[Task, int]],
    children: list[_Child],
    workers: int,
    limits: Limits,
) -> None:
    idle = deque(child for child in children if child.task is None)
    while idle or len(children) < workers:
        if again:
            task, attempt = again.popleft()
        else:
            following = next(source, None)
            if following is None:
                return
            task, attempt = following, 1
        if idle:
            child = idle.popleft()
        else:
            child = _Child(limits)
            children.append(child)
        child.start(task, attempt)


def _ready(busy: list[_Child]) -> list[_Child]:
    spoke = set(wait([child.pipe for child in busy], timeout=_POLL_SECONDS))
    return [child for child in busy if child.pipe in spoke or child.overdue]


class _Child:
    """One child process and the task it is at."""

    def __init__(self, limits: Limits) -> None:
        ours, theirs = socket.socketpair()
        numbers = (theirs.fileno(), limits.memory_bytes)
        self.limits = limits
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "curatome.jobs.child", *map(str, numbers)],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._stderr,
            stderr=self._stderr,
            env=_environment(),
        )
        theirs.close()
        self.pipe = Connection(ours.detach())
        self.task: Task | None = None
        self.attempt = 0
        self.dead = False
        self._stage = ""
        self._started = self._heard = 0.0

    def start(self, task: Task, attempt: int) -> None:
        self.task, self.attempt, self._stage = task, attempt, ""
        self._started = self._heard = time.monotonic()
        try:
            self.pipe.send((task.function, task.arguments))
        except OSError:  # it died while idle; listen() will find the end of the pipe
            return

    @property
    def overdue(self) -> bool:
        return time.monotonic() - self._heard > self.limits.silence_seconds

    def listen(self, on_progress: OnProgress | None) -> Outcome | None:
        """One message from the child; the outcome if that ended the task."""
        if not self.pipe.poll():
            return self._fail("deadline", f"no sign of life for {self.limits.silence_seconds:g} s")
        try:
            kind, *rest = self.pipe.recv()
        except (EOFError, OSError):
            self._await_end()
            return self._fail("killed", "")
        self._heard = time.monotonic()
        if kind == "stage":
            self._stage = rest[0]
        elif kind == "progress":
            if on_progress is not None and self.task is not None:
                on_progress(self.task, rest[0])
        elif kind == "value":
            return self._finish(value=rest[0])
        elif rest[0] == "memory":  # start the next task with clean memory
            return self._fail("memory", rest[1])
        else:
            return self._finish(failure=Failure(rest[0], self._stage, rest[1]))
        return None

    def _finish(self, value: Any = None, failure: Failure | None = None) -> Outcome:
        assert self.task is not None
        outcome = Outcome(self.task, value, failure, time.monotonic() - self._started)
        self.task = None
        return outcome

    def _fail(self, kind: Literal["memory", "deadline", "killed"], message: str) -> Outcome:
        self.kill()
        return self._finish(failure=Failure(kind, self._stage, message or self._obituary()))

    def _obituary(self) -> str:
        code = self._process.returncode
        cause = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        self._stderr.seek(0)
        last = self._stderr.read().decode(errors="replace").strip().splitlines()[-1:]
        return f"the reading process died with {cause}" + "".join(f": {line}" for line in last)

    def shoot(self) -> None:
        """Kill the process and leave it to `listen` to find out."""
        self._process.kill()

    def kill(self) -> None:
        if not self.dead:
            self.dead = True
            self._process.kill()
            self._process.wait()
            self.pipe.close()

    def _await_end(self) -> None:
        # A child that has closed its pipe is about to end by itself: let its exit code be seen.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=0.1)


def _environment() -> dict[str, str]:
    # One worker is one core; threads of numeric libraries would only fight and eat memory.
    single = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    )
    return {**os.environ, **single, "MALLOC_ARENA_MAX": "2", "PYTHONFAULTHANDLER": "1"}
