"""Whether what a build wrote can be read, and belongs together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curatome.errors import BuildError
from curatome.tiles.shards import shard_size

_STATE = b"curatome.state"
_TABLES = ("slides.parquet", "tiles.parquet")
_SUMMARY = "build.json"


def with_state(schema: pa.Schema, state: str) -> pa.Schema:
    """The schema of a table that says which state of the build it shows."""
    return schema.with_metadata({**(schema.metadata or {}), _STATE: state.encode()})


def written_states(build: Path) -> dict[str, str | None]:
    """The states that a build's three files show, by name; None for one that cannot be read."""
    states: dict[str, str | None] = {}
    for name in _TABLES:
        try:
            with reading(build / name):
                metadata = pq.read_schema(build / name).metadata or {}
            states[name] = metadata[_STATE].decode()
        except (BuildError, FileNotFoundError, KeyError):
            states[name] = None
    try:
        with reading(build / _SUMMARY):
            states[_SUMMARY] = str(json.loads((build / _SUMMARY).read_bytes())["state"])
    except (BuildError, FileNotFoundError):
        states[_SUMMARY] = None
    return states


def check_whole(build: Path) -> None:
    """See that manifest, slides and run record are of one state: each is a rename of its own.

    Raises:
        BuildError: the build was never finished, or the last one was interrupted at its end.
    """
    if not any((build / name).exists() for name in (*_TABLES, _SUMMARY)):
        raise BuildError(f"{build} holds no finished build. Run `curatome build` first.")
    states = written_states(build)
    lost = [name for name, state in states.items() if state is None]
    if lost:
        raise BuildError(
            f"{build}: {' and '.join(lost)} cannot be read or is not there. Run `curatome build`; "
            "it writes what is missing anew."
        )
    if len(set(states.values())) > 1:
        raise BuildError(
            f"{build}: {', '.join(states)} are not of the same build, since the last one was "
            "interrupted. Run `curatome build`; it brings them together."
        )


def built_keys(build: Path) -> set[str] | None:
    """Keys of the slides that the present manifest is made of; None if that cannot be told."""
    states = set(written_states(build).values())
    if len(states) > 1:
        return None
    if None in states:
        return set() if not (build / "tiles.parquet").exists() else None
    return set(json.loads((build / _SUMMARY).read_bytes())["slides"])


def part_shards(part: Path) -> dict[str, int]:
    """The shards that a part's tiles lie in, and the size in bytes that each must have.

    Raises:
        BuildError: the part is damaged.
        FileNotFoundError: it is not there.
    """
    with reading(part):
        rows = pq.read_table(part, columns=["shard", "offset", "length"]).drop_null()
        shards = rows["shard"].dictionary_encode().combine_chunks()
        ends = rows["offset"].to_numpy() + rows["length"].to_numpy()
    last = np.zeros(len(shards.dictionary), np.int64)
    np.maximum.at(last, shards.indices.to_numpy(), ends)
    named = zip(shards.dictionary.to_pylist(), last.tolist(), strict=True)
    return {shard: shard_size(end) for shard, end in named}


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What goes wrong with the content of a build's file, as a sentence that names it.

    Raises:
        BuildError: it is damaged.
        OSError: it cannot be read at all.
    """
    try:
        yield
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(path, error) from error  # Arrow's word for bytes that make no sense


def _damaged(path: Path, error: Exception) -> BuildError:
    said = " ".join(str(error).split()).rstrip(".")
    return BuildError(
        f"{path} is damaged ({said}). Remove it and run `curatome build`; it is then made anew."
    )
