"""The course of long work: a bar on a terminal, lines in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from curatome.cli.console import console, count, duration, errors, megabytes

if TYPE_CHECKING:
    from curatome.workflows.estimate import Estimate
    from curatome.workflows.watch import Watcher

_LOG_SECONDS = 10.0


@contextmanager
def watching(quiet: bool) -> Iterator[Watcher]:
    """The watcher that suits where the output goes.

    Args:
        quiet: show nothing, for `--json`.
    """
    if quiet:
        from curatome.workflows.watch import Silent

        yield Silent()
    elif errors.is_terminal:
        with _bar() as bar:
            yield _Bar(bar)
    else:
        yield _Log()


def print_estimate(estimate: Estimate) -> None:
    """What a build is about to do, in one or two lines."""
    if not estimate.tiles:
        console.print("Nothing to build: every tile is made.")
        return
    scales = ", ".join(f"{name} {tiles:,}" for name, tiles in estimate.by_scale.items())
    console.print(
        f"To build: [bold]{count(estimate.tiles, 'tile')}[/] of "
        f"{count(estimate.slides, 'slide')} (all scales: {scales}).",
        soft_wrap=True,
    )
    if estimate.bytes:
        console.print(
            f"About {megabytes(estimate.bytes)} on disk ({megabytes(estimate.free)} are free), "
            f"about {duration(estimate.seconds)}.",
            soft_wrap=True,
        )
    else:
        console.print("Coordinates only: no pixels are stored.")


class _Shown:
    """Prints the estimate; the rest is up to the kind of output."""

    def estimated(self, estimate: Estimate) -> None:
        print_estimate(estimate)


class _Rate(ProgressColumn):
    """Bytes written per second."""

    def render(self, task: Task) -> Text:
        written, elapsed = task.fields["written"], task.elapsed or 0.0
        rate = f"{written / 1e6 / elapsed:.1f} MB/s" if written and elapsed else ""
        return Text(rate, style="dim")


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
    )


class _Bar(_Shown):
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._written = 0

    def start(self, phase: str, total: int, unit: str) -> None:
        self._written = 0
        self._task = self._bar.add_task(phase, total=total, unit=unit, written=0)

    def advance(self, steps: int = 0, bytes: int = 0) -> None:  # noqa: A002
        self._written += bytes
        self._bar.update(self._task, advance=steps, written=self._written)

    def finish(self) -> None:
        self._bar.remove_task(self._task)


class _Log(_Shown):
    def start(self, phase: str, total: int, unit: str) -> None:
        self._phase, self._total, self._unit = phase, total, unit
        self._done = self._written = 0
        self._started = self._told = time.monotonic()
        errors.print(f"{phase}: {total:,} {unit}")

    def advance(self, steps: int = 0, bytes: int = 0) -> None:  # noqa: A002
        self._done += steps
        self._written += bytes
        now = time.monotonic()
        if now - self._told >= _LOG_SECONDS and self._done:
            self._told = now
            left = (now - self._started) * (self._total / self._done - 1)
            errors.print(f"{self._so_far(now)}, {duration(left)} left")

    def finish(self) -> None:
        now = time.monotonic()
        errors.print(f"{self._so_far(now)}, done in {duration(now - self._started)}")

    def _so_far(self, now: float) -> str:
        rate = self._written / 1e6 / max(now - self._started, 1e-3)
        speed = f", {rate:.1f} MB/s" if self._written else ""
        return f"{self._phase}: {self._done:,} of {self._total:,} {self._unit}{speed}"
