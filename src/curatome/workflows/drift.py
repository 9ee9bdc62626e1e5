"""`curatome drift`: whether a reader's habits changed over time, or with the guideline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.agreement.consensus.majority import majority
from curatome.agreement.drift import Watched, before_after, quantities, watch
from curatome.agreement.matching import NOTHING
from curatome.agreement.ratings import ratings
from curatome.durable import write_file
from curatome.errors import AnnotationError
from curatome.findings import Measure
from curatome.project import Project
from curatome.report.control_charts import draw_control_charts
from curatome.workflows.reads import Matching, ProjectReads, named, project_reads

ORIGIN = "drift"


@dataclass(frozen=True, eq=False)
class Drift:
    """What was seen.

    Attributes:
        readers: who annotated with a time.
        watched: charts, changes, stability and trends.
        guidelines: the difference that each later version of the guideline made, by reader.
        undated: objects without a time, which took no part.
        chart: the file with the control charts, if asked for.
    """

    readers: tuple[str, ...]
    watched: Watched
    guidelines: tuple[Measure, ...]
    undated: int
    chart: Path | None


def follow_readers(
    project: Project,
    matching: Matching | None = None,
    readers: Sequence[str] = (),
    period_months: float = 1.0,
    chart: Path | None = None,
) -> Drift:
    """Follow class mix, size, outlines and agreement with the majority, reader by reader.

    Args:
        project: the project.
        matching: when two readers' objects are one.
        readers: only these; all by default.
        period_months: length of a period of the charts.
        chart: where to write the control charts (SVG).

    Raises:
        AnnotationError: nothing has a time.
    """
    reads = project_reads(project, matching, readers)
    table = _timed(reads)
    dated = table.filter(pc.is_valid(table["time"]))
    if not len(dated):
        raise AnnotationError(
            "no annotation says when it was made, so nothing can be followed over time. Formats "
            "that keep the time are listed in docs/annotations.md."
        )
    watched = watch(dated, period_months=period_months)
    guidelines = _guidelines(dated)
    project.store.save_measures(ORIGIN, [*watched.stability, *watched.trends, *guidelines])
    if chart is not None:
        write_file(chart, draw_control_charts(watched.charts, watched.changes))
    names = tuple(sorted(pc.unique(dated["reader"]).to_pylist()))
    return Drift(names, watched, tuple(guidelines), len(table) - len(dated), chart)


def _timed(reads: ProjectReads) -> pa.Table:
    """One row per object: reader, case, time, guideline, label, and what the others say of it."""
    objects = reads.objects
    case = dict(zip(reads.table["image"].to_pylist(), reads.table["case"].to_pylist(), strict=True))
    labels = ["; ".join(sorted(one)) or None for one in objects["labels"].to_pylist()]
    columns = {
        "reader": objects["reader"],
        "case": pa.array([case[one] for one in objects["image"].to_pylist()], pa.string()),
        "time": objects["time"],
        "guideline": objects["guideline"],
        "label": pa.array(labels, pa.string()),
    }
    size = _diameters(reads)
    if np.isfinite(size).any():
        columns["size_um"] = pa.array(size, from_pandas=True)
        margin = _margins(reads, size)
        if np.isfinite(margin).any():
            columns["margin_um"] = pa.array(margin, from_pandas=True)
    agreed = _agreed(reads)
    if agreed is not None:
        columns["consensus"] = agreed
    return pa.table(columns)


def _diameters(reads: ProjectReads) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(M,) diameter of the circle of each object's area, µm; NaN where it has none."""
    area = shapely.area(reads.shapes)
    return np.where(reads.scaled & (area > 0), 2 * np.sqrt(area / np.pi), np.nan)


def _margins(
    reads: ProjectReads, size: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(M,) how far outlines run outside those of the others: half the difference of diameters."""
    found = np.full(len(size), np.nan)
    order = np.argsort(reads.items, kind="stable")
    starts = np.flatnonzero(np.diff(reads.items[order], prepend=-1))
    for rows in np.split(order, starts[1:]) if len(order) else []:
        if len(rows) > 1:
            total = size[rows].sum()
            found[rows] = (size[rows] - (total - size[rows]) / (len(rows) - 1)) / 2
    return found


def _agreed(reads: ProjectReads) -> pa.Array | None:
    """(M,) what most readers call each object; None with a single reader."""
    said = ratings(reads.table)
    if len(said.readers) < 2:
        return None
    known = named(said) if NOTHING in said.labels else said
    several = known.take(known.seen.sum(axis=1) > 1)
    if not len(several):
        return None
    table = majority(several).table()
    label = dict(zip(table["item"].to_pylist(), table["label"].to_pylist(), strict=True))
    return pa.array([label.get(f"object {one}") for one in reads.items.tolist()], pa.string())


def _guidelines(table: pa.Table) -> list[Measure]:
    """For each reader and quantity, under the newest version minus under all before."""
    versions = [one for one in pc.unique(table["guideline"]).to_pylist() if one is not None]
    if len(versions) < 2:
        return []
    latest = {}
    for version in versions:
        mine = table.filter(pc.equal(table["guideline"], version))
        latest[version] = pc.min(mine["time"]).as_py()
    newest = max(latest, key=lambda one: latest[one])
    found = []
    for reader in sorted(pc.unique(table["reader"]).to_pylist()):
        own = table.filter(pc.equal(table["reader"], reader))
        after = np.array([one == newest for one in own["guideline"].to_pylist()])
        if after.all() or not after.any():
            continue
        for name, values in quantities(own).items():
            both = [np.isfinite(values[part]).any() for part in (after, ~after)]
            if all(both):
                subject = f"reader {reader}, {name}, guideline {newest}"
                cases = own["case"].to_pylist()
                found.append(before_after(values, cases, after, subject, name="guideline_change"))
    return found
