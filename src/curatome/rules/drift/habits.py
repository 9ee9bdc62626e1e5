"""DRF003, DRF004: readers whose classes or sizes have changed over time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.agreement.drift import CHANGES, change_points, follow, holm, quantities, stability
from curatome.agreement.drift.series import Series
from curatome.findings import Finding, Severity
from curatome.rules.marks import marks
from curatome.rules.remembered import Remembered
from curatome.rules.rule import Inputs, Rule

_LEAST_CASES = 5
_MOST_ORDERS = 20_000
_AREAL = ("box", "polygon", "multipolygon", "circle", "ellipse")


def read_in_time(inputs: Inputs) -> pa.Table:
    """What `agreement.drift` follows: reader, case, time, label and size of each annotation.

    Slides without a case are cases of their own; annotations without reader or time, proposals
    and those that the reader could not judge are left out.
    """
    return _in_time(marks(inputs), inputs.slides)


@Remembered
def _in_time(table: pa.Table, slides: pa.Table) -> pa.Table:
    kept = pc.and_(pc.is_valid(table["reader"]), pc.is_valid(table["time"]))
    kept = pc.and_(kept, pc.not_equal(table["basis"], "proposed"))
    kept = pc.and_(kept, pc.and_(pc.is_valid(table["image"]), pc.invert(table["cannot_judge"])))
    table = table.filter(kept)
    row = pc.index_in(table["image"], slides["slide"].combine_chunks())
    case = pc.coalesce(slides["case"].combine_chunks().take(row), table["image"])
    labels = table["labels"].combine_chunks()
    first = pc.if_else(
        pc.equal(pc.list_value_length(labels), 0),
        None,
        pc.binary_join(labels.cast(pa.list_(pa.string())), ", "),
    )
    return pa.table(
        {
            "reader": table["reader"],
            "case": case,
            "time": table["time"],
            "label": first,
            "size_um": _sizes(table, slides, row),
        }
    )


def _sizes(table: pa.Table, slides: pa.Table, row: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """(N,) diameter of the circle of each shape's area, µm; NaN where it has none."""
    scale = np.sqrt(
        slides["mpp_x"].to_numpy(zero_copy_only=False)
        * slides["mpp_y"].to_numpy(zero_copy_only=False)
    ).astype(np.float64)
    at = row.to_numpy(zero_copy_only=False).astype(np.float64)
    mpp = np.where(np.isnan(at), np.nan, scale[np.nan_to_num(at).astype(np.int64)])
    areal = pc.is_in(table["kind"], pa.array(_AREAL)).to_numpy(zero_copy_only=False)
    size = 2 * np.sqrt(table["area"].to_numpy() / math.pi) * mpp
    return np.asarray(np.where(areal & (size > 0), size, np.nan), np.float64)


def _changed(inputs: Inputs, sizes: bool) -> Iterator[Finding]:
    """Series that are unstable, where they change by enough to matter."""
    table = read_in_time(inputs)
    if not len(table) or not len(inputs.slides):
        return
    every = list(_series(table, sizes))
    alpha, least = float(inputs.settings["alpha"]), float(inputs.settings["least_change"])
    orders = min(_MOST_ORDERS, max(999, math.ceil(2 * len(every) / alpha)))
    p = holm([stability(one, least=_LEAST_CASES, replicates=orders)[1] for _, _, one in every])
    rule = SIZE if sizes else MIX
    for (reader, quantity, one), corrected in zip(every, p, strict=True):
        if corrected > alpha:
            continue
        points = change_points(one, reader, quantity, alpha=alpha, least=_LEAST_CASES)
        for change in points.to_pylist():
            if _effect(change, sizes) >= least:
                yield _change(rule, change, float(corrected), sizes)


def _series(table: pa.Table, sizes: bool) -> Iterator[tuple[str, str, Series]]:
    for reader in sorted(set(table["reader"].to_pylist())):
        own = table.filter(pc.equal(table["reader"], reader))
        cases = own["case"].to_numpy(zero_copy_only=False).astype(str)
        times = own["time"].cast(pa.timestamp("us")).to_numpy()
        if len(np.unique(cases)) < 2 * _LEAST_CASES:
            continue
        if sizes:
            yield from _size_series(own, reader, cases, times)
            continue
        for name, values in quantities(own.drop_columns(["size_um"])).items():
            if np.isfinite(values).any():
                yield reader, name, follow(values, cases, times)


