"""The log of versions: which there are, in order, and the id of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curatome.durable import write_file
from curatome.errors import VersionError

LOG_FILE = "log.json"


@dataclass(frozen=True)
class Reissue:
    """That a version was made again, less what was withdrawn.

    Attributes:
        id: its id before.
        time: when it was made again, UTC.
        reason: why.
    """

    id: str
    time: str
    reason: str


@dataclass(frozen=True)
class Entry:
    """One version in the log.

    Attributes:
        name: what people call it.
        id: of the version.
        folder: where it lies, below the folder of versions.
        was: ids that it had before, the oldest first.
    """

    name: str
    id: str
    folder: str
    was: tuple[Reissue, ...] = ()


def load_log(root: Path) -> tuple[Entry, ...]:
    """All versions, the oldest first; none where there is no log.

    Raises:
        VersionError: the log is damaged.
    """
    path = root / LOG_FILE
    try:
        plain = json.loads(path.read_bytes())
        entries = tuple(
            Entry(**{**one, "was": tuple(Reissue(**w) for w in one["was"])})
            for one in plain["versions"]
        )
        if plain["digest"] != _digest(entries):
            raise ValueError("its digest is not that of its entries")
        return entries
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise VersionError(
            f"{path} is damaged: {error}. Put it back from a backup; the versions themselves lie "
            "in the folders beside it."
        ) from error


def save_log(root: Path, entries: Sequence[Entry]) -> None:
    """Write the log: what makes versions visible, all at once.

    Raises:
        OSError: the folder is not writable or the disk is full.
    """
    content = {"versions": [asdict(one) for one in entries], "digest": _digest(entries)}
    write_file(root / LOG_FILE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def find_version(root: Path, name: str = "") -> Entry:
    """The version of a name, of an id or the beginning of one; the latest for an empty name.

    Raises:
        VersionError: there is none, or several begin so.
    """
    entries = load_log(root)
    if not entries:
        raise VersionError("there is no version yet. Make one: curatome version create -m REASON")
    if not name:
        return entries[-1]
    exact = [one for one in entries if one.name == name]
    ids = [one for one in entries if len(name) >= 4 and _known_as(one, name)]
    found = exact or ids
    if len(found) == 1:
        return found[0]
    known = ", ".join(one.name for one in entries)
    if found:
        raise VersionError(f'several versions begin with "{name}". Give more digits.')
    raise VersionError(f'there is no version "{name}". There are: {known}.')


def frozen_shards(root: Path) -> set[str]:
    """The shards that any version refers to: they may not be removed.

    Raises:
        VersionError: the log, or a version's table of shards, cannot be read.
    """
    found: set[str] = set()
    for entry in load_log(root):
        path = root / entry.folder / "shards.parquet"
        try:
            found.update(pq.read_table(path, columns=["shard"])["shard"].to_pylist())
        except (OSError, pa.ArrowException) as error:
            raise VersionError(
                f"{path} cannot be read, so nobody knows which shards version {entry.name} needs: "
                f"{error}. Put it back from a backup."
            ) from error
    return found


def _known_as(entry: Entry, name: str) -> bool:
    return any(one.startswith(name) for one in (entry.id, *(w.id for w in entry.was)))


def _digest(entries: Sequence[Entry]) -> str:
    text = json.dumps([asdict(one) for one in entries], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
