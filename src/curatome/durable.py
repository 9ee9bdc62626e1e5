"""Files that are whole or absent: write beside, fsync, rename, fsync the folder."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_MARK = ".unfinished"
_BUFFER_BYTES = 1 << 20  # a system call costs as much as copying tens of kilobytes


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content appears under `path` when the block ends, and not before.

    After an exception, kill or power loss the file is absent, or what it was before.

    Raises:
        OSError: the folder is not writable or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}{_MARK}")
    try:
        with beside.open("xb", buffering=_BUFFER_BYTES) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_file(path: Path, content: bytes | str) -> None:
    """Write a whole file at once; text as UTF-8.

    Raises:
        OSError: the folder is not writable or the disk is full.
    """
    with new_file(path) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


def sync_folder(folder: Path) -> None:
    """Make renames within a folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_unfinished(folder: Path) -> int:
    """Remove what interrupted writers left behind; the number of files removed."""
    left = [path for path in folder.rglob(f".*{_MARK}") if path.is_file()]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)
