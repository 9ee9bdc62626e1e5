"""Many small slides through a local Dask cluster whose workers are killed: the serial run's bytes.

    python -m benchmarks.cluster [--slides 1000] [--workers 3] [--every 20] [--data FOLDER]

Makes the slides, builds them with one child, then on a cluster of worker processes of which one is
killed (SIGKILL) at the given interval, and compares every file of both build folders.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import distributed
import pyarrow.parquet as pq
from benchmarks.recording import keep, machine
from tests.killer import Killer
from tests.many import PROTOCOL, write_slides
from tests.workflows.made import tree

from curatome.project import create_project, open_project
from curatome.workflows.add import add_slides
from curatome.workflows.build import BuildResult, build_project
from curatome.workflows.cluster import cluster_for


@dataclass(frozen=True)
class Outcome:
    """What the two builds gave.

    Attributes:
        add: seconds to register the slides, two children.
        serial: the build with one child.
        spread: the build on the cluster.
        kills: workers killed, and how many of them had a task under way.
        files: files of the serial build.
        other: files that differ, or that only one build has.
        lost: tiles of the serial build that the other one lacks.
        double: tiles that the other one has more than once.
    """

    add: float
    serial: BuildResult
    spread: BuildResult
    kills: tuple[int, int]
    files: int
    other: int
    lost: int
    double: int


def measure(folder: Path, slides: int, workers: int, every: float) -> Outcome:
    """Both builds, and what differs between them."""
    write_slides(folder / "slides", slides)
    serial = create_project(folder / "serial", PROTOCOL)
    began = time.monotonic()
    add_slides(serial, [folder / "slides"], workers=2)
    add = time.monotonic() - began
    spread = open_project(shutil.copytree(serial.root, folder / "spread"))
    alone = build_project(serial, 1)
    local = distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    with (
        local,
        cluster_for(spread, local.scheduler_address) as cluster,
        Killer(local.scheduler_address, every) as killer,
    ):
        result = build_project(spread, cluster.workers, run=cluster.run)
    wanted, found = tree(serial.build), tree(spread.build)
    ids, other_ids = _ids(serial.build), _ids(spread.build)
    return Outcome(
        add=add,
        serial=alone,
        spread=result,
        kills=(killer.killed, killer.at_work),
        files=len(wanted),
        other=len(wanted.items() ^ found.items()),
        lost=len(set(ids) - set(other_ids)),
        double=len(other_ids) - len(set(other_ids)),
    )


def _ids(build: Path) -> list[str]:
    found: list[str] = pq.read_table(build / "tiles.parquet", columns=["tile_id"])[0].to_pylist()
    return found


def report(outcome: Outcome, slides: int, workers: int, every: float) -> str:
    """The result as text."""
    killed, busy = outcome.kills
    return "\n".join(
        [
            f"{slides:,} small slides, {sum(outcome.serial.tiles.values()):,} tiles",
            machine(),
            f"add, two children:   {outcome.add:.0f} s",
            f"build, one child:    {outcome.serial.seconds:.0f} s",
            f"build, Dask cluster: {outcome.spread.seconds:.0f} s with {workers} worker processes, "
            f"one killed every {every:g} s ({killed} kills, {busy} with a task under way)",
            f"files: {outcome.files:,} compared, {outcome.other} differ",
            f"tiles: {outcome.lost} lost, {outcome.double} double",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--slides", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--every", type=float, default=20.0, help="seconds between two kills")
    parser.add_argument("--data", type=Path, help="not used: the slides are made here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = measure(Path(folder), options.slides, options.workers, options.every)
    text = report(outcome, options.slides, options.workers, options.every)
    print(text)
    keep("cluster", text)
    if outcome.other or outcome.lost or outcome.double:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
