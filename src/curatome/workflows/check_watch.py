"""`curatome check --watch`: the project, whenever something that rules look at has changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from curatome.errors import CuratomeError
from curatome.project import Project, open_project
from curatome.project.folder import PROTOCOL_FILE
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.manifest import manifest_path
from curatome.workflows.region_manifest import regions_path
from curatome.workflows.splits import FILE as SPLITS

_SECONDS = 1.0


def changes(folder: Path, seconds: float = _SECONDS) -> Iterator[Project | CuratomeError]:
    """The project now, and again after each change; what is wrong with curatome.toml meanwhile.

    Args:
        folder: the project's, or one inside it.
        seconds: how long to wait between looks.

    Raises:
        ProjectError: there is no project.
    """
    root = open_project(folder).root
    before: object = None
    while True:
        try:
            project: Project | CuratomeError = open_project(root)
            now: object = stamp(project) if isinstance(project, Project) else None
        except CuratomeError as error:
            project, now = error, (str(error), _of_file(root / PROTOCOL_FILE))
        if now != before:
            # Taken before the check, so that what changes meanwhile is not missed.
            before = now
            yield project
        time.sleep(seconds)


def stamp(project: Project) -> tuple[object, ...]:
    """Changes with the protocol, slides, cases, splits, what is built, and annotations."""
    files = [
        project.root / PROTOCOL_FILE,
        project.root / SPLITS,
        manifest_path(project.build),
        regions_path(project.build),
        *sorted((project.root / "cells").glob("*/cells.parquet")),
    ]
    with annotation_store(project) as store:
        head = store.head(), [batch.time for batch in store.batches(1)]
    slides = [repr(entry) for entry in project.store.slides()]
    return (*map(_of_file, files), repr(head), slides, repr(project.store.cases()))


def _of_file(path: Path) -> tuple[str, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return path.name, stat.st_size, stat.st_mtime_ns
