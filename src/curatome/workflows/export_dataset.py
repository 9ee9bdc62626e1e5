"""`curatome version export`: a version in the format that a training code reads."""

from __future__ import annotations

import codecs
import csv
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from curatome.dataset.export import Export, Job, Loss, export_named
from curatome.dataset.export.base import write_json
from curatome.dataset.opening import UNDIVIDED, Selection, VersionItems
from curatome.durable import new_file, sync_folder
from curatome.errors import VersionError
from curatome.workflows.watch import Silent, Watcher

ABOUT = "export.json"


@dataclass(frozen=True)
class Wanted:
    """What of a version is exported.

    Attributes:
        splits: empty for all.
        scales: empty for all.
        kinds: `tile`, `region`, `cell` or `image`; empty for all.
        classes: empty for all of the version.
        labelled: only items with a label.
    """

    splits: tuple[str, ...] = ()
    scales: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    labelled: bool = False


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        format: its title.
        version: name of the version.
        folder: where it lies.
        splits: items of each split, those included that the format had to leave out.
        losses: how often the format could not carry something, by field and reason; numbers in
            reasons are written as `…`.
    """

    format: str
    version: str
    folder: Path
    splits: Mapping[str, int]
    losses: Mapping[tuple[str, str], int]


def export_version(
    version: VersionItems,
    out: Path,
    name: str,
    wanted: Wanted | None = None,
    *,
    losses: Path | None = None,
    watcher: Watcher | None = None,
) -> Exported:
    """Write a version's items in a format; stopped at any moment, nothing is there.

    Args:
        version: as `open_version` gives it.
        out: a new folder.
        name: of the format.
        wanted: which items and classes; all if not given.
        losses: write what the format could not carry, one by one, to this CSV.
        watcher: is told the course.

    Raises:
        VersionError: nothing fits, the folder holds something, or the format cannot hold it.
        BuildError: an image is missing or damaged.
        OSError: the disk is full or the folder is not writable.
    """
    chosen, wanted, watcher = export_named(name), wanted or Wanted(), watcher or Silent()
    splits = _splits(version, wanted)
    classes = _classes(version, wanted.classes)
    counts = {split: len(one) for split, one in splits.items()}
    watcher.start(f"writing {chosen.title}", sum(counts.values()), "items")
    with _beside(out) as folder, _book(losses) as book:
        job = Job(version, splits, classes, book.add, watcher.advance)
        chosen.write(job, folder)
        write_json(folder / ABOUT, _about(chosen, job))
    watcher.finish()
    return Exported(chosen.title, version.info.name, out, counts, dict(book.counts))


def _splits(version: VersionItems, wanted: Wanted) -> dict[str, Selection]:
    """The items of each split; one that has none of the wanted items is left out."""
    there = {name or UNDIVIDED: name for name in version.splits}
    unknown = sorted(set(wanted.splits) - set(there))
    if unknown:
        known = ", ".join(there)
        raise VersionError(f'version {version.info.name} has no split "{unknown[0]}", but {known}.')
    names = {name: there[name] for name in there if name in wanted.splits or not wanted.splits}
    filters: dict[str, Any] = {"scale": wanted.scales or None, "kind": wanted.kinds or None}
    whole = version.select(list(names.values()), **filters, labelled=wanted.labelled)
    present = set(pc.unique(whole.index.column("split")).to_pylist())
    return {
        name: version.select([split], **filters, labelled=wanted.labelled)
        for name, split in names.items()
        if split in present
    }


def _classes(version: VersionItems, wanted: tuple[str, ...]) -> tuple[str, ...]:
    unknown = sorted(set(wanted) - set(version.classes))
    if unknown:
        known = ", ".join(version.classes) or "none"
        raise VersionError(
            f'version {version.info.name} has no class "{unknown[0]}". There are: {known}.'
        )
    return tuple(name for name in version.classes if name in wanted or not wanted)


def _about(chosen: Export, job: Job) -> dict[str, Any]:
    info = job.version.info
    return {
        "format": chosen.name,
        "version": info.name,
        "id": info.id,
        "guideline": info.guideline,
        "classes": list(job.classes),
        "splits": {name: len(one) for name, one in job.splits.items()},
    }


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A folder that becomes `out` when the block ends, and is gone if it fails."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise VersionError(f"{out} holds other files. Name a folder that is new.")
    folder = out.absolute().parent / f".{out.name}.unfinished"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    try:
        yield folder
        os.sync()  # before the name tells that all of it is there
        if out.exists():
            out.rmdir()
        folder.rename(out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    sync_folder(out.absolute().parent)


class _Book:
    """Counts losses, and writes them down as they come."""

    def __init__(self, writer: Any = None) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._writer = writer

    def add(self, loss: Loss) -> None:
        self.counts[loss.field, re.sub(r"\d+([.,]\d+)*", "…", loss.reason)] += 1
        if self._writer is not None:
            self._writer.writerow([loss.subject, loss.field, loss.reason])


@contextmanager
def _book(path: Path | None) -> Iterator[_Book]:
    if path is None:
        yield _Book()
        return
    with new_file(path) as stream:
        writer = csv.writer(codecs.getwriter("utf-8")(stream), lineterminator="\n")
        writer.writerow(["subject", "field", "reason"])
        yield _Book(writer)
