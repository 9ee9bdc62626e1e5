"""A cohort drawn from a design: cases, slides and effects as tables, and plans of its slides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curatome.phantom.design import CohortDesign, factor_shares
from curatome.phantom.effects import GLASS, NAMES, Effects
from curatome.phantom.patients import BODY_SITES, draw_patients
from curatome.phantom.plan import DIAGNOSES, Case, SlidePlan
from curatome.tables import Column, TableSpec

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_TEXT, _REAL = pa.string(), pa.float64()
_DEGREES = frozenset(NAMES[:4])
_EFFECTS = tuple(
    Column(name, _REAL, "as in effects.Effects", "°" if name in _DEGREES else "natural logarithm")
    for name in NAMES
)
CASES = TableSpec(
    "phantom_cases",
    (
        Column("case", _TEXT, "patient"),
        Column("diagnosis", _TEXT, "diagnosis"),
        Column("age", pa.int64(), "age", "years"),
        Column("sex", _TEXT, "F or M"),
        Column("body_site", _TEXT, "where the tissue is from"),
        Column("site", _TEXT, "institution"),
        Column("nuclear_size", _REAL, "diameter of nuclei over the usual", "natural logarithm"),
        Column("grade", _REAL, "diameter of neoplastic nuclei over that", "natural logarithm"),
        Column("alias_of", _TEXT, "the case that this one really is", nullable=True),
    ),
)
PLANNED = TableSpec(
    "phantom_planned_slides",
    (
        Column("slide", _TEXT, "name of the slide"),
        Column("case", _TEXT, "patient"),
        Column("block", _TEXT, "tissue block"),
        Column("site", _TEXT, "institution that stained it"),
        Column("scanner", _TEXT, "scanner"),
        Column("stain", _TEXT, "H&E or DAB"),
        Column("marker", _TEXT, "what DAB stains: nucleus or membrane"),
        Column("positive", _REAL, "planted share of brown cells"),
        Column("tissue", _TEXT, "resection or biopsy"),
        Column("artifacts", pa.list_(_TEXT), "kinds of artifact"),
        Column("seed", pa.int64(), "decides the scene; rescans of a slide share it"),
        Column("rescan_of", _TEXT, "the slide that was scanned again", nullable=True),
        *_EFFECTS,
    ),
)
LEVELS = TableSpec(
    "phantom_levels",
    (
        Column("factor", _TEXT, "site or scanner"),
        Column("level", _TEXT, "name"),
        *_EFFECTS,
    ),
)


@dataclass(frozen=True)
class DesignedCohort:
    """A cohort without pixels.

    Attributes:
        design: what it was drawn from.
        cases: table `CASES`.
        slides: table `PLANNED`; effects are the sums over site, scanner and slide.
        levels: table `LEVELS`; the effects of each site and scanner.
    """

    design: CohortDesign
    cases: pa.Table
    slides: pa.Table
    levels: pa.Table

    def plans(self, side_um: float = 2500.0) -> list[SlidePlan]:
        """Plans of all slides, each `side_um` µm wide.

        Raises:
            ValueError: `side_um` is below 200.
        """
        if side_um < 200:
            raise ValueError(f"side_um must be at least 200. Got {side_um}.")
        cases = {row["case"]: row for row in self.cases.to_pylist()}
        return [self._plan(row, cases[row["case"]], side_um) for row in self.slides.to_pylist()]

    def _plan(self, row: dict[str, Any], of: dict[str, Any], side_um: float) -> SlidePlan:
        case = Case(*(of[name] for name in ("case", "diagnosis", "age", "sex", "body_site")))
        return SlidePlan(
            name=row["slide"],
            case=case,
            block=row["block"],
            site=row["site"],
            scanner=row["scanner"],
            width_um=side_um,
            height_um=side_um * 0.88,
            seed=row["seed"],
            tissue=row["tissue"],
            lesions=DIAGNOSES[case.diagnosis],
            artifacts=tuple(row["artifacts"]),
            stain=row["stain"],
            marker=row["marker"],
            positive=row["positive"],
            effects=Effects(**{name: row[name] for name in NAMES}),
            unevenness=self.design.unevenness,
            nuclear_size=of["nuclear_size"],
            grade=of["grade"],
        )


@dataclass(frozen=True)
class _Cases:
    """Cases as columns (N,): indices into the design's lists, and which is whose second name."""

    diagnosis: Indices
    place: Indices
    female: NDArray[np.bool_]
    age: Indices
    site: Indices
    biopsy: NDArray[np.bool_]
    size: Floats
    grade: Floats
    original: Indices

    def __len__(self) -> int:
        return len(self.diagnosis)

    def names(self) -> NDArray[np.object_]:
        width = max(3, len(str(len(self))))
        return np.array([f"C{i + 1:0{width}d}" for i in range(len(self))], object)


