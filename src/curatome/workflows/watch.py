"""How long work tells what it is doing; the command line and the studio draw it."""

from __future__ import annotations

from typing import Protocol

from curatome.workflows.estimate import Estimate


class Watcher(Protocol):
    """Receives the course of a piece of work, phase by phase."""

    def start(self, phase: str, total: int, unit: str) -> None:
        """A phase begins.

        Args:
            phase: what is done, `looking for tissue`.
            total: how many steps it has.
            unit: what a step is, `slides`.
        """

    def advance(self, steps: int = 0, bytes: int = 0) -> None:  # noqa: A002
        """Steps were done, and bytes written."""

    def finish(self) -> None:
        """The phase is over."""

    def estimated(self, estimate: Estimate) -> None:
        """What a build is about to do; told before it starts."""


class Silent:
    """A watcher that does nothing."""

    def start(self, phase: str, total: int, unit: str) -> None:
        """Ignore it."""

    def advance(self, steps: int = 0, bytes: int = 0) -> None:  # noqa: A002
        """Ignore it."""

    def finish(self) -> None:
        """Ignore it."""

    def estimated(self, estimate: Estimate) -> None:
        """Ignore it."""
