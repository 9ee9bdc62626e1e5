"""The store of annotations: an append-only log of events, and the state folded from it."""

from __future__ import annotations

from curatome.annotations.exhaustive import EXHAUSTIVE
from curatome.annotations.store.edits import (
    ACTIONS,
    Act,
    Batch,
    Conflict,
    Counts,
    Edit,
    Stale,
    StaleEdit,
    Sync,
    Version,
)
from curatome.annotations.store.opening import open_annotations
from curatome.annotations.store.store import AnnotationStore, seen

__all__ = [
    "ACTIONS",
    "EXHAUSTIVE",
    "Act",
    "AnnotationStore",
    "Batch",
    "Conflict",
    "Counts",
    "Edit",
    "Stale",
    "StaleEdit",
    "Sync",
    "Version",
    "open_annotations",
    "seen",
]
