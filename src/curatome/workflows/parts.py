"""The parts of a build, and whether the shards they speak of are there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from curatome.durable import write_file
from curatome.errors import BuildError, MissingObject, StorageError
from curatome.location import Location
from curatome.objects import objects_below
from curatome.project import Project
from curatome.tiles.record import part_path
from curatome.tiles.state import part_shards

_MEMORY = ".curatome/parts.json"

Read = dict[str, tuple[int, int, dict[str, int]]]
"""By a part's name: its size and time of change when it was read, and the sizes of its shards."""


def listed_parts(build: Path) -> set[str]:
    """Names of the parts that are there."""
    # By listing: on a network file system that shows what other machines have made, while the
    # absence of a single file may be remembered.
    folder = part_path(build, "", 0).parent
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def broken_parts(project: Project, names: Iterable[str]) -> set[str]:
    """Those of some parts that are damaged, or speak of a shard that is missing or cut short.

    No shard is opened: it must have the size that its part says. A part is read once, and then
    believed as long as its own size and time of change stay. Of shards in a store, one listing
    is asked for; parts are believed if the store does not give it.

    Args:
        project: the project.
        names: of parts that are there.
    """
    folder, memory = part_path(project.build, "", 0).parent, project.root / _MEMORY
    stamps, known = _stamps(folder), _remembered(memory)
    read: Read = {}
    broken = set()
    for name in sorted(names):
        before = known.get(name)
        if before is not None and before[:2] == stamps[name]:
            read[name] = before
            continue
        try:
            read[name] = (*stamps[name], part_shards(folder / name))
        except BuildError:
            broken.add(name)
    if read != known:
        with suppress(OSError):  # it saves time, and nothing else depends on it
            write_file(memory, msgspec.json.encode(read))
    if any(shards for *_, shards in read.values()):
        sizes = _sizes(project.shards, {shard for *_, shards in read.values() for shard in shards})
        for name, (*_, shards) in read.items():
            if any(sizes.get(shard, size) != size for shard, size in shards.items()):
                broken.add(name)
    return broken


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file in a folder; nothing if there is none."""
    if not folder.exists():
        return {}
    with os.scandir(folder) as entries:
        found = {entry.name: entry.stat() for entry in entries if entry.is_file()}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in found.items()}


def _remembered(memory: Path) -> Read:
    try:
        return msgspec.json.decode(memory.read_bytes(), type=Read)
    except (OSError, msgspec.DecodeError):
        return {}


def _sizes(place: Location, shards: set[str]) -> dict[str, int | None]:
    """Sizes of shards in bytes, None for those that are missing; without those nobody can tell."""
    if isinstance(place, Path):
        folders = {shard.rpartition("/")[0] for shard in shards}
        there = {
            f"{folder}/{name}": size
            for folder in folders
            for name, (size, _) in _stamps(place / folder).items()
        }
        return {shard: there.get(shard) for shard in shards}
    try:
        found = objects_below(f"{place}/shards/")
    except MissingObject:
        found = {}
    except StorageError:
        return {}
    # A listing without sizes says at least what is there.
    here = {url[len(place) + 1 :]: size for url, size in found.items()}
    return {s: here.get(s) for s in shards if s not in here or here[s] is not None}
