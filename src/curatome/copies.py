"""Copies of objects on this machine, shared by its processes: whole, bounded, in nobody's way.

The folder is `CURATOME_CACHE`, or `curatome` where the system keeps caches. An entry holds the
files of one slide, side by side as in the store, and is known by their URLs and stamps. Beside it
lies its lock: who reads an entry shares it, who fills or removes one has it alone, and it ends
with the process that holds it. Its time of change is when the entry was last used.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from curatome.durable import remove_unfinished
from curatome.errors import StorageError
from curatome.hashes import settings_hash
from curatome.location import file_name
from curatome.objects import StoredObject, Tick, describe, fetch

LIMIT_GB = 50.0
"""What the copies may take, unless `CURATOME_CACHE_GB` says otherwise."""

_POLL_SECONDS = 0.1
_FORGOTTEN_SECONDS = 86_400.0  # after which nobody can be at work on a scratch file any more


def cache_folder() -> Path:
    """Where this machine keeps copies."""
    if chosen := os.environ.get("CURATOME_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "curatome"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "curatome"


def cache_limit() -> int:
    """What the copies may take, in bytes.

    Raises:
        StorageError: `CURATOME_CACHE_GB` is no positive number.
    """
    text = os.environ.get("CURATOME_CACHE_GB", str(LIMIT_GB))
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not 0 < limit < float("inf"):
        raise StorageError(f"CURATOME_CACHE_GB must be a positive number of GB. Got {text!r}.")
    return round(limit * 1e9)


@contextmanager
def local_copies(urls: Sequence[str], tick: Tick) -> Iterator[tuple[Path, ...]]:
    """Files with the content of objects; they stay while the block lasts.

    Objects are copied if no process of this machine has done so since they changed. To make room,
    entries that nobody reads are removed, those first that were not used for longest. What is
    being read is never removed, so that the limit gives way where many large slides are read at
    the same time.

    Args:
        urls: of objects that belong together; they lie in the first one's folder, or below.
        tick: is told of bytes as they come, and, at least every second, that one waits.

    Raises:
        StorageError: an object cannot be read.
        OSError: there is no room on the disk, or the folder is not writable.
    """
    objects = describe(urls)
    folder = cache_folder() / "slides"
    folder.mkdir(parents=True, exist_ok=True)
    entry = folder / settings_hash([[one.url, one.stamp] for one in objects])
    base = urls[0].rpartition("/")[0] + "/"
    paths = tuple(entry / _inner_name(url, base) for url in urls)
    lock = _shared(entry, list(zip(objects, paths, strict=True)), tick)
    try:
        yield paths
    finally:
        lock.close()


@contextmanager
def scratch_file() -> Iterator[IO[bytes]]:
    """A named file on this machine's disk, gone when the block ends."""
    folder = cache_folder() / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        with suppress(FileNotFoundError):  # its owner, or another process that tidies
            if time.time() - left.stat().st_mtime > _FORGOTTEN_SECONDS:
                left.unlink()
    with tempfile.NamedTemporaryFile(dir=folder) as stream:
        yield stream


def _inner_name(url: str, base: str) -> str:
    inner = url[len(base) :] if url.startswith(base) else ""
    folder = inner.rpartition("/")[0]
    name = f"{folder}/{file_name(url)}" if folder else file_name(url)
    if not inner or ".." in Path(name).parts:
        raise StorageError(f"{url} does not lie beside or below {base}, as files of a slide must.")
    return name


Pairs = Sequence[tuple[StoredObject, Path]]


def _shared(entry: Path, pairs: Pairs, tick: Tick) -> IO[bytes]:
    """The lock of an entry that is whole, shared; to be closed."""
    while True:
        lock = _locked(entry, fcntl.LOCK_SH, tick)
        if _whole(pairs):
            os.utime(lock.name)
            return lock
        lock.close()
        with _locked(entry, fcntl.LOCK_EX, tick):
            if not _whole(pairs):
                _fill(entry, pairs, tick)


def _whole(pairs: Pairs) -> bool:
    return all(path.is_file() and one.size in (None, path.stat().st_size) for one, path in pairs)


def _fill(entry: Path, pairs: Pairs, tick: Tick) -> None:
    if entry.exists():
        remove_unfinished(entry)
    missing = [(one, path) for one, path in pairs if not _whole([(one, path)])]
    _make_room(entry, sum(one.size or 0 for one, _ in missing))
    for one, path in missing:
        fetch(one, path, tick)


def _make_room(filling: Path, needed: int) -> None:
    folder = filling.parent
    entries = [lock.with_suffix("") for lock in folder.glob("*.lock")]
    sizes = {entry: _size(entry) for entry in entries}
    free = shutil.disk_usage(folder).free
    excess = max(sum(sizes.values()) + needed - cache_limit(), needed - free)
    for entry in sorted(sizes, key=_last_use):
        if excess <= 0:
            return
        if entry != filling and _remove(entry):
            excess -= sizes[entry]


def _size(entry: Path) -> int:
    total = 0
    for root, _, names in os.walk(entry):
        for name in names:
            with suppress(FileNotFoundError):  # another process makes room too
                total += Path(root, name).stat().st_size
    return total


def _last_use(entry: Path) -> float:
    try:
        return _lock_path(entry).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _remove(entry: Path) -> bool:
    """Remove an entry unless somebody reads or fills it; whether it was removed."""
    lock = _try_lock(entry, fcntl.LOCK_EX)
    if lock is None:
        return False
    with lock:
        shutil.rmtree(entry, ignore_errors=True)
        _lock_path(entry).unlink(missing_ok=True)
    return True


def _lock_path(entry: Path) -> Path:
    return entry.with_suffix(".lock")


def _locked(entry: Path, kind: int, tick: Tick) -> IO[bytes]:
    while (lock := _try_lock(entry, kind)) is None:
        tick(0)
        time.sleep(_POLL_SECONDS)
    return lock


def _try_lock(entry: Path, kind: int) -> IO[bytes] | None:
    lock = _lock_path(entry).open("ab")
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
        # A lock that was removed while it was opened is nobody's any more.
        if os.fstat(lock.fileno()).st_ino == _lock_path(entry).stat().st_ino:
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    lock.close()
    return None
