"""What differs between two versions: cases, slides, annotations, labels, splits and pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.dataset.manifest import Manifest
from curatome.dataset.row_hash import Bytes
from curatome.dataset.versions.model import KEYED
from curatome.tables import Column, TableSpec

_TEXT = pa.string()
_TEXTS = pa.list_(pa.field("item", _TEXT, nullable=False))

CHANGES = TableSpec(
    "changes",
    (
        Column("table", _TEXT, "items, annotations, exhaustive, cases or slides"),
        Column("change", _TEXT, "added, removed or changed"),
        Column("id", _TEXT, "id in the later version; in the earlier one if it was removed"),
        Column("was", _TEXT, "id in the earlier version, where it has another", nullable=True),
        Column("image", _TEXT, "image or slide it lies on", nullable=True),
        Column("columns", _TEXTS, "columns that differ"),
    ),
)
_SIMILAR = 0.1
"""Least overlap (IoU) of two shapes without a common id that are taken for one object."""


@dataclass(frozen=True, eq=False)
class Diff:
    """What differs between two versions.

    Attributes:
        changes: `CHANGES`, one row for each row of a table that differs.
        labels: how many annotations by (table, reader, labels before, labels after), of those
            whose labels changed.
        splits: how many items by (split before, split after), of those that moved.
        pixels: how many items have other pixels.
    """

    changes: pa.Table
    labels: Mapping[tuple[str, str, str, str], int]
    splits: Mapping[tuple[str, str], int]
    pixels: int

    def counts(self) -> dict[str, dict[str, int]]:
        """How many of each table were added, removed and changed."""
        found = {name: {"added": 0, "removed": 0, "changed": 0} for name in KEYED}
        grouped = self.changes.group_by(["table", "change"]).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            found[row["table"]][row["change"]] = row["count_all"]
        return found


def diff(before: Path, after: Path) -> Diff:
    """Compare the versions in two folders.

    Rows with equal hashes are equal; only the others are read. An annotation whose id is new is
    taken for a removed one of its image if their shapes overlap most of all, as label images and
    formats without ids need it.

    Raises:
        VersionError: a file of a version is missing.
    """
    parts = [
        compare_table(
            name,
            Manifest(before / f"{name}.parquet", key),
            Manifest(after / f"{name}.parquet", key),
        )
        for name, (_, key) in KEYED.items()
    ]
    labels: Counter[tuple[str, str, str, str]] = Counter()
    splits: Counter[tuple[str, str]] = Counter()
    for part in parts:
        labels.update(part.labels)
        splits.update(part.splits)
    changes = pa.concat_tables([part.changes for part in parts])
    return Diff(changes, dict(labels), dict(splits), sum(part.pixels for part in parts))


def compare_table(name: str, before: Manifest, after: Manifest) -> Diff:
    """What differs between two states of one table, one of `KEYED`."""
    key = KEYED[name][1]
    old, new = unequal(before, after)
    if not len(old) and not len(new):
        return Diff(CHANGES.schema.empty_table(), {}, {}, 0)
    pairs = _pairs(old, new, key, shapes=name == "annotations")
    labels = _relabelled(name, old, new, pairs) if "labels" in old.column_names else {}
    splits: Mapping[tuple[str, str], int] = {}
    pixels = 0
    if name == "items":
        splits = _moved(old, new, pairs)
        hashes, others = _values("hash", (old, new), pairs)
        pixels = sum(a != b for a, b in zip(hashes, others, strict=True))
    return Diff(_changes(name, key, (old, new), pairs), dict(labels), dict(splits), pixels)


def unequal(before: Manifest, after: Manifest) -> tuple[pa.Table, pa.Table]:
    """Rows of each of two manifests that the other does not have."""
    one, other = _unshared(before.hashes(), after.hashes())
    return before.rows(one), after.rows(other)


Whole = npt.NDArray[np.int64]


def _unshared(one: Bytes, other: Bytes) -> tuple[Whole, Whole]:
    """Rows of each whose hash the other does not have; ids are unique, so no hash is there twice.

    Both are put in order once and walked through side by side, by the first half of each hash;
    the second half must be the same, too.
    """
    first, second = (np.ascontiguousarray(x).view(np.uint64).reshape(-1, 2) for x in (one, other))
    alone = np.ones(len(first), np.bool_), np.ones(len(second), np.bool_)
    if len(first) and len(second):
        mine, theirs = (np.argsort(x[:, 0], kind="stable") for x in (first, second))
        at = np.searchsorted(second[theirs, 0], first[mine, 0])
        at = np.minimum(at, len(theirs) - 1)
        same = (second[theirs[at]] == first[mine]).all(axis=1)
        alone[0][mine[same]] = False
        alone[1][theirs[at[same]]] = False
    return np.flatnonzero(alone[0]), np.flatnonzero(alone[1])


Pairs = tuple[Whole, Whole]
"""Rows of the earlier and of the later table that are the same thing."""


def _pairs(old: pa.Table, new: pa.Table, key: str, shapes: bool) -> Pairs:
    at = pc.fill_null(pc.index_in(new[key], old[key].combine_chunks()), -1)
    place = at.to_numpy().astype(np.int64)
    rows = np.flatnonzero(place >= 0)
    first, second = place[rows], rows
    if not shapes:
        return first, second
    left = np.setdiff1d(np.arange(len(old)), first)
    right = np.setdiff1d(np.arange(len(new)), second)
    more = _overlapping(old.take(left), new.take(right))
    return np.concatenate([first, left[more[0]]]), np.concatenate([second, right[more[1]]])


def _overlapping(old: pa.Table, new: pa.Table) -> Pairs:
    """One to one by overlap, the greatest first, among shapes of one image."""
    one, other = (_shapes(table) for table in (old, new))
    a, b = shapely.STRtree(other).query(one, predicate="intersects")
    image = [table["image"].to_numpy() for table in (old, new)]
    keep = image[0][a] == image[1][b]
    a, b = a[keep], b[keep]
    shared = shapely.area(shapely.intersection(one[a], other[b]))
    union = shapely.area(one[a]) + shapely.area(other[b]) - shared
    similar = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    similar[shapely.equals(one[a], other[b])] = 1.0  # of points and lines, too
    taken: tuple[set[int], set[int]] = (set(), set())
    found = []
    for k in np.lexsort((b, a, -similar)).tolist():
        if similar[k] < _SIMILAR:
            break
        if int(a[k]) not in taken[0] and int(b[k]) not in taken[1]:
            taken[0].add(int(a[k]))
            taken[1].add(int(b[k]))
            found.append((int(a[k]), int(b[k])))
    pairs = np.array(found, np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _shapes(table: pa.Table) -> npt.NDArray[np.object_]:
    wkb = table["geometry"].to_numpy(zero_copy_only=False)
    found: npt.NDArray[np.object_] = shapely.make_valid(shapely.from_wkb(wkb))
    return found


def _changes(name: str, key: str, sides: tuple[pa.Table, pa.Table], pairs: Pairs) -> pa.Table:
    old, new = sides
    first, second = pairs
    columns = _columns(name, key, sides, pairs)
    ids = new[key].take(second).to_pylist()
    was = old[key].take(first).to_pylist()
    rows = [
        _row(name, "changed", one, (None if one == before else before), image, held)
        for one, before, image, held in zip(ids, was, _images(new, second), columns, strict=True)
        if held
    ]
    for change, table, there in (("removed", old, first), ("added", new, second)):
        alone = np.setdiff1d(np.arange(len(table)), there)
        for one, image in zip(
            table[key].take(alone).to_pylist(), _images(table, alone), strict=True
        ):
            rows.append(_row(name, change, one, None, image, []))
    return CHANGES.from_rows(rows)


def _row(  # noqa: PLR0917 - the columns of a row
    table: str, change: str, one: str, was: str | None, image: str | None, columns: list[str]
) -> dict[str, object]:
    names = ("table", "change", "id", "was", "image", "columns")
    return dict(zip(names, (table, change, one, was, image, columns), strict=True))


def _images(table: pa.Table, rows: npt.NDArray[np.int64]) -> list[str | None]:
    for name in ("image", "slide"):
        if name in table.column_names:
            found: list[str | None] = table[name].take(rows).to_pylist()
            return found
    return [None] * len(rows)


_PASSING = ("annotation", "foreign", "properties", "time", "tool", "name", "parents")
"""Columns of annotations that differ between any two exports without the object having changed."""


def _columns(
    name: str, key: str, sides: tuple[pa.Table, pa.Table], pairs: Pairs
) -> list[list[str]]:
    """The columns in which each pair differs."""
    first, second = (table.take(rows) for table, rows in zip(sides, pairs, strict=True))
    found: list[list[str]] = [[] for _ in range(len(first))]
    renamed = pc.not_equal(first[key], second[key]).to_numpy() if len(first) else np.empty(0, bool)
    for column in KEYED[name][0].schema.names:
        if column == key:
            continue
        for row in np.flatnonzero(_unlike(column, first[column], second[column])).tolist():
            if not (renamed[row] and column in _PASSING):
                found[row].append(column)
    return found


def _unlike(name: str, one: pa.ChunkedArray, other: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    if name == "geometry":
        a, b = (shapely.from_wkb(x.to_numpy(zero_copy_only=False)) for x in (one, other))
        same = shapely.equals_exact(shapely.normalize(a), shapely.normalize(b))
        same |= shapely.is_missing(a) & shapely.is_missing(b)
        return np.asarray(~same, np.bool_)
    pairs = zip(one.to_pylist(), other.to_pylist(), strict=True)
    return np.array([a != b for a, b in pairs], np.bool_)


def _relabelled(
    name: str, old: pa.Table, new: pa.Table, pairs: Pairs
) -> Counter[tuple[str, str, str, str]]:
    before, after = (
        old["labels"].take(pairs[0]).to_pylist(),
        new["labels"].take(pairs[1]).to_pylist(),
    )
    readers = (
        new["reader"].take(pairs[1]).to_pylist()
        if "reader" in new.column_names
        else [None] * len(after)
    )
    return Counter(
        (name, who or "", "; ".join(sorted(a)), "; ".join(sorted(b)))
        for a, b, who in zip(before, after, readers, strict=True)
        if sorted(a) != sorted(b)
    )


def _moved(old: pa.Table, new: pa.Table, pairs: Pairs) -> Counter[tuple[str, str]]:
    before, after = _values("split", (old, new), pairs)
    return Counter((a or "", b or "") for a, b in zip(before, after, strict=True) if a != b)


def _values(column: str, sides: tuple[pa.Table, pa.Table], pairs: Pairs) -> list[list[Any]]:
    return [table[column].take(rows).to_pylist() for table, rows in zip(sides, pairs, strict=True)]
