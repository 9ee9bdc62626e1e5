"""The report: values in, one HTML file out that needs nothing else to be read."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from curatome import durable
from curatome.findings import Finding, Severity
from curatome.report import charts, pictures, tallies, wording
from curatome.report.model import ReportData, Sample, ScaleSheet, SlideCard

_LARGEST_FIELD = 240
"""How wide, in CSS pixels, the largest field of view is drawn next to the others."""
_LISTED = 3
"""Items of a list of evidence that are shown; the others are counted."""


@dataclass(frozen=True)
class SlideView:
    """A slide as the template draws it; `width` and `height` are in drawing units."""

    card: SlideCard
    picture: str | None
    path: str
    width: int
    height: int
    bar: wording.ScaleBar | None
    words: str
    total: int


@dataclass(frozen=True)
class SampleView:
    """A tile of a contact sheet as the template draws it."""

    sample: Sample
    picture: str
    slide_name: str


@dataclass(frozen=True)
class SheetView:
    """A scale as the template draws it; `field` is its edge in CSS pixels beside the others."""

    sheet: ScaleSheet
    samples: tuple[SampleView, ...]
    histogram: Markup
    bar: wording.ScaleBar | None
    field: float


def render_report(data: ReportData) -> str:
    """The whole report as HTML; equal data give equal text."""
    environment = templates()
    script = _source(environment, "report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    side = pictures.thumbnail_side(data.slides)
    points = pictures.outline_points(len(data.slides))
    return environment.get_template("report.html.jinja").render(
        data=data,
        style=Markup(_source(environment, "report.css")),
        script=Markup(script),
        script_digest=digest,
        slides=[_slide(slide, side, points) for slide in data.slides],
        sheets=_sheets(data),
        grids=_grids(data),
        ruler=_ruler(data),
        largest_field=_LARGEST_FIELD,
        thumbnail_side=side,
        positions={slide.slide: i for i, slide in enumerate(data.slides)},
        **_figures(data),
    )


def write_report(data: ReportData, path: Path) -> None:
    """Write the report, whole or not at all.

    Raises:
        OSError: the folder is not writable or the disk is full.
    """
    durable.write_file(path, render_report(data))


def templates() -> Environment:
    """Templates that escape everything and fail on a name that is not there."""
    environment = Environment(
        loader=PackageLoader("curatome.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        thousands=wording.count,
        percent=wording.percent,
        area=wording.area,
        pieces=remedy_pieces,
        evidence=evidence_text,
        json=compact_json,
    )
    environment.globals["plural"] = wording.plural
    return environment


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _figures(data: ReportData) -> dict[str, Any]:
    """Counts, groups and charts."""
    ready = [slide for slide in data.slides if slide.state == "ready"]
    tiled = [slide for slide in data.slides if slide.state == "ready" or any(slide.tiles.values())]
    known = [slide.tissue_mm2 for slide in data.slides if slide.tissue_mm2 is not None]
    names = _scale_names(data)
    rows = {name: [slide.tiles.get(name, 0) for slide in tiled] for name in names}
    urgent = [f for f in data.findings if f.severity > Severity.NOTE]
    return {
        "states": tallies.by_state(data.slides),
        "severities": tallies.by_severity(data.findings),
        "cases": tallies.cases_of(ready),
        "all_cases": tallies.cases_of(data.slides),
        "tiles": sum(sheet.tiles for sheet in data.scales),
        "tissue_mm2": sum(known) if known else None,
        "urgent": tallies.group_findings(urgent),
        "urgent_count": len(urgent),
        "notes": tallies.group_findings([f for f in data.findings if f.severity <= Severity.NOTE]),
        "cohort": tallies.cohort_table(ready),
        "fact_groups": tallies.group_facts(data.facts),
        "tiled": tiled,
        "tile_columns": [(name, sum(row), max(row, default=0)) for name, row in rows.items()],
        "dots": len(tiled) <= charts.DOTS_AT_MOST,
        "spread": len(tiled) >= charts.SPREAD_FROM,
        "tiles_chart": charts.tiles_per_slide(rows) if tiled and names else None,
    }


def _scale_names(data: ReportData) -> list[str]:
    """Every scale that has a sheet or tiles, the sheets' order first."""
    names = dict.fromkeys(sheet.name for sheet in data.scales)
    for slide in data.slides:
        names.update(dict.fromkeys(slide.tiles))
    return list(names)


