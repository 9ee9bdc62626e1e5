"""ACQ020: a scale that the size of what is annotated contradicts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.findings import Finding, Severity
from curatome.rules.marks import marks
from curatome.rules.rule import Inputs, Rule

Floats = npt.NDArray[np.float64]

CELL_UM = (3.0, 40.0)
"""Median diameters of classes of nuclei and cells; larger things vary too much among cases."""
_SPREAD = 0.35
"""Largest median deviation of the logarithm of sizes within a slide, of such a class."""
_LEAST = 5
"""Objects of a class on a slide, and slides of a class, below which a median says nothing."""


def size_ratios(
    sizes: Floats, slides: npt.NDArray[np.int64], kinds: npt.NDArray[np.int64]
) -> Mapping[int, tuple[float, int]]:
    """How much larger the objects of each slide are than those of the same class elsewhere.

    The usual size of a class is the median of the medians of slides. A slide's factor is the
    median, over its objects of all such classes, of size over usual size.

    Args:
        sizes: (N,) diameters, µm.
        slides: (N,) number of the slide of each.
        kinds: (N,) number of the class of each.

    Returns:
        Slide to factor and number of objects behind it; only slides that can be compared.
    """
    gap = np.full(len(sizes), np.nan)
    for kind in np.unique(kinds):
        mine = kinds == kind
        medians = _medians(np.log(sizes[mine]), slides[mine])
        if len(medians) > _LEAST and _cell_sized(medians):
            usual = np.median([middle for middle, _, _ in medians.values()])
            gap[mine] = np.log(sizes[mine]) - usual
    known = np.isfinite(gap)
    if not known.any():
        return {}
    found = _medians(gap[known], slides[known])
    return {slide: (math.exp(middle), count) for slide, (middle, _, count) in found.items()}


def _medians(logs: Floats, slides: npt.NDArray[np.int64]) -> dict[int, tuple[float, float, int]]:
    """Median, median deviation and number on each slide with enough objects."""
    order = np.argsort(slides, kind="stable")
    names, starts = np.unique(slides[order], return_index=True)
    out = {}
    for name, part in zip(names.tolist(), np.split(logs[order], starts[1:]), strict=True):
        if len(part) >= _LEAST:
            middle = float(np.median(part))
            out[name] = (middle, float(np.median(np.abs(part - middle))), len(part))
    return out


def _cell_sized(medians: Mapping[int, tuple[float, float, int]]) -> bool:
    values, spreads, _ = zip(*medians.values(), strict=True)
    low, high = CELL_UM
    return low <= math.exp(float(np.median(values))) <= high and np.median(spreads) <= _SPREAD


def _contradicted(inputs: Inputs) -> Iterator[Finding]:
    table = marks(inputs).select(["image", "kind", "labels", "area"])
    table = table.filter(pc.is_in(table["kind"], pa.array(["polygon", "multipolygon"])))
    row = pc.index_in(table["image"], inputs.slides["slide"].combine_chunks())
    table, row = table.filter(pc.is_valid(row)), row.drop_null()
    if not len(table):
        return
    at = row.to_numpy(zero_copy_only=False).astype(np.int64)
    scale = np.sqrt(
        inputs.slides["mpp_x"].to_numpy(zero_copy_only=False).astype(np.float64)
        * inputs.slides["mpp_y"].to_numpy(zero_copy_only=False).astype(np.float64)
    )
    sizes = 2 * np.sqrt(table["area"].to_numpy() / math.pi) * scale[at]
    joined = pc.binary_join(table["labels"].combine_chunks().cast(pa.list_(pa.string())), ", ")
    kinds = joined.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    sound = np.isfinite(sizes) & (sizes > 0)
    found = size_ratios(sizes[sound], at[sound], kinds[sound])
    factor = float(inputs.settings["factor"])
    for number, (ratio, count) in sorted(found.items()):
        if max(ratio, 1 / ratio) >= factor:
            yield _finding(inputs.slides.slice(number, 1).to_pylist()[0], ratio, count)


def _finding(slide: Mapping[str, object], ratio: float, count: int) -> Finding:
    mpp = float(str(slide["mpp_x"]))
    name = str(slide["path"]).rpartition("/")[2]
    how = f"{ratio:.2g} times larger" if ratio > 1 else f"{1 / ratio:.2g} times smaller"
    return SCALE.finding(
        f"slide {slide['slide']}",
        f"{name} at {mpp:.4g} µm/px: its {count:,} annotated objects are {how} than those of the "
        f"same classes on other slides; {mpp / ratio:.4g} µm/px would fit.",
        evidence={"mpp": mpp, "fitting_mpp": mpp / ratio, "ratio": ratio, "objects": count},
    )


SCALE = Rule(
    code="ACQ020",
    name="scale-against-objects",
    severity=Severity.WARNING,
    scope="dataset",
    needs=("slides", "marks"),
    what="A slide whose annotated nuclei or cells are far larger or smaller than those of the same "
    "classes on the other slides.",
    why="Nuclei of a class have about the same size in every case; a scanner's scale is sometimes "
    "that of another level or objective. Its tiles would then show cells twice too large or small.",
    bad="A slide at 0.50 µm/px, scanned at 0.25: all of its lymphocytes are 14 µm wide.",
    good="Lymphocytes of 7 µm on every slide.",
    fix="Measure something of known size on the slide; if the scale is wrong, set it with "
    "`curatome slides set-mpp FILE MPP`.",
    method="The diameter of each outline is divided by the usual one of its class, the median of "
    "slides' medians; the median of that over a slide's outlines is how far its scale is off. "
    "Classes whose median lies outside of 3 to 40 µm, that vary much within a slide, or that five "
    "slides or fewer have five outlines of are left out, and so are slides with fewer than five.",
    promise="scales that are off by a factor of 2, on up to a quarter of the slides, where each "
    "has ten outlined nuclei or more",
    version=2,
    settings={
        "factor": (
            1.6,
            "from here on a scale is doubted, as by ACQ011: between 20× and 40× lies 2, and "
            "nuclei of a class differ by up to a third between cases",
        )
    },
    look=_contradicted,
)
RULES = (SCALE,)
