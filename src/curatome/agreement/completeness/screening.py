"""Completeness of screening: what lies in the fields that nobody looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from curatome.errors import TableError
from curatome.findings import Measure

Floats = npt.NDArray[np.float64]

_METHOD = (
    "ratio of areas per slide, quasi-Poisson log-normal interval; "
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
    `completeness`. How unequal fields are widens the interval (quasi-Poisson, McCullagh & Nelder,
    Generalized Linear Models, 1989, section 4.5; prediction of the unseen part with it).

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
    ratio = np.where(looked > 0, (total - looked) / np.where(looked > 0, looked, 1), np.nan)
    rest = _unseen_without_fields(seen, looked, total)
    unseen = float(np.nansum(seen * ratio) + rest.sum())
    spread = _dispersion(slide, found, area) * (float(np.nansum(seen * ratio**2)) + unseen)
    spread += float((rest**2).sum()) / max(seen.sum(), 1)
    low, high = _share(float(seen.sum()), unseen, spread, level)
    value = seen.sum() / (seen.sum() + unseen) if seen.sum() else math.nan
    return [
        extent,
        Measure("screening_completeness", "all", value, low, high, level, int(seen.sum()),
                len(known), "fraction", _METHOD),
    ]  # fmt: skip


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


def _unseen_without_fields(seen: Floats, looked: Floats, total: Floats) -> Floats:
    """Objects of slides that nobody looked at, by the density of all the others."""
    density = seen.sum() / looked.sum() if looked.sum() > 0 else 0.0
    return np.where(looked > 0, 0.0, density * total)


def _dispersion(slide: npt.NDArray[np.int64], found: Floats, area: Floats) -> float:
    """Pearson's variance of fields over what chance alone gives, within slides; at least 1."""
    seen, looked = np.bincount(slide, found), np.bincount(slide, area)
    expected = seen[slide] / looked[slide] * area
    free = len(found) - int((looked > 0).sum())
    some = expected > 0
    if free < 1 or not some.any():
        return 1.0
    squares = (found[some] - expected[some]) ** 2 / expected[some]
    return max(1.0, float(squares.sum()) / free)


def _share(seen: float, unseen: float, variance: float, level: float) -> tuple[float, float]:
    if seen <= 0:
        return 0.0, 1.0
    if unseen <= 0:
        return 1.0, 1.0
    spread = math.exp(float(ndtri((1 + level) / 2)) * math.sqrt(math.log1p(variance / unseen**2)))
    return seen / (seen + unseen * spread), seen / (seen + unseen / spread)
