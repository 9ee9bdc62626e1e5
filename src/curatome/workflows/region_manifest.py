"""The manifests of a build of sources: one row per region, one row per source."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curatome.durable import new_file, write_file
from curatome.hashes import settings_hash
from curatome.project import Project
from curatome.tables import REGIONS, SOURCES
from curatome.tiles.regions import ENGINE, RegionUnit, part_path, read_problems
from curatome.tiles.shards import with_shards
from curatome.workflows.added import AddedSource, duplicates_of

_STATE = b"curatome.state"
_PLACED = ("region", "shard", "offset", "length", "hash")


@dataclass(frozen=True)
class DoneSource:
    """A source whose units are all done.

    Attributes:
        added: the source.
        keys: of its units, in their order.
        duplicates: positions of images with the content of an earlier one, and the earlier one's.
    """

    added: AddedSource
    keys: tuple[str, ...]
    duplicates: Mapping[int, int]


@dataclass
class RegionCounts:
    """What a source gave.

    Attributes:
        scales: regions of each scale.
        enlarged: regions by how far they were enlarged, above 1 only.
    """

    scales: Counter[str] = field(default_factory=Counter)
    enlarged: Counter[float] = field(default_factory=Counter)


def done_source(added: AddedSource, units: Sequence[RegionUnit]) -> DoneSource:
    """A source with all of its units done."""
    return DoneSource(added, tuple(unit.key for unit in units), duplicates_of(added))


def regions_path(build: Path) -> Path:
    """The table of all regions."""
    return build / "regions.parquet"


def write_region_manifest(
    project: Project, sources: Sequence[DoneSource]
) -> dict[str, RegionCounts]:
    """Write `regions.parquet`, `sources.parquet` and `sources.csv` if they would be other than now.

    Rows are sorted by source and unit; a source's duplicates follow at its end.

    Returns:
        What each source gave.
    """
    counts = {one.added.source.name: _count(project.build, one) for one in sources}
    rows = [_summary(project.build, one, counts[one.added.source.name]) for one in sources]
    table = SOURCES.from_rows(rows)
    duplicates = [[s.added.source.name, sorted(s.duplicates.items())] for s in sources]
    stored = [project.shards] if isinstance(project.shards, str) else []
    state = settings_hash([ENGINE, [s.keys for s in sources], duplicates, rows, *stored])
    paths = (regions_path(project.build), project.build / "sources.parquet")
    csv_path = project.build / "sources.csv"
    text = _csv(rows)
    if [_written(path) for path in paths] == [state] * 2 and _same(csv_path, text):
        return counts
    schema = _with_state(with_shards(REGIONS.schema, project.shards), state)
    with (
        new_file(paths[0]) as stream,
        pq.ParquetWriter(stream, schema, compression="zstd") as writer,
    ):
        for part in _rows(project.build, sources):
            writer.write_table(part.cast(schema))
    with new_file(paths[1]) as stream:
        pq.write_table(table.cast(_with_state(table.schema, state)), stream, compression="zstd")
    write_file(csv_path, text)
    return counts


def _written(path: Path) -> str:
    if not path.exists():
        return ""
    metadata: Mapping[bytes, bytes] = pq.read_schema(path).metadata or {}
    return metadata.get(_STATE, b"").decode()


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_bytes() == text.encode()


def _with_state(schema: pa.Schema, state: str) -> pa.Schema:
    return schema.with_metadata({**schema.metadata, _STATE: state.encode()})


def _rows(build: Path, sources: Sequence[DoneSource]) -> Iterator[pa.Table]:
    for one in sources:
        kept = {one.added.images[first] for first in one.duplicates.values()}
        known: dict[str, list[dict[str, Any]]] = {}
        for key in one.keys:
            part = pq.read_table(part_path(build, key))
            if kept:
                for row in part.to_pylist():
                    if row["image"] in kept:
                        known.setdefault(row["image"], []).append(row)
            yield part
        if one.duplicates:
            yield REGIONS.from_rows(list(_duplicates(one, known)))


def _duplicates(
    one: DoneSource, known: Mapping[str, list[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    entries, images = one.added.entries, one.added.images
    for index, first in sorted(one.duplicates.items()):
        entry = entries[index]
        for row in known.get(images[index], []):
            yield {
                **row,
                **dict.fromkeys(_PLACED),
                "part": entry.part,
                "class": entry.label,
                "case": entry.case,
                "split": entry.split,
                "path": entry.path,
                "row": entry.row,
                "duplicate_of": entries[first].place,
            }


def _count(build: Path, one: DoneSource) -> RegionCounts:
    counts = RegionCounts()
    for key in one.keys:
        part = pq.read_table(part_path(build, key), columns=["scale", "enlargement"])
        counts.scales.update(part.column("scale").to_pylist())
        factors = (round(value, 4) for value in part.column("enlargement").to_pylist())
        counts.enlarged.update(value for value in factors if value > 1)
    return counts


def _summary(build: Path, one: DoneSource, counts: RegionCounts) -> dict[str, Any]:
    source = one.added.source
    folders = [f"regions/shards/{s}" for s in ("L", "M", "S") if counts.scales[s]]
    return {
        "source": source.name,
        "title": source.title,
        "organ": source.organ or None,
        "disease": source.disease or None,
        "number": counts.scales.total(),
        "storage_part": ", ".join(folders),
        "dyeing_method": source.dyeing or source.stain or None,
        "field": source.field or None,
        "year": source.year,
        "link": source.link or None,
        "literature": source.literature or None,
        "license": source.license or None,
        "images": len(one.added.entries),
        "duplicates": len(one.duplicates),
        "failed": sum(len(read_problems(build, key)) for key in one.keys),
        "published": source.counts.total,
        "cpia_part": source.cpia_part or None,
    }


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, [column.name for column in SOURCES.columns])
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
