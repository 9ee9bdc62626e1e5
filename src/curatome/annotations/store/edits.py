"""What goes into the store and comes out of it, beside tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from curatome.errors import AnnotationError

ACTIONS = ("create", "edit", "relabel", "repair", "adjudicate", "migrate", "delete", "restore")
"""What an `Edit` may be called; the store itself adds `import`, `sync`, `undo` and `revert`."""


@dataclass(frozen=True)
class Act:
    """Who records something, with what, and why; it holds for every event of a batch.

    Attributes:
        reader: who did it.
        tool: with which program.
        guideline: the version in force.
        reason: in a few words, for those who read the history.
        source: what the annotations were taken from, such as a file's path.
    """

    reader: str | None = None
    tool: str | None = None
    guideline: str | None = None
    reason: str = ""
    source: str | None = None


@dataclass(frozen=True)
class Batch:
    """What was recorded at once, all of it or nothing.

    Attributes:
        batch: its number.
        action: `apply`, `import`, `sync`, `undo` or `revert`.
        first: number of its first event.
        last: number of its last one; below `first` where nothing had to change.
        time: when it was recorded, UTC; never earlier than the batch before.
        act: who, with what and why.
    """

    batch: int
    action: str
    first: int
    last: int
    time: datetime
    act: Act

    @property
    def seqs(self) -> range:
        """Numbers of its events; of `apply`, in the order of the edits."""
        return range(self.first, self.last + 1)


@dataclass(frozen=True)
class Edit:
    """One change of one annotation, or of one exhaustively annotated region.

    Attributes:
        annotation: its id.
        action: of `ACTIONS`.
        base: an event's number up to which the editor has seen the annotation, as
            `seen(table)` or an acknowledgement gives it; None for what is new.
        values: columns of `tables.ANNOTATIONS` that change, or all that a new one has.
        region: a new one says "everything of `labels` within this shape is annotated".
    """

    annotation: str
    action: str
    base: int | None = None
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    region: bool = False


@dataclass(frozen=True)
class Version:
    """One event of an annotation, and the annotation after it.

    Attributes:
        seq: the event's number.
        base: number of the version it replaced; None for the first.
        action: what happened.
        batch: that it was part of.
        changed: columns that differ from the version before.
        row: all columns of `tables.ANNOTATIONS`, or None if it is deleted.
    """

    seq: int
    base: int | None
    action: str
    batch: Batch
    changed: tuple[str, ...]
    row: Mapping[str, Any] | None

    def __str__(self) -> str:
        who = self.batch.act.reader or self.batch.act.tool or "unknown"
        what = "deleted" if self.row is None else "; ".join(self.row["labels"]) or "no label"
        return (
            f"version {self.seq} ({self.action} by {who}, {self.batch.time:%Y-%m-%d %H:%M}: {what})"
        )


@dataclass(frozen=True)
class Stale:
    """An edit that did not know the latest version.

    Attributes:
        annotation: its id.
        seen: the version that the editor had before them; None if there was none.
        present: the version that somebody recorded meanwhile.
    """

    annotation: str
    seen: Version | None
    present: Version


class StaleEdit(AnnotationError):  # noqa: N818 - an edit is stale, not an error
    """Somebody else changed the annotation meanwhile; nothing of the batch was recorded.

    Attributes:
        stale: both versions of every such annotation.
    """

    def __init__(self, stale: Sequence[Stale]) -> None:
        self.stale = tuple(stale)
        first = self.stale[0]
        more = f" So were {len(self.stale) - 1} others." if len(self.stale) > 1 else ""
        seen = first.seen or "no version"
        super().__init__(
            f"annotation {first.annotation} was changed meanwhile: you saw {seen}, now it is "
            f"{first.present}.{more} Load it again, then repeat the edit."
        )


@dataclass(frozen=True)
class Conflict:
    """An annotation that a person and the source have both changed; the person's was kept.

    Attributes:
        annotation: its id.
        row: of the merged table; None if it no longer holds the annotation.
        present: the version that was kept.
    """

    annotation: str
    row: int | None
    present: Version


@dataclass(frozen=True)
class Sync:
    """What merging an export did.

    Attributes:
        batch: None if nothing had to change.
        created: annotations that are new.
        edited: that the source says otherwise now.
        deleted: that the source no longer holds.
        unchanged: all others that the source holds.
        conflicts: left as they are, for a person to decide.
    """

    batch: Batch | None
    created: int
    edited: int
    deleted: int
    unchanged: int
    conflicts: tuple[Conflict, ...]


@dataclass(frozen=True)
class Counts:
    """How much the store holds.

    Attributes:
        annotations: that live.
        deleted: that do not.
        regions: exhaustively annotated, that live.
        events: recorded so far.
        batches: likewise.
        images: living annotations per image; None for those without one.
        kinds: per kind of shape.
        labels: per label; one with several counts for each.
        readers: per reader; None for those without one.
    """

    annotations: int
    deleted: int
    regions: int
    events: int
    batches: int
    images: Mapping[str | None, int]
    kinds: Mapping[str, int]
    labels: Mapping[str, int]
    readers: Mapping[str | None, int]
