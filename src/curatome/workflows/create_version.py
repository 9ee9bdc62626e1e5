"""`curatome version create` and `split`: what a project holds now, divided and frozen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curatome import __version__
from curatome.annotations.store import AnnotationStore
from curatome.dataset.leakage import Certificate, certify
from curatome.dataset.splits import Fold
from curatome.dataset.versions import Draft, VersionInfo, freeze, load_log
from curatome.dataset.versions.freezing import CERTIFICATE, PROTOCOL
from curatome.durable import new_file, write_file
from curatome.errors import VersionError
from curatome.findings import Finding
from curatome.hashes import file_sha256
from curatome.location import file_stamps, located, opened
from curatome.project import Project
from curatome.project.folder import PROTOCOL_FILE
from curatome.tables import CASES, FINDINGS, ITEMS, MEASURES, SHARDS, SLIDES
from curatome.tiles.record import load_records
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.items import gather, item_batches, items_in
from curatome.workflows.near import near_items
from curatome.workflows.splits import (
    Division,
    Folding,
    divide_cases,
    fold_cases,
    read_splits,
    save_splits,
)
from curatome.workflows.versions import finish_withdrawal, versions_of
from curatome.workflows.watch import Silent, Watcher

_SCRATCH = ".items.parquet"
_NEEDED = ("item", "split", "case", "slide", "x", "y", "width", "height", "hash")


@dataclass(frozen=True, eq=False)
class Created:
    """A version that was made.

    Attributes:
        info: the version.
        items: how many items.
        division: its splits.
        certificate: what crosses them.
    """

    info: VersionInfo
    items: int
    division: Division
    certificate: Certificate


def create_version(
    project: Project,
    reason: str,
    name: str = "",
    *,
    near: bool = True,
    watcher: Watcher | None = None,
) -> Created:
    """Freeze the dataset as it is now.

    Cases without a split get one; those that have one keep it.

    Args:
        project: the project.
        reason: why.
        name: what to call it; `v1`, `v2`, … by default.
        near: look for near-duplicates across splits, without which no certificate holds.
        watcher: is told the course.

    Raises:
        VersionError: nothing was built, or the name is taken.
        TableError: items have no case.
    """
    watcher = watcher or Silent()
    root = versions_of(project)
    with project.locked():
        finish_withdrawal(project)
        root.mkdir(exist_ok=True)
        scratch = root / _SCRATCH
        try:
            count = _gather(project, scratch, watcher)
            alike = near_items(project, scratch, watcher) if near else None
            division = divide_cases(project, scratch, alike)
            save_splits(project, {**_kept(project, division), **division.split})
            certificate = certify(_divided(scratch, division), alike)
            shards = _shards(project, scratch, watcher)
            watcher.start("writing the version", count, "items")
            with annotation_store(project) as store:
                draft = _draft(project, (name or _next(root), reason), store, certificate)
                tables = {**draft.tables, "shards": shards}
                tables["items"] = _with_split(scratch, division)
                draft = Draft(**{**vars(draft), "tables": tables})
                info = freeze(root, draft, watcher.advance)
            watcher.finish()
        finally:
            scratch.unlink(missing_ok=True)
    return Created(info, count, division, certificate)


def divide_project(
    project: Project, *, near: bool = False, watcher: Watcher | None = None
) -> tuple[Division, Certificate]:
    """Divide the cases of what is built now, and see what crosses the splits.

    Args:
        project: the project.
        near: look for near-duplicates as well.
        watcher: is told the course.

    Raises:
        VersionError: nothing was built.
        TableError: items have no case.
    """
    watcher = watcher or Silent()
    root = versions_of(project)
    with project.locked():
        root.mkdir(exist_ok=True)
        scratch = root / _SCRATCH
        try:
            _gather(project, scratch, watcher)
            alike = near_items(project, scratch, watcher) if near else None
            division = divide_cases(project, scratch, alike)
            save_splits(project, {**_kept(project, division), **division.split})
            return division, certify(_divided(scratch, division), alike)
        finally:
            scratch.unlink(missing_ok=True)


def fold_project(
    project: Project, way: Folding, watcher: Watcher | None = None
) -> tuple[Fold, ...]:
    """Divide the cases of what is built now repeatedly, into folds.csv.

    Raises:
        VersionError: nothing was built.
        TableError: items have no case, or there are too few cases or domains.
    """
    root = versions_of(project)
    with project.locked():
        root.mkdir(exist_ok=True)
        scratch = root / _SCRATCH
        try:
            _gather(project, scratch, watcher or Silent())
            return fold_cases(project, scratch, way)
        finally:
            scratch.unlink(missing_ok=True)


def _kept(project: Project, division: Division) -> dict[str, str]:
    before = read_splits(project)
    return {case: before[case] for case in division.gone}


def _next(root: Path) -> str:
    taken = {entry.name for entry in load_log(root)}
    return next(name for k in range(1, 1 << 20) if (name := f"v{k}") not in taken)


def _gather(project: Project, path: Path, watcher: Watcher) -> int:
    """Write all items, without their splits, to a scratch file; how many."""
    watcher.start("gathering items", items_in(project), "items")
    count = 0
    with (
        new_file(path) as stream,
        pq.ParquetWriter(stream, ITEMS.schema, compression="zstd") as writer,
    ):
        for batch in item_batches(project, gather(project)):
            writer.write_batch(batch)
            count += len(batch)
            watcher.advance(len(batch))
    watcher.finish()
    return count


def _split_column(case: pa.Array, division: Division) -> pa.Array:
    cases = pa.array(list(division.split), pa.string())
    splits = pa.array(list(division.split.values()), pa.string())
    return splits.take(pc.index_in(case, cases))


def _with_split(path: Path, division: Division) -> Iterator[pa.RecordBatch]:
    at = ITEMS.schema.get_field_index("split")
    for batch in pq.ParquetFile(path).iter_batches():
        table = pa.Table.from_batches([batch])
        column = _split_column(batch.column("case"), division)
        yield from table.set_column(at, ITEMS.schema.field(at), column).to_batches()


def _divided(path: Path, division: Division) -> pa.Table:
    """What leaks are looked for in."""
    table = pq.read_table(path, columns=[name for name in _NEEDED if name != "split"])
    column = _split_column(table["case"].combine_chunks(), division)
    return table.append_column("split", column)


def _shards(project: Project, items: Path, watcher: Watcher) -> pa.Table:
    """Size and hash of every shard; those that did not change since are not read again."""
    names = sorted(
        name
        for name in pc.unique(pq.read_table(items, columns=["shard"])["shard"]).to_pylist()
        if name is not None
    )
    cache = project.root / ".curatome" / "shards.json"
    known = json.loads(cache.read_bytes()) if cache.exists() else {}
    places = {name: located(name, project.root) for name in names}
    stamps = file_stamps(places.values())
    watcher.start("hashing shards", len(names), "shards")
    rows = []
    for name, place in places.items():
        stamp = stamps.get(place)
        if stamp is None:
            raise VersionError(f"{name} is missing. Run `curatome build` to make it again.")
        if known.get(name, [None])[0] != stamp:
            known[name] = [stamp, *_size_and_hash(place)]
        rows.append({"shard": name, "bytes": known[name][1], "sha256": known[name][2]})
        watcher.advance(1)
    watcher.finish()
    write_file(cache, json.dumps({name: known[name] for name in names}))
    return SHARDS.from_rows(rows)


def _size_and_hash(place: Path | str) -> tuple[int, str]:
    if isinstance(place, Path):
        return place.stat().st_size, file_sha256(place)
    digest, size = hashlib.sha256(), 0
    with opened(place) as stream:
        while piece := stream.read(4 << 20):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


def _draft(
    project: Project, what: tuple[str, str], store: AnnotationStore, certificate: Certificate
) -> Draft:
    """All of a version but its items and shards."""
    name, reason = what
    cases = project.store.cases()
    named = {entry.case for entry in project.store.slides() if entry.case} | set(cases)
    slides = pq.read_table(project.build / "slides.parquet") if _built(project) else None
    tables: dict[str, pa.Table] = {
        "annotations": store.current(),
        "exhaustive": store.regions(),
        "cases": CASES.from_rows(
            [
                {"case": one, "fields": json.dumps(cases.get(one, {}), sort_keys=True, default=str)}
                for one in sorted(named)
            ]
        ),
        "slides": SLIDES.schema.empty_table() if slides is None else slides,
        "findings": findings_table(project.store.findings()),
        "measures": MEASURES.from_rows([vars(one) for one in project.store.measures()]),
    }
    texts = {
        PROTOCOL: (project.root / PROTOCOL_FILE).read_text(),
        CERTIFICATE: json.dumps(asdict(certificate), indent=1, sort_keys=True),
    }
    return Draft(
        name,
        reason,
        datetime.now(UTC).isoformat(timespec="seconds"),
        project.protocol.guideline.version,
        _software(project),
        tables,
        texts,
        certificate.digest,
        certificate.holds,
    )


def _built(project: Project) -> bool:
    return (project.build / "slides.parquet").exists()


def _software(project: Project) -> dict[str, str]:
    found = {"curatome": __version__}
    for record in load_records(project.build).values() if _built(project) else ():
        found |= record.versions
        break
    return found


def findings_table(findings: Sequence[Finding]) -> pa.Table:
    """Findings as `tables.FINDINGS`."""
    rows = [
        {
            **{name: getattr(one, name) for name in ("code", "subject", "message", "remedy")},
            "fingerprint": one.fingerprint,
            "severity": str(one.severity),
            **(vars(one.place) if one.place else {}),
            "evidence": json.dumps(dict(one.evidence), sort_keys=True, default=str),
        }
        for one in findings
    ]
    return FINDINGS.from_rows(rows)
