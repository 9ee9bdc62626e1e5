"""Supervised tasks on a Dask cluster: `run_tasks`, with Dask workers between it and the children.

Dask says who works on what, and gives the tasks of a worker that dies to others; each worker does
its tasks in supervised children of its own, as `curatome.jobs.crew` says.
"""

from __future__ import annotations

import pickle
import queue
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from curatome.errors import ClusterError
from curatome.jobs.crew import TOPIC, Answer, Order, Premises, attend, dismiss, examine
from curatome.jobs.supervise import Failure, Limits, OnProgress, Outcome, Task

if TYPE_CHECKING:
    from distributed import Client, Future

_AHEAD = 2  # tasks under way for each thread of the cluster, so that none waits for the next
_ATTEMPTS = 2  # of a task that Dask gave up because several workers died with it
_RECOUNT_SECONDS = 2.0


def run_on_cluster(
    tasks: Iterable[Task],
    client: Client,
    limits: Limits | None = None,
    on_progress: OnProgress | None = None,
    premises: Premises | None = None,
) -> Iterator[Outcome]:
    """Run tasks in supervised children of Dask workers; the contract is that of `run_tasks`.

    A bounded number of tasks is under way. A task whose worker dies is done by another worker, so
    it may be done twice, even at the same time; its effects must bear that. Closing the iterator,
    or an exception at its consumer, ends the children.

    Args:
        tasks: what to do.
        client: connected to the cluster; it serves one run at a time.
        limits: what each child may use.
        on_progress: called with the counts that children report, about once a second.
        premises: what must hold on every worker.

    Raises:
        ClusterError: a worker cannot take part, or the scheduler was lost.
    """
    run = _Run(client, limits or Limits(), on_progress)
    with _token(premises or Premises()) as seen:
        run.check(seen)
        try:
            yield from run.outcomes(tasks)
        finally:
            run.close()


@contextmanager
def _token(premises: Premises) -> Iterator[Premises]:
    """Premises with a file in their folder that only who sees the same folder can see."""
    if premises.folder is None:
        yield premises
        return
    name = f".cluster.{uuid.uuid4().hex}.unfinished"  # a build's folder is swept of such files
    path = premises.folder / name
    path.touch()
    try:
        yield replace(premises, token=name)
    finally:
        path.unlink(missing_ok=True)


@dataclass
class _Flight:
    """A task under way.

    Attributes:
        task: the task.
        future: Dask's.
        attempt: how often it was submitted.
        told: counts that the consumer knows of.
    """

    task: Task
    future: Future[Answer]
    attempt: int
    told: Mapping[str, int]


class _Run:
    """One call of `run_on_cluster`."""

    def __init__(self, client: Client, limits: Limits, on_progress: OnProgress | None) -> None:
        self._id = uuid.uuid4().hex
        self._client = client
        self._limits = limits
        self._on_progress = on_progress
        self._premises = Premises()
        self._inbox: queue.SimpleQueue[tuple[str, Mapping[str, int] | None]] = queue.SimpleQueue()
        self._flights: dict[str, _Flight] = {}
        self._room = 0
        self._counted = float("-inf")

    def check(self, premises: Premises) -> None:
        """Ask the workers that are there; those that come later are asked with their first task.

        Raises:
            ClusterError: one of them cannot take part.
        """
        self._premises = premises
        try:
            found = self._client.run(examine, pickle.dumps(premises), on_error="return")
        except OSError as error:
            raise ClusterError(f"the cluster does not answer: {error}.") from error
        for worker, problem in found.items():
            if isinstance(problem, ImportError):
                self._refuse(worker, f"it cannot import what the work needs ({problem})")
            if isinstance(problem, str) and problem:
                self._refuse(worker, problem)

    def outcomes(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Outcomes as they come."""
        source = iter(tasks)
        self._client.subscribe_topic(TOPIC, self._hear)
        while True:
            self._hand_out(source)
            if not self._flights:
                return
            try:
                key, counts = self._inbox.get(timeout=_RECOUNT_SECONDS)
            except queue.Empty:
                continue
            flight = self._flights.get(key)
            if flight is None:
                continue
            if counts is not None:
                self._tell(flight, counts)
            elif (outcome := self._land(key)) is not None:
                yield outcome

    def close(self) -> None:
        """End what is under way, and the run's children on all workers."""
        if self._client.status != "running":
            return
        self._client.unsubscribe_topic(TOPIC)
        futures = [flight.future for flight in self._flights.values()]
        if futures:
            self._client.cancel(futures, force=True)
        self._client.run(dismiss, self._id, on_error="ignore")

    def _hand_out(self, source: Iterator[Task]) -> None:
        if time.monotonic() - self._counted > _RECOUNT_SECONDS:
            self._room = _AHEAD * max(1, threads(self._client))
            self._counted = time.monotonic()
        while len(self._flights) < self._room:
            task = next(source, None)
            if task is None:
                return
            self._submit(task, attempt=1)

    def _submit(self, task: Task, attempt: int) -> None:
        key = f"curatome-{self._id[:12]}-{task.key}-{attempt}"
        order = pickle.dumps(Order(self._id, task, self._limits, self._premises))
        future = self._client.submit(attend, order, key=key, pure=False)
        self._flights[task.key] = _Flight(task, future, attempt, {})
        future.add_done_callback(lambda _: self._inbox.put((task.key, None)))

    def _hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        message = event[1]
        if message["run"] == self._id:
            self._inbox.put((message["key"], message["counts"]))

    def _tell(self, flight: _Flight, counts: Mapping[str, int]) -> None:
        # Counts are totals of a task: another worker that begins it again adds nothing at first.
        more = {name: count - flight.told.get(name, 0) for name, count in counts.items()}
        more = {name: count for name, count in more.items() if count > 0}
        if more and self._on_progress is not None:
            flight.told = {**flight.told, **{name: counts[name] for name in more}}
            self._on_progress(flight.task, more)

    def _land(self, key: str) -> Outcome | None:
        """The outcome of a future that is done, unless it is worth another try."""
        from distributed import KilledWorker

        flight = self._flights.pop(key)
        try:
            answer: Answer = flight.future.result()
        except KilledWorker as error:
            if flight.attempt < _ATTEMPTS:
                self._submit(flight.task, flight.attempt + 1)
                return None
            worker = getattr(error.last_worker, "address", "")
            message = f"every worker that tried died, the last was {worker}"
            return Outcome(flight.task, failure=Failure("killed", "", message))
        except CancelledError as error:
            raise ClusterError(
                "the cluster's scheduler was lost, and with it what was under way. What is done is "
                "kept; run the same command again."
            ) from error
        if answer.outcome is None:
            self._refuse("a worker", answer.problem)
        else:
            self._tell(flight, answer.counts)
        return answer.outcome

    def _refuse(self, worker: str, problem: str) -> None:
        raise ClusterError(
            f"{worker} cannot take part: {problem}. All workers need the same files under the same "
            "paths and the same versions of Curatome and its libraries."
        )


def threads(client: Client) -> int:
    """How many tasks the cluster's present workers do at a time."""
    return sum(client.nthreads().values())
