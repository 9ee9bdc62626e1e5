"""What a project's build, annotations and store hold of a withdrawn case, removed for good."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curatome.dataset.versions.withdrawing import Wish
from curatome.durable import new_file, remove_unfinished, write_file
from curatome.location import joined
from curatome.objects import objects_below, remove_objects
from curatome.project import Project
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.purge_regions import purge_regions
from curatome.workflows.splits import FILE, FOLDS, read_splits, save_splits

_CACHES = (
    *("shards.json", "parts.json"),
    *("perceptual.parquet", "check-items.parquet", "check-near.parquet"),
    *("check.sqlite", "check.sqlite-wal", "check.sqlite-shm"),
)
_TABLES = ("build/tiles.parquet", "build/slides.parquet")
_AT_ONCE = 20_000  # images that a database is asked about


def purge(project: Project, versions: Path, wish: Wish) -> int:
    """Remove a case; a second call finds nothing left. The slides' own files are not touched.

    Args:
        project: the project, locked.
        versions: the folder of versions.
        wish: the case, its slides, and its region images as `source/hash`.

    Returns:
        How many events of annotations went.
    """
    slides = [name for name in wish.slides if "/" not in name]
    images = [name for name in wish.slides if "/" in name]
    _remove_unfinished(project, versions)
    _remove_files(project, slides)
    cells = (project.root / "cells").glob("*/cells.parquet")
    for path in (*(project.root / name for name in _TABLES), *cells):
        if path.exists():
            _filter(path, wish)
    _forget_records(project.build / "build.json", slides)
    purge_regions(project, versions, images)
    sources = {name.partition("/")[0] for name in images}
    names = {wish.case, *wish.slides, *(f"{source}/{wish.case}" for source in sources)}
    _forget_splits(project, names)
    for name in _CACHES:
        (project.root / ".curatome" / name).unlink(missing_ok=True)
    for path in (project.report, project.report.with_name("check.html")):
        path.unlink(missing_ok=True)  # they show pictures of all slides
    with annotation_store(project) as store:
        events = sum(
            store.purge(wish.slides[start : start + _AT_ONCE])
            for start in range(0, len(wish.slides), _AT_ONCE)
        )
    for slide in slides:
        project.store.forget_slide(slide)
    project.store.forget_case(wish.case)
    _forget_findings(project, names)
    project.store.shrink()
    return events


def _remove_unfinished(project: Project, versions: Path) -> None:
    """What writers that were killed have left, of this withdrawal or of anything before."""
    hidden = project.root / ".curatome"
    for folder in (project.build, project.root / "cells", versions, hidden):
        if folder.is_dir():
            remove_unfinished(folder)
    for name in (FILE, FOLDS):
        for path in project.root.glob(f".{name}.*.unfinished"):
            path.unlink()


def _remove_files(project: Project, slides: Iterable[str]) -> None:
    """Everything in the build and among the cells that is named after a slide."""
    for slide in slides:
        for root in (project.build, project.root / "cells"):
            for path in list(root.rglob(f"{slide}*")) if root.is_dir() else []:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        if isinstance(project.shards, str):
            below = objects_below(str(joined(project.shards, "shards/")))
            mine = [url for url in below if url.rpartition("/")[2].startswith(slide)]
            remove_objects(mine)


def _filter(path: Path, wish: Wish) -> None:
    """Write a table again without the rows of the case."""
    table = pq.read_table(path)
    keep = pa.array([True] * len(table), pa.bool_())
    for column, names in (("slide", wish.slides), ("case", (wish.case,))):
        if column in table.column_names:
            mine = pc.is_in(table[column], pa.array(names, pa.string())).combine_chunks()
            keep = pc.and_(keep, pc.invert(mine))
    if int(pc.sum(keep).as_py() or 0) == len(table):
        return
    rest = table.filter(keep)
    if "copy_of" in rest.column_names:
        rest = _without_originals(rest, wish)
    with new_file(path) as stream:
        pq.write_table(rest, stream, compression="zstd")


def _without_originals(cells: pa.Table, wish: Wish) -> pa.Table:
    """Cells that no longer name a cell of the case, as `slide/cell`, as what they are a copy of."""
    at = cells.schema.get_field_index("copy_of")
    field, column = cells.schema.field(at), cells["copy_of"]
    slide = pc.list_element(pc.split_pattern(column, "/"), 0)
    gone = pc.is_in(slide, pa.array(wish.slides, pa.string()))
    return cells.set_column(at, field, pc.if_else(gone, pa.scalar(None, field.type), column))


def _forget_records(path: Path, slides: Iterable[str]) -> None:
    if not path.exists():
        return
    content = json.loads(path.read_bytes())
    gone = tuple(slides)
    kept = {key: one for key, one in content["slides"].items() if not key.startswith(gone)}
    if gone and kept != content["slides"]:
        write_file(path, json.dumps({**content, "slides": kept}, indent=1, sort_keys=True))


def _forget_splits(project: Project, gone: Collection[str]) -> None:
    """Take the case out of splits.csv and folds.csv, under all its names."""
    split = read_splits(project)
    kept_split = {case: one for case, one in split.items() if case not in gone}
    if kept_split != split:
        save_splits(project, kept_split)
    path = project.root / FOLDS
    if not path.exists():
        return
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    kept = [row for row in rows if row[1:2] == [] or row[1] not in gone]
    if kept != rows:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(kept)
        write_file(path, text.getvalue())


def _forget_findings(project: Project, names: Collection[str]) -> None:
    """Remove findings of `curatome check` that are about the case, a slide or an image of it."""
    for origin in project.store.origins("check:"):
        found = project.store.findings(origin)
        kept = [one for one in found if not _is_about(one.subject, names)]
        if len(kept) < len(found):
            project.store.save_findings(origin, kept)


def _is_about(subject: str, names: Collection[str]) -> bool:
    _, _, rest = subject.partition(" ")
    return rest in names or any(word in names for word in rest.split())
