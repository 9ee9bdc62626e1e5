"""Cohorts by design: how many, where, how different, how confounded, and who is in them twice.

A designed cohort is tables, drawn at once and without pixels; `DesignedCohort.plans` makes slides
of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.effects import Spread
from curatome.phantom.optics import SCANNERS, SITES
from curatome.phantom.plan import DIAGNOSES
from curatome.phantom.sizes import SizeSpread

Floats = NDArray[np.float64]

FACTORS = ("site", "scanner")
MOST_SLIDES = 26
"""Slides per case; each may have a block of its own, A to Z."""
SITE_SPREAD = Spread(turn=2.5, uptake=0.05, thickness=0.06)
SCANNER_SPREAD = Spread(blur=0.10, sharpen=0.15, warmth=0.015, scale=0.002)
SLIDE_SPREAD = Spread(turn=1.2, uptake=0.06, thickness=0.10, blur=0.12, sharpen=0.05, warmth=0.005)
SIZE_SPREAD = SizeSpread(site=0.04, place=0.04, case=0.05, grade=0.13)


def _equal() -> dict[str, float]:
    return dict.fromkeys(DIAGNOSES, 1.0)


@dataclass(frozen=True)
class CohortDesign:
    """What a cohort is drawn from.

    Attributes:
        cases: how many patients, without those who appear twice.
        slides_per_case: weights of one slide per case, two, three, and so on.
        new_block: chance that a further slide comes from another block of the case.
        prevalence: weight of each diagnosis of `plan.DIAGNOSES`.
        sites: names of the institutions.
        scanners: keys of `optics.SCANNERS`; site number i usually uses scanner number i.
        usual_scanner: share of slides scanned on their site's usual scanner; the rest are spread
            over all scanners alike.
        confounded: which factor goes with the diagnosis, `site` or `scanner`.
        confounding: how far, 0 (independent) to 1 (the one decides the other); it is Cramér's V
            of factor and diagnosis in the population.
        site_spread: random effects of the site.
        scanner_spread: random effects of the scanner.
        slide_spread: random effects of the single slide and scan.
        unevenness: standard deviation of the logarithm of thickness within a slide.
        size_spread: random effects of institution, body site and case on the size of nuclei.
        ihc: share of a case's further slides that are stained with DAB.
        membranes: share of the DAB slides whose marker is on membranes, not in nuclei.
        positive: least and greatest planted share of brown cells.
        biopsies: share of cases that are biopsies.
        artifacts: chance of each kind of artifact on a slide.
        aliases: how many cases are in the cohort a second time, rescanned, under another name.
    """

    cases: int = 60
    slides_per_case: tuple[float, ...] = (0.55, 0.27, 0.12, 0.06)
    new_block: float = 0.6
    prevalence: Mapping[str, float] = field(default_factory=_equal)
    sites: tuple[str, ...] = tuple(SITES)
    scanners: tuple[str, ...] = tuple(SCANNERS)
    usual_scanner: float = 0.8
    confounded: str = "site"
    confounding: float = 0.0
    site_spread: Spread = SITE_SPREAD
    scanner_spread: Spread = SCANNER_SPREAD
    slide_spread: Spread = SLIDE_SPREAD
    unevenness: float = 0.08
    size_spread: SizeSpread = SIZE_SPREAD
    ihc: float = 0.0
    membranes: float = 0.3
    positive: tuple[float, float] = (0.05, 0.9)
    biopsies: float = 0.1
    artifacts: Mapping[str, float] = field(default_factory=dict)
    aliases: int = 0

    def __post_init__(self) -> None:
        self._check_counts()
        for name in ("new_block", "usual_scanner", "confounding", "ihc", "membranes", "biopsies"):
            _check_share(name, getattr(self, name))
        for kind, chance in self.artifacts.items():
            _check_share(f"artifacts[{kind!r}]", chance)
        low, high = self.positive
        if not 0 <= low <= high <= 1:
            raise ValueError(f"positive must rise within 0 to 1. Got {low} to {high}.")
        if self.confounded not in FACTORS:
            raise ValueError(f"confounded must be one of {FACTORS}. Got {self.confounded!r}.")
        if not (math.isfinite(self.unevenness) and self.unevenness >= 0):
            raise ValueError(f"unevenness must be 0 or more. Got {self.unevenness}.")

    def _check_counts(self) -> None:
        if self.cases < 1 or not 0 <= self.aliases <= self.cases:
            raise ValueError(
                "cases must be positive and aliases no more than cases. "
                f"Got {self.cases} and {self.aliases}."
            )
        _check_weights("slides_per_case", self.slides_per_case)
        if len(self.slides_per_case) > MOST_SLIDES:
            raise ValueError(f"a case can have {MOST_SLIDES} slides. Got {self.slides_per_case}.")
        _check_weights("prevalence", tuple(self.prevalence.values()))
        for name, given, known in (
            ("diagnosis", self.prevalence, DIAGNOSES),
            ("scanner", self.scanners, SCANNERS),
        ):
            unknown = sorted(set(given) - set(known))
            if unknown:
                raise ValueError(f"{name} {unknown[0]!r} is unknown. Choose from {list(known)}.")
        for name in ("sites", "scanners"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{name} must be different and at least one. Got {values}.")


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie within 0 to 1. Got {value}.")


def _check_weights(name: str, values: tuple[float, ...]) -> None:
    if not values or not all(math.isfinite(v) and v >= 0 for v in values) or sum(values) <= 0:
        raise ValueError(f"{name} must be weights of 0 or more, not all 0. Got {values}.")


def factor_shares(prevalence: Floats, levels: int, confounding: float) -> Floats:
    """Probability of each level of a factor given the diagnosis.

    The diagnoses are dealt out to the levels (or, where there are more levels than diagnoses, the
    levels to the diagnoses) as evenly as their prevalence allows. With the chance `confounding` a
    case gets a level of its own diagnosis, otherwise any, with the shares that the dealing
    implies. So the shares of the levels do not depend on the confounding, and the population's
    Cramér's V (H. Cramér, Mathematical Methods of Statistics, 1946, section 21.9) is the
    confounding: chi² / n = c² (min(levels, diagnoses) - 1).

    Args:
        prevalence: (D,) probabilities of the diagnoses.
        levels: how many levels the factor has.
        confounding: 0 to 1.

    Returns:
        (D, levels), rows that sum to 1.
    """
    owned = np.zeros((len(prevalence), levels))
    load = np.zeros(levels)
    if levels <= len(prevalence):
        for diagnosis in np.argsort(-prevalence, kind="stable"):
            level = int(np.argmin(load))
            owned[diagnosis, level] = 1.0
            load[level] += prevalence[diagnosis]
    else:
        count = np.zeros(len(prevalence))
        for level in range(levels):
            diagnosis = int(np.argmax(prevalence / (count + 1) + (count == 0)))
            owned[diagnosis, level] = 1.0
            count[diagnosis] += 1
    owned /= owned.sum(axis=1, keepdims=True)
    marginal = prevalence @ owned
    out: Floats = confounding * owned + (1 - confounding) * marginal
    return out
