"""Where the shards of a project lie, and whether what was built before lies there as well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from curatome.copies import scratch_file
from curatome.durable import write_file
from curatome.errors import BuildError
from curatome.location import Location
from curatome.objects import objects_below, put
from curatome.project import Project
from curatome.tiles.state import part_shards, reading

_PROBE = "curatome.txt"
_PARTS = ("parts", "regions/parts")


def settle_shards(project: Project) -> None:
    """See that shards can be stored where the protocol says, and that those there are lie there.

    Shards that were copied to another place are taken as they are, once all of them are there.

    Raises:
        BuildError: shards that exist lie elsewhere.
        StorageError: the store cannot be reached, or not be written to.
    """
    shards, before = project.shards, _recorded(project.build)
    if isinstance(shards, str):
        _try(shards)
    if shards == before:
        return
    there = _sizes(shards)
    missing = [name for name, size in _expected(project.build) if (there.get(name) or 0) < size]
    if missing:
        raise BuildError(
            f"the shards of this build lie under {before}, and curatome.toml names {shards}, where "
            f"{len(missing):,} of them are missing or cut short, such as {missing[0]}. Copy the "
            "folder shards there, name the old place again under [storage], or remove the build "
            "folder to make them anew."
        )
    place = project.build / "storage.json"
    if isinstance(shards, str):
        write_file(place, json.dumps({"shards": shards}))
    else:
        place.unlink()


def _recorded(build: Path) -> Location:
    path = build / "storage.json"
    if not path.exists():
        return build
    with reading(path):
        return str(json.loads(path.read_bytes())["shards"])


def _try(shards: str) -> None:
    """Find out before any work is done what a store has against it."""
    with scratch_file() as scratch:
        scratch.write(b"Shards of a dataset that Curatome has built.\n")
        scratch.flush()
        put(Path(scratch.name), f"{shards}/{_PROBE}")


def _expected(build: Path) -> Iterator[tuple[str, int]]:
    """Names and sizes of all shards that parts of the build refer to."""
    for folder in _PARTS:
        for path in sorted((build / folder).glob("[!.]*.parquet")):
            yield from part_shards(path).items()


def _sizes(shards: Location) -> dict[str, int | None]:
    """Names and sizes of all files below the folder of shards."""
    if isinstance(shards, Path):
        paths = [path for path in shards.rglob("*.tar") if path.is_file()]
        return {path.relative_to(shards).as_posix(): path.stat().st_size for path in paths}
    return {url[len(shards) + 1 :]: size for url, size in objects_below(f"{shards}/").items()}
