"""Shards: WebDataset tar files whose bytes depend on nothing but their content.

They lie under a folder, the build folder or one of an object store, which their manifest names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from curatome.copies import scratch_file
from curatome.durable import new_file
from curatome.jobs import progress, stage
from curatome.location import Location
from curatome.objects import put, read_ranges

STORE = "store"
"""How the stage is called in which a shard goes to its store: its failure is not the slide's."""

_SHARDS = b"curatome.shards"

_RECORD = 512
_END = b"\0" * (2 * _RECORD)

# A header but for name, size and checksum; the checksum counts its own place as eight spaces.
_OWNER = b"0000644\0" + b"0000000\0" * 2
_NO_TIME = b"00000000000\0"
_TAIL = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2 + bytes(167)
_SUM_OF_REST = sum(_NO_TIME) + sum(_TAIL) + 8 * ord(" ")


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


def shard_size(end: int) -> int:
    """The size of a shard, in bytes, by the end of its last member's bytes."""
    return end + -end % _RECORD + len(_END)


def _header(name: str, size: int) -> bytes:
    """A member's header record in the format of POSIX.1-1988 (ustar): no time, no owner.

    Raises:
        ValueError: the name has more than 100 bytes, or the size more than 8 GiB.
    """
    encoded = name.encode()
    if len(encoded) > 100 or size >= 1 << 33:
        raise ValueError(f"{name!r} ({size} bytes) does not fit into a tar header.")
    head = encoded.ljust(100, b"\0") + _OWNER + b"%011o\0" % size
    checksum = sum(head) + _SUM_OF_REST
    return b"".join((head, _NO_TIME, b"%06o\0 " % checksum, _TAIL))


@contextmanager
def new_shard(place: Location) -> Iterator[BinaryIO]:
    """A stream whose content is a shard when the block ends, and not before.

    Raises:
        OSError: there is no room on the disk.
        StorageError: the store does not take it.
    """
    if isinstance(place, Path):
        with new_file(place) as stream:
            yield stream
        return
    with scratch_file() as scratch:
        yield cast(BinaryIO, scratch)
        scratch.flush()
        stage(f"{STORE} {place}")
        put(Path(scratch.name), place, lambda size: progress(stored=size))


def with_shards(schema: pa.Schema, shards: Location) -> pa.Schema:
    """The schema of a manifest that says in which store its shards lie, if in one."""
    if isinstance(shards, Path):
        return schema
    return schema.with_metadata({**(schema.metadata or {}), _SHARDS: shards.encode()})


def shards_of(manifest: Path) -> Location:
    """The folder that a manifest's shards lie under: of a store, or the manifest's own."""
    metadata = pq.read_schema(manifest).metadata or {}
    return metadata[_SHARDS].decode() if _SHARDS in metadata else manifest.parent


def read_member(place: Location, offset: int, length: int) -> bytes:
    """The bytes of one member, read at its place.

    Raises:
        OSError: the shard cannot be read.
        StorageError: the same, of one in a store.
        EOFError: it is shorter than its manifest says.
    """
    if isinstance(place, str):
        return read_ranges([(place, offset, length)])[0]
    with place.open("rb") as stream:
        stream.seek(offset)
        data = stream.read(length)
    if len(data) != length:
        raise EOFError(f"{place}: wanted {length} bytes at {offset}, got {len(data)}.")
    return data
