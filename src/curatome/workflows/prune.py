"""What earlier protocols and slides have left in a build, and how it is removed.

Whatever is removed can be made again. The order of removal sees to it that a build is never taken
for done where it is not: parts go first, for their presence says that a unit is done, then shards,
and records last, for they say whose shards may lie in a store.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curatome.dataset.versions.log import frozen_shards
from curatome.durable import sync_folder
from curatome.errors import MissingObject, StorageError
from curatome.objects import objects_below, remove_objects
from curatome.project import Project
from curatome.tiles.record import part_path, record_folder, slide_key
from curatome.tiles.state import built_keys
from curatome.workflows.watch import Silent, Watcher

_KEY = r"(?P<key>[0-9a-f]{16}-[0-9a-f]{8})"
_FOLDER = re.compile(_KEY)
_PART = re.compile(rf"{_KEY}-\d{{5,}}\.parquet")
_SHARD = re.compile(rf"{_KEY}-\d{{5,}}\.tar")
_OBJECT = re.compile(rf"shards/[^/]+/{_KEY}-\d{{5,}}\.tar")
_RECORD = ("record.json", "tissue.png", "overview.jpg", "profile.icc")
_KEY_LENGTH = 25
_VERSIONS = "versions"
_AT_ONCE = 1000  # objects that a store is asked to remove: S3 takes no more


@dataclass(frozen=True)
class LeftOver:
    """How much is left over, or was removed.

    Attributes:
        files: number of files and objects.
        bytes: their size.
    """

    files: int = 0
    bytes: int = 0

    def __add__(self, other: LeftOver) -> LeftOver:
        return LeftOver(self.files + other.files, self.bytes + other.bytes)


@dataclass(frozen=True)
class _Found:
    """Sizes of what nobody needs, in the order of removal."""

    parts: dict[Path, int] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)
    shards: dict[Path, int] = field(default_factory=dict)
    records: dict[Path, int] = field(default_factory=dict)

    @property
    def total(self) -> LeftOver:
        sizes = [
            *(*self.parts.values(), *self.objects.values()),
            *(*self.shards.values(), *self.records.values()),
        ]
        return LeftOver(len(sizes), sum(sizes))


@dataclass(frozen=True)
class _Kept:
    """Keys that are needed, and slides of which every key is."""

    keys: set[str]
    slides: set[str]

    def __contains__(self, key: str) -> bool:
        return key in self.keys or key.partition("-")[0] in self.slides


def left_over(project: Project, planned: bool = False) -> LeftOver | None:
    """How many files no slide and no scale of the present protocol needs.

    What the present manifest or a version refers to is needed as well, and so is what was built
    of slides that are held back, refused or unreadable now: their state may change.

    Args:
        project: the project.
        planned: count as if the manifest had been brought up to date.

    Returns:
        None if the store of shards cannot be listed; it is asked only if there is a record of
        something nobody needs.
    """
    kept = _kept(project, planned)
    try:
        return LeftOver() if kept is None else _find(project, kept).total
    except StorageError:
        return None


def remove_left_over(project: Project, watcher: Watcher | None = None) -> LeftOver:
    """Remove what `left_over` counts; the project must be locked.

    Can be killed at any moment: a later build is complete, whatever it needs again it makes again.

    Args:
        project: the project.
        watcher: is told how much it is before anything is removed.

    Raises:
        StorageError: the store of shards does not let them be listed or removed.
    """
    kept = _kept(project)
    found = _Found() if kept is None else _find(project, kept)
    total = found.total
    if total.files:
        watcher = watcher or Silent()
        size = f"{total.bytes / 1e6:,.1f} MB"
        watcher.start(f"removing {size} that no slide needs", total.files, "files")
        for number in _remove(found):
            watcher.advance(number)
        watcher.finish()
    return total


def _kept(project: Project, planned: bool = False) -> _Kept | None:
    """What is needed; None if it cannot be told what the manifest refers to."""
    built = set() if planned else built_keys(project.build)
    if built is None:
        return None
    entries = project.store.slides()
    ready = {e.slide: e for e in entries if e.state == "ready" and e.mpp is not None}
    keys = {slide_key(e.sha256, e.mpp, project.protocol) for e in ready.values() if e.mpp}
    frozen = {
        name.rpartition("/")[2][:_KEY_LENGTH] for name in frozen_shards(project.root / _VERSIONS)
    }
    return _Kept(keys | built | frozen, {entry.slide for entry in entries} - set(ready))


def _find(project: Project, kept: _Kept) -> _Found:
    build = project.build
    folders = [path for path in _unneeded(record_folder(build, ""), _FOLDER, kept) if path.is_dir()]
    records = [folder / name for folder in folders for name in _RECORD]
    parts = _sizes(_unneeded(part_path(build, "", 0).parent, _PART, kept))
    shards = _sizes(
        path
        for folder in _listed(build / "shards")
        if folder.is_dir()
        for path in _unneeded(folder, _SHARD, kept)
    )
    objects: dict[str, int] = {}
    if isinstance(project.shards, str):
        # Another project's shards may lie there too: only those that this build has a record of.
        known = {path.name for path in folders} | {path.name[:_KEY_LENGTH] for path in parts}
        objects = _objects(project.shards, known) if known else {}
    return _Found(parts, objects, shards, _sizes(records))


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _unneeded(folder: Path, name: re.Pattern[str], kept: _Kept) -> Iterator[Path]:
    for path in _listed(folder):
        match = name.fullmatch(path.name)
        if match is not None and match["key"] not in kept:
            yield path


def _sizes(paths: Iterable[Path]) -> dict[Path, int]:
    return {path: path.stat().st_size for path in paths if path.is_file()}


def _objects(place: str, keys: set[str]) -> dict[str, int]:
    try:
        found = objects_below(f"{place}/shards/")
    except MissingObject:
        return {}
    names = {url: _OBJECT.fullmatch(url[len(place) + 1 :]) for url in found}
    return {url: found[url] or 0 for url, match in names.items() if match and match["key"] in keys}


def _remove(found: _Found) -> Iterator[int]:
    """Removes one kind after the other; yields how many files went."""
    yield from _unlink(list(found.parts))
    urls = list(found.objects)
    for start in range(0, len(urls), _AT_ONCE):
        some = urls[start : start + _AT_ONCE]
        remove_objects(some)
        yield len(some)
    yield from _unlink(list(found.shards))
    # A record says that the slide was surveyed, so it goes before what was found then.
    yield from _unlink([path for path in found.records if path.name == _RECORD[0]])
    yield from _unlink([path for path in found.records if path.name != _RECORD[0]])
    for folder in {path.parent for path in (*found.shards, *found.records)}:
        with contextlib.suppress(OSError):  # it holds something else
            folder.rmdir()


def _unlink(paths: Sequence[Path]) -> Iterator[int]:
    for path in paths:
        path.unlink(missing_ok=True)
        yield 1
    for folder in {path.parent for path in paths}:
        sync_folder(folder)
