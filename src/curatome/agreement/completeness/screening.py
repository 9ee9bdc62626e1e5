"""Completeness of screening: what lies in the fields that nobody looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from curatome.errors import TableError
from curatome.findings import Measure

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_METHOD = (
    "ratio of areas per slide, log-normal interval from unequal fields; "
    "fields not looked at are taken to be as rich as those looked at"
)


def screening(
    slides: Sequence[str],
    counts: npt.ArrayLike,
    looked_mm2: npt.ArrayLike,
    tissue_mm2: dict[str, float],
    level: float = 0.95,
) -> list[Measure]:
    """Measures `screened_area` and `screening_completeness` from the fields looked at.

    On each slide the density of the fields looked at is taken for that of the rest. That holds
    for fields chosen by chance or by a grid; where hot spots were chosen, it makes completeness
    too low. Objects overlooked within the fields are not counted here: multiply with
    `completeness`. The interval comes from how unequal the fields of a slide are (sampling
    without replacement, Cochran, Sampling Techniques, 1977, section 2.8).

    Args:
        slides: (F,) the slide of each field.
        counts: (F,) objects found in it.
        looked_mm2: (F,) its area.
        tissue_mm2: area of the tissue of every slide, also of those that nobody looked at.
        level: of the interval.

    Raises:
        TableError: columns of other lengths, an area that is not positive, a slide without an
            area of tissue, or with less tissue than was looked at.
    """
    names = np.asarray(slides, str)
    found, area = np.asarray(counts, np.float64), np.asarray(looked_mm2, np.float64)
    known, total = _totals(names, found, area, tissue_mm2)
    slide = np.searchsorted(known, names)
    seen = np.bincount(slide, found, len(known)).astype(np.float64)
    looked = np.bincount(slide, area, len(known)).astype(np.float64)
    if (looked > total * (1 + 1e-9)).any():
        at = int(np.argmax(looked - total))
        raise TableError(
            f"slide {known[at]}: {looked[at]:g} mm² were looked at, of {total[at]:g} mm² of tissue."
        )
    extent = Measure(
        "screened_area",
        "all",
        looked.sum() / total.sum(),
        unit="fraction",
        n=len(names),
        clusters=len(known),
        method="area looked at over tissue",
    )
    known_part = looked > 0
    ratio = np.where(known_part, total - looked, 0) / np.where(known_part, looked, 1)
    rest, rest_variance = _without_fields(seen, looked, total)
    unseen = float(seen @ ratio + rest)
    variance = _within(slide, found, area, ratio) + rest_variance
    free = max(1, len(names) - int(known_part.sum()))
    low, high = _share(float(seen.sum()), unseen, variance, float(stdtrit(free, (1 + level) / 2)))
    value = seen.sum() / (seen.sum() + unseen) if seen.sum() else math.nan
    n, clusters = int(seen.sum()), len(known)
    screened = Measure(
        "screening_completeness", "all", value, low, high, level, n, clusters, "fraction", _METHOD
    )
    return [extent, screened]


def _totals(
    names: npt.NDArray[np.str_], found: Floats, area: Floats, tissue: dict[str, float]
) -> tuple[npt.NDArray[np.str_], Floats]:
    if not len(names) == len(found) == len(area):
        raise TableError("slides, counts and looked_mm2 must have one value per field.")
    if len(area) and not (area > 0).all():
        raise TableError(f"field {int(np.argmin(area)) + 1}: its area must be positive.")
    unknown = sorted(set(names.tolist()) - set(tissue))
    if unknown:
        raise TableError(f"slide {unknown[0]}: its area of tissue is not given.")
    known = np.array(sorted(tissue), str)
    return known, np.array([tissue[name] for name in known.tolist()], np.float64)


def _without_fields(seen: Floats, looked: Floats, total: Floats) -> tuple[float, float]:
    """Objects of slides that nobody looked at, by the others' density, and their variance."""
    read = looked > 0
    extent = total[~read]
    if not read.any() or not len(extent):
        return 0.0, 0.0
    expected = seen.sum() / looked.sum() * extent.sum()
    density = seen[read] / looked[read]
    spread = float(density.var(ddof=1)) if len(density) > 1 else 0.0
    weight = float((extent**2).sum() + extent.sum() ** 2 / len(density))
    return float(expected), float(expected + spread * weight)


def _within(slide: Whole, found: Floats, area: Floats, ratio: Floats) -> float:
    """Variance of the unseen from how unequal a slide's fields are; no less than by chance.

    With k fields, residuals e of their counts and r times their area unseen, it is
    r (1 + r) k/(k-1) Σe² on each slide: sampling without replacement.
    """
    fields = np.bincount(slide, minlength=len(ratio))
    seen = np.bincount(slide, found, len(ratio))
    looked = np.bincount(slide, area, len(ratio))
    expected = seen[slide] / looked[slide] * area
    squares = np.bincount(slide, (found - expected) ** 2, len(ratio))
    chance = float(seen @ (ratio * (1 + ratio)))
    several = fields > 1
    scale = np.where(several, fields / np.maximum(fields - 1, 1), 0.0)
    unequal = float((squares * scale) @ (ratio * (1 + ratio)))
    # Slides with one field: as uneven, compared with chance, as the others are.
    share = float(seen[several] @ (ratio * (1 + ratio))[several])
    return max(chance, chance * unequal / share) if share > 0 else chance


def _share(seen: float, unseen: float, variance: float, quantile: float) -> tuple[float, float]:
    if seen <= 0:
        return 0.0, 1.0
    if unseen <= 0:
        return 1.0, 1.0
    spread = math.exp(quantile * math.sqrt(math.log1p(variance / unseen**2)))
    return seen / (seen + unseen * spread), seen / (seen + unseen / spread)
