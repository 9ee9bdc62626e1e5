"""What crosses a split, and the certificate that nothing does.

A model that was trained on a case knows it: numbers from a test set that shares cases, slides,
pictures or pixels with the training set are too good. `crossings` lists everything that lies in
more than one split, `certify` says what was looked for, how much was compared and what was found,
under a hash that goes into the version.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curatome.errors import TableError
from curatome.tables import Column, TableSpec

_TEXT = pa.string()

CROSSINGS = TableSpec(
    "crossings",
    (
        Column("kind", _TEXT, "case, slide, overlap, identical or near-duplicate"),
        Column("subject", _TEXT, "case, slide, hash or item that crosses"),
        Column("other", _TEXT, "the item it overlaps or resembles", nullable=True),
        Column("split", _TEXT, "split of the subject"),
        Column("other_split", _TEXT, "the other split"),
        Column("items", pa.int64(), "items of the subject in the other split"),
    ),
)
KINDS = {
    "case": "a case in two splits",
    "slide": "a slide or source image in two splits",
    "overlap": "items of two splits that show the same part of a slide",
    "identical": "items of two splits with the same pixels",
    "near-duplicate": "items of two splits that look the same, turned or not",
}
_EXAMPLES = 5
_BOX = ("x", "y", "width", "height")


@dataclass(frozen=True)
class Check:
    """One kind of leak that was looked for.

    Attributes:
        kind: of `KINDS`.
        compared: cases, slides or items that were compared; None if it could not be looked for.
        found: how many cross.
        reason: why it could not be looked for, or empty.
        examples: the first of them, in words.
    """

    kind: str
    compared: int | None
    found: int = 0
    reason: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Certificate:
    """What was looked for in a division, and what was found.

    Attributes:
        splits: items of each split.
        checks: one for each of `KINDS`.
        division: SHA-256 over how many items of each case lie in each split.
    """

    splits: dict[str, int]
    checks: tuple[Check, ...]
    division: str

    @property
    def holds(self) -> bool:
        """Whether every kind of leak was looked for and none was found."""
        return all(check.compared is not None and not check.found for check in self.checks)

    @property
    def digest(self) -> str:
        """SHA-256 over all of it: what a version is said to be certified by."""
        checks = [[c.kind, c.compared, c.found, c.reason] for c in self.checks]
        text = json.dumps([sorted(self.splits.items()), checks, self.division])
        return hashlib.sha256(text.encode()).hexdigest()


def crossings(items: pa.Table, near: pa.Table | None = None) -> pa.Table:
    """Everything that lies in more than one split, as `CROSSINGS`.

    Args:
        items: columns `item`, `split`, `case` and `slide` (the slide or image it was cut from),
            and, if known, `x`, `y`, `width`, `height` (level-0 px), and `hash` of the pixels or
            `turned_hash`, which rotations and flips share. An item without split takes no part.
        near: columns `first` and `second`, items that look the same, such as
            `tables.NEAR_DUPLICATES`.

    Raises:
        TableError: a column is missing, or `near` names an item that is not there.
    """
    items = _divided(items)
    found = [
        *_shared(items, "case"),
        *_shared(items, "slide"),
        *_overlaps(items),
        *(_shared(items, column, "identical") if (column := _pixels(items)) else ()),
        *(() if near is None else _resembling(items, near)),
    ]
    return CROSSINGS.from_rows(found)


def certify(items: pa.Table, near: pa.Table | None = None) -> Certificate:
    """The certificate of a division.

    Args:
        items: as for `crossings`.
        near: as for `crossings`; without it, near-duplicates were not looked for.

    Raises:
        TableError: as for `crossings`.
    """
    found = crossings(items, near)
    items = _divided(items)
    counts = {p["values"]: p["counts"] for p in pc.value_counts(found["kind"]).to_pylist()}
    checks = []
    for kind in KINDS:
        compared, reason = _compared(items, kind, near)
        mine = found.filter(pc.equal(found["kind"], kind)).slice(0, _EXAMPLES).to_pylist()
        examples = tuple(_in_words(row) for row in mine)
        checks.append(Check(kind, compared, counts.get(kind, 0), reason, examples))
    splits = {p["values"]: p["counts"] for p in pc.value_counts(items["split"]).to_pylist()}
    return Certificate(splits, tuple(checks), _division(items))


def _in_words(row: dict[str, Any]) -> str:
    other = f"{row['other']} in {row['other_split']}" if row["other"] else row["other_split"]
    return f"{row['subject']} in {row['split']} and {other}"


def _divided(items: pa.Table) -> pa.Table:
    missing = [n for n in ("item", "split", "case", "slide") if n not in items.column_names]
    if missing:
        raise TableError(f"the table of items has no column {missing[0]}; leaks cannot be found.")
    return items.filter(pc.is_valid(items["split"]))


def _compared(items: pa.Table, kind: str, near: pa.Table | None) -> tuple[int | None, str]:
    """How much was compared, or why nothing was."""
    if kind == "near-duplicate":
        return (None, "near-duplicates were not searched") if near is None else (len(items), "")
    if kind == "overlap":
        return (len(items), "") if set(_BOX) <= set(items.column_names) else (0, "")
    column = _pixels(items) if kind == "identical" else kind
    if not column:
        return None, "items have no hash of their pixels"
    unknown = items[column].null_count
    if unknown and kind != "slide":
        return None, f"{unknown:,} items have no {column}"
    return len(pc.unique(items[column])), ""


def _pixels(items: pa.Table) -> str:
    """The column that tells items of the same pixels, the one that knows turned ones first."""
    return next((name for name in ("turned_hash", "hash") if name in items.column_names), "")


def _division(items: pa.Table) -> str:
    counts = items.group_by(["case", "split"]).aggregate([([], "count_all")]).to_pylist()
    rows = sorted([row["case"] or "", row["split"], row["count_all"]] for row in counts)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _shared(items: pa.Table, column: str, kind: str = "") -> Iterator[dict[str, Any]]:
    """Values of a column that lie in several splits; the split with most items is theirs."""
    known = items.filter(pc.is_valid(items[column])).select([column, "split"])
    counts = known.group_by([column, "split"]).aggregate([([], "count_all")])
    many = counts.group_by(column).aggregate([("split", "count")])
    crossing = many.filter(pc.greater(many["split_count"], 1))[column]
    rows = counts.filter(pc.is_in(counts[column], crossing.combine_chunks()))
    held: dict[str, list[tuple[int, str]]] = {}
    for row in rows.to_pylist():
        held.setdefault(row[column], []).append((-row["count_all"], row["split"]))
    for subject in sorted(held):
        (_, home), *others = sorted(held[subject])
        for count, split in others:
            yield _row(kind or column, (subject, None), (home, split), -count)


def _overlaps(items: pa.Table) -> Iterator[dict[str, Any]]:
    """Pairs of items of two splits whose boxes share area on one slide."""
    if not set(_BOX) <= set(items.column_names):
        return
    slides = [row["subject"] for row in _shared(items, "slide")]
    for slide in sorted(set(slides)):  # items of one split cannot overlap across it
        mine = items.filter(pc.equal(items["slide"], slide)).select(["item", "split", *_BOX])
        mine = mine.drop_null()
        x, y, width, height = (mine[name].to_numpy() for name in _BOX)
        boxes = shapely.box(x, y, x + width, y + height)
        a, b = shapely.STRtree(boxes).query(boxes, predicate="intersects")
        split = np.array(mine["split"].to_pylist(), object)
        keep = (a < b) & (split[a] != split[b])
        a, b = a[keep], b[keep]
        keep = shapely.area(shapely.intersection(boxes[a], boxes[b])) > 0
        names = mine["item"].to_pylist()
        for i, k in zip(a[keep].tolist(), b[keep].tolist(), strict=True):
            yield _row("overlap", (names[i], names[k]), (split[i], split[k]), 1)


def _resembling(items: pa.Table, near: pa.Table) -> Iterator[dict[str, Any]]:
    """Items that look like one of another split, directly or by way of others."""
    names = items["item"].combine_chunks()
    first, second = (_position(near[column], names) for column in ("first", "second"))
    known = (first >= 0) & (second >= 0)
    ends = (first[known], second[known])
    graph = coo_array((np.ones(len(ends[0]), np.int8), ends), (len(names),) * 2)
    group = connected_components(graph, directed=False)[1]
    held: dict[int, list[int]] = {}
    for row in np.unique(np.concatenate(ends)).tolist():
        held.setdefault(int(group[row]), []).append(row)
    for members in held.values():
        rows = items.take(members).select(["item", "split"]).to_pylist()
        counts = Counter(row["split"] for row in rows)
        home = min(counts, key=lambda split: (-counts[split], split))
        other = next(row["item"] for row in rows if row["split"] == home)
        for row in rows:
            if row["split"] != home:
                pair = (row["item"], other)
                yield _row("near-duplicate", pair, (row["split"], home), 1)


def _position(column: pa.ChunkedArray, names: pa.Array) -> npt.NDArray[np.int64]:
    found = pc.fill_null(pc.index_in(column.combine_chunks(), names), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


def _row(
    kind: str, what: tuple[str, str | None], splits: tuple[str, str], items: int
) -> dict[str, Any]:
    return {
        "kind": kind,
        "subject": what[0],
        "other": what[1],
        "split": splits[0],
        "other_split": splits[1],
        "items": items,
    }
