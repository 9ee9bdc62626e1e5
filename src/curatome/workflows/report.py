"""`curatome report`: what was built, as one HTML file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from curatome import __version__
from curatome.errors import ProjectError
from curatome.project import Project, SlideEntry
from curatome.protocol import Scale
from curatome.report import (
    FactGroup,
    ReportData,
    Sample,
    ScaleSheet,
    SlideCard,
    write_report,
)
from curatome.report.model import Box, Ring
from curatome.rules.registry import all_rules
from curatome.slides.tissue import outline
from curatome.tiles.read import TileSource
from curatome.tiles.record import SlideRecord, load_mask, load_record, record_folder, slide_key
from curatome.tiles.state import reading
from curatome.workflows.manifest import manifest_path
from curatome.workflows.runs import Run, last_run

_SAMPLES = 18  # tiles on the contact sheet of a scale
_SAMPLE_PX = 384  # a larger tile is shown reduced to this edge
_BOXES = 1500  # tiles of one scale that are drawn over one slide
_OUTLINE_TOLERANCE = 0.5  # of a mask pixel, when outlines are simplified

OWN_SLIDES = (
    ("curatome init my-dataset --template segmentation", "start a project and edit its protocol"),
    ("curatome add --project my-dataset /path/to/slides", "register your slides"),
    ("curatome build --project my-dataset", "make tiles and the manifest"),
)


def make_report(project: Project, next_steps: Sequence[tuple[str, str]] = OWN_SLIDES) -> Path:
    """Write the report of a project's build.

    Args:
        project: the project.
        next_steps: commands to suggest, each with what it does.

    Returns:
        The HTML file.

    Raises:
        ProjectError: nothing has been built yet.
        BuildError: the manifest is damaged.
    """
    manifest = manifest_path(project.build)
    if not manifest.exists():
        raise ProjectError("there is nothing to report yet. Run `curatome build` first.")
    entries = project.store.slides()
    keys = {e.slide: slide_key(e.sha256, e.mpp, project.protocol) for e in entries if e.mpp}
    records = {slide: load_record(project.build, key) for slide, key in keys.items()}
    known = {slide: record for slide, record in records.items() if record is not None}
    columns = ["tile_id", "slide", "scale", "x", "y", "width", "height", "tissue_fraction"]
    with reading(manifest):
        tiles = pq.read_table(manifest, columns=columns)
    info = project.protocol.dataset
    data = ReportData(
        title=info.title,
        question=info.question,
        license=info.license,
        slides=tuple(
            _card(project, e, keys.get(e.slide), known.get(e.slide), tiles) for e in entries
        ),
        scales=tuple(_sheets(project, entries, known, tiles)),
        findings=tuple(project.store.findings()),
        facts=_facts(project, known, last_run(project)),
        next_steps=tuple(next_steps),
        rules={rule.code: rule.name.replace("-", " ") for rule in all_rules()},
    )
    write_report(data, project.report)
    return project.report


def _card(
    project: Project,
    entry: SlideEntry,
    key: str | None,
    record: SlideRecord | None,
    tiles: pa.Table,
) -> SlideCard:
    thumbnail: bytes | None = None
    rings: tuple[Ring, ...] = ()
    counts: dict[str, int] = {}
    boxes: dict[str, tuple[Box, ...]] = {}
    if key is not None and record is not None:
        thumbnail = (record_folder(project.build, key) / "overview.jpg").read_bytes()
        rings = tuple(_rings(project, key, record))
        mine = tiles.filter(pc.equal(tiles["slide"], entry.slide))
        for name in record.tiles:
            of_scale = mine.filter(pc.equal(mine["scale"], name))
            counts[name] = len(of_scale)
            columns = [of_scale[c].to_pylist()[:_BOXES] for c in ("x", "y", "width", "height")]
            boxes[name] = tuple(zip(*columns, strict=True))
    return SlideCard(
        slide=entry.slide,
        name=entry.name,
        state=entry.state,
        case=entry.case,
        site=entry.declared.get("site"),
        scanner=entry.scanner,
        stain=entry.declared.get("stain"),
        width=entry.width,
        height=entry.height,
        mpp=str(entry.mpp) if entry.mpp else None,
        mpp_x=entry.mpp.x if entry.mpp else None,
        thumbnail=thumbnail,
        outlines=rings,
        tiles=counts,
        tissue_mm2=record.tissue_mm2 if record else None,
        reason=entry.reason,
        tile_boxes=boxes,
    )


def _rings(project: Project, key: str, record: SlideRecord) -> Iterator[Ring]:
    tolerance = _OUTLINE_TOLERANCE * max(record.mask_step)
    for polygon in outline(load_mask(project.build, key, record)):
        simple = polygon.simplify(tolerance)
        for ring in (simple.exterior, *simple.interiors):
            yield tuple((round(x, 1), round(y, 1)) for x, y in ring.coords)


def _sheets(
    project: Project,
    entries: Sequence[SlideEntry],
    records: dict[str, SlideRecord],
    tiles: pa.Table,
) -> Iterator[ScaleSheet]:
    places = {entry.slide: project.location(entry.path) for entry in entries}
    names = {entry.slide: entry.name for entry in entries}
    files = project.store.files()
    stamps = {e.slide: files[e.path][1] for e in entries if e.path in files}
    source = TileSource(project.build, records, places.__getitem__, stamps)
    try:
        for scale in project.protocol.scales:
            of_scale = tiles.filter(pc.equal(tiles["scale"], scale.name))
            chosen = _spread(of_scale)
            rows = _full_rows(manifest_path(project.build), chosen)
            samples = tuple(_sample(source, row, names.get(row["slide"], "")) for row in rows)
            yield _sheet(scale, of_scale, samples)
    finally:
        source.close()


def _sheet(scale: Scale, tiles: pa.Table, samples: tuple[Sample, ...]) -> ScaleSheet:
    return ScaleSheet(
        name=scale.name,
        mpp=scale.mpp,
        side_px=scale.side_px,
        side_um=scale.side_um,
        tiles=len(tiles),
        samples=samples,
        min_tissue=scale.min_tissue,
        tissue_fractions=np.asarray(tiles["tissue_fraction"]),
    )


def _spread(tiles: pa.Table) -> list[str]:
    """Tiles from as many slides as possible, chosen evenly over each slide; the same each time."""
    by_slide: dict[str, list[str]] = {}
    for tile, slide in zip(tiles["tile_id"].to_pylist(), tiles["slide"].to_pylist(), strict=True):
        by_slide.setdefault(slide, []).append(tile)
    chosen: list[str] = []
    step = 0
    while len(chosen) < min(_SAMPLES, len(tiles)):
        # The golden ratio's multiples fill the unit interval evenly, whatever the count.
        at = (step + 1) * 0.6180339887498949 % 1.0
        for ids in by_slide.values():
            tile = ids[int(at * len(ids))]
            if tile not in chosen and len(chosen) < _SAMPLES:
                chosen.append(tile)
        step += 1
        if step > 20 * _SAMPLES:
            break
    return chosen


def _full_rows(manifest: Path, tile_ids: Sequence[str]) -> list[dict[str, Any]]:
    chosen = pa.array(tile_ids, pa.string())
    with reading(manifest):
        wanted = pq.read_table(manifest, filters=pc.field("tile_id").isin(chosen))
    rows = {row["tile_id"]: row for row in wanted.to_pylist()}
    return [rows[tile_id] for tile_id in tile_ids]


def _sample(source: TileSource, row: dict[str, Any], name: str) -> Sample:
    image = Image.fromarray(source.pixels(row))
    image.thumbnail((_SAMPLE_PX, _SAMPLE_PX), Image.Resampling.BOX, reducing_gap=None)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=82)
    return Sample(
        tile_id=row["tile_id"],
        slide=row["slide"],
        image=stream.getvalue(),
        tissue_fraction=row["tissue_fraction"],
        caption=name,
    )


def _facts(
    project: Project, records: dict[str, SlideRecord], run: Run | None
) -> tuple[FactGroup, ...]:
    build, tissue = project.protocol.build, project.protocol.tissue
    codec = f"JPEG, quality {build.quality}, {build.chroma}" if build.codec == "jpeg" else "PNG"
    exact = "exact" if not build.mpp_tolerance else f"native within {build.mpp_tolerance:.1%}"
    groups = [
        FactGroup(
            "Standardization",
            (
                ("Output", codec if build.output == "shards" else "coordinates only"),
                ("Scale", f"{exact}; enlarged at most {build.max_enlargement:g}-fold"),
                ("Border tiles", "padded with white" if build.edge == "pad" else "left out"),
                ("Color profile", "kept" if build.icc == "keep" else "applied (sRGB)"),
                ("Tissue mask", f"{tissue.mpp:g} µm/px, sensitivity {tissue.sensitivity:g}"),
            ),
        )
    ]
    if run is not None:
        rate = run.tiles / max(run.seconds, 1e-3)
        groups.append(
            FactGroup(
                "Last run",
                (
                    ("Ended", run.ended),
                    ("Made", f"{run.tiles:,} tiles, {run.bytes / 1e6:,.1f} MB"),
                    ("Time", f"{run.seconds:.1f} s with {run.workers} workers"),
                    ("Speed", f"{rate:,.0f} tiles/s, {run.bytes / 1e6 / run.seconds:.1f} MB/s"),
                    ("Machine", run.host),
                ),
            )
        )
    versions = next(iter(records.values())).versions if records else {}
    software = (("Curatome", __version__), *versions.items())
    return (*groups, FactGroup("Software", software))
