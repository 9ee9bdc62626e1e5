"""Open files of shards: few at a time, shared by threads."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from curatome.errors import StorageError
from curatome.location import Location
from curatome.objects import read_ranges

Place = tuple[int, int, int]
"""Shard, first byte, number of bytes."""


class ShardFiles:
    """Reads members of shards at their places; at most `limit` files stay open.

    Threads may share it: reading moves no file position, and a shard that another thread still
    reads from is closed when that thread is done.

    Args:
        paths: the shards, on this machine or in a store.
        limit: how many stay open, the ones used last.
    """

    def __init__(self, paths: Sequence[Location], limit: int = 64) -> None:
        self._paths = paths
        self._limit = limit
        self._lock = threading.Lock()
        self._open: OrderedDict[int, _File] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def __reduce__(self) -> tuple[type[ShardFiles], tuple[Sequence[Location], int]]:
        return ShardFiles, (self._paths, self._limit)  # another process opens its own

    def read(self, shard: int, offset: int, length: int) -> bytes:
        """The bytes of one member.

        Args:
            shard: position in `paths`.
            offset: first byte.
            length: number of bytes.

        Raises:
            OSError: the shard cannot be read.
            StorageError: the same, of one in a store.
            EOFError: it is shorter than its manifest says.
        """
        path = self._paths[shard]
        if isinstance(path, str):
            return read_ranges([(path, offset, length)])[0]
        data = os.pread(self._file(shard, path).descriptor, length, offset)
        if len(data) != length:
            raise EOFError(f"{path}: wanted {length} bytes at {offset}, got {len(data)}.")
        return data

    def read_ahead(self, places: Sequence[Place]) -> dict[Place, bytes]:
        """Members of shards in a store, asked for at the same time; those of files are left out.

        What cannot be read is left out as well, for `read` to say why.

        Args:
            places: what `read` takes, for each member.
        """
        remote = [(at, path) for at in places if isinstance(path := self._paths[at[0]], str)]
        try:
            found = read_ranges([(path, offset, length) for (_, offset, length), path in remote])
        except (StorageError, EOFError):
            return {}
        return {at: data for (at, _), data in zip(remote, found, strict=True)}

    def close(self) -> None:
        """Close all; reading opens them again."""
        with self._lock:
            self._open.clear()

    def _file(self, shard: int, path: Path) -> _File:
        with self._lock:
            file = self._open.get(shard)
            if file is None:
                file = self._open[shard] = _File(path)
                if len(self._open) > self._limit:
                    self._open.popitem(last=False)
            else:
                self._open.move_to_end(shard)
            return file


class _File:
    """A descriptor that is closed when nobody refers to it any more."""

    def __init__(self, path: Path) -> None:
        self.descriptor = -1
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
