"""Single cells of registered slides, from tables of shapes."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from curatome.durable import new_file, remove_unfinished
from curatome.errors import ProjectError, TableError
from curatome.jobs import Failure, Limits, Runner, Task, run_tasks
from curatome.project import Project, SlideEntry
from curatome.slides.sheets import SlideRow, match_rows
from curatome.tiles.cell_store import CellTask, collect_cells
from curatome.tiles.cells import CellSettings, shape_problem
from curatome.workflows.cell_table import ShapeRow, read_shapes
from curatome.workflows.watch import Silent, Watcher

_MEMORY = 6 << 30
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")  # what a tar member and a folder may be called
_TYPES = {"slide": pa.string(), "cell": pa.string(), "shape": pa.binary()}
_INPUT = tuple(_TYPES)
_OURS = {"cells.parquet", "parts", "shards"}
_SHOWN = 10  # problems in one message


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


@dataclass(frozen=True)
class LeftOut:
    """A row of a table that gave no crop.

    Attributes:
        where: file and row.
        slide: the slide as the row names it.
        cell: the cell's id.
        reason: why, in words.
    """

    where: str
    slide: str
    cell: str
    reason: str


@dataclass(frozen=True)
class Twin:
    """A cell that is another one.

    Attributes:
        slide: the slide's id.
        cell: the cell's id.
        of: the other cell: its id where both are on one slide, else slide/cell.
    """

    slide: str
    cell: str
    of: str


@dataclass(frozen=True)
class CellsReport:
    """What became of tables of cells.

    Attributes:
        table: the file of rows, `tables.CELLS`; its shards lie beside it. None if there are none.
        cells: how many crops.
        masks: how many of them have a mask.
        slides: of how many slides.
        settings: how they were cut out.
        left_out: rows that gave no crop, in the order of the tables.
        failed: slides that gave none, by file name, and why.
        drawn_again: cells that are another drawing of a cell of their slide.
        copies: crops with the pixels of an earlier one, turned or not.
        larger: how many cells are larger than the field.
        beyond: how many crops reach beyond their image.
    """

    table: Path | None
    cells: int
    masks: int
    slides: int
    settings: CellSettings
    left_out: tuple[LeftOut, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    drawn_again: tuple[Twin, ...] = ()
    copies: tuple[Twin, ...] = ()
    larger: int = 0
    beyond: int = 0

    @property
    def clean(self) -> bool:
        """Whether every row gave a crop, and each another cell."""
        return not (self.left_out or self.failed or self.drawn_again or self.copies)


def cut_cells_of_tables(
    project: Project,
    out: str | Path,
    tables: Sequence[Path],
    settings: CellSettings,
    *,
    workers: int = 1,
    watcher: Watcher | None = None,
) -> CellsReport:
    """Cut out the cells of CSV and (Geo)Parquet files; see `read_shapes`.

    A row that cannot be cut out is left out and told; the others go on.

    Args:
        project: the project.
        out: see `cut_project_cells`.
        tables: the files. Slides go by their ids, or as in the table of slides.
        settings: field, scale and ground.
        workers: how many children read slides at the same time.
        watcher: is told the course.

    Raises:
        ProjectError: `out` holds other files, or another process is changing the project.
        TableError: a file cannot be used, or names a slide that is not registered.
    """
    folder = _folder(project, out)
    rows = [row for path in tables for row in read_shapes(path)]
    entries = _entries(project, rows)
    found: list[dict[str, Any]] = []
    left_out: list[LeftOut] = []
    known: dict[tuple[str, str], ShapeRow] = {}
    for row in rows:
        entry = entries[row.file, row.slide]
        reason = _problem(row, entry, settings, known.get((entry.slide, row.cell)))
        if reason:
            left_out.append(LeftOut(row.where, row.slide, row.cell, reason))
        else:
            known[entry.slide, row.cell] = row
            shape = shapely.to_wkb(row.shape)
            found.append({"slide": entry.slide, "cell": row.cell, "shape": shape})
    shapes = pa.Table.from_pylist(found, pa.schema([(name, _TYPES[name]) for name in _INPUT]))
    result = cut_project_cells(project, folder, shapes, settings, workers=workers, watcher=watcher)
    names = {entry.slide: entry.name for entry in entries.values()}
    return _report(result, settings, tuple(left_out), names)


def cut_project_cells(
    project: Project,
    out: str | Path,
    shapes: pa.Table,
    settings: CellSettings,
    *,
    workers: int = 1,
    watcher: Watcher | None = None,
    run: Runner = run_tasks,
) -> CellsResult:
    """Cut cells out of slides into a folder, in place of the cells that were there.

    Args:
        project: the project.
        out: a name of letters, digits, `-` and `_`, for the folder `cells/<name>/` of the
            project; or the path of a folder.
        shapes: columns slide, cell (an id of letters, digits, `-` and `_`, unique within its
            slide) and shape (WKB in level-0 pixels).
        settings: field, scale and ground.
        workers: how many children read slides at the same time.
        watcher: is told the course.
        run: runs the tasks, here or elsewhere.

    Raises:
        ProjectError: the folder holds other files, or another process is changing the project.
        TableError: the table lacks a column, names an id twice, or a slide that is not ready.
    """
    folder = _folder(project, out)
    tasks = _tasks(project, shapes)
    watcher = watcher or Silent()
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
        path = project.location(entry.path)
        tasks.append(CellTask(slide, path, entry.mpp, tuple(cells), tuple(cells.values())))
    return tasks


def _folder(project: Project, out: str | Path) -> Path:
    """Where cells go: a folder that holds nothing but cells."""
    if isinstance(out, str):
        if not _PLAIN.fullmatch(out):
            raise TableError(f"cells cannot be called {out!r}. Use letters, digits, - and _.")
        return project.root / "cells" / out
    if out.exists() and not out.is_dir():
        raise ProjectError(f"{out} is a file. Name a folder.")
    others = [path.name for path in out.iterdir()] if out.exists() else []
    foreign = sorted(name for name in others if name not in _OURS and not name.startswith("."))
    if foreign:
        raise ProjectError(
            f"{out} holds other files ({', '.join(foreign[:3])}), and what a folder of cells "
            "holds is replaced. Name a folder of its own."
        )
    return out.absolute()


def _entries(project: Project, rows: Iterable[ShapeRow]) -> dict[tuple[Path, str], SlideEntry]:
    """The registered slide that each name in each table stands for."""
    by_id = {entry.slide: entry for entry in project.store.slides()}
    files = {project.location(path): slide for path, (slide, _) in project.store.files().items()}
    entries: dict[tuple[Path, str], SlideEntry] = {}
    named: dict[Path, dict[str, SlideRow]] = {}
    for row in rows:
        if row.slide in by_id:
            entries[row.file, row.slide] = by_id[row.slide]
        else:
            first = SlideRow(row.file, row.row, row.slide)
            named.setdefault(row.file, {}).setdefault(row.slide, first)
    problems = []
    for file, sought in named.items():
        for about in _spelled_once(sought.values()):
            matches, unmatched = match_rows(about, list(files))
            problems += [finding.message for finding in unmatched]
            entries |= {(file, row.slide): by_id[files[path]] for path, row in matches.items()}
    if problems:
        more = [f"… and {len(problems) - _SHOWN} more."] if len(problems) > _SHOWN else []
        how = "Correct the name, or register the slide with `curatome add`."
        raise TableError("\n".join([*problems[:_SHOWN], *more, how]))
    return entries


def _spelled_once(rows: Iterable[SlideRow]) -> list[list[SlideRow]]:
    """Rows in groups within which no two spell one slide in two ways, `a.svs` and `a`."""
    groups: list[list[SlideRow]] = []
    seen: Counter[str] = Counter()
    for row in rows:
        stem = Path(row.slide).stem
        if seen[stem] == len(groups):
            groups.append([])
        groups[seen[stem]].append(row)
        seen[stem] += 1
    return groups


def _problem(
    row: ShapeRow, entry: SlideEntry, settings: CellSettings, same: ShapeRow | None
) -> str:
    """Why a row gives no crop; empty if it does."""
    if entry.state != "ready":
        return f"its slide is {entry.state}. {entry.reason}"
    if row.shape is None:
        return row.problem
    if not _PLAIN.fullmatch(row.cell):
        return f"{row.cell!r} is no id. Use letters, digits, -, _."
    if same is not None:
        return f"its slide has a cell {row.cell} already, in {same.where}."
    problem = shape_problem(row.shape, settings.ground)
    return problem and f"its shape {problem}"


def _report(
    result: CellsResult,
    settings: CellSettings,
    left_out: tuple[LeftOut, ...],
    names: Mapping[str, str],
) -> CellsReport:
    failed = {names[slide]: str(failure) for slide, failure in sorted(result.failed.items())}
    if result.table is None:
        return CellsReport(None, 0, 0, 0, settings, left_out, failed)
    rows = pq.read_table(
        result.table,
        columns=["slide", "cell", "mask_offset", "drawn_again", "copy_of", "shown_fraction",
                 "inside_fraction"],
    ).to_pylist()  # fmt: skip
    return CellsReport(
        table=result.table,
        cells=len(rows),
        masks=sum(row["mask_offset"] is not None for row in rows),
        slides=len({row["slide"] for row in rows}),
        settings=settings,
        left_out=left_out,
        failed=failed,
        drawn_again=_twins(rows, "drawn_again"),
        copies=_twins(rows, "copy_of"),
        larger=sum(row["shown_fraction"] < 1 for row in rows),
        beyond=sum(row["inside_fraction"] < 1 for row in rows),
    )


def _twins(rows: Iterable[Mapping[str, Any]], column: str) -> tuple[Twin, ...]:
    return tuple(Twin(row["slide"], row["cell"], row[column]) for row in rows if row[column])
