"""A thread that kills a process of a local Dask cluster every so often."""

import os
import random
import signal
import threading
import time

import distributed


class Killer:
    """Kills one worker process of a cluster after another, while its block lasts.

    Args:
        address: of the scheduler.
        seconds: from one kill to the next, at least.
        workers: how many must be there; so those that start slowly are waited for.
    """

    def __init__(self, address, seconds, workers=1):
        self._workers = workers
        self.killed = 0
        self.at_work = 0  # of these, how many had a task under way
        self._address, self._seconds = address, seconds
        self._draw = random.Random(5)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._kill_on)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _kill_on(self):
        following = time.monotonic() + self._seconds
        with distributed.Client(self._address, set_as_default=False) as client:
            while not self._over.wait(max(0.0, following - time.monotonic())):
                pids = client.run(os.getpid, on_error="ignore")
                following = time.monotonic() + (0.2 if len(pids) < self._workers else self._seconds)
                if len(pids) >= self._workers:
                    worker = self._draw.choice(sorted(pids))
                    busy = bool(client.processing([worker]).get(worker))
                    os.kill(pids[worker], signal.SIGKILL)
                    self.killed += 1
                    self.at_work += busy
