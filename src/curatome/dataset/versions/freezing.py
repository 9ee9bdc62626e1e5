"""Making a version: its files are written beside, and one write of the log makes it visible."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from curatome.dataset.manifest import index_path, write_manifest
from curatome.dataset.versions.log import Entry, load_log, save_log
from curatome.dataset.versions.model import INFO_FILE, KEYED, PLAIN, FileRecord, VersionInfo
from curatome.durable import new_file, sync_folder, write_file
from curatome.errors import VersionError
from curatome.hashes import file_sha256
from curatome.tables import TableSpec

Rows: TypeAlias = pa.Table | Iterable[pa.RecordBatch]
_NEW = ".new-"
CERTIFICATE, PROTOCOL = "certificate.json", "curatome.toml"


@dataclass(frozen=True, eq=False)
class Draft:
    """What a version is to hold.

    Attributes:
        name: what people will call it; letters, digits, `.`, `-` and `_`.
        reason: why it is made.
        created: when, UTC, ISO 8601.
        guideline: version of the annotation guideline.
        software: versions of what makes it.
        tables: rows of each of `KEYED` and `PLAIN`; those that are missing are empty.
        texts: content of further files by name, the protocol and the certificate among them.
        certificate: digest of the leakage certificate, or empty.
        leak_free: whether it holds.
    """

    name: str
    reason: str
    created: str
    guideline: str
    software: Mapping[str, str]
    tables: Mapping[str, Rows]
    texts: Mapping[str, str] = field(default_factory=dict)
    certificate: str = ""
    leak_free: bool = False


def freeze(root: Path, draft: Draft, tick: Callable[[int], None] | None = None) -> VersionInfo:
    """Make a version that follows the latest one.

    Killed at any moment it is there whole or not at all; what is left over of an attempt is
    removed by the next one.

    Args:
        root: the folder of versions.
        draft: what it holds.
        tick: is told how many items were written.

    Raises:
        VersionError: the name is taken, or cannot be a folder's.
        TableError: a table is not as its contract has it.
    """
    log = load_log(root)
    _check_name(draft.name, log)
    remove_attempts(root)
    folder = attempt(root, draft.name)
    folder.mkdir(parents=True)
    files = write_files(folder, draft.tables, draft.texts, tick)
    severity = _severities(folder)
    parent = log[-1].id if log else None
    info = VersionInfo(
        name=draft.name,
        parent=parent,
        reason=draft.reason,
        created=draft.created,
        guideline=draft.guideline,
        software=dict(draft.software),
        certificate=draft.certificate,
        leak_free=draft.leak_free,
        findings=severity,
        files=files,
    )
    write_file(folder / INFO_FILE, info.text())
    put_in_place(folder, root / draft.name)
    save_log(root, [*log, Entry(draft.name, info.id, draft.name)])
    return info


def write_files(
    folder: Path,
    tables: Mapping[str, Rows],
    texts: Mapping[str, str],
    tick: Callable[[int], None] | None = None,
) -> tuple[FileRecord, ...]:
    """Write all files of a version but version.json, and record them by name."""
    unknown = set(tables) - set(KEYED) - set(PLAIN)
    if unknown:
        raise VersionError(f"a version has no table {', '.join(sorted(unknown))}.")
    found = []
    for name, (spec, key) in KEYED.items():
        path = folder / f"{name}.parquet"
        batches = _batches(tables.get(name, spec.schema.empty_table()))
        rows = write_manifest(_counted(batches, tick if name == "items" else None), path, spec, key)
        found += [_record(path, rows), _record(index_path(path))]
    for name, spec in PLAIN.items():
        path = folder / f"{name}.parquet"
        found.append(_record(path, _write_plain(path, spec, tables)))
    for name, text in texts.items():
        write_file(folder / name, text)
        found.append(_record(folder / name))
    return tuple(sorted(found, key=lambda one: one.name))


def attempt(root: Path, name: str) -> Path:
    """Where a version is written before it is whole."""
    return root / f"{_NEW}{name}"


def put_in_place(folder: Path, final: Path) -> None:
    """Rename a whole folder; one of that name that never came into the log is replaced."""
    if final.exists():
        shutil.rmtree(final)
    folder.rename(final)
    sync_folder(final.parent)


def remove_attempts(root: Path) -> None:
    """Remove what interrupted attempts left behind."""
    for path in root.glob(f"{_NEW}*"):
        shutil.rmtree(path)


def _check_name(name: str, log: Iterable[Entry]) -> None:
    if not name or not all(c.isalnum() or c in "._-" for c in name) or name.startswith("."):
        raise VersionError(
            f'"{name}" cannot be the name of a version. Use letters, digits, ".", "-" and "_".'
        )
    if any(name in (entry.name, entry.folder) for entry in log):
        raise VersionError(
            f"there is a version {name} already, and it never changes. Name another."
        )


def _batches(rows: Rows) -> Iterator[pa.RecordBatch]:
    if isinstance(rows, pa.Table):
        return iter(rows.to_batches())
    return iter(rows)


def _counted(
    batches: Iterable[pa.RecordBatch], tick: Callable[[int], None] | None
) -> Iterable[pa.RecordBatch]:
    for batch in batches:
        yield batch
        if tick is not None:
            tick(len(batch))


def _write_plain(path: Path, spec: TableSpec, tables: Mapping[str, Rows]) -> int:
    rows = tables.get(path.stem, spec.schema.empty_table())
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_batches(rows, spec.schema)
    with new_file(path) as stream:
        pq.write_table(table.select(spec.schema.names).cast(spec.schema), stream)
    return len(table)


def _record(path: Path, rows: int | None = None) -> FileRecord:
    return FileRecord(path.name, path.stat().st_size, file_sha256(path), rows)


def _severities(folder: Path) -> dict[str, int]:
    table = pq.read_table(folder / "findings.parquet", columns=["severity"])
    return dict(sorted(Counter(table["severity"].to_pylist()).items()))
