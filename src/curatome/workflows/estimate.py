"""What a build is about to do: tiles, disk and time."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curatome.errors import BuildError
from curatome.project import Project
from curatome.tiles.record import SlideRecord
from curatome.workflows.runs import last_run

PIXELS_PER_SECOND = 8e6
"""Of one worker, encoded pixels; used before this project has a run to learn from."""

_HEADROOM = 1.25  # of the estimate that must be free: a sample of each slide is only a sample


@dataclass(frozen=True)
class Estimate:
    """What is left to do.

    Attributes:
        slides: slides with work left.
        tiles: tiles left to make.
        by_scale: tiles of all slides by scale, made or not.
        bytes: estimated size of what is left; 0 for coordinates.
        seconds: estimated time with the workers at hand.
        free: free bytes on the disk.
    """

    slides: int
    tiles: int
    by_scale: Mapping[str, int]
    bytes: int
    seconds: float
    free: int


def estimate_build(
    project: Project,
    work: Iterable[tuple[SlideRecord | None, Sequence[int]]],
    workers: int,
) -> Estimate:
    """Tiles, disk and time of units that are not done.

    Tiles are exact. Disk follows from a sample of each slide's tissue, encoded. Time follows from
    the pixels per second of the project's last run.

    Args:
        project: the project.
        work: slides' records with the units that are left of each.
        workers: how many will work.
    """
    slides = tiles = pixels = 0
    size = 0.0
    by_scale: dict[str, int] = {}
    for record, units in work:
        if record is None:
            continue
        for name, count in record.tiles.items():
            by_scale[name] = by_scale.get(name, 0) + count
        here = sum(record.unit_pixels[unit] for unit in units)
        slides += bool(units)
        tiles += sum(record.unit_tiles[unit] for unit in units)
        pixels += here
        size += here * record.bytes_per_pixel
    shards = project.protocol.build.output == "shards"
    run = last_run(project)
    rate = run.pixels_per_second if run else PIXELS_PER_SECOND
    return Estimate(
        slides=slides,
        tiles=tiles,
        by_scale=by_scale,
        bytes=round(size) if shards else 0,
        seconds=pixels / (rate * workers) if shards else 0.0,
        free=shutil.disk_usage(project.build).free,
    )


def check_room(estimate: Estimate, folder: Path) -> None:
    """Refuse a build that would fill the disk.

    Raises:
        BuildError: there is not enough room.
    """
    if estimate.bytes * _HEADROOM > estimate.free:
        raise BuildError(
            f"{folder} has {estimate.free / 1e9:.1f} GB free, and the build needs about "
            f'{estimate.bytes / 1e9:.1f} GB. Free some, or set output = "coordinates" under '
            "[build] in curatome.toml: it keeps no pixels."
        )
