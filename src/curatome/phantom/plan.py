"""The plan of a cohort: who is in it, where each slide was made and what it must show."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from curatome.phantom.effects import Effects, rescanned
from curatome.phantom.optics import SCANNERS, SITES, Scanner
from curatome.phantom.patients import BODY_SITES, draw_patients

Lesions = tuple[tuple[str, int, float], ...]
"""Class, how many, and greatest radius (µm) of each."""

DIAGNOSES: dict[str, Lesions] = {
    "normal": (),
    "benign": (("inflammation", 1, 130.0),),
    "chronic inflammation": (("inflammation", 5, 210.0),),
    "adenoma": (("adenoma", 2, 460.0), ("inflammation", 2, 130.0)),
    "carcinoma in situ": (("in_situ", 7, 170.0), ("inflammation", 1, 150.0)),
    "invasive carcinoma": (("tumor", 2, 480.0), ("in_situ", 3, 140.0), ("inflammation", 2, 160.0)),
    "invasive carcinoma with necrosis": (
        ("tumor", 2, 450.0),
        ("necrosis", 2, 260.0),
        ("inflammation", 2, 150.0),
    ),
    "mucinous carcinoma": (("mucinous", 2, 470.0), ("inflammation", 2, 140.0)),
    "spindle cell sarcoma": (("spindle", 2, 500.0), ("necrosis", 1, 200.0)),
    "lymphoma": (("lymphoma", 2, 500.0), ("inflammation", 1, 130.0), ("necrosis", 1, 150.0)),
}

_LARGE, _SMALL_40X = 1.8, 0.7
_ROLES: dict[int, tuple[str, ...]] = {
    1: ("pen",),
    2: ("fold",),
    3: ("40x",),
    4: ("large",),
    5: ("biopsy",),
    6: ("no_mpp",),
    7: ("pen",),
    8: ("40x", "fold"),
    11: ("pen", "fold"),
}


@dataclass(frozen=True)
class Case:
    """One patient: name, diagnosis, age in years, sex (F or M) and body site."""

    name: str
    diagnosis: str
    age: int
    sex: str
    body_site: str


@dataclass(frozen=True)
class SlidePlan:
    """Everything that decides one slide; the same plan always gives the same bytes.

    Attributes:
        name: the slide's name, also the stem of its file.
        case: the patient.
        block: tissue block, `A` or `B`.
        site: key of `optics.SITES`, which stained it.
        scanner: key of `optics.SCANNERS`, which scanned it.
        width_um: extent of the scan from left to right.
        height_um: extent of the scan from top to bottom.
        seed: decides the scene.
        tissue: `resection` or `biopsy`.
        lesions: what to plant.
        artifacts: what goes wrong: keys of `artifacts.KINDS`, each perhaps with a strength of 0 to
            1 and an ink, as `fold`, `blur_band@0.3` or `pen@0.8#c01030`; asked for twice, it
            comes twice.
        mpp_in_file: whether the file says its MPP.
        stain: `H&E` or `DAB`, an immunostain with hematoxylin as counterstain.
        marker: what DAB stains, `nucleus` or `membrane`.
        positive: with `DAB`, the share of epithelial and tumor cells that are stained.
        effects: what is added to the reference stain and to the scanner; None: stain and scanner
            are those of `SITES` and `SCANNERS`.
        unevenness: standard deviation of the logarithm of thickness within the slide.
        nuclear_size: natural logarithm of the diameter of nuclei over the usual (`sizes`).
        grade: natural logarithm of the diameter of neoplastic nuclei over that.
    """

    name: str
    case: Case
    block: str
    site: str
    scanner: str
    width_um: float
    height_um: float
    seed: int
    tissue: str = "resection"
    lesions: Lesions = ()
    artifacts: tuple[str, ...] = field(default=())
    mpp_in_file: bool = True
    stain: str = "H&E"
    marker: str = "nucleus"
    positive: float = 0.0
    effects: Effects | None = None
    unevenness: float = 0.0
    nuclear_size: float = 0.0
    grade: float = 0.0

    @property
    def optics(self) -> Scanner:
        """The scanner as it was when it scanned this slide."""
        scanner = SCANNERS[self.scanner]
        return scanner if self.effects is None else rescanned(scanner, self.effects)

    @property
    def mpp(self) -> float:
        """True µm per pixel of level 0."""
        return self.optics.mpp

    @property
    def width(self) -> int:
        """Level-0 px."""
        return round(self.width_um / self.mpp)

    @property
    def height(self) -> int:
        """Level-0 px."""
        return round(self.height_um / self.mpp)


def _cases(rng: np.random.Generator, count: int) -> list[Case]:
    names = list(DIAGNOSES)
    diagnosis = (3 * np.arange(count) + 3) % len(names)
    place, female, age = draw_patients(rng, names, diagnosis)
    return [
        Case(f"C{i + 1:02d}", names[d], int(age[i]), "MF"[int(female[i])], BODY_SITES[place[i]])
        for i, d in enumerate(diagnosis)
    ]


def _roles(index: int, slides: int) -> tuple[str, ...]:
    """What slide `index` must show; small cohorts keep the empty one and the one without MPP."""
    if slides < 7:
        special = {slides - 1: ("no_mpp",), slides - 2: ("biopsy",)} if slides > 2 else {}
        return special.get(index, _ROLES.get(index, ()) if index < 4 else ())
    return _ROLES.get(index % 12, ())


def _slide(index: int, roles: tuple[str, ...], case: Case, side_um: float, seed: int) -> SlidePlan:
    site = tuple(SITES)[int(case.name[1:]) % 2]
    scanner = "cirrus" if "40x" in roles else SITES[site].scanner
    if "large" in roles:
        scanner = "aria"
    factor = _SMALL_40X if "40x" in roles else _LARGE if "large" in roles else 1.0
    block = "AB"[index]
    return SlidePlan(
        name=f"{case.name}-{block}",
        case=case,
        block=block,
        site=site,
        scanner=scanner,
        width_um=side_um * factor,
        height_um=side_um * factor * 0.88,
        seed=seed,
        tissue="biopsy" if "biopsy" in roles else "resection",
        lesions=DIAGNOSES[case.diagnosis],
        artifacts=tuple(kind for kind in ("pen", "fold") if kind in roles),
        mpp_in_file="no_mpp" not in roles,
    )


def plan_cohort(seed: int = 1, slides: int = 12, side_um: float = 2500.0) -> list[SlidePlan]:
    """Plan a cohort without drawing a pixel.

    About one case in five has two slides. Twelve slides hold two at 40×, a large one, a nearly
    empty biopsy, three with pen, three with a fold and one whose file carries no MPP.

    Args:
        seed: decides everything.
        slides: how many slides.
        side_um: width of an ordinary slide, µm; 40× slides are 0.7 and large ones 1.8 times as
            wide.

    Raises:
        ValueError: `slides` is not positive, or `side_um` is below 200.
    """
    if slides < 1:
        raise ValueError(f"slides must be positive. Got {slides}.")
    if side_um < 200:
        raise ValueError(f"side_um must be at least 200. Got {side_um}.")
    rng = np.random.default_rng([seed, 0xC0])
    cases = _cases(rng, max(1, round(slides * 10 / 12)))
    doubles = slides - len(cases)
    holders = [(case, b) for i, case in enumerate(cases) for b in range(1 + (i < doubles))]
    seeds = rng.integers(0, 1 << 62, slides)
    return [
        _slide(block, _roles(i, slides), case, side_um, int(seeds[i]))
        for i, (case, block) in enumerate(holders[:slides])
    ]
