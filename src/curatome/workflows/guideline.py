"""`curatome guideline`: a new version of the guideline, and what it makes of what is there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError

from curatome.annotations.guideline import migration, stale
from curatome.annotations.store import Act, Batch, Edit, seen
from curatome.durable import write_file
from curatome.errors import ProtocolError
from curatome.project import Project, open_project
from curatome.project.folder import PROTOCOL_FILE
from curatome.protocol import GuidelineChange, Protocol, parse_protocol
from curatome.workflows.annotation_check import annotation_store


@dataclass(frozen=True)
class Ledger:
    """What a guideline leaves to do.

    Attributes:
        version: the guideline in force.
        annotations: all of them.
        renames: annotations whose classes have new names; see `annotations.guideline.MIGRATION`.
        stale: annotations that a reader must look at; see `annotations.guideline.STALE`.
    """

    version: str
    annotations: int
    renames: pa.Table
    stale: pa.Table


def ledger(project: Project, protocol: Protocol | None = None) -> Ledger:
    """What the guideline in force leaves to do.

    Args:
        project: the project.
        protocol: another protocol than the project's, to see what it would do.

    Raises:
        AnnotationError: annotations were made under a version that the guideline never had.
    """
    guideline = (protocol or project.protocol).guideline
    with annotation_store(project) as store:
        table = store.current()
    return Ledger(
        guideline.version, len(table), migration(table, guideline), stale(table, guideline)
    )


def migrate(project: Project, reader: str | None = None) -> Batch | None:
    """Give annotations the new names of their classes; None if all have them.

    `AnnotationStore.undo` of the batch takes it back.

    Raises:
        AnnotationError: annotations were made under a version that the guideline never had.
        StaleEdit: somebody edits at the same moment.
    """
    guideline = project.protocol.guideline
    with annotation_store(project) as store:
        table = store.current()
        rows = migration(table, guideline)
        if not len(rows):
            return None
        ids, after = (rows.column(name).to_pylist() for name in ("annotation", "after"))
        edits = [
            Edit(one, "migrate", seen(table), {"labels": labels})
            for one, labels in zip(ids, after, strict=True)
        ]
        reason = f"classes as guideline {guideline.version} calls them"
        return store.apply(edits, Act(reader, "curatome guideline", guideline.version, reason))


def change_of(**values: Any) -> GuidelineChange:
    """An entry of the guideline's changelog; see `protocol.GuidelineChange`.

    Raises:
        ProtocolError: it contradicts itself.
    """
    try:
        return GuidelineChange(**values)
    except ValidationError as error:
        raise ProtocolError(
            " ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
        ) from error


def bumped(project: Project, change: GuidelineChange) -> tuple[str, Protocol]:
    """curatome.toml with a new version of the guideline: its text, and the protocol it makes.

    Comments and order stay. Classes that are renamed or removed are so in `[[classes]]` too, and
    those that are added or come of a split are added there, without a definition.

    Raises:
        ProtocolError: the change does not fit the protocol.
    """
    path = project.root / PROTOCOL_FILE
    try:
        document = tomlkit.parse(path.read_text("utf-8"))
    except TOMLKitError as error:
        raise ProtocolError(f"{path}: {error}") from error
    guideline = document.setdefault("guideline", tomlkit.table())
    log = guideline.setdefault("changelog", tomlkit.aot())
    if not log:
        # Without a first entry nobody knows what the annotations of today were made under.
        log.append(_entry(_first(project.protocol.guideline.version, change.date)))
    log.append(_entry(change.model_dump()))
    guideline["version"] = change.version
    _rename_classes(document, change)
    text = tomlkit.dumps(document)
    return text, parse_protocol(text, str(path))


def bump(project: Project, change: GuidelineChange) -> Project:
    """Write a new version of the guideline into curatome.toml; the project as it is then.

    Raises:
        ProtocolError: the change does not fit the protocol.
        OSError: curatome.toml cannot be written.
    """
    with project.locked():
        text, _ = bumped(project, change)
        write_file(project.root / PROTOCOL_FILE, text)
    return open_project(project.root)


def _first(version: str, day: date) -> dict[str, object]:
    return {"version": version, "date": day, "change": "As it was before the next entry."}


def _entry(values: dict[str, object]) -> tomlkit.items.Table:
    entry = tomlkit.table()
    for name, value in values.items():
        if isinstance(value, dict):
            if value:
                inline = tomlkit.inline_table()
                inline.update({key: _plain(one) for key, one in value.items()})
                entry.add(name, inline)
        elif value != ():
            entry.add(name, _plain(value))
    return entry


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _rename_classes(document: tomlkit.TOMLDocument, change: GuidelineChange) -> None:
    classes = document.get("classes")
    if not classes:
        return
    gone = {*change.removed, *change.split}
    names = [one.get("name") for one in classes]
    for index in reversed(range(len(classes))):
        name = names[index]
        new = change.renamed.get(name)
        if name in gone or (new is not None and new in names):
            classes.pop(index)
        elif new is not None:
            classes[index]["name"] = new
            names[index] = new
    for one in classes:
        parent = one.get("parent")
        if parent in change.renamed:
            one["parent"] = change.renamed[parent]
        elif parent in gone:
            one.remove("parent")
    there = {one.get("name") for one in classes}
    coming = [*change.added, *(new for parts in change.split.values() for new in parts)]
    for name in dict.fromkeys(coming):
        if name not in there:
            entry = tomlkit.table()
            entry.add("name", name)
            entry.add(tomlkit.nl())
            classes.append(entry)
