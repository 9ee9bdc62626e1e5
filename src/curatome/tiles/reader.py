"""Images of tiles by their number: as they are stored, or as pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import imagecodecs
import numpy as np
import simplejpeg

from curatome.errors import BuildError, StorageError
from curatome.hashes import bytes_hash
from curatome.slides.readers.base import Pixels
from curatome.tiles.handles import Place, ShardFiles
from curatome.tiles.index import Rows, TileIndex

_AT_ONCE = 64  # tiles that are asked for at the same time, where shards lie in a store
_JPEG, _PNG = b"\xff\xd8", b"\x89PNG"
_DAMAGE = (OSError, EOFError, ValueError, RuntimeError, StorageError)


class TileReader:
    """Pixels of any tiles of an index; threads may share it.

    Args:
        index: the tiles.
        verify: compare every image with the manifest's content hash.
    """

    def __init__(self, index: TileIndex, verify: bool = False) -> None:
        self.index = index
        self._files = ShardFiles(index.shards)
        self._hashes = index.hashes() if verify else None

    def read(self, positions: Rows, out: Pixels | None = None) -> Pixels:
        """Tiles at positions of the index, (N, side, side, 3) uint8, RGB.

        Args:
            positions: (N,) int64.
            out: where to write, instead of a new array; C-contiguous.

        Raises:
            BuildError: an image is missing, cut short, damaged, or of another size.
        """
        side = self.index.side_px
        if out is None:
            out = np.empty((len(positions), side, side, 3), np.uint8)
        for i, place, data in self._stored(positions):
            with self._told(positions[i], place):
                _decode_into(out[i], data)
        return out

    def images(self, positions: Rows) -> list[Pixels]:
        """The same one by one, (height, width, 3) uint8 each, whatever their sizes."""
        found = []
        for i, place, data in self._stored(positions):
            with self._told(positions[i], place):
                found.append(_decoded(data))
        return found

    def encoded(self, positions: Rows) -> list[bytes]:
        """Images as they are stored, JPEG or PNG.

        Raises:
            BuildError: an image is missing, cut short, or not that of the manifest's hash.
        """
        return [data for _, _, data in self._stored(positions)]

    def close(self) -> None:
        """Close the shards."""
        self._files.close()

    def _stored(self, positions: Rows) -> Iterator[tuple[int, Place, bytes]]:
        """Each image's number among the positions, its place and its bytes."""
        places = zip(
            self.index.shard[positions].tolist(),
            self.index.offset[positions].tolist(),
            self.index.length[positions].tolist(),
            strict=True,
        )
        waiting = enumerate(places)
        while some := list(islice(waiting, _AT_ONCE)):
            ahead = self._files.read_ahead([place for _, place in some])
            for i, place in some:
                with self._told(positions[i], place):
                    data = ahead.get(place) or self._files.read(*place)
                    if self._hashes is not None:
                        _check(data, self._hashes[positions[i]])
                yield i, place, data

    @contextmanager
    def _told(self, position: int, place: Place) -> Iterator[None]:
        """Say of a damage which tile it is and where it lies."""
        try:
            yield
        except _DAMAGE as error:
            shard, offset, length = place
            raise BuildError(
                f"tile {self.index.tile_id(int(position))} cannot be read from "
                f"{self.index.shards[shard]}, bytes {offset} to {offset + length}: {error} "
                "Copy the shard again from where the build came, or leave the tile out."
            ) from error


def _decoded(data: bytes) -> Pixels:
    if data[:2] == _JPEG:
        return np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB", fastdct=False))
    if data[:4] == _PNG:
        return np.asarray(imagecodecs.png_decode(data))
    raise ValueError("neither JPEG nor PNG.")


def _decode_into(out: Pixels, data: bytes) -> None:
    if data[:2] == _JPEG:
        pixels = simplejpeg.decode_jpeg(data, colorspace="RGB", fastdct=False, buffer=out)
    elif data[:4] == _PNG:
        pixels = imagecodecs.png_decode(data, out=out)
    else:
        raise ValueError("neither JPEG nor PNG.")
    if pixels.shape != out.shape:
        raise ValueError(f"the image is {pixels.shape}, not {out.shape}.")


def _check(data: bytes, expected: Pixels) -> None:
    if bytes_hash(data) != expected.tobytes().hex():
        raise ValueError("its bytes are not those of the manifest's hash.")
