"""Rows of the table as the JSON formats fill them, and what a format has no place for.

Files in JSON may hold members that their tool does not know. Ours are under one name,
`curatome`: every column that the format itself cannot say. A file comes back whole; the tool may
drop the member when it saves the file again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from curatome.annotations.model import KINDS, new_id
from curatome.errors import AnnotationError

OURS = "curatome"
"""Name of the member that holds what the format cannot say."""

UNSAID: Mapping[str, Any] = {
    "image": None,
    "mask": None,
    "nucleus": None,
    "cannot_judge": False,
    "confidence": None,
    "reader": None,
    "read": 1,
    "guideline": None,
    "time": None,
    "tool": None,
    "basis": "imported",
    "parents": [],
    "name": None,
    "foreign": None,
    "properties": "{}",
}
"""What a reader makes of a column that a file does not speak of."""
_TEXTS = ("reader", "guideline", "tool", "basis", "name", "foreign")
KEPT = frozenset({*_TEXTS, "annotation", "cannot_judge", "confidence", "read", "time", "parents"})
"""Columns that `kept` can hold."""


def imported(kind: str, geometry: bytes | None, **columns: Any) -> dict[str, Any]:
    """One row; columns that are not given say nothing, and the identity is new."""
    row = {"kind": kind, "geometry": geometry, "labels": [], **UNSAID, **columns}
    row.setdefault("annotation", new_id())
    return row


def kept(row: Mapping[str, Any], said: Collection[str] = ()) -> dict[str, Any]:
    """What a format cannot say of an annotation, for the member `OURS`.

    Args:
        row: of `tables.ANNOTATIONS`, as `to_pylist` gives it.
        said: columns that the format says itself.
    """
    found = {
        name: row[name]
        for name in sorted(KEPT - {"annotation"})
        if name not in said and row[name] != UNSAID[name]
    }
    if "annotation" not in said:
        found["annotation"] = row["annotation"]
    if "time" in found:
        found["time"] = found["time"].isoformat()
    return found


def restored(member: Any, where: str) -> dict[str, Any]:
    """Columns out of a member that `kept` made, and `kind` where a writer added it.

    Raises:
        AnnotationError: it holds what `kept` never writes.
    """
    if not isinstance(member, Mapping):
        raise AnnotationError(f'{where}: "{OURS}" must be an object. Remove it.')
    for name, value in member.items():
        if not _fits(name, value):
            raise AnnotationError(f'{where}: "{name}" of "{OURS}" cannot be {value!r}. Remove it.')
    columns = dict(member)
    if "time" in columns:
        columns["time"] = moment(columns["time"], where)
    return columns


def moment(text: str, where: str) -> datetime:
    """A time as ISO 8601; one without zone is taken as UTC.

    Raises:
        AnnotationError: it is no time.
    """
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise AnnotationError(f'{where}: "{text}" is not a time in ISO 8601.') from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _fits(name: str, value: Any) -> bool:
    if name == "kind":
        return value in KINDS
    if name == "cannot_judge":
        return isinstance(value, bool)
    if name == "confidence":
        return isinstance(value, int | float)
    if name == "read":
        return isinstance(value, int) and 0 < value < 1 << 15
    if name == "parents":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return name in KEPT and isinstance(value, str)
