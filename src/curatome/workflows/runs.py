"""Records of past builds: when, how much, how fast. They are no part of the dataset."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from curatome import __version__
from curatome.durable import write_file
from curatome.project import Project


@dataclass(frozen=True)
class Run:
    """One build that made something.

    Attributes:
        ended: ISO 8601, UTC.
        tiles: tiles made.
        pixels: pixels encoded.
        bytes: bytes of images written.
        seconds: time it took, with the survey.
        workers: how many children worked.
        version: of Curatome.
        host: the machine and its system.
    """

    ended: str
    tiles: int
    pixels: int
    bytes: int
    seconds: float
    workers: int
    version: str
    host: str

    @property
    def pixels_per_second(self) -> float:
        """Encoded pixels per second of one worker."""
        return self.pixels / max(self.seconds, 1e-3) / self.workers


def save_run(project: Project, counts: dict[str, int], seconds: float, workers: int) -> Run:
    """Keep the record of a build that has ended.

    Args:
        project: the project.
        counts: `tiles`, `pixels` and `bytes` of this run.
        seconds: time it took.
        workers: how many children worked.
    """
    now = datetime.now(UTC)
    run = Run(
        ended=now.isoformat(timespec="seconds"),
        **counts,
        seconds=round(seconds, 2),
        workers=workers,
        version=__version__,
        host=f"{platform.node()}, {platform.system()} {platform.machine()}",
    )
    name = now.strftime("%Y%m%dT%H%M%S%f")
    write_file(_folder(project) / f"{name}.json", json.dumps(asdict(run), indent=1))
    return run


def last_run(project: Project) -> Run | None:
    """The latest build that encoded something, or None; a damaged record is passed over."""
    for path in sorted(_folder(project).glob("*.json"), reverse=True):
        try:
            run = Run(**json.loads(path.read_bytes()))
        except (ValueError, TypeError):
            continue
        if run.bytes:
            return run
    return None


def _folder(project: Project) -> Path:
    return project.root / ".curatome" / "runs"
