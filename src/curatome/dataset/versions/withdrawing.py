"""Taking a case out of every version: a tombstone stays, its rows and pixels go.

A version is immutable but for this. All versions are made again without the case, each with a
tombstone and the parent's new id; one write of the log makes all of them visible at once. Then
the old folders and the case's pixels are removed. Killed in between, the same call finishes it:
what is to be withdrawn is noted before anything is done, and forgotten after everything is.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curatome.dataset.manifest import ROW_HASH, Manifest
from curatome.dataset.versions.freezing import attempt, put_in_place, remove_attempts, write_files
from curatome.dataset.versions.log import Entry, Reissue, load_log, save_log
from curatome.dataset.versions.model import INFO_FILE, KEYED, PLAIN, Withdrawal, read_info
from curatome.durable import new_file, write_file
from curatome.errors import VersionError
from curatome.hashes import file_sha256
from curatome.location import Location, is_url, located, opened
from curatome.objects import put, remove_objects

Ranges = list[tuple[int, int]]
Places = Callable[[], Iterator[pa.RecordBatch]]

NOTE_FILE = "withdrawal.json"
_ERASED = ".erased"


@dataclass(frozen=True)
class Wish:
    """What is to be withdrawn.

    Attributes:
        case: its name; of region images, whose cases are called `source/case`, that of every
            source if it does not name one.
        slides: its slides and images.
        reason: why.
        time: when, UTC.
    """

    case: str
    slides: tuple[str, ...]
    reason: str
    time: str


@dataclass(frozen=True)
class Withdrawn:
    """What was done.

    Attributes:
        rows: rows that went, by version and table.
        shards: shards that were removed whole.
        erased: shards in which the case's images were overwritten by zeros.
    """

    rows: Mapping[str, Mapping[str, int]]
    shards: tuple[str, ...]
    erased: tuple[str, ...]


def pending(root: Path) -> Wish | None:
    """A withdrawal that was begun and not finished."""
    path = root / NOTE_FILE
    if not path.exists():
        return None
    try:
        plain = json.loads(path.read_bytes())
        return Wish(**{**plain, "slides": tuple(plain["slides"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise VersionError(
            f"{path} is damaged: {error}. Withdraw the case again after removing it."
        ) from error


def withdraw(
    root: Path,
    home: Path,
    wish: Wish,
    before_end: Callable[[], object] | None = None,
    built: Places | None = None,
) -> Withdrawn:
    """Take a case out of every version, and its pixels off the disk.

    Args:
        root: the folder of versions.
        home: the folder that the paths of shards, where they are no URLs, are relative to.
        wish: what is to be withdrawn.
        before_end: what else must be done before the withdrawal counts as finished.
        built: gives batches of the places of images that are in no version, perhaps, and share
            shards with others: slide, shard, offset and length.

    Raises:
        VersionError: another withdrawal was begun and not finished.
    """
    begun = pending(root)
    if begun is not None and begun.case != wish.case:
        raise VersionError(
            "another withdrawal was begun and not finished. Run it again first: curatome withdraw "
            f"{begun.case}"
        )
    root.mkdir(parents=True, exist_ok=True)
    wish = begun or wish
    write_file(root / NOTE_FILE, json.dumps(asdict(wish)))
    remove_attempts(root)
    remove, erase = _places(root, wish, built)
    erase = {name: ranges for name, ranges in erase.items() if _there(located(name, home))}
    hashes = {name: _erased(root, located(name, home), ranges) for name, ranges in erase.items()}
    rows = _reissue(root, wish, set(remove), hashes)
    remove_objects([name for name in remove if is_url(name)])
    for name in remove:
        if not is_url(name):
            (home / name).unlink(missing_ok=True)
    for name in erase:
        _replace(_beside(root, located(name, home)), located(name, home))
    for entry in load_log(root):
        for revision in range(len(entry.was)):
            if (root / _folder(entry, revision)).exists():
                shutil.rmtree(root / _folder(entry, revision))
    if before_end is not None:
        before_end()
    (root / NOTE_FILE).unlink()
    return Withdrawn(rows, tuple(sorted(remove)), tuple(sorted(erase)))


def _places(
    root: Path, wish: Wish, built: Places | None = None
) -> tuple[list[str], dict[str, Ranges]]:
    """Shards that only the case has images in, and places of its images in others.

    A shard is looked at twice, since its other images may come before the case's.
    """
    mine: dict[str, set[tuple[int, int]]] = {}
    others: dict[str, set[tuple[int, int]]] = {}
    folders = list(_folders(root, load_log(root)))
    for batch in _located(folders, built):
        _note(batch.filter(_of_case(batch, wish)), mine)
    for batch in _located(folders, built):
        touched = pc.is_in(batch.column("shard"), pa.array(list(mine), pa.string()))
        _note(batch.filter(pc.and_(touched, pc.invert(_of_case(batch, wish)))), others)
    remove = [name for name in mine if name not in others]
    erase = {name: sorted(mine[name] - others[name]) for name in mine if name in others}
    return remove, {name: places for name, places in erase.items() if places}


def _there(place: Location) -> bool:
    """Whether a shard can be there: one that a person removed holds nothing to be erased."""
    return not isinstance(place, Path) or place.exists()


def _located(folders: Sequence[Path], built: Places | None) -> Iterator[pa.RecordBatch]:
    columns = ["case", "source", "slide", "shard", "offset", "length"]
    for folder in folders:
        yield from pq.ParquetFile(folder / "items.parquet").iter_batches(columns=columns)
    if built is not None:
        yield from built()


def _note(batch: pa.RecordBatch, places: dict[str, set[tuple[int, int]]]) -> None:
    columns = (batch.column(name).to_pylist() for name in ("shard", "offset", "length"))
    for shard, offset, length in zip(*columns, strict=True):
        if shard is not None:
            places.setdefault(shard, set()).add((offset, length))


def _folders(root: Path, log: Sequence[Entry]) -> Iterator[Path]:
    """Folders in the log, and those they replace if the old ones are still there."""
    for entry in log:
        yield root / entry.folder
        before = root / _folder(entry, len(entry.was) - 1)
        if entry.was and before.exists():
            yield before


def _folder(entry: Entry, revision: int) -> str:
    return entry.name if revision == 0 else f"{entry.name}.r{revision}"


def _beside(root: Path, place: Location) -> Path:
    """Where the copy of a shard without the images waits; on the shard's disk if it is on one."""
    if isinstance(place, Path):
        return place.with_name(f".{place.name}{_ERASED}")
    return root / f"{hashlib.sha256(place.encode()).hexdigest()[:16]}{_ERASED}"


