"""One level of a DICOM slide: the frames of one file, or of several that continue each other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curatome.errors import UnreadableSlide
from curatome.slides.readers.base import Pixels
from curatome.slides.readers.codecs import (
    colored_jpeg,
    decode_jpeg,
    decode_jpeg2000,
    decode_jpeg_ls,
    jpeg2000_halvings,
)
from curatome.slides.readers.dicom_frames import FrameFile, Positions

_JPEG = "1.2.840.10008.1.2.4.50"  # baseline, 8 bit
_JPEG_2000 = {f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 201, 202, 203)}  # 20x: high throughput
_WHOLE_ONLY = {"1.2.840.10008.1.2.4.80": decode_jpeg_ls}  # lossless
_COLORS = {_JPEG: ("RGB", "YBR_FULL_422")} | dict.fromkeys(_WHOLE_ONLY, ("RGB",))
_WAVELET_COLORS = ("RGB", "YBR_ICT", "YBR_RCT")  # the codestream itself turns YBR into RGB
_MOST_TILES = 1 << 24  # 50 times those of a slide of 200,000 x 100,000 px
_EIGHT_BIT_RGB = {
    "SamplesPerPixel": 3,
    "PlanarConfiguration": 0,
    "BitsAllocated": 8,
    "BitsStored": 8,
    "HighBit": 7,
    "PixelRepresentation": 0,
}


@dataclass(frozen=True)
class FrameKind:
    """What frames must agree in to make one level.

    Attributes:
        syntax: transfer syntax UID, which names the codec.
        color: photometric interpretation.
        frame: width and height of a frame, px.
        matrix: width and height of the level, px.
        placed: each frame says where it lies (TILED_SPARSE); else they fill rows (TILED_FULL).
    """

    syntax: str
    color: str
    frame: tuple[int, int]
    matrix: tuple[int, int]
    placed: bool

    @property
    def grid(self) -> tuple[int, int]:
        """Frames across and down."""
        return -(-self.matrix[0] // self.frame[0]), -(-self.matrix[1] // self.frame[1])


def frame_kind(file: FrameFile) -> FrameKind | None:
    """Of what kind a file's frames are, or None if they cannot be decoded exactly here."""
    header = file.header
    syntax = str(header.file_meta.get("TransferSyntaxUID", ""))
    color = str(header.get("PhotometricInterpretation", ""))
    known = _WAVELET_COLORS if syntax in _JPEG_2000 else _COLORS.get(syntax, ())
    if color not in known or any(header.get(name) != n for name, n in _EIGHT_BIT_RGB.items()):
        return None
    if header.get("TotalPixelMatrixFocalPlanes", 1) != 1:
        return None
    return FrameKind(
        syntax,
        color,
        (int(header.Columns), int(header.Rows)),
        (int(header.TotalPixelMatrixColumns), int(header.TotalPixelMatrixRows)),
        placed=str(header.get("DimensionOrganizationType", "")) != "TILED_FULL",
    )


