"""What a change of the guideline does to the annotations made before it.

A rename or merge is a migration: mechanical, shown before it is done, and undone like any edit.
All else needs a reader. An annotation is stale if a change since the guideline it was made under
redefined, split or removed one of its classes, and nobody has looked at it since: looking at it
again gives it the present guideline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from curatome.errors import AnnotationError
from curatome.protocol import Guideline, GuidelineChange
from curatome.tables import Column, TableSpec

_TEXT = pa.string()
_TEXTS = pa.list_(pa.field("item", pa.string(), nullable=False))

MIGRATION = TableSpec(
    "migration",
    (
        Column("annotation", _TEXT, "UUID"),
        Column("image", _TEXT, "what it lies on", nullable=True),
        Column("before", _TEXTS, "labels as they are"),
        Column("after", _TEXTS, "labels under the present guideline"),
    ),
)
STALE = TableSpec(
    "stale",
    (
        Column("annotation", _TEXT, "UUID"),
        Column("image", _TEXT, "what it lies on", nullable=True),
        Column("label", _TEXT, "the class that changed, as it is called now"),
        Column("reader", _TEXT, "who made it", nullable=True),
        Column("guideline", _TEXT, "version it was made under", nullable=True),
        Column("since", _TEXT, "version that made it stale"),
        Column("reason", _TEXT, "redefined, split or removed, and the change in words"),
    ),
)


def in_order(guideline: Guideline) -> tuple[GuidelineChange, ...]:
    """The changelog from the oldest change to the newest; a day's changes as they are written."""
    return tuple(sorted(guideline.changelog, key=lambda change: change.date))


def since(guideline: Guideline, version: str | None) -> tuple[GuidelineChange, ...]:
    """The changes after a version; all of them if it is not known under which one was annotated.

    Raises:
        AnnotationError: the guideline never had that version.
    """
    changes = in_order(guideline)
    versions = [change.version for change in changes]
    if version is None:
        return changes
    if version in versions:
        return changes[versions.index(version) + 1 :]
    if not changes and version == guideline.version:
        return ()
    known = ", ".join(versions or [guideline.version])
    raise AnnotationError(
        f'the guideline never had a version "{version}"; it has {known}. Add an entry to '
        "[[guideline.changelog]] in curatome.toml, or correct the annotations' guideline."
    )


def renames(changes: Sequence[GuidelineChange]) -> dict[str, str]:
    """What each old class is called after all of the changes."""
    now: dict[str, str] = {}
    for change in changes:
        now = {old: change.renamed.get(new, new) for old, new in now.items()}
        now |= {old: new for old, new in change.renamed.items() if old not in now}
    return {old: new for old, new in now.items() if old != new}


def renamed(labels: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Labels under their new names, in the same order, each once."""
    return list(dict.fromkeys(names.get(label, label) for label in labels))


def migration(table: pa.Table, guideline: Guideline) -> pa.Table:
    """What renames and merges would change, as a preview and as the edits to make.

    Args:
        table: `tables.ANNOTATIONS`.
        guideline: the present one.

    Returns:
        `MIGRATION`, one row for each annotation whose labels change.

    Raises:
        AnnotationError: annotations were made under a version that the guideline never had.
    """
    found: dict[str, list[object]] = {column.name: [] for column in MIGRATION.columns}
    for (version, labels), rows in _groups(table):
        after = renamed(labels, renames(since(guideline, version)))
        if after != list(labels):
            found["annotation"] += rows.column("annotation").to_pylist()
            found["image"] += rows.column("image").to_pylist()
            found["before"] += [list(labels)] * len(rows)
            found["after"] += [after] * len(rows)
    return MIGRATION.from_columns(found)


def stale(table: pa.Table, guideline: Guideline) -> pa.Table:
    """The annotations that a reader must look at again, and why.

    Args:
        table: `tables.ANNOTATIONS`.
        guideline: the present one.

    Returns:
        `STALE`, one row for each annotation and class that changed under it; the newest change
        where several did.

    Raises:
        AnnotationError: annotations were made under a version that the guideline never had.
    """
    found: dict[str, list[object]] = {column.name: [] for column in STALE.columns}
    for (version, labels), rows in _groups(table):
        for label, (change, fate) in _touched(labels, since(guideline, version)).items():
            count = len(rows)
            for name in ("annotation", "image", "reader"):
                found[name] += rows.column(name).to_pylist()
            found["label"] += [label] * count
            found["guideline"] += [version] * count
            found["since"] += [change.version] * count
            found["reason"] += [f"{fate}: {change.change}"] * count
    return STALE.from_columns(found)


def _touched(
    labels: Sequence[str], changes: Sequence[GuidelineChange]
) -> dict[str, tuple[GuidelineChange, str]]:
    """The labels, as they are called now, that a change made doubtful, with the newest such."""
    found: dict[str, tuple[GuidelineChange, str]] = {}
    called = renamed(labels, renames(changes))  # now, whether or not they were migrated yet
    for index, change in enumerate(changes):
        later = renames(changes[index:])
        fates = dict.fromkeys(change.redefined, "redefined")
        fates |= dict.fromkeys(change.removed, "removed")
        fates |= {name: f"split into {', '.join(new)}" for name, new in change.split.items()}
        for name, fate in fates.items():
            now = later.get(name, name)
            if now in called:
                found[now] = (change, fate)
    return found


def _groups(table: pa.Table) -> list[tuple[tuple[str | None, tuple[str, ...]], pa.Table]]:
    """Rows that share guideline and labels; few groups, however many the rows."""
    narrow = table.select(["annotation", "image", "reader", "guideline", "labels"])
    key = pc.binary_join(narrow.column("labels").cast(pa.list_(_TEXT)), "\x1f")
    narrow = narrow.append_column("key", key).append_column("row", pa.array(range(len(narrow))))
    grouped = narrow.select(["guideline", "key", "row"]).group_by(["guideline", "key"])
    groups = grouped.aggregate([("row", "list")]).to_pylist()
    groups.sort(key=lambda group: group["row_list"][0])
    return [
        (
            (group["guideline"], tuple(narrow.column("labels")[group["row_list"][0]].as_py())),
            narrow.take(pa.array(group["row_list"])),
        )
        for group in groups
    ]