@dataclass(frozen=True)
class _Slides:
    """Slides as columns (S,): what was decided before they were scanned."""

    case: Indices
    block: Indices
    turn: Indices
    brown: NDArray[np.bool_]
    membrane: NDArray[np.bool_]
    positive: Floats
    seed: Indices
    glass: Floats
    original: Indices


def _pick(rng: np.random.Generator, shares: Floats) -> Indices:
    """One level for each row of probabilities (N, K)."""
    edges = np.cumsum(shares, axis=1)[:, :-1]
    out: Indices = (rng.random(len(shares))[:, None] >= edges).sum(axis=1)
    return out


def _prevalence(design: CohortDesign) -> Floats:
    weights = np.array(list(design.prevalence.values()), float)
    out: Floats = weights / weights.sum()
    return out


def _cases(design: CohortDesign, rng: np.random.Generator, of_sizes: np.random.Generator) -> _Cases:
    prevalence, count = _prevalence(design), design.cases
    diagnosis = _pick(rng, np.tile(prevalence, (count, 1)))
    place, female, age = draw_patients(rng, list(design.prevalence), diagnosis)
    c = design.confounding if design.confounded == "site" else 0.0
    site = _pick(rng, factor_shares(prevalence, len(design.sites), c)[diagnosis])
    biopsy = rng.random(count) < design.biopsies
    size, grade = design.size_spread.draw(of_sizes, site, place)
    twice = np.sort(rng.choice(count, design.aliases, replace=False))
    who = np.concatenate([np.arange(count), twice])
    original = np.concatenate([np.full(count, -1), twice])
    return _Cases(
        diagnosis=diagnosis[who],
        place=place[who],
        female=female[who],
        age=age[who],
        site=site[who],
        biopsy=biopsy[who],
        size=size[who],
        grade=grade[who],
        original=original,
    )


def _slides(design: CohortDesign, cases: _Cases, rng: np.random.Generator) -> _Slides:
    weights = np.array(design.slides_per_case, float)
    own = design.cases
    count = 1 + _pick(rng, np.tile(weights / weights.sum(), (own, 1)))
    case = np.repeat(np.arange(own), count)
    first = np.cumsum(count) - count
    turn = np.arange(len(case)) - first[case]
    new = (rng.random(len(case)) < design.new_block) & (turn > 0)
    block = np.cumsum(new) - np.cumsum(new)[first][case]
    brown = (rng.random(len(case)) < design.ihc) & (turn > 0)
    membrane = brown & (rng.random(len(case)) < design.membranes)
    positive = np.where(brown, rng.uniform(*design.positive, len(case)), 0.0)
    seed = rng.integers(0, 1 << 62, len(case))
    glass = design.slide_spread.draw(rng, len(case))[:, :GLASS]
    twice = cases.original[own:]
    parts = [np.arange(first[i], first[i] + count[i]) for i in twice]
    again = np.concatenate([np.empty(0, np.int64), *parts])
    who = np.concatenate([np.arange(len(case)), again])
    return _Slides(
        np.concatenate([case, np.repeat(np.arange(own, len(cases)), count[twice])]),
        block[who],
        turn[who],
        brown[who],
        membrane[who],
        positive[who],
        seed[who],
        glass[who],
        np.concatenate([np.full(len(case), -1), again]),
    )


