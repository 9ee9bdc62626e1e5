"""A version, opened to be read: its items, filtered, and what is known of each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curatome.dataset.manifest import Manifest
from curatome.dataset.searched import Searched
from curatome.dataset.versions.freezing import PROTOCOL
from curatome.dataset.versions.log import find_version
from curatome.dataset.versions.model import INFO_FILE, VersionInfo, read_info
from curatome.errors import VersionError
from curatome.tiles.index import Rows, TileIndex

Flags = npt.NDArray[np.bool_]
FOLDER = "versions"
UNDIVIDED = "undivided"
"""How items without a split are called where a name is needed."""

_FILTERS = ("split", "scale", "kind")
_PLACE = ["slide", "x", "y", "width", "height"]


def open_version(folder: Path | str, name: str = "", home: Path | None = None) -> VersionItems:
    """Open a version to read its items.

    Args:
        folder: a project, what was checked out of one, or the folder of one version.
        name: of the version, or the beginning of its id; the latest by default.
        home: what the paths of shards begin at, if not the folder that holds `versions`.

    Raises:
        VersionError: there is no such version, or it is damaged.
    """
    place = Path(folder)
    if not (place / INFO_FILE).is_file():
        root = place / FOLDER
        if not root.is_dir():
            raise VersionError(
                f"{place} has no versions. Make one: curatome version create -m REASON"
            )
        place = root / find_version(root, name).folder
    return VersionItems(place, home or place.absolute().parent.parent)


class VersionItems:
    """The items of a version.

    Args:
        folder: the version's.
        home: what the paths of shards begin at.

    Attributes:
        folder: the version's.
        home: what the paths of shards begin at.
        info: what the version says of itself.
        manifest: its items.

    Raises:
        VersionError: it is damaged.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home = folder, home
        self.info: VersionInfo = read_info(folder)
        self.manifest = Manifest(folder / "items.parquet")

    def __len__(self) -> int:
        return len(self.manifest)

    def table(self, name: str) -> pa.Table:
        """A whole table of the version, such as `annotations`."""
        return pq.read_table(self.folder / f"{name}.parquet")

    @cached_property
    def splits(self) -> tuple[str | None, ...]:
        """The splits that items have, by name; None is last, for items without one."""
        found: set[str | None] = set()
        for batch in self.manifest.batches(["split"]):
            found |= set(pc.unique(batch.column(0)).to_pylist())
        named = sorted(name for name in found if name is not None)
        return (*named, None) if None in found else tuple(named)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The protocol's classes in its order, then all others that anything is labelled with."""
        path = self.folder / PROTOCOL
        protocol = tomllib.loads(path.read_text()) if path.exists() else {}
        names = [str(one["name"]) for one in protocol.get("classes", ())]
        used: set[str] = set()
        for batch in self.manifest.batches(["labels"]):
            used |= set(pc.unique(pc.list_flatten(batch.column(0))).to_pylist())
        for table, column in (("annotations", "labels"), ("exhaustive", "classes")):
            lists = pq.read_table(self.folder / f"{table}.parquet", columns=[column])[column]
            used |= set(pc.unique(pc.list_flatten(lists)).to_pylist())
        return (*names, *sorted(used - set(names)))

    @cached_property
    def searched(self) -> Searched:
        """Where everything of a class was annotated."""
        return Searched(self.table("exhaustive"))

    def select(
        self,
        split: str | Sequence[str | None] | None = None,
        scale: str | Sequence[str] | None = None,
        kind: str | Sequence[str] | None = None,
        *,
        side_px: int | None = None,
        labelled: bool = False,
    ) -> Selection:
        """The items that fit, of those that have an image.

        Args:
            split: one or several; all by default.
            scale: one or several scales; all by default.
            kind: `tile`, `region`, `cell` or `image`, or several of them; all by default.
            side_px: only images with this edge.
            labelled: only items with a label.

        Raises:
            VersionError: nothing fits; says what there is.
        """
        wanted: dict[str, Any] = {}
        for name, value in zip(_FILTERS, (split, scale, kind), strict=True):
            if value is not None:
                wanted[name] = pa.array([value] if isinstance(value, str) else value, pa.string())
        kept = np.zeros(len(self), np.bool_)
        at = 0
        for batch in self.manifest.batches([*_FILTERS, "shard", "side_px", "labels"]):
            fits = pc.is_valid(batch["shard"])
            for name, values in wanted.items():
                fits = pc.and_(fits, pc.is_in(batch[name], values))
            if side_px is not None:
                fits = pc.and_(fits, pc.fill_null(pc.equal(batch["side_px"], side_px), False))
            if labelled:
                fits = pc.and_(fits, pc.greater(pc.list_value_length(batch["labels"]), 0))
            kept[at : at + len(batch)] = np.asarray(fits)
            at += len(batch)
        if not kept.any():
            raise VersionError(self._nothing({k: v.to_pylist() for k, v in wanted.items()}))
        rows = np.flatnonzero(kept).astype(np.int64)
        index = TileIndex(self.manifest.path, rows=rows, home=self.home, one_size=False)
        return Selection(self, index, self.classes)

    def _nothing(self, wanted: dict[str, list[Any]]) -> str:
        there = []
        for name in _FILTERS:
            values: set[Any] = set()
            for batch in self.manifest.batches([name]):
                values |= set(pc.unique(batch.column(0)).to_pylist())
            there.append(f"{name} {', '.join(sorted(map(str, values)))}")
        asked = ", ".join(f"{k} {'|'.join(map(str, v))}" for k, v in wanted.items())
        return (
            f"version {self.info.name} has no images{f' of {asked}' if asked else ''}. "
            f'There are: {"; ".join(there)}. A build with output = "coordinates" has none.'
        )


