"""The parts of a build, and whether the shards they speak of are there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from curatome.errors import BuildError, MissingObject, StorageError
from curatome.location import Location
from curatome.objects import objects_below
from curatome.project import Project
from curatome.tiles.record import part_path
from curatome.tiles.state import part_shards


def listed_parts(build: Path) -> set[str]:
    """Names of the parts that are there."""
    # By listing: on a network file system that shows what other machines have made, while the
    # absence of a single file may be remembered.
    folder = part_path(build, "", 0).parent
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def broken_parts(project: Project, names: Iterable[str]) -> set[str]:
    """Those of some parts that are damaged, or speak of a shard that is missing or cut short.

    No shard is opened: it must have the size that its part says. Of shards in a store, one
    listing is asked for; parts are believed if the store does not give it.

    Args:
        project: the project.
        names: of parts that are there.
    """
    folder = part_path(project.build, "", 0).parent
    broken = set()
    expected: dict[str, dict[str, int]] = {}
    for name in sorted(names):
        try:
            expected[name] = part_shards(folder / name)
        except BuildError:
            broken.add(name)
    if any(expected.values()):
        sizes = _sizes(project.shards, {shard for shards in expected.values() for shard in shards})
        for name, shards in expected.items():
            if any(sizes.get(shard, size) != size for shard, size in shards.items()):
                broken.add(name)
    return broken


def _sizes(place: Location, shards: set[str]) -> dict[str, int | None]:
    """Sizes of shards in bytes, None for those that are missing; without those nobody can tell."""
    if isinstance(place, Path):
        return {shard: _size(place / shard) for shard in shards}
    try:
        found = objects_below(f"{place}/shards/")
    except MissingObject:
        found = {}
    except StorageError:
        return {}
    # A listing without sizes says at least what is there.
    here = {url[len(place) + 1 :]: size for url, size in found.items()}
    return {s: here.get(s) for s in shards if s not in here or here[s] is not None}


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
