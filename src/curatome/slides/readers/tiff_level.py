"""One level of a TIFF, decoded tile by tile with the fastest decoder that fits."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from curatome.slides.readers.base import Pixels
from curatome.slides.readers.codecs import decode_jpeg, decode_jpeg2000
from curatome.slides.readers.levels import over_white

_JPEG = 7
_JPEG_2000 = (33005, 34712)  # of RGB; Aperio's 33003 holds YCbCr and is left to tifffile
_PHOTOMETRIC_RGB = 2
_SOI = b"\xff\xd8"
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"  # and one byte: 0 for RGB, 1 for YCbCr


class TiffLevel:
    """The tiles or strips of a TIFF page; see `StoredLevel`.

    Args:
        page: tifffile's page; its file must stay open.
    """

    def __init__(self, page: Any) -> None:
        self.page = page
        self._descriptor = page.parent.filehandle.fileno()
        self._offsets, self._lengths = page.dataoffsets, page.databytecounts
        tiled = page.is_tiled
        self.tile_width = page.tilewidth if tiled else page.imagewidth
        self.tile_height = page.tilelength if tiled else min(page.rowsperstrip, page.imagelength)
        self._across = -(-page.imagewidth // self.tile_width)
        self._down = -(-page.imagelength // self.tile_height)
        whole = page.planarconfig == 1 and page.samplesperpixel == 3 and page.bitspersample == 8
        self._is_jpeg = whole and page.compression == _JPEG
        self._is_jpeg2000 = whole and page.compression in _JPEG_2000
        # What a tile's stream lacks to be a JPEG file: the tables that all tiles share, and
        # whether the colors are RGB or YCbCr, which only the TIFF's tags say.
        rgb = page.photometric == _PHOTOMETRIC_RGB
        tables = (page.jpegtables or b"")[2:-2]
        self._jpeg_start = b"".join((_SOI, _ADOBE, b"\0" if rgb else b"\1", tables))
        self.shrinks = self._find_shrinks()
        # At half size libjpeg's transform gives block means but for rounding; at a quarter and an
        # eighth it keeps more detail than a mean, as JPEG 2000 does at any size.
        self.means: tuple[float, ...] = (
            (1.0, 2.0) if self._is_jpeg and 2.0 in self.shrinks else (1.0,)
        )

    def _find_shrinks(self) -> tuple[float, ...]:
        if not (self._is_jpeg or self._is_jpeg2000) or not self.page.is_tiled:
            return (1.0,)
        sides = (self.tile_width, self.tile_height)
        return tuple(float(n) for n in (1, 2, 4, 8) if all(side % n == 0 for side in sides))

    def lag(self, shrink: float) -> float:
        """See `StoredLevel.lag`.

        A JPEG reduced by its cosine transform averages whole blocks. A wavelet's low-pass samples
        sit on the first of the pixels they stand for (ISO 15444-1, annex F), not between them.
        """
        return (shrink - 1) / 2 if self._is_jpeg2000 else 0.0

    def decode(self, column: int, row: int, shrink: float) -> Pixels | None:
        """See `StoredLevel.decode`."""
        index = row * self._across + column
        size = (self.tile_width, self.tile_height)
        if self._is_jpeg:
            data = self._raw(index)
            return None if data is None else decode_jpeg(self._complete(data), size, shrink)
        if self._is_jpeg2000:
            data = self._raw(index)
            return None if data is None else decode_jpeg2000(data, size, shrink)
        return self._decode_any(index)

    def jpeg(self, column: int, row: int) -> bytes | None:
        """See `StoredLevel.jpeg`."""
        data = self._raw(row * self._across + column) if self._is_jpeg else None
        return None if data is None else self._complete(data)

    def _raw(self, index: int) -> bytes | None:
        length = self._lengths[index]
        if length == 0:
            return None
        data = os.pread(self._descriptor, length, self._offsets[index])
        if len(data) < length:
            raise ValueError(f"the file ends within tile or strip {index}")
        return data

    def _complete(self, data: bytes) -> bytes:
        return b"".join((self._jpeg_start, memoryview(data)[2:]))

    def _decode_any(self, index: int) -> Pixels | None:
        page = self.page
        planes = page.samplesperpixel if page.planarconfig == 2 else 1
        parts = [
            self._segment(plane * self._across * self._down + index) for plane in range(planes)
        ]
        known = [part for part in parts if part is not None]
        if not known:
            return None
        blank = np.full_like(known[0], 255)
        pixels = np.concatenate([blank if part is None else part for part in parts], axis=-1)
        if pixels.shape[-1] == 4:
            return over_white(pixels, premultiplied=int(page.extrasamples[0]) == 1)
        return pixels

    def _segment(self, index: int) -> Pixels | None:
        data = self._raw(index)
        if data is None:
            return None
        page = self.page
        decoded, _, _ = page.decode(
            data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader
        )
        return None if decoded is None else np.asarray(decoded[0])