@dataclass(frozen=True, eq=False)
class Selection:
    """Items of a version with images, numbered from 0 in the order of the manifest.

    Attributes:
        version: the version.
        index: where their images lie.
        classes: names of the classes, in the order of the columns of `targets`.
    """

    version: VersionItems
    index: TileIndex
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.index)

    def rows(self, positions: Rows, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows of the manifest, in the order of the positions; slow for places far apart."""
        return self.index.take(np.asarray(positions, np.int64), columns)

    @cached_property
    def ids(self) -> pa.ChunkedArray:
        """The ids of all; about 30 bytes for each."""
        return self._column("item")

    def labels(self, positions: Rows) -> list[tuple[str, ...]]:
        """The labels of some items."""
        starts, codes = self._labels
        return [
            tuple(self.classes[code] for code in codes[starts[at] : starts[at + 1]])
            for at in np.asarray(positions).tolist()
        ]

    def targets(self, positions: Rows) -> Flags:
        """Which class each item is labelled with, (N, C) bool."""
        starts, codes = self._labels
        positions = np.asarray(positions, np.int64)
        found = np.zeros((len(positions), len(self.classes)), np.bool_)
        counts = starts[positions + 1] - starts[positions]
        row = np.repeat(np.arange(len(positions)), counts)
        first = np.repeat(starts[positions] - np.cumsum(counts) + counts, counts)
        found[row, codes[first + np.arange(len(row))]] = True
        return found

    def known(self, positions: Rows) -> Flags:
        """Of which classes a missing label says that there is none, (N, C) bool.

        That is so where everything of the class was annotated all over the item, and of every
        class that it is labelled with. Anywhere else the class may be there, unmarked.
        """
        positions = np.asarray(positions, np.int64)
        everywhere = self._searched
        targets = self.targets(positions)
        return targets if everywhere is None else targets | everywhere[positions]

    @cached_property
    def _labels(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Where the labels of each item start, (N + 1,), and their classes, one after another."""
        names = pa.array(self.classes, pa.string())
        column = self._column("labels")
        counts = np.asarray(pc.fill_null(pc.list_value_length(column), 0), np.int64)
        codes = pc.index_in(pc.list_flatten(column), names)
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return starts, np.asarray(codes, np.int32)

    @cached_property
    def _searched(self) -> Flags | None:
        searched = self.version.searched
        if not searched:
            return None
        return np.concatenate(
            [
                searched.whole(part["slide"].to_pylist(), boxes_of(part), self.classes)
                for _, part in self.groups(_PLACE)
            ]
        )

    def groups(self, columns: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
        """Columns of all items, part by part in order, and the position that each begins at."""
        rows = self.index.rows
        for place, part in self.index.table.groups(columns):
            first, last = np.searchsorted(rows, [place.start, place.stop]).tolist()
            if first < last:
                chosen = part.take(pa.array(rows[first:last] - place.start))
                yield first, chosen.cast(_plain(chosen.schema))

    def _column(self, name: str) -> pa.ChunkedArray:
        return pa.concat_tables([part for _, part in self.groups([name])])[name]


def boxes_of(items: pa.Table) -> npt.NDArray[np.float64]:
    """Left, top, right and bottom of items, (N, 4), level-0 px; NaN where there is no place."""
    left, top, width, height = (
        items[name].to_numpy().astype(np.float64) for name in ("x", "y", "width", "height")
    )
    return np.stack([left, top, left + width, top + height], axis=1)


def _plain(schema: pa.Schema) -> pa.Schema:
    """The same with text instead of dictionaries."""
    fields = [
        pa.field(f.name, pa.string()) if pa.types.is_dictionary(f.type) else f for f in schema
    ]
    return pa.schema(fields)
