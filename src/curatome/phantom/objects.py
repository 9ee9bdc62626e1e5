"""Objects that readers look at: from a scene's truth tables, or made fast without a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute
import shapely
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from curatome.tables import Column, TableSpec

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

_TEXT, _REAL = pa.string(), pa.float64()

OBJECTS = TableSpec(
    "phantom_objects",
    (
        Column("item", pa.int64(), "number within the cohort"),
        Column("case", _TEXT, "patient"),
        Column("slide", _TEXT, "name of the slide"),
        Column("class", _TEXT, "true class"),
        Column("x_um", _REAL, "center from the left edge", "µm"),
        Column("y_um", _REAL, "center from the top edge", "µm"),
        Column("diameter_um", _REAL, "diameter of the circle of its area", "µm"),
        Column("difficulty", _REAL, "how easily it is missed, standard normal"),
        Column("ambiguity", _REAL, "how easily its class is mistaken, standard normal"),
        Column("screened", pa.bool_(), "whether its field was to be searched"),
    ),
)


@dataclass(frozen=True, eq=False)
class Objects:
    """Objects as columns.

    Attributes:
        classes: names of the classes.
        slides: names of the slides.
        cases: the case of each slide.
        size_um: (S, 2) width and height of what is searched on each slide, µm.
        slide: (N,) index into `slides`.
        kind: (N,) index into `classes`.
        x: (N,) µm.
        y: (N,) µm.
        diameter: (N,) µm.
        difficulty: (N,) how easily each is missed, standard normal.
        ambiguity: (N,) how easily its class is mistaken, standard normal, independent of that.
        screened: (N,) whether its field was to be searched.
    """

    classes: tuple[str, ...]
    slides: tuple[str, ...]
    cases: tuple[str, ...]
    size_um: Floats
    slide: Whole
    kind: Whole
    x: Floats
    y: Floats
    diameter: Floats
    difficulty: Floats
    ambiguity: Floats
    screened: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.x)

    def table(self) -> pa.Table:
        """As table `OBJECTS`."""
        return OBJECTS.from_columns(
            {
                "item": np.arange(len(self)),
                "case": texts(self.slide, self.cases),
                "slide": texts(self.slide, self.slides),
                "class": texts(self.kind, self.classes),
                "x_um": self.x,
                "y_um": self.y,
                "diameter_um": self.diameter,
                "difficulty": self.difficulty,
                "ambiguity": self.ambiguity,
                "screened": self.screened,
            }
        )


def texts(index: Whole, names: Sequence[str]) -> pa.Array:
    """Names by index; a negative index is null."""
    return pa.array(names, _TEXT).take(pa.array(index, mask=index < 0))


@dataclass(frozen=True)
class ObjectDesign:
    """How objects are made without a scene.

    Attributes:
        cases: how many cases.
        slides_per_case: how many slides each has.
        objects_per_slide: how many objects each has; their mean if `unevenness` is above 0.
        unevenness: coefficient of variation of the expected number of objects between slides.
        classes: names of the classes.
        frequencies: share of each class.
        case_spread: 0 to below 1; how much cases differ in their classes. It is the intraclass
            correlation of a Dirichlet-multinomial: 1 / (1 + its concentration).
        case_share: 0 to 1; share of the variance of difficulty, and of ambiguity, that lies
            between cases.
        diameters_um: median diameter of each class, or of all.
        size_um: width and height of a slide's field.
        unscreened: share of the field, at its right, that was not to be searched.
    """

    cases: int = 40
    slides_per_case: int = 1
    objects_per_slide: int = 25
    unevenness: float = 0.0
    classes: tuple[str, ...] = ("tumor", "lymphocyte", "stromal", "mitosis")
    frequencies: tuple[float, ...] = (0.5, 0.25, 0.2, 0.05)
    case_spread: float = 0.0
    case_share: float = 0.0
    diameters_um: tuple[float, ...] = (10.0,)
    size_um: tuple[float, float] = (1000.0, 1000.0)
    unscreened: float = 0.0

    def __post_init__(self) -> None:
        if len(self.frequencies) != len(self.classes) or min(self.frequencies) < 0:
            raise ValueError("frequencies must hold one share for each class.")
        if abs(sum(self.frequencies) - 1) > 1e-9:
            raise ValueError(f"frequencies must add up to 1. Got {sum(self.frequencies):g}.")
        if not 0 <= self.case_spread < 1 or not 0 <= self.case_share <= 1:
            raise ValueError("case_spread and case_share must lie between 0 and 1.")


def _shared(rng: np.random.Generator, group: Whole, groups: int, share: float) -> Floats:
    """Standard normal values of which `share` of the variance is common to a group."""
    between, within = rng.standard_normal(groups), rng.standard_normal(len(group))
    out: Floats = np.sqrt(share) * between[group] + np.sqrt(1 - share) * within
    return out


def _kinds(rng: np.random.Generator, design: ObjectDesign, case: Whole) -> Whole:
    shares = np.tile(np.asarray(design.frequencies), (design.cases, 1))
    if design.case_spread > 0:
        concentration = 1 / design.case_spread - 1
        grown = rng.gamma(shares * concentration)
        # A tiny concentration can underflow to all zeros: such a case holds one class only.
        lost = grown.sum(axis=1) == 0
        one = rng.choice(len(design.classes), design.cases, p=design.frequencies)
        grown[lost, one[lost]] = 1.0
        shares = grown / grown.sum(axis=1, keepdims=True)
    steps = np.cumsum(shares, axis=1)[case]
    kinds = (rng.random(len(case))[:, None] >= steps[:, :-1]).sum(axis=1)
    return np.asarray(kinds, np.int64)


def _counts(rng: np.random.Generator, design: ObjectDesign, slides: int) -> Whole:
    if design.unevenness == 0:
        return np.full(slides, design.objects_per_slide, np.int64)
    spread = design.unevenness**2
    expected = design.objects_per_slide * rng.gamma(1 / spread, spread, slides)
    return np.asarray(rng.poisson(expected), np.int64)


def make_objects(design: ObjectDesign, seed: int) -> Objects:
    """Objects at random places.

    Args:
        design: how many, of which classes.
        seed: decides everything.
    """
    rng = np.random.default_rng([seed, 0x0B])
    slides = design.cases * design.slides_per_case
    slide = np.repeat(np.arange(slides), _counts(rng, design, slides))
    case = slide // design.slides_per_case
    width, height = design.size_um
    x, y = rng.uniform(0, width, len(slide)), rng.uniform(0, height, len(slide))
    kind = _kinds(rng, design, case)
    medians = np.resize(np.asarray(design.diameters_um), len(design.classes))
    searched = width * (1 - design.unscreened)
    names = [f"C{i + 1:03d}" for i in range(design.cases)]
    return Objects(
        classes=design.classes,
        slides=tuple(f"{name}-{k + 1}" for name in names for k in range(design.slides_per_case)),
        cases=tuple(name for name in names for _ in range(design.slides_per_case)),
        size_um=np.tile([searched, height], (slides, 1)),
        slide=slide,
        kind=kind,
        x=x,
        y=y,
        diameter=medians[kind] * np.exp(0.2 * rng.standard_normal(len(slide))),
        difficulty=_shared(rng, case, design.cases, design.case_share),
        ambiguity=_shared(rng, case, design.cases, design.case_share),
        screened=x < searched,
    )


def _scores(values: Floats) -> Floats:
    """Normal scores of ranks: standard normal, in the order of the values."""
    out: Floats = ndtri((rankdata(values) - 0.5) / len(values))
    return out


def objects_of(slides: pa.Table, truth: pa.Table, seed: int, size_share: float = 0.3) -> Objects:
    """The nuclei or regions of a scene as objects; item numbers are rows of their table.

    Args:
        slides: table `truth.SLIDES`.
        truth: table `truth.NUCLEI` or `truth.REGIONS`.
        seed: decides difficulty and ambiguity.
        size_share: share of the variance of difficulty that smallness explains, 0 to 1.
    """
    rng = np.random.default_rng([seed, 0x0C])
    names = tuple(slides["slide"].to_pylist())
    mpp = np.asarray(slides["mpp"])
    slide = np.asarray(pa.compute.index_in(truth["slide"], slides["slide"]), np.int64)
    if "polygon" in truth.column_names:
        centers = shapely.get_coordinates(
            shapely.centroid(shapely.from_wkb(np.asarray(truth["polygon"])))
        )
        x, y = (centers * mpp[slide][:, None]).T
        diameter = 2 * np.sqrt(np.asarray(truth["area_um2"]) / np.pi)
    else:
        x, y = np.asarray(truth["x_um"]), np.asarray(truth["y_um"])
        diameter = np.sqrt(np.asarray(truth["long_um"]) * np.asarray(truth["short_um"]))
    classes, kind = np.unique(np.asarray(truth["class"]).astype(str), return_inverse=True)
    small = np.sqrt(size_share) * _scores(-diameter)
    size = np.stack([np.asarray(slides["width"]) * mpp, np.asarray(slides["height"]) * mpp], 1)
    return Objects(
        classes=tuple(classes.tolist()),
        slides=names,
        cases=tuple(slides["case"].to_pylist()),
        size_um=size,
        slide=slide,
        kind=kind.astype(np.int64),
        x=x,
        y=y,
        diameter=diameter,
        difficulty=small + np.sqrt(1 - size_share) * rng.standard_normal(len(x)),
        ambiguity=rng.standard_normal(len(x)),
        screened=np.ones(len(x), bool),
    )