def _erased(root: Path, place: Location, ranges: Ranges) -> str:
    """Write a copy of a shard in which the images are zeros; its hash."""
    beside = _beside(root, place)
    if not beside.exists():
        with new_file(beside) as out, opened(place) as stream:
            at = 0
            for offset, length in ranges:
                out.write(stream.read(offset - at))
                stream.seek(length, 1)
                out.write(bytes(length))
                at = offset + length
            shutil.copyfileobj(stream, out)
    return file_sha256(beside)


def _replace(beside: Path, place: Location) -> None:
    if not beside.exists():
        return  # it was done before
    if isinstance(place, Path):
        beside.replace(place)
    else:
        put(beside, place)
        beside.unlink()


def _reissue(
    root: Path, wish: Wish, removed: set[str], erased: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    """Make every version again without the case; a second call finds nothing left to do."""
    log = load_log(root)
    entries: list[Entry] = []
    rows: dict[str, dict[str, int]] = {}
    parent: str | None = None
    for entry in log:
        info = read_info(root / entry.folder)
        if any(_same(one, wish) for one in info.withdrawn):
            return {entry.name: {} for entry in log}  # the log is written, only the rest was left
        gone: dict[str, int] = {}
        folder = attempt(root, entry.name)
        folder.mkdir(parents=True)
        old = root / entry.folder
        texts = {
            one.name: (old / one.name).read_text()
            for one in info.files
            if not one.name.endswith((".parquet", ".index"))
        }
        tables = {name: _rest(name, old, wish, gone) for name in KEYED}
        tables |= {name: _plain(name, old, wish, (removed, erased)) for name in PLAIN}
        files = write_files(folder, tables, texts)
        stone = Withdrawal(_case_hash(wish.case), wish.time, wish.reason, dict(gone))
        again = replace(info, parent=parent, files=files, withdrawn=(*info.withdrawn, stone))
        write_file(folder / INFO_FILE, again.text())
        name = _folder(entry, len(entry.was) + 1)
        put_in_place(folder, root / name)
        was = (*entry.was, Reissue(entry.id, wish.time, wish.reason))
        entries.append(Entry(entry.name, again.id, name, was))
        rows[entry.name] = gone
        parent = again.id
    save_log(root, entries)
    return rows


def _same(stone: Withdrawal, wish: Wish) -> bool:
    return stone.case_hash == _case_hash(wish.case) and stone.time == wish.time


def _case_hash(case: str) -> str:
    return hashlib.sha256(case.encode()).hexdigest()[:16]


def _rest(name: str, folder: Path, wish: Wish, gone: dict[str, int]) -> Iterator[pa.RecordBatch]:
    """Rows of a keyed table that are not the case's; counts those that are."""
    spec, key = KEYED[name]
    for batch in Manifest(folder / f"{name}.parquet", key).batches():
        held = _of_case(batch, wish)
        gone[name] = gone.get(name, 0) + int(pc.sum(held).as_py() or 0)
        rest = batch.filter(pc.invert(held))
        at = rest.schema.get_field_index(ROW_HASH)
        yield rest.select([k for k in range(rest.num_columns) if k != at]).cast(spec.schema)


def _plain(
    name: str, folder: Path, wish: Wish, places: tuple[set[str], Mapping[str, str]]
) -> pa.Table:
    removed, erased = places
    table = pq.read_table(folder / f"{name}.parquet")
    if name == "shards":
        rows = [row for row in table.to_pylist() if row["shard"] not in removed]
        for row in rows:
            row["sha256"] = erased.get(row["shard"], row["sha256"])
        return PLAIN[name].from_rows(rows)
    if name == "findings":
        names = {wish.case, *wish.slides}
        told = [
            any(word in names for word in subject.replace("/", " ").split())
            for subject in table["subject"].to_pylist()
        ]
        return table.filter(pa.array([not one for one in told], pa.bool_()))
    return table


def _of_case(batch: pa.RecordBatch, wish: Wish) -> pa.Array:
    """Which rows are of the case: by its name, or by its slides."""
    slides = pa.array(wish.slides, pa.string())
    held = pa.array([False] * len(batch), pa.bool_())
    if "case" in batch.schema.names:
        held = pc.or_(held, pc.fill_null(pc.equal(batch.column("case"), wish.case), False))
    if "source" in batch.schema.names:
        called = pc.binary_join_element_wise(batch.column("source"), wish.case, "/")
        held = pc.or_(held, pc.fill_null(pc.equal(batch.column("case"), called), False))
    for column in ("slide", "image"):
        if column in batch.schema.names:
            held = pc.or_(held, pc.is_in(batch.column(column), slides))
    return held
