"""What a copy of a source holds: files on disk, and the images that an adapter finds in them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq

from curatome.errors import SourceError

IMAGES = frozenset(
    {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".jp2", ".svs", ".ndpi", ".mrxs"}
)
"""What counts as an image when a copy is searched for surplus files."""


@dataclass(frozen=True)
class Entry:
    """One image of a source.

    Attributes:
        path: its file below the source's folder, or the Parquet file that holds it; with `/`.
        row: its row in a Parquet file, or None.
        label: class, or several joined by `;`.
        case: patient, block or group, or None.
        split: train, val or test as the authors say it, or None.
        part: a magnification or size that the layout tells apart, or None.
        mpp: µm per pixel as the listing says it, or None.
    """

    path: str
    row: int | None = None
    label: str | None = None
    case: str | None = None
    split: str | None = None
    part: str | None = None
    mpp: float | None = None

    @property
    def place(self) -> str:
        """How a person finds it: `a/b.png`, `data/train.parquet row 7`."""
        return self.path if self.row is None else f"{self.path} row {self.row}"


@dataclass(frozen=True)
class Listing:
    """What an adapter found.

    Attributes:
        entries: the images, in the order of paths and rows.
        surplus: image files that the layout does not know.
        missing: files that a listing names and that are not there.
    """

    entries: tuple[Entry, ...]
    surplus: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceFiles:
    """The files of a copy, walked once.

    Attributes:
        root: the copy's folder.
        names: every visible file below it, relative, with `/`, in the order of path parts.
    """

    root: Path
    names: tuple[str, ...]

    @cached_property
    def known(self) -> frozenset[str]:
        """The names, to ask for one."""
        return frozenset(self.names)

    def full(self, name: str) -> str:
        """A name with the folder's own in front: a person may point at either."""
        return f"{self.root.resolve().name}/{name}"

    def images(self) -> Iterator[str]:
        """Those with an image's extension."""
        return (n for n in self.names if os.path.splitext(n)[1].lower() in IMAGES)  # noqa: PTH122

    def find(self, relative: str) -> list[str]:
        """Files whose path ends with a relative one, shallowest first."""
        found = [n for n in self.names if n == relative or n.endswith(f"/{relative}")]
        return sorted(found, key=lambda name: (name.count("/"), name))


def walk(root: Path) -> SourceFiles:
    """All visible files below a folder; links to folders are not followed.

    Raises:
        SourceError: there is no such folder.
    """
    if not root.is_dir():
        what = "is a file" if root.is_file() else "does not exist"
        raise SourceError(f"{root} {what}. Name the folder that the source was unpacked into.")
    names: list[str] = []
    for folder, below, files in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        inside = Path(folder).relative_to(root).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        names += [prefix + name for name in files if not name.startswith(".")]
    return SourceFiles(root, tuple(sorted(names, key=lambda name: name.split("/"))))


def surplus_of(files: SourceFiles, entries: tuple[Entry, ...], ignore: str) -> tuple[str, ...]:
    """Images that are there, are no entry, and that the layout does not know of."""
    taken = {entry.path for entry in entries}
    other = [name for name in files.images() if name not in taken]
    known = re.compile(ignore) if ignore else None
    return tuple(n for n in other if known is None or not known.search(files.full(n)))


def inside(text: str, where: str) -> str:
    """A relative path with `/` that does not leave its folder.

    Raises:
        SourceError: it is absolute or climbs out.
    """
    path = PurePosixPath(text.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise SourceError(f'{where}: "{text}" is no path within the source. Correct the listing.')
    return path.as_posix()


class ImageBytes:
    """Reads the bytes of entries; consecutive rows of a Parquet file share one row group.

    Args:
        root: the source's folder.
        column: the column of a Parquet file that holds images.
    """

    def __init__(self, root: Path, column: str = "") -> None:
        self.root, self._column = root, column
        self._path = ""
        self._group = -1
        self._first: list[int] = []

    def read(self, entry: Entry) -> bytes:
        """The bytes of an image file.

        Raises:
            OSError: the file cannot be read.
            SourceError: a Parquet file has no such row, or no image there.
        """
        if entry.row is None:
            return (self.root / entry.path).read_bytes()
        if entry.path != self._path:
            self._open(entry.path)
        group = next((g for g, first in enumerate(self._first[1:]) if entry.row < first), -1)
        if group < 0:
            raise SourceError(f"{entry.place}: there is no such row. Add the source again.")
        if group != self._group:
            table = self._file.read_row_group(group, columns=[self._column])
            self._cells, self._group = table.column(self._column), group
        value = self._cells[entry.row - self._first[group]].as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(data, bytes) or not data:
            raise SourceError(f"{entry.place}: column {self._column} holds no bytes of an image.")
        return data

    def _open(self, path: str) -> None:
        self._file = pq.ParquetFile(self.root / path)
        self._path, self._group = path, -1
        sizes = [
            self._file.metadata.row_group(g).num_rows for g in range(self._file.num_row_groups)
        ]
        self._first = [sum(sizes[:g]) for g in range(len(sizes) + 1)]


def read_bytes(root: Path, entry: Entry, column: str = "") -> bytes:
    """The bytes of one image; see `ImageBytes.read`."""
    return ImageBytes(root, column).read(entry)