def _slide(slide: SlideCard, side: int | None, points: int) -> SlideView:
    """One slide, its outline in drawing units."""
    jpeg = pictures.shrink(slide.thumbnail, side) if slide.thumbnail else None
    width, height = _extent(slide, pictures.picture_size(jpeg))
    unit = _unit(slide)
    width_um = slide.width * slide.mpp_x if slide.width and slide.mpp_x else None
    known = (slide.name, slide.slide, slide.case, slide.site, slide.scanner, slide.stain)
    return SlideView(
        card=slide,
        picture=pictures.data_uri(jpeg) if jpeg else None,
        path=pictures.outline_path(slide.outlines, unit, points) if unit else "",
        width=width,
        height=height,
        bar=wording.scale_bar(width_um),
        words=" ".join(word for word in known if word).casefold(),
        total=sum(slide.tiles.values()),
    )


def _unit(slide: SlideCard) -> float | None:
    """Level-0 pixels per drawing unit, or None for a slide of unknown size."""
    if not slide.width or not slide.height:
        return None
    return max(slide.width, slide.height) / pictures.UNITS


def _extent(slide: SlideCard, picture: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height in drawing units: of the slide, else of its picture, else 4:3."""
    width, height = picture or (4, 3)
    if slide.width and slide.height:
        width, height = slide.width, slide.height
    unit = max(width, height) / pictures.UNITS
    return max(round(width / unit), 1), max(round(height / unit), 1)


def _grids(data: ReportData) -> Markup:
    """Tile grids as JSON that may stand inside a script element: position, scale, runs."""
    coarse_first = sorted(data.scales, key=lambda sheet: -sheet.side_um)
    kept = pictures.affordable_grids(data.slides, [sheet.name for sheet in coarse_first])
    grids: dict[str, dict[str, list[list[float]]]] = {}
    for position, scale in sorted(kept):
        slide = data.slides[position]
        unit = _unit(slide)
        if unit:
            runs = pictures.grid_runs(slide.tile_boxes[scale], unit)
            grids.setdefault(str(position), {})[scale] = runs
    return _json(grids)


def _json(value: Any) -> Markup:
    """JSON in which no character can end the element around it."""
    text = compact_json(value)
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return Markup(text)


def compact_json(value: Any) -> str:
    """JSON without spaces, keys in their own order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _sheets(data: ReportData) -> list[SheetView]:
    """The contact sheets, with their fields of view to one scale."""
    widest = max((sheet.side_um for sheet in data.scales), default=1.0) or 1.0
    names = {slide.slide: slide.name for slide in data.slides}
    return [
        SheetView(
            sheet=sheet,
            samples=_samples(sheet.samples, names),
            histogram=charts.tissue_histogram(
                np.asarray(sheet.tissue_fractions), sheet.min_tissue, f"tissue-{i}", sheet.name
            ),
            bar=wording.scale_bar(sheet.side_um, most=0.4),
            field=round(_LARGEST_FIELD * sheet.side_um / widest, 1),
        )
        for i, sheet in enumerate(data.scales)
    ]


def _ruler(data: ReportData) -> wording.ScaleBar | None:
    """A bar for the fields of view that are drawn side by side; its share is of the widest."""
    widest = max((sheet.side_um for sheet in data.scales), default=None)
    return wording.scale_bar(widest, most=0.5)


def _samples(samples: Sequence[Sample], names: Mapping[str, str]) -> tuple[SampleView, ...]:
    return tuple(
        SampleView(s, pictures.data_uri(s.image), names.get(s.slide, s.slide))
        for s in samples[: pictures.SAMPLES]
    )


def remedy_pieces(remedy: str) -> list[tuple[bool, str]]:
    """A remedy as (is a command, text): what stands in backticks is a command."""
    parts = remedy.split("`")
    if len(parts) < 3 or len(parts) % 2 == 0:
        return [(False, remedy)] if remedy else []
    return [(bool(i % 2), part) for i, part in enumerate(parts) if part.strip(" .,;")]


def evidence_text(finding: Finding) -> str:
    """Place and evidence in one line."""
    parts = []
    if finding.place is not None:
        place = finding.place
        parts.append(f"at x {place.x:,.0f}, y {place.y:,.0f} px")
        if place.width or place.height:
            parts.append(f"{place.width:,.0f} × {place.height:,.0f} px")
    for key, value in finding.evidence.items():
        if key not in ("image", "annotation"):  # these stand at the head of the finding
            parts.append(f"{key.replace('_', ' ')} {_told(value)}")
    return " · ".join(parts)


def _told(value: Any) -> str:
    """A piece of evidence; of long lists the beginning."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        more = f" and {len(value) - _LISTED} more" if len(value) > _LISTED + 1 else ""
        return ", ".join(map(_told, value[: _LISTED if more else None])) + more
    return json.dumps(value, ensure_ascii=False)
