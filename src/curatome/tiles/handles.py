"""Open files of shards: few at a time, shared by threads."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path


class ShardFiles:
    """Reads members of shards at their places; at most `limit` shards stay open.

    Threads may share it: reading moves no file position, and a shard that another thread still
    reads from is closed when that thread is done.

    Args:
        paths: the shards.
        limit: how many stay open, the ones used last.
    """

    def __init__(self, paths: Sequence[Path], limit: int = 64) -> None:
        self._paths = paths
        self._limit = limit
        self._lock = threading.Lock()
        self._open: OrderedDict[int, _File] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def __reduce__(self) -> tuple[type[ShardFiles], tuple[Sequence[Path], int]]:
        return ShardFiles, (self._paths, self._limit)  # another process opens its own

    def read(self, shard: int, offset: int, length: int) -> bytes:
        """The bytes of one member.

        Args:
            shard: position in `paths`.
            offset: first byte.
            length: number of bytes.

        Raises:
            OSError: the shard cannot be read.
            EOFError: it is shorter than its manifest says.
        """
        data = os.pread(self._file(shard).descriptor, length, offset)
        if len(data) != length:
            path = self._paths[shard]
            raise EOFError(f"{path}: wanted {length} bytes at {offset}, got {len(data)}.")
        return data

    def close(self) -> None:
        """Close all; reading opens them again."""
        with self._lock:
            self._open.clear()

    def _file(self, shard: int) -> _File:
        with self._lock:
            file = self._open.get(shard)
            if file is None:
                file = self._open[shard] = _File(self._paths[shard])
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
