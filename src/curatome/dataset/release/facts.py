"""What a datasheet says of a version, counted from its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curatome.dataset.asking import asked
from curatome.dataset.versions.model import VersionInfo, read_info
from curatome.findings import Measure
from curatome.protocol import Protocol, parse_protocol

Counts = Mapping[str, int]


@dataclass(frozen=True)
class ClassCount:
    """How much there is of one class.

    Attributes:
        items: tiles, regions, cells and images with that label.
        cases: cases they come from.
        annotations: annotations with that label.
    """

    items: int
    cases: int
    annotations: int


@dataclass(frozen=True)
class Facts:
    """A version in numbers.

    Attributes:
        info: the version.
        protocol: as it was then.
        items: all of them.
        cases: cases with items.
        slides: slides, or source images, with items.
        bytes: of all shards.
        kinds: items by kind.
        scales: items by scale.
        splits: items by split.
        split_cases: cases by split.
        sites, scanners, stains, sources: cases (of sources: items) by each value.
        classes: by label.
        mpp: least and greatest true scale of stored pixels, µm/px.
        annotations: living annotations by what they come from.
        readers: who made annotations.
        guidelines: annotations by guideline version.
        exhaustive: regions declared exhaustively annotated, by class.
        measures: as they stood.
        findings: as they stood, by code.
    """

    info: VersionInfo
    protocol: Protocol
    items: int
    cases: int
    slides: int
    bytes: int
    kinds: Counts
    scales: Counts
    splits: Counts
    split_cases: Counts
    sites: Counts
    scanners: Counts
    stains: Counts
    sources: Counts
    classes: Mapping[str, ClassCount]
    mpp: tuple[float, float] | None
    annotations: Counts
    readers: tuple[str, ...]
    guidelines: Counts
    exhaustive: Counts
    measures: tuple[Measure, ...]
    findings: Counts


def facts_of(folder: Path) -> Facts:
    """Count what is in a version's folder.

    Raises:
        VersionError: the folder holds no version.
        ProtocolError: its protocol cannot be read.
    """
    info = read_info(folder)
    protocol = parse_protocol((folder / "curatome.toml").read_text(), "curatome.toml")
    with asked(folder / "items.parquet") as connection:

        def counts(column: str, what: str = "count(*)") -> dict[str, int]:
            sql = f'SELECT "{column}", {what} FROM items WHERE "{column}" IS NOT NULL GROUP BY 1'
            return dict(sorted(connection.sql(sql).fetchall()))

        cases = 'count(DISTINCT "case")'
        sql = f"SELECT count(*), {cases}, count(DISTINCT slide), min(mpp_x), max(mpp_x) FROM items"
        whole = connection.sql(sql).fetchall()[0]
        by_case = {name: counts(name, cases) for name in ("site", "scanner", "stain", "split")}
        by_item = {name: counts(name) for name in ("kind", "scale", "split", "source")}
        labels = connection.sql(
            f'SELECT label, count(*), {cases} FROM (SELECT unnest(labels) AS label, "case" '
            "FROM items) GROUP BY 1"
        ).fetchall()
    annotations = pq.read_table(folder / "annotations.parquet")
    drawn = _flat_counts(annotations["labels"])
    names = sorted({*(row[0] for row in labels), *drawn})
    per_label = {name: (items, held) for name, items, held in labels}
    classes = {name: ClassCount(*per_label.get(name, (0, 0)), drawn.get(name, 0)) for name in names}
    shards = pq.read_table(folder / "shards.parquet", columns=["bytes"])
    measures = pq.read_table(folder / "measures.parquet").to_pylist()
    return Facts(
        info=info,
        protocol=protocol,
        items=whole[0],
        cases=whole[1],
        slides=whole[2],
        bytes=int(pc.sum(shards["bytes"]).as_py() or 0),
        kinds=by_item["kind"],
        scales=by_item["scale"],
        splits=by_item["split"],
        split_cases=by_case["split"],
        sites=by_case["site"],
        scanners=by_case["scanner"],
        stains=by_case["stain"],
        sources=by_item["source"],
        classes=classes,
        mpp=None if whole[3] is None else (float(whole[3]), float(whole[4])),
        annotations=_counts(annotations["basis"]),
        readers=tuple(sorted(pc.unique(annotations["reader"]).drop_null().to_pylist())),
        guidelines=_counts(annotations["guideline"]),
        exhaustive=_flat_counts(pq.read_table(folder / "exhaustive.parquet")["classes"]),
        measures=tuple(Measure(**row) for row in measures),
        findings=_counts(pq.read_table(folder / "findings.parquet")["code"]),
    )


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    pairs = pc.value_counts(column.drop_null()).to_pylist()
    return {one["values"]: one["counts"] for one in sorted(pairs, key=lambda one: one["values"])}


def _flat_counts(column: pa.ChunkedArray) -> dict[str, int]:
    return _counts(pa.chunked_array([pc.list_flatten(column).combine_chunks()]))