class DicomLevel:
    """The frames of a level as tiles; see `StoredLevel`.

    Args:
        files: in the order of their frames.
        kind: of the frames of all files.
        numbers: (down, across), which frame lies where, -1 where none does.
    """

    def __init__(self, files: Sequence[FrameFile], kind: FrameKind, numbers: Positions) -> None:
        self.kind = kind
        self.header: Any = files[0].header
        self.tile_width, self.tile_height = kind.frame
        self._files = files
        self._firsts = np.cumsum([0, *(file.count for file in files)]).tolist()
        self._numbers = numbers
        self._is_jpeg = kind.syntax == _JPEG
        self._is_jpeg2000 = kind.syntax in _JPEG_2000
        self._decode = self._decoder()
        self.shrinks = self._find_shrinks()
        self.means: tuple[float, ...] = (
            (1.0, 2.0) if self._is_jpeg and 2.0 in self.shrinks else (1.0,)  # as in `TiffLevel`
        )

    def _decoder(self) -> Callable[[bytes, tuple[int, int], float], Pixels]:
        if self._is_jpeg:
            return decode_jpeg
        return decode_jpeg2000 if self._is_jpeg2000 else _WHOLE_ONLY[self.kind.syntax]

    def _find_shrinks(self) -> tuple[float, ...]:
        if self._is_jpeg:
            halvings = 3
        elif self._is_jpeg2000:
            halvings = min(3, jpeg2000_halvings(self._files[0].start_of_first()))
        else:
            halvings = 0
        factors = [2**n for n in range(halvings + 1)]
        return tuple(float(n) for n in factors if all(side % n == 0 for side in self.kind.frame))

    def lag(self, shrink: float) -> float:
        """See `StoredLevel.lag`; a wavelet's reduced pixels lie on the first they stand for."""
        return (shrink - 1) / 2 if self._is_jpeg2000 else 0.0

    def decode(self, column: int, row: int, shrink: float) -> Pixels | None:
        """See `StoredLevel.decode`.

        Raises:
            ValueError: the frame is missing in its file, or of another size than promised.
        """
        data = self._frame(column, row)
        if data is None:
            return None
        pixels = self._decode(data, self.kind.frame, shrink)
        if pixels.shape != (self.tile_height // shrink, self.tile_width // shrink, 3):
            raise ValueError(
                f"frame {self._numbers[row, column]} is {pixels.shape[1]} x {pixels.shape[0]} px, "
                f"not {self.tile_width} x {self.tile_height} / {shrink:g}"
            )
        return pixels

    def jpeg(self, column: int, row: int) -> bytes | None:
        """See `StoredLevel.jpeg`."""
        return self._frame(column, row) if self._is_jpeg else None

    def _frame(self, column: int, row: int) -> bytes | None:
        number = int(self._numbers[row, column])
        if number < 0:
            return None
        part = bisect_right(self._firsts, number) - 1
        data = self._files[part].read(number - self._firsts[part])
        return colored_jpeg(data, self.kind.color == "RGB") if self._is_jpeg else data


def dicom_level(files: Sequence[FrameFile]) -> DicomLevel | None:
    """A level from its file, or from all files of a concatenation; None if OpenSlide must do.

    Raises:
        UnreadableSlide: a file of the concatenation is missing.
    """
    kinds = {frame_kind(file) for file in files}
    kind = kinds.pop()
    if kind is None or kinds or min(*kind.frame, *kind.matrix) < 1:
        return None
    if len(files) > 1 or files[0].header.get("ConcatenationUID"):
        files = _in_order(files)
    places = [file.places for file in files] if kind.placed else []
    count = sum(file.count for file in files)
    numbers = _numbers(kind, count, places)
    return None if numbers is None else DicomLevel(files, kind, numbers)


def _in_order(files: Sequence[FrameFile]) -> list[FrameFile]:
    """Files of a concatenation in the order of their frames (DICOM PS3.3, C.7.6.16.2.2.4)."""
    ordered = sorted(files, key=lambda file: int(file.header.ConcatenationFrameOffsetNumber))
    promised = int(files[0].header.get("InConcatenationTotalNumber", 0)) or len(files)
    after = 0
    for file in ordered:
        if int(file.header.ConcatenationFrameOffsetNumber) != after:
            break
        after += file.count
    else:
        if promised == len(files):
            return ordered
    raise UnreadableSlide(
        f"{ordered[0].path.name} is one of {promised} files that make one level, of which others "
        f"are missing or overlap: {len(files)} are here (reader dicom, stage open). Copy all "
        "files of the series into one folder."
    )


def _numbers(kind: FrameKind, count: int, places: Sequence[Positions]) -> Positions | None:
    """(down, across) number of the frame at each place, -1 for none; None if they make no grid."""
    across, down = kind.grid
    if across * down > _MOST_TILES:
        return None
    if not kind.placed:
        full = count == across * down
        return np.arange(count, dtype=np.int64).reshape(down, across) if full else None
    at = np.concatenate(places)
    columns, rows = at[:, 0] // kind.frame[0], at[:, 1] // kind.frame[1]
    inside = (columns >= 0) & (columns < across) & (rows >= 0) & (rows < down)
    if len(at) != count or (at % kind.frame).any() or not inside.all():
        return None
    numbers = np.full((down, across), -1, np.int64)
    numbers[rows, columns] = np.arange(count)
    return numbers if (numbers >= 0).sum() == count else None  # else one place is claimed twice
