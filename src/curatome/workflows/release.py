"""`curatome release`: a version with its gates, datasheet, Croissant, sample and checksums."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curatome.annotations.guideline import stale
from curatome.dataset.asking import asked
from curatome.dataset.release import pages
from curatome.dataset.release.croissant import croissant
from curatome.dataset.release.facts import Facts, facts_of
from curatome.dataset.release.gates import GateResult, evaluate
from curatome.dataset.release.public import (
    pseudonyms,
    public_annotations,
    public_cases,
    public_measures,
    public_regions,
    public_slides,
)
from curatome.dataset.release.sample import Row, choose, contact_sheet
from curatome.dataset.versions import find_version
from curatome.dataset.versions.freezing import CERTIFICATE
from curatome.errors import ReleaseError
from curatome.hashes import file_sha256
from curatome.location import Location, is_url, joined, located
from curatome.objects import put
from curatome.project import Project
from curatome.tiles.shards import read_member
from curatome.workflows.versions import finish_withdrawal_first, versions_of
from curatome.workflows.watch import Silent, Watcher

SUMS = "SHA256SUMS"
_BESIDE = ".unfinished"


@dataclass(frozen=True)
class Wishes:
    """How to release.

    Attributes:
        version: its name or id; the latest by default.
        waivers: reasons by the name of a gate that failed.
        shards: copy the images; without, only the tables and pages are written.
        reader_names: keep the names of readers.
    """

    version: str = ""
    waivers: Mapping[str, str] | None = None
    shards: bool = True
    reader_names: bool = False


@dataclass(frozen=True)
class Released:
    """What became of a release.

    Attributes:
        version: its name.
        gates: what became of each.
        out: where it lies; None if a gate stood in the way.
        files: how many files were written.
        bytes: their size.
    """

    version: str
    gates: tuple[GateResult, ...]
    out: Location | None
    files: int = 0
    bytes: int = 0


def release(
    project: Project, out: Location, wishes: Wishes | None = None, watcher: Watcher | None = None
) -> Released:
    """Release a version, or say which gates stand in the way.

    Args:
        project: the project.
        out: a new folder, or the URL of one in an object store.
        wishes: how.
        watcher: is told the course.

    Raises:
        VersionError: there is no such version.
        ReleaseError: a waiver is of no use, the folder is not new, or a shard is not what it was.
    """
    wishes, watcher = wishes or Wishes(), watcher or Silent()
    finish_withdrawal_first(project)
    entry = find_version(versions_of(project), wishes.version)
    folder = versions_of(project) / entry.folder
    facts = facts_of(folder)
    gates = evaluate(facts, _stale(folder, facts), _leaks(folder), wishes.waivers or {})
    if not all(one.holds for one in gates):
        return Released(entry.name, gates, None)
    with _new_folder(out) as target:
        _write_tables(folder, target, facts, wishes)
        sample = _write_sample(project, folder, target)
        _write_pages(target, facts, gates, sample)
        if wishes.shards:
            _copy_shards(project, folder, target, watcher)
        _write_sums(target)
        files = [path for path in target.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
    return Released(entry.name, gates, out, len(files), size)


def _stale(folder: Path, facts: Facts) -> int:
    """Annotations of images in a split that a change of the guideline made doubtful."""
    annotations = pq.read_table(folder / "annotations.parquet")
    annotations = annotations.select([n for n in annotations.column_names if n != "row_hash"])
    with asked(folder / "items.parquet") as connection:
        sql = "SELECT DISTINCT slide FROM items WHERE split IS NOT NULL AND slide IS NOT NULL"
        images = [row[0] for row in connection.sql(sql).fetchall()]
    inside = pc.is_in(annotations["image"], pa.array(images, pa.string()))
    found = stale(annotations.filter(inside), facts.protocol.guideline)
    return len(pc.unique(found["annotation"]))


def _leaks(folder: Path) -> dict[str, int | None]:
    checks = json.loads((folder / CERTIFICATE).read_bytes())["checks"]
    return {one["kind"]: None if one["compared"] is None else one["found"] for one in checks}


@contextmanager
def _new_folder(out: Location) -> Iterator[Path]:
    """A folder that appears under its name, or in its store, when the block ends."""
    if isinstance(out, Path):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ReleaseError(f"{out} is there already. Name a folder that is new.")
        beside = out.with_name(f".{out.name}{_BESIDE}")
        if beside.exists():
            shutil.rmtree(beside)  # of a release that was interrupted
        beside.mkdir(parents=True)
        yield beside
        if out.exists():
            out.rmdir()
        beside.rename(out)
        return
    with tempfile.TemporaryDirectory(prefix="curatome-") as scratch:
        yield Path(scratch)
        paths = sorted(path for path in Path(scratch).rglob("*") if path.is_file())
        for path in sorted(paths, key=lambda one: one.name == SUMS):  # the sums come last
            put(path, str(joined(out, str(path.relative_to(scratch)))))


def _write_tables(folder: Path, target: Path, facts: Facts, wishes: Wishes) -> None:
    names = pseudonyms(facts.readers)
    if wishes.reader_names:
        names = {name: name for name in facts.readers}
    ways = {
        "annotations": lambda table: public_annotations(table, names),
        "exhaustive": lambda table: public_regions(table, names),
        "slides": public_slides,
        "cases": lambda table: public_cases(table, facts.protocol),
        "measures": public_measures,
    }
    for name, way in ways.items():
        table = pq.read_table(folder / f"{name}.parquet")
        columns = [one for one in table.column_names if one != "row_hash"]
        pq.write_table(way(table.select(columns)), target / f"{name}.parquet", compression="zstd")
    shutil.copyfile(folder / "items.parquet", target / "items.parquet")
    shutil.copyfile(folder / CERTIFICATE, target / CERTIFICATE)


def _write_sample(project: Project, folder: Path, target: Path) -> list[str]:
    rows = choose(folder / "items.parquet")
    if not rows:
        return []

    def read(row: Row) -> bytes:
        place = located(row["shard"], project.root)
        return read_member(place, row["offset"], row["length"])

    place = target / "sample"
    place.mkdir()
    names = []
    for number, row in enumerate(rows, 1):
        data = read(row)
        suffix = "jpg" if data.startswith(b"\xff\xd8") else "png"
        names.append(f"{number:02}.{suffix}")
        (place / names[-1]).write_bytes(data)
    (place / "overview.jpg").write_bytes(contact_sheet(rows, read))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "item", "labels", "split", "scale", "mpp_x"))
    for name, row in zip(names, rows, strict=True):
        labels = "; ".join(row["labels"])
        writer.writerow((name, row["item"], labels, row["split"], row["scale"], row["mpp_x"]))
    (place / "sample.csv").write_text(text.getvalue())
    return names


def _write_pages(
    target: Path, facts: Facts, gates: tuple[GateResult, ...], sample: list[str]
) -> None:
    day = datetime.now(UTC).date().isoformat()
    tables = {
        name: ((target / name).stat().st_size, file_sha256(target / name))
        for name in ("items.parquet", "annotations.parquet")
    }
    texts = {
        "README.md": pages.readme(facts, gates, sample),
        "DATASHEET.md": pages.datasheet(facts, gates),
        "CITATION.cff": pages.citation(facts, day),
        "LICENSE": pages.license_page(facts),
        "croissant.json": croissant(facts, gates, tables, day),
        "gates.json": json.dumps([vars(one) for one in gates], indent=1, ensure_ascii=False),
    }
    for name, text in texts.items():
        (target / name).write_text(text, encoding="utf-8")


def _copy_shards(project: Project, folder: Path, target: Path, watcher: Watcher) -> None:
    """Copy every shard that is not in a store already, and see that it is what it was."""
    rows = pq.read_table(folder / "shards.parquet").to_pylist()
    local = [row for row in rows if not is_url(row["shard"])]
    watcher.start("copying shards", len(local), "shards")
    for row in local:
        path = target / row["shard"]
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with (project.root / row["shard"]).open("rb") as source, path.open("wb") as copy:
            while piece := source.read(4 << 20):
                digest.update(piece)
                copy.write(piece)
        if digest.hexdigest() != row["sha256"]:
            raise ReleaseError(
                f"{row['shard']} was changed after the version was made, so nothing was released. "
                "`curatome verify` says what differs."
            )
        watcher.advance(1, row["bytes"])
    watcher.finish()


def _write_sums(target: Path) -> None:
    paths = sorted(path for path in target.rglob("*") if path.is_file())
    lines = [f"{file_sha256(path)}  {path.relative_to(target)}\n" for path in paths]
    (target / SUMS).write_text("".join(lines))
