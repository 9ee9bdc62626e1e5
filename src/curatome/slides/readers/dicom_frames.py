"""Where the frames of a DICOM file lie, without reading what lies between.

Encapsulated pixel data is a row of items: first the basic offset table, which may be empty, then
the fragments of the frames (DICOM PS3.5, annex A.4). Where neither that table nor the extended
one says where frames begin, the items are walked once.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]

_AFTER_SHARED_GROUPS = 0x5200922A  # groups of each frame, offset tables and pixels follow
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_HEAD = 8  # bytes of an item before its value: tag and length
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")  # of JPEG and JPEG-LS, of JPEG 2000
# pydicom takes 150 µs to walk the groups of one frame, 15 s for 100,000 frames. The column and
# the row of a frame are neighbors there, and both hold 4 bytes.
_PLACE = re.compile(rb"\x48\0\x1e\x02SL\x04\0(.{4})\x48\0\x1f\x02SL\x04\0(.{4})", re.DOTALL)
_PIXELS = re.compile(rb"\xe0\x7f\x10\0O[BW]\0\0\xff\xff\xff\xff\xfe\xff\0\xe0")
_EXTENDED = re.compile(rb"\xe0\x7f\x01\0OV\0\0(.{4})", re.DOTALL)


class FrameFile:
    """One DICOM file, open for reading its frames.

    Attributes:
        path: the file.
        header: all that comes before the groups of each frame.
        count: number of frames.
        places: (count, 2) columns and rows where the frames begin, from 0, in pixels of the whole
            matrix; empty where the file does not say.

    Raises:
        ValueError: it holds no encapsulated pixel data.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        from pydicom.filereader import read_partial

        self.path = path
        self._stream = path.open("rb")
        try:
            self.header: Any = read_partial(self._stream, _at_frames)
            self.count = int(self.header.get("NumberOfFrames") or 1)
            start = self._stream.tell()
            with mmap.mmap(self._stream.fileno(), 0, access=mmap.ACCESS_READ) as whole:
                self._size = len(whole)
                self._first, self._table = _pixel_data(whole, start)
                if self.count * _HEAD > self._size:
                    raise ValueError(f"it cannot hold {self.count} frames")
                self.places = _places(whole, start, self._first)
        except BaseException:
            self._stream.close()
            raise
        self._begins: Positions | None = None

    def start_of_first(self, size: int = 1024) -> bytes:
        """The first bytes of the first frame."""
        return os.pread(self._stream.fileno(), size, self._first + _HEAD)

    def read(self, index: int) -> bytes:
        """One frame, its fragments joined.

        Raises:
            ValueError: the file ends within it, or no frame lies where it should.
        """
        if self._begins is None:
            self._begins = self._find_frames()
        begin, end = int(self._begins[index]), int(self._begins[index + 1])
        data = os.pread(self._stream.fileno(), end - begin, begin)
        parts, at = [], 0
        while data[at : at + 4] == _ITEM:
            length = int.from_bytes(data[at + 4 : at + _HEAD], "little")
            at += _HEAD
            parts.append(data[at : at + length])
            at += length
        if at > len(data) or begin >= self._size:
            raise ValueError(f"{self.path.name} ends before frame {index} does")
        if not parts or any(part.startswith(_STARTS) for part in parts[1:]):
            raise ValueError(f"the offset table of {self.path.name} is wrong at frame {index}")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Free the file."""
        self._stream.close()

    def _find_frames(self) -> Positions:
        """(count + 1,) where the first item of each frame begins, and where the last may end."""
        table = self._table
        if len(table) == self.count and table[0] == 0 and (np.diff(table) > 0).all():
            return np.append(self._first + table, self._size)
        return self._walk()

    def _walk(self) -> Positions:
        """The same as `_find_frames`, from item to item."""
        descriptor = self._stream.fileno()
        items, at = [], self._first
        while True:
            head = os.pread(descriptor, _HEAD + 4, at)
            if head[:4] != _ITEM:
                break
            items.append((at, head[_HEAD:]))
            at += _HEAD + int.from_bytes(head[4:_HEAD], "little")
        if len(items) > self.count:  # frames in several fragments
            items = [item for item in items if self.count == 1 or item[1].startswith(_STARTS)]
            items = items[:1] if self.count == 1 else items
        if len(items) != self.count:
            cut = ", and ends early" if head[:4] != _END else ""
            raise ValueError(
                f"{self.path.name} promises {self.count} frames, holds {len(items)}{cut}"
            )
        return np.array([*(begin for begin, _ in items), min(at, self._size)], np.int64)


def _at_frames(tag: int, vr: str | None, length: int) -> bool:  # noqa: ARG001
    return int(tag) >= _AFTER_SHARED_GROUPS


def _pixel_data(whole: mmap.mmap, start: int) -> tuple[int, Positions]:
    """Where the first fragment begins, and the offset table, (0,) where there is none."""
    extended = np.empty(0, np.int64)
    found = _PIXELS.search(whole, start)
    if found is None:
        raise ValueError("it holds no encapsulated pixel data")
    basic_at = found.end()
    (length,) = struct.unpack_from("<I", whole, basic_at)
    first = basic_at + 4 + length
    basic = np.frombuffer(whole[basic_at + 4 : first], "<u4").astype(np.int64)
    told = _EXTENDED.search(whole, start, found.start())
    if told is not None:
        (size,) = struct.unpack("<I", told.group(1))
        extended = np.frombuffer(whole[told.end() : told.end() + size], "<u8").astype(np.int64)
    return first, extended if len(extended) else basic


def _places(whole: mmap.mmap, start: int, end: int) -> Positions:
    found = [match.groups() for match in _PLACE.finditer(whole, start, end)]
    joined = b"".join(column + row for column, row in found)
    return np.frombuffer(joined, "<i4").astype(np.int64).reshape(-1, 2) - 1
