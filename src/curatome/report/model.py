"""What a report is drawn from: plain values, gathered by whoever ran the build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from curatome.findings import Finding

Ring = tuple[tuple[float, float], ...]
"""A closed ring of (x, y) in level-0 pixels; the last point need not repeat the first."""

Box = tuple[float, float, float, float]
"""x, y, width and height in level-0 pixels."""

STATES = ("ready", "held", "refused", "unreadable")
"""The states of a slide, in the order in which the report counts them."""


@dataclass(frozen=True)
class SlideCard:
    """One slide on the slide sheet.

    Attributes:
        slide: first 16 hex digits of the content hash.
        name: file name.
        state: one of `STATES`.
        case: patient or block.
        site: institution.
        scanner: scanner.
        stain: stain.
        width: width of level 0 in pixels.
        height: height of level 0 in pixels.
        mpp: the scale for people, `0.2525 µm/px (file)`.
        thumbnail: JPEG of the whole slide, long side up to about 600 px.
        outlines: tissue, exterior rings and holes, filled even-odd.
        tiles: number of tiles by name of the scale.
        tissue_mm2: tissue area in mm².
        reason: why the slide is not ready.
        tile_boxes: tiles by name of the scale, shown over the enlarged slide; may be capped.
        mpp_x: µm per pixel from left to right, for the scale bar; None draws none.
    """

    slide: str
    name: str
    state: str
    case: str | None
    site: str | None
    scanner: str | None
    stain: str | None
    width: int | None
    height: int | None
    mpp: str | None
    thumbnail: bytes | None
    outlines: tuple[Ring, ...]
    tiles: Mapping[str, int]
    tissue_mm2: float | None
    reason: str = ""
    tile_boxes: Mapping[str, tuple[Box, ...]] = field(default_factory=dict)
    mpp_x: float | None = None


@dataclass(frozen=True)
class Sample:
    """One tile on a contact sheet.

    Attributes:
        tile_id: the tile's name in the manifest.
        slide: the slide it was cut from, 16 hex digits.
        image: the tile as JPEG.
        tissue_fraction: tissue within the tile, fraction of its area.
        caption: what to read beneath it.
    """

    tile_id: str
    slide: str
    image: bytes
    tissue_fraction: float
    caption: str


@dataclass(frozen=True, eq=False)
class ScaleSheet:
    """One scale: its measures, a sample of its tiles, and how much tissue all of them hold.

    Attributes:
        name: the scale's name in the protocol.
        mpp: µm per pixel of the stored tiles.
        side_px: edge of a tile in pixels.
        side_um: edge of a tile's field of view in µm.
        tiles: number of tiles made.
        samples: tiles to show, in the order to show them.
        min_tissue: a tile needs at least this fraction of tissue to be kept.
        tissue_fractions: tissue fraction of every tile, `(N,)` float.
    """

    name: str
    mpp: float
    side_px: int
    side_um: float
    tiles: int
    samples: tuple[Sample, ...]
    min_tissue: float
    tissue_fractions: NDArray[np.floating]


@dataclass(frozen=True)
class FactGroup:
    """Run facts under one heading, as (label, value)."""

    title: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReportData:
    """Everything the report shows.

    Attributes:
        title: the dataset's name.
        question: what the dataset is to answer.
        license: under which license its images are.
        slides: the slide sheet, in the order to show it.
        scales: the contact sheets, in the order to show them.
        findings: everything that is, or may be, wrong.
        facts: about the run: (label, value) pairs, groups of them, or both.
        next_steps: (command, what it does).
        rules: for codes of findings, what the rule is called, in words.
    """

    title: str
    question: str
    license: str
    slides: tuple[SlideCard, ...]
    scales: tuple[ScaleSheet, ...]
    findings: tuple[Finding, ...]
    facts: tuple[FactGroup | tuple[str, str], ...]
    next_steps: tuple[tuple[str, str], ...]
    rules: Mapping[str, str] = field(default_factory=dict)
