"""Tasks that misbehave, run in children by test_supervise."""

import os
import signal
import time
from pathlib import Path

from curatome.errors import UnreadableSlide
from curatome.jobs import progress, stage


def square(n):
    return n * n


def crash(signal_number):
    stage("decode level 0")
    os.kill(os.getpid(), signal_number)


def crash_once(marker):
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "second try"


def hang():
    stage("open")
    time.sleep(600)


def slow_but_alive(steps):
    for _ in range(steps):
        time.sleep(0.3)
        progress(tiles=1)
    return steps


def eat(gigabytes):
    stage("decode")
    return len(bytearray(gigabytes << 30))


def refuse():
    stage("open")
    raise UnreadableSlide("a.svs is no TIFF.")


def surprise():
    return {}["no such key"]


def own_pid():
    return os.getpid()


def mark_and_wait(path, seconds, what="x"):
    with Path(path).open("a") as stream:
        stream.write(str(os.getpid()) if what == "pid" else what)
    time.sleep(seconds)
    return path
