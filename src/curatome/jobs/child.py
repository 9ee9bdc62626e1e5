"""The child's side: receive a task, run it, send what came of it.

Started by `curatome.jobs.supervise` as `python -m curatome.jobs.child FD MEMORY_BYTES`. The pipe
carries `Task`s in and tuples out: `("stage", name)`, `("progress", counts)`, then one of
`("value", value)` and `("error", kind, message)`.
"""

from __future__ import annotations

import errno
import importlib
import os
import resource
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from curatome.errors import CuratomeError

_PROGRESS_SECONDS = 0.25
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_pipe: Connection | None = None
_counts: Counter[str] = Counter()
_counted = 0.0


def stage(name: str) -> None:
    """Tell the supervisor what is being done now; it names a failure's place. Free elsewhere."""
    if _pipe is not None:
        _pipe.send(("stage", name))


def progress(**counts: int) -> None:
    """Tell the supervisor what was done since the last call, `tiles=12, bytes=…`.

    Cheap enough for every tile: counts are added up and sent a few times a second.
    """
    if _pipe is not None:
        _counts.update(counts)
        if time.monotonic() - _counted > _PROGRESS_SECONDS:
            _send_progress(_pipe)


def _send_progress(pipe: Connection) -> None:
    global _counted  # noqa: PLW0603
    if _counts:
        pipe.send(("progress", dict(_counts)))
        _counts.clear()
    _counted = time.monotonic()


def load(function: str) -> Callable[..., Any]:
    """The function behind `module:name`."""
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def main(descriptor: int, memory_bytes: int) -> None:
    """Work until the pipe closes."""
    global _pipe  # noqa: PLW0603 - one child, one pipe
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    _limit_memory(memory_bytes)
    _die_with_parent()
    _pipe = Connection(descriptor)
    while True:
        try:
            function, arguments = _pipe.recv()
        except EOFError:
            return
        answer = _run(function, arguments)
        _send_progress(_pipe)
        _pipe.send(answer)


def _run(function: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    # A front door: decoders of foreign files raise whatever they like, and all of it is an
    # answer about the file. Only what was not foreseen carries its type's name.
    try:
        return ("value", load(function)(*arguments))
    except MemoryError:
        return ("error", "memory", "it needs more memory than a worker may use")
    except CuratomeError as error:
        return ("error", "error", str(error))
    except OSError as error:
        kind = "disk" if error.errno in _NO_ROOM else "error"
        return ("error", kind, f"{type(error).__name__}: {error}")
    except Exception as error:
        return ("error", "error", f"{type(error).__name__}: {error}")


def _limit_memory(memory_bytes: int) -> None:
    if memory_bytes > 0 and sys.platform.startswith("linux"):  # macOS does not enforce it
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _die_with_parent() -> None:
    # The supervisor may be killed without a chance to end its children.
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    # Under `-m` this file is the module __main__; the tasks call the functions of the imported
    # one, so that one must hold the pipe.
    from curatome.jobs.child import main as serve

    serve(int(sys.argv[1]), int(sys.argv[2]))