def _scanners(
    design: CohortDesign, cases: _Cases, slides: _Slides, rng: np.random.Generator
) -> Indices:
    levels = len(design.scanners)
    if design.confounded == "scanner":
        shares = factor_shares(_prevalence(design), levels, design.confounding)
        return _pick(rng, shares[cases.diagnosis[slides.case]])
    usual = cases.site[slides.case] % levels
    other = rng.integers(levels, size=len(usual))
    out: Indices = np.where(rng.random(len(usual)) < design.usual_scanner, usual, other)
    return out


def _artifacts(design: CohortDesign, rng: np.random.Generator, count: int) -> list[list[str]]:
    hit = {kind: rng.random(count) < chance for kind, chance in design.artifacts.items()}
    return [[kind for kind, there in hit.items() if there[i]] for i in range(count)]


def _case_table(design: CohortDesign, cases: _Cases) -> pa.Table:
    names = cases.names()
    return CASES.from_columns(
        {
            "case": names,
            "diagnosis": np.array(list(design.prevalence), object)[cases.diagnosis],
            "age": cases.age,
            "sex": np.where(cases.female, "F", "M").astype(object),
            "body_site": np.array(BODY_SITES, object)[cases.place],
            "site": np.array(design.sites, object)[cases.site],
            "nuclear_size": cases.size,
            "grade": cases.grade,
            "alias_of": [names[i] if i >= 0 else None for i in cases.original],
        }
    )


def design_cohort(design: CohortDesign, seed: int = 1) -> DesignedCohort:
    """Draw a cohort's tables; no pixel is drawn.

    A case that is in the cohort twice has the same glass slides under both names (same scenes,
    blocks, stain), each scanned anew, perhaps on another scanner.

    Args:
        design: what to draw from.
        seed: decides everything.
    """
    # One stream for each question, so that changing one answer leaves the others alone.
    streams = [np.random.default_rng([seed, 0xDE, k]) for k in range(8)]
    cases = _cases(design, streams[0], streams[7])
    slides = _slides(design, cases, streams[1])
    scanner = _scanners(design, cases, slides, streams[2])
    site = cases.site[slides.case]
    of_site = design.site_spread.draw(streams[3], len(design.sites))
    of_scanner = design.scanner_spread.draw(streams[4], len(design.scanners))
    own = design.slide_spread.draw(streams[5], len(scanner))
    own[:, :GLASS] = slides.glass
    total = of_site[site] + of_scanner[scanner] + own
    names = cases.names()
    labels = [
        f"{names[c]}-{chr(65 + b)}{t + 1}"
        for c, b, t in zip(slides.case, slides.block, slides.turn, strict=True)
    ]
    columns: dict[str, Any] = {
        "slide": labels,
        "case": names[slides.case],
        "block": [chr(65 + b) for b in slides.block],
        "site": np.array(design.sites, object)[site],
        "scanner": np.array(design.scanners, object)[scanner],
        "stain": np.where(slides.brown, "DAB", "H&E").astype(object),
        "marker": np.where(slides.membrane, "membrane", "nucleus").astype(object),
        "positive": slides.positive,
        "tissue": np.where(cases.biopsy[slides.case], "biopsy", "resection").astype(object),
        "artifacts": _artifacts(design, streams[6], len(scanner)),
        "seed": slides.seed,
        "rescan_of": [labels[i] if i >= 0 else None for i in slides.original],
    }
    levels = {
        "factor": ["site"] * len(of_site) + ["scanner"] * len(of_scanner),
        "level": [*design.sites, *design.scanners],
    }
    return DesignedCohort(
        design,
        _case_table(design, cases),
        PLANNED.from_columns(columns | dict(zip(NAMES, total.T, strict=True))),
        LEVELS.from_columns(
            levels | dict(zip(NAMES, np.vstack([of_site, of_scanner]).T, strict=True))
        ),
    )
