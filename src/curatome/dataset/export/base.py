"""What every export is given, and what it offers.

An export writes each split apart, images as the bytes they are stored as, and tells every thing
that its format cannot carry as a `Loss`. Where a class was not searched for, its absence is never
written as background: a format says so in its own words, or the loss report does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from curatome.dataset.opening import Selection, VersionItems
from curatome.durable import write_file
from curatome.tables import ITEMS
from curatome.tiles.index import Rows
from curatome.tiles.reader import TileReader

_TOGETHER = 256  # images in memory at a time
_LONGEST = 72  # letters of an id that a file name keeps; tar headers have room for 100
_NOT_SAFE = re.compile(r"[^A-Za-z0-9_-]+")
_PNG = b"\x89PNG"


@dataclass(frozen=True)
class Loss:
    """What a format could not carry of one item, annotation or region.

    Attributes:
        subject: its id.
        field: what is lost: a column, `labels`, `geometry`, `exhaustive`, …
        reason: why, and what was written instead.
    """

    subject: str
    field: str
    reason: str


@dataclass(frozen=True, eq=False)
class Entry:
    """One item to write.

    Attributes:
        row: of `tables.ITEMS`.
        data: its image as it is stored, JPEG or PNG.
        stem: its file name without suffix: letters, digits, `_` and `-`; no two are alike.
        labels: of the classes that are exported, in their order.
        known: classes whose absence from `labels` says that there is none.
    """

    row: Mapping[str, Any]
    data: bytes
    stem: str
    labels: tuple[str, ...]
    known: tuple[str, ...]

    @property
    def suffix(self) -> str:
        """Of the image's file, by its content."""
        return ".png" if self.data.startswith(_PNG) else ".jpg"

    @property
    def file(self) -> str:
        """The image's file name."""
        return self.stem + self.suffix

    @property
    def item(self) -> str:
        """The item's id."""
        return str(self.row["item"])

    def plain(self) -> dict[str, Any]:
        """All that is known of it but where its image was stored, as JSON can hold it."""
        found = {name: value for name, value in self.row.items() if name not in _OF_STORAGE}
        return {**found, "labels": list(self.labels), "known": list(self.known)}


_OF_STORAGE = ("shard", "offset", "length", "split")


@dataclass(frozen=True, eq=False)
class Job:
    """What is to be written.

    Attributes:
        version: that the items are of.
        splits: the items of each split, by its name.
        classes: that are exported.
        lose: is told every loss.
        tick: is told how many items, and bytes of images, were written.
    """

    version: VersionItems
    splits: Mapping[str, Selection]
    classes: tuple[str, ...]
    lose: Callable[[Loss], None]
    tick: Callable[[int, int], None]

    def entries(self, split: str) -> Iterator[Entry]:
        """The items of a split, in the manifest's order, each image checked against its hash.

        Raises:
            BuildError: an image is missing or damaged.
        """
        selection = self.splits[split]
        reader = TileReader(selection.index, verify=True)
        kept = [at for at, name in enumerate(selection.classes) if name in self.classes]
        names = np.array([selection.classes[at] for at in kept], object)
        try:
            for at, rows in _parts(selection):
                images = reader.encoded(at)
                labels = selection.targets(at)[:, kept]
                known = selection.known(at)[:, kept]
                for i, (row, data) in enumerate(zip(rows, images, strict=True)):
                    stem = file_stem(row["item"])
                    yield Entry(row, data, stem, tuple(names[labels[i]]), tuple(names[known[i]]))
                self.tick(len(at), sum(map(len, images)))
        finally:
            reader.close()


def _parts(selection: Selection) -> Iterator[tuple[Rows, list[dict[str, Any]]]]:
    """Positions and rows of all items, some at a time."""
    for first, table in selection.groups(ITEMS.schema.names):
        for start in range(0, len(table), _TOGETHER):
            rows = table.slice(start, _TOGETHER).to_pylist()
            yield np.arange(first + start, first + start + len(rows), dtype=np.int64), rows


class Export(Protocol):
    """One format; a module of this folder offers one as `EXPORT`.

    Attributes:
        name: as on the command line, `webdataset`.
        title: as in the docs, `WebDataset`.
        layout: which files it makes, for the docs.
        note: what a user should know.
    """

    name: str
    title: str
    layout: str
    note: str

    def write(self, job: Job, folder: Path) -> None:
        """Write all splits into an empty folder.

        Raises:
            VersionError: nothing of it can be written in this format.
            BuildError: an image is missing or damaged.
            OSError: the disk is full or the folder is not writable.
        """


def file_stem(item: str) -> str:
    """An item's id as a file name without suffix; another id gives another name."""
    safe = _NOT_SAFE.sub("-", item)
    if safe == item and len(item) <= _LONGEST:
        return item
    digest = hashlib.blake2b(item.encode(), digest_size=8).hexdigest()
    return f"{safe[:_LONGEST]}-{digest}"


def write_image(path: Path, data: bytes) -> None:
    """An image of its own; the folder as a whole is made durable when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """A JSON file whose bytes depend on its content alone."""
    write_file(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def lose_shapes(job: Job, title: str) -> None:
    """Tell that a format of labels carries no shapes."""
    table = job.version.table("annotations")
    images = {image for one in job.splits.values() for image in slides_of(one)}
    for name, image in zip(
        table["annotation"].to_pylist(), table["image"].to_pylist(), strict=True
    ):
        if image in images:
            reason = f"{title} holds labels of images; the shape itself was not written."
            job.lose(Loss(name, "geometry", reason))


def slides_of(selection: Selection) -> list[str]:
    """The slides or images that items were cut from."""
    return sorted(one for one in set(selection.index.column("slide").to_pylist()) if one)
