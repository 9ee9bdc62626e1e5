"""Whether every version still is what it was: any byte that was flipped, lost or swapped shows.

Ids hash version.json, version.json hashes every file, and the table of shards hashes every shard.
What is damaged is looked at more closely, down to the rows and images that are affected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curatome.dataset.manifest import ROW_HASH, Manifest
from curatome.dataset.row_hash import hash_column, row_hashes
from curatome.dataset.versions.log import LOG_FILE, Entry, load_log
from curatome.dataset.versions.model import INFO_FILE, KEYED, FileRecord, VersionInfo, read_info
from curatome.errors import CuratomeError, VersionError
from curatome.findings import Finding, Severity
from curatome.hashes import bytes_hash, file_sha256
from curatome.location import Location, located
from curatome.objects import opened_object
from curatome.tiles.shards import read_member

_BACKUP = "Put it back from a backup, or from another copy of the dataset."
_UNREADABLE = (OSError, pa.ArrowException, CuratomeError, EOFError, KeyError, ValueError)
"""What reading a damaged file, or another one under its name, may raise."""
_NAMED = 5
_PIECE = 4 << 20

Tick = Callable[[int], None]


def verify(
    root: Path, home: Path, names: Sequence[str] = (), tick: Tick | None = None
) -> list[Finding]:
    """Look at every file and every shard of versions.

    Args:
        root: the folder of versions.
        home: the folder that the paths of shards, where they are no URLs, are relative to.
        names: of the versions to look at; all by default.
        tick: is told how many bytes were read.

    Returns:
        VER001 for what is missing, VER002 for what has other bytes, VER003 for a log or
        version.json that cannot be trusted. Nothing if all is as it was.
    """
    try:
        log = load_log(root)
    except VersionError as error:
        return [_finding("VER003", f"file {LOG_FILE}", str(error))]
    if not log and any(root.glob(f"*/{INFO_FILE}")):
        message = f"{root / LOG_FILE} is missing, though there are versions beside it."
        return [_finding("VER001", f"file {LOG_FILE}", message)]
    found: list[Finding] = []
    seen: dict[str, str] = {}
    chosen = [entry for entry in log if not names or entry.name in names]
    parent: str | None = None
    for entry in log:
        if entry in chosen:
            found += _version(root, entry, parent, tick)
            found += _shards(root / entry.folder, entry, home, (seen, tick))
        parent = entry.id
    return found


def _version(root: Path, entry: Entry, parent: str | None, tick: Tick | None) -> Iterator[Finding]:
    folder = root / entry.folder
    subject = f"version {entry.name}"
    try:
        info = read_info(folder)
    except VersionError as error:
        yield _finding("VER003", subject, str(error))
        return
    if info.id != entry.id or file_sha256(folder / INFO_FILE) != entry.id:
        yield _finding(
            "VER003", subject, f"{INFO_FILE} of version {entry.name} is not the one of its id."
        )
        return
    if info.parent != parent:
        message = f"version {entry.name} does not follow the version before it in the log."
        yield _finding("VER003", subject, message)
    for record in info.files:
        yield from _file(folder, entry, record, tick)
    yield from _unlisted(folder, entry, info)


def _file(folder: Path, entry: Entry, record: FileRecord, tick: Tick | None) -> Iterator[Finding]:
    path, subject = folder / record.name, f"version {entry.name}"
    try:
        same = file_sha256(path, tick) == record.sha256
    except OSError:
        message = f"{record.name} of version {entry.name} is missing."
        yield _finding("VER001", subject, message, key=record.name)
        return
    if not same:
        hurt = _hurt_rows(path) if path.suffix == ".parquet" else ""
        message = f"{record.name} of version {entry.name} was changed after it was made.{hurt}"
        yield _finding("VER002", subject, message, key=record.name)


def _unlisted(folder: Path, entry: Entry, info: VersionInfo) -> Iterator[Finding]:
    known = {INFO_FILE, *(record.name for record in info.files)}
    for path in sorted(folder.iterdir()):
        if path.name not in known:
            message = f"{path.name} lies in version {entry.name}, but is none of its files."
            remedy = "Move it out of the folder."
            yield _finding("VER002", f"version {entry.name}", message, remedy, key=path.name)


def _hurt_rows(path: Path) -> str:
    """Which rows of a changed table are not what they were, if that can still be told."""
    if path.stem not in KEYED:
        return ""
    spec, key = KEYED[path.stem]
    names: list[str] = []
    count = 0
    try:
        for batch in Manifest(path, key).batches():
            now = hash_column(row_hashes(batch.select(spec.schema.names)))
            other = pc.not_equal(now, batch.column(ROW_HASH).cast(now.type))
            rows = batch.filter(other)
            count += len(rows)
            names += rows.column(key).to_pylist()[: _NAMED - len(names)]
    except _UNREADABLE:
        return " It cannot be read as a table any more."
    if not count:
        return " Every row that can be read is sound."
    return f" Rows that differ: {count:,} ({', '.join(map(str, names))}{', …' * (count > _NAMED)})."


def _shards(
    folder: Path, entry: Entry, home: Path, state: tuple[dict[str, str], Tick | None]
) -> Iterator[Finding]:
    """Every shard is read once, however many versions share it."""
    seen, tick = state
    try:
        table = pq.read_table(folder / "shards.parquet").select(["shard", "sha256"]).to_pylist()
    except _UNREADABLE:
        return  # told already
    for row in table:
        where = located(row["shard"], home)
        if row["shard"] not in seen:
            seen[row["shard"]] = _sha256(where, tick)
        now, subject = seen[row["shard"]], f"version {entry.name}"
        if now == "":
            message = f"{row['shard']}, which version {entry.name} refers to, is missing."
            yield _finding("VER001", subject, message, key=row["shard"])
        elif now != row["sha256"]:
            hurt = _hurt_images(folder, row["shard"], where)
            message = f"{row['shard']} was changed after version {entry.name} was made.{hurt}"
            yield _finding("VER002", subject, message, key=row["shard"])


def _sha256(place: Location, tick: Tick | None) -> str:
    """The hash of a shard, or nothing if it cannot be read."""
    try:
        if isinstance(place, Path):
            return file_sha256(place, tick)
        import hashlib

        found = hashlib.sha256()
        with opened_object(place) as stream:
            while piece := stream.read(_PIECE):
                found.update(piece)
                if tick is not None:
                    tick(len(piece))
        return found.hexdigest()
    except (OSError, CuratomeError):
        return ""


def _hurt_images(folder: Path, shard: str, place: Location) -> str:
    """Which images of a changed shard are not what they were."""
    columns = ["item", "shard", "offset", "length", "hash"]
    try:
        rows = pq.read_table(
            folder / "items.parquet", columns=columns, filters=[("shard", "=", shard)]
        ).to_pylist()
    except _UNREADABLE:
        return ""
    names = [row["item"] for row in rows if not _sound(place, row)]
    if not names:
        return " Every image in it is sound."
    more = ", …" * (len(names) > _NAMED)
    return f" Images that differ: {len(names):,} ({', '.join(names[:_NAMED])}{more})."


def _sound(place: Location, row: dict[str, object]) -> bool:
    try:
        data = read_member(place, int(str(row["offset"])), int(str(row["length"])))
    except _UNREADABLE:
        return False
    return bytes_hash(data) == row["hash"]


def _finding(
    code: str, subject: str, message: str, remedy: str = _BACKUP, key: str = ""
) -> Finding:
    return Finding(code, Severity.ERROR, subject, message, remedy, key=key)