def _size_series(
    own: pa.Table, reader: str, cases: npt.NDArray[np.str_], times: npt.NDArray[np.datetime64]
) -> Iterator[tuple[str, str, Series]]:
    """Logarithms of sizes, class by class, so that another mix of classes is no other size."""
    labels = own["label"].to_numpy(zero_copy_only=False).astype(object)
    size = own["size_um"].to_numpy(zero_copy_only=False)
    for label in sorted({one for one in labels.tolist() if one is not None}):
        mine = (labels == label) & np.isfinite(size)
        if len(np.unique(cases[mine])) >= 2 * _LEAST_CASES:
            series = follow(np.log(size[mine]), cases[mine], times[mine])
            yield reader, f"size of {label}", series


def _effect(change: dict[str, Any], sizes: bool) -> float:
    gap = abs(change["after"] - change["before"])
    return math.exp(gap) - 1 if sizes else gap


def _change(rule: Rule, change: dict[str, Any], p: float, sizes: bool) -> Finding:
    before, after = change["before"], change["after"]
    numbers = (
        f"{math.exp(before):.1f} to {math.exp(after):.1f} µm"
        if sizes
        else f"{before:.0%} to {after:.0%}"
    )
    told = (
        f"{change['quantity']} went from {numbers} about {change['time']:%Y-%m-%d} "
        f"({change['cases_before']} cases before, {change['cases_after']} after, p = {p:.2g})."
    )
    evidence = {name: change[name] for name in CHANGES.schema.names if name != "time"}
    evidence |= {"time": change["time"].isoformat(), "p_value": p}
    return rule.finding(
        f"reader {change['reader']}", told, evidence=evidence, key=str(change["quantity"])
    )


def _mix(inputs: Inputs) -> Iterator[Finding]:
    return _changed(inputs, sizes=False)


def _size(inputs: Inputs) -> Iterator[Finding]:
    return _changed(inputs, sizes=True)


_SERIES = (
    "Cases of a reader are put in order of time, and the mean before each place is compared with "
    "the mean after it (CUSUM: Page 1954, 10.1093/biomet/41.1-2.100); cases in random order say "
    "how large a gap chance makes, and Holm's correction (1979) minds the number of readers and "
    "classes. See `curatome.agreement.drift`."
)
_ALPHA = (
    0.01,
    "rate of false alarms over all readers and classes together; a tenth of what is usual in "
    "science, for a check runs often",
)

MIX = Rule(
    code="DRF003",
    name="class-mix-drift",
    severity=Severity.WARNING,
    scope="dataset",
    needs=("marks", "slides"),
    what="A reader gives a class more or less often since some day.",
    why="A reader who has learned, tired or changed their mind labels early and late cases by "
    "different rules. If the cases themselves have changed (another site, another disease), a "
    "model may take the date for the disease.",
    bad="Reader ada called 12 % of the cells mitoses until May, and 31 % since.",
    good="Shares that vary from case to case, but not from month to month.",
    fix="Compare cases of before and after side by side. If the reader has changed, have some of "
    "the earlier ones read again; if the guideline has, say so with `curatome guideline bump`.",
    method=_SERIES,
    promise="the share of a class that grows from 20 to 50 % in the middle of a reader's 40 cases "
    "of 20 objects each",
    settings={
        "alpha": _ALPHA,
        "least_change": (0.1, "least change of a share; less hardly changes what a model learns"),
    },
    look=_mix,
)
SIZE = Rule(
    code="DRF004",
    name="size-drift",
    severity=Severity.WARNING,
    scope="dataset",
    needs=("marks", "slides"),
    what="A reader draws the objects of a class larger or smaller since some day.",
    why="Lines that run further outside than they did take in other pixels, and every measure of "
    "size and overlap shifts with them.",
    bad="Tumor nuclei of reader ben: 9.8 µm until May, 12.4 µm since.",
    good="Sizes that vary from case to case, but not from month to month.",
    fix="Lay outlines of before and after over their objects. Have the wider ones drawn again, and "
    "say in the guideline where the line runs.",
    method=f"{_SERIES} Sizes are diameters of circles of the same area, as logarithms, class by "
    "class.",
    promise="outlines that grow by 30 % across in the middle of a reader's 40 cases of 20 objects "
    "each",
    settings={
        "alpha": _ALPHA,
        "least_change": (
            0.1,
            "least relative change of the diameter; 10 % of 10 µm is the width of a pen",
        ),
    },
    look=_size,
)
