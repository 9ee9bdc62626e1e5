"""Shards: WebDataset tar files whose bytes depend on nothing but their content."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import BinaryIO

_RECORD = 512
_END = b"\0" * (2 * _RECORD)


class ShardWriter:
    """Writes members of a tar file one after the other, without time, owner or padding to 10 KiB.

    Args:
        stream: where to write, at its start.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._position = 0

    def add(self, name: str, data: bytes) -> int:
        """Append a member; the offset of its first byte."""
        member = tarfile.TarInfo(name)
        member.size = len(data)
        member.mode = 0o644
        header = member.tobuf(tarfile.USTAR_FORMAT)
        padding = b"\0" * (-len(data) % _RECORD)
        self._stream.write(header)
        self._stream.write(data)
        self._stream.write(padding)
        offset = self._position + len(header)
        self._position = offset + len(data) + len(padding)
        return offset

    def finish(self) -> None:
        """Write the end of the archive."""
        self._stream.write(_END)


def read_member(path: Path, offset: int, length: int) -> bytes:
    """The bytes of one member, read at its place.

    Raises:
        OSError: the shard cannot be read.
        EOFError: it is shorter than its manifest says.
    """
    with path.open("rb") as stream:
        stream.seek(offset)
        data = stream.read(length)
    if len(data) != length:
        raise EOFError(f"{path}: wanted {length} bytes at {offset}, got {len(data)}.")
    return data
