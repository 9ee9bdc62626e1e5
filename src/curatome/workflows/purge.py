"""What a project's build, annotations and store hold of a withdrawn case, removed for good."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curatome.dataset.versions.withdrawing import Wish
from curatome.durable import new_file, write_file
from curatome.location import joined
from curatome.objects import objects_below, remove_objects
from curatome.project import Project
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.splits import read_splits, save_splits

_CACHES = ("shards.json", "perceptual.parquet")
_TABLES = ("build/tiles.parquet", "build/slides.parquet")


def purge(project: Project, wish: Wish) -> int:
    """Remove a case; a second call finds nothing left. The slides' own files are not touched.

    Args:
        project: the project, locked.
        wish: the case and its slides.

    Returns:
        How many events of annotations went.
    """
    _remove_files(project, wish.slides)
    cells = (project.root / "cells").glob("*/cells.parquet")
    for path in (*(project.root / name for name in _TABLES), *cells):
        if path.exists():
            _filter(path, wish)
    _forget_records(project.build / "build.json", wish.slides)
    split = read_splits(project)
    if wish.case in split:
        save_splits(project, {case: one for case, one in split.items() if case != wish.case})
    for name in _CACHES:
        (project.root / ".curatome" / name).unlink(missing_ok=True)
    if project.report.exists():
        project.report.unlink()  # it shows pictures of all slides
    with annotation_store(project) as store:
        events = store.purge(wish.slides)
    for slide in wish.slides:
        project.store.forget_slide(slide)
    project.store.forget_case(wish.case)
    project.store.shrink()
    return events


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
    with new_file(path) as stream:
        pq.write_table(table.filter(keep), stream, compression="zstd")


def _forget_records(path: Path, slides: Iterable[str]) -> None:
    if not path.exists():
        return
    content = json.loads(path.read_bytes())
    gone = tuple(slides)
    kept = {key: one for key, one in content["slides"].items() if not key.startswith(gone)}
    if gone and kept != content["slides"]:
        write_file(path, json.dumps({**content, "slides": kept}, indent=1, sort_keys=True))
