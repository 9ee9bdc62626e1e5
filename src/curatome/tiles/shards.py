"""Shards: WebDataset tar files whose bytes depend on nothing but their content."""

from __future__ import annotations

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
        header = _header(name, len(data))
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


def _header(name: str, size: int) -> bytes:
    """A member's header record in the format of POSIX.1-1988 (ustar): no time, no owner.

    Raises:
        ValueError: the name has more than 100 bytes, or the size more than 8 GiB.
    """
    encoded = name.encode()
    if len(encoded) > 100 or size >= 1 << 33:
        raise ValueError(f"{name!r} ({size} bytes) does not fit into a tar header.")
    number = b"0000000\0"
    head = encoded.ljust(100, b"\0") + b"0000644\0" + number * 2 + b"%011o\0" % size
    head += b"00000000000\0"
    tail = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + number * 2 + bytes(167)
    checksum = sum(head) + sum(tail) + 8 * ord(" ")
    return head + b"%06o\0 " % checksum + tail


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
