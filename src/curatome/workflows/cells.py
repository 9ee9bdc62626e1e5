"""Single cells of registered slides, from a table of shapes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curatome.durable import new_file, remove_unfinished
from curatome.errors import TableError
from curatome.jobs import Failure, Limits, Runner, Task, run_tasks
from curatome.project import Project
from curatome.tiles.cell_store import CellTask, collect_cells
from curatome.tiles.cells import CellSettings
from curatome.workflows.watch import Silent, Watcher

_MEMORY = 6 << 30
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")  # what a tar member and a folder may be called
_INPUT = ("slide", "cell", "shape")


@dataclass(frozen=True)
class CellsResult:
    """What was cut.

    Attributes:
        table: the file of rows, `tables.CELLS`; its shards lie beside it. None if there are none.
        cells: how many crops.
        failed: slides that gave none, and why.
    """

    table: Path | None
    cells: int
    failed: Mapping[str, Failure]


def cut_project_cells(
    project: Project,
    name: str,
    shapes: pa.Table,
    settings: CellSettings,
    *,
    workers: int = 1,
    watcher: Watcher | None = None,
    run: Runner = run_tasks,
) -> CellsResult:
    """Cut cells out of slides into `cells/<name>/`, in place of what was there.

    Args:
        project: the project.
        name: what the set of cells is called: letters, digits, `-` and `_`.
        shapes: columns slide, cell (an id of letters, digits, `-` and `_`, unique within its
            slide) and shape (WKB in level-0 pixels).
        settings: field, scale and ground.
        workers: how many children read slides at the same time.
        watcher: is told the course.
        run: runs the tasks, here or elsewhere.

    Raises:
        ProjectError: another process is changing the project.
        TableError: the table lacks a column, names an id twice, or a slide that is not ready.
    """
    if not _PLAIN.fullmatch(name):
        raise TableError(f"cells cannot be called {name!r}. Use letters, digits, - and _.")
    tasks = _tasks(project, shapes)
    watcher = watcher or Silent()
    folder = project.root / "cells" / name
    failed: dict[str, Failure] = {}
    with project.locked():
        if folder.exists():
            shutil.rmtree(folder)
        watcher.start("cutting cells", len(shapes), "cells")
        jobs = [
            Task(t.slide, "curatome.tiles.cell_store:store_cells", (folder, t, settings))
            for t in tasks
        ]
        for outcome in run(jobs, workers, Limits(memory_bytes=_MEMORY), None):
            if outcome.failure is not None:
                failed[outcome.task.key] = outcome.failure
            watcher.advance(outcome.value or 0)
        watcher.finish()
        done = [task.slide for task in tasks if task.slide not in failed]
        if folder.exists():
            remove_unfinished(folder)
        if not done:
            return CellsResult(None, 0, failed)
        table = collect_cells(folder, done)
        with new_file(folder / "cells.parquet") as stream:
            pq.write_table(table, stream, compression="zstd")
    return CellsResult(folder / "cells.parquet", len(table), failed)


def _tasks(project: Project, shapes: pa.Table) -> list[CellTask]:
    """One task for each slide, in the order of their ids; cells in the table's order."""
    missing = [column for column in _INPUT if column not in shapes.column_names]
    if missing:
        raise TableError(f"the table of cells has no column {missing[0]}.")
    ready = {e.slide: e for e in project.store.slides() if e.state == "ready"}
    found: dict[str, dict[str, bytes]] = {}
    for number, row in enumerate(shapes.select(list(_INPUT)).to_pylist()):
        slide, cell = row["slide"], row["cell"]
        if slide not in ready:
            raise TableError(f"cells row {number}: slide {slide} is not ready. See `status`.")
        if not isinstance(cell, str) or not _PLAIN.fullmatch(cell):
            raise TableError(f"cells row {number}: {cell!r} is no id. Use letters, digits, -, _.")
        if cell in found.setdefault(slide, {}):
            raise TableError(f"cells row {number}: {slide} has two cells called {cell}.")
        found[slide][cell] = row["shape"]
    tasks = []
    for slide, cells in sorted(found.items()):
        entry = ready[slide]
        assert entry.mpp is not None  # or it would not be ready
        path = project.absolute(entry.path)
        tasks.append(CellTask(slide, path, entry.mpp, tuple(cells), tuple(cells.values())))
    return tasks
