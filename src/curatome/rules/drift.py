"""DRF: what was annotated under another guideline, or differently over time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.agreement.drift import CHANGES, change_points, follow, holm, quantities, stability
from curatome.agreement.drift.series import Series
from curatome.annotations.guideline import in_order, migration, stale
from curatome.findings import Finding, Severity
from curatome.protocol import Guideline
from curatome.rules.rule import Inputs, Rule

_NAMED = 200
"""Annotations that a finding about many names."""
_LEAST_CASES = 5
_MOST_ORDERS = 20_000
_AREAL = ("box", "polygon", "multipolygon", "circle", "ellipse")


def _dated(annotations: pa.Table, guideline: Guideline) -> pa.Table:
    """Those made under a version that the guideline had; SYN021 tells of the others."""
    versions = [change.version for change in guideline.changelog] or [guideline.version]
    known = pc.is_in(annotations["guideline"], pa.array(versions, pa.string()))
    return annotations.filter(pc.or_(known, pc.is_null(annotations["guideline"])))


def _stale(inputs: Inputs) -> Iterator[Finding]:
    guideline = inputs.protocol.guideline
    found = stale(_dated(inputs.annotations, guideline), guideline)
    keys = ["image", "label", "guideline", "since", "reason"]
    for row in _grouped(found, keys):
        under = f"guideline {row['guideline']}" if row["guideline"] else "an unknown guideline"
        told = (
            f'{_count(row["count"])} of "{row["label"]}" made under {under}; version '
            f"{row['since']} has it {row['reason']}."
        )
        yield STALE.finding(
            _on(row["image"]),
            told,
            evidence={name: row[name] for name in keys[1:4]} | _which(row),
            key=f"{row['label']}:{row['guideline']}:{row['since']}",
        )


def _old_names(inputs: Inputs) -> Iterator[Finding]:
    guideline = inputs.protocol.guideline
    found = migration(_dated(inputs.annotations, guideline), guideline)
    for side in ("before", "after"):
        at = found.schema.get_field_index(side)
        joined = pc.binary_join(found[side].cast(pa.list_(pa.string())), ", ")
        found = found.set_column(at, side, joined)
    for row in _grouped(found, ["image", "before", "after"]):
        yield OLD_NAME.finding(
            _on(row["image"]),
            f'{_count(row["count"])} still called "{row["before"]}", which is now '
            f'"{row["after"]}".',
            evidence={"before": row["before"], "after": row["after"]} | _which(row),
            key=f"{row['before']}:{row['after']}",
        )


def _mixed_names(inputs: Inputs) -> Iterator[Finding]:
    """Old names that were given under the guideline that renamed them, or a later one."""
    changes = in_order(inputs.protocol.guideline)
    for number, change in enumerate(changes):
        later = pa.array([one.version for one in changes[number:]], pa.string())
        made = inputs.annotations.filter(pc.is_in(inputs.annotations["guideline"], later))
        if not change.renamed or not len(made):
            continue
        labels = made["labels"].combine_chunks()
        parents, flat = pc.list_parent_indices(labels), pc.list_flatten(labels)
        again = {name for one in changes[number + 1 :] for name in one.added}
        for old, new in change.renamed.items():
            rows = pc.unique(parents.filter(pc.equal(flat, old)))
            if old in again or not len(rows):
                continue
            some = made.take(rows)
            yield MIXED.finding(
                _on(some["image"][0].as_py()),
                f'{_count(len(some))} called "{old}" under guideline {change.version} or later, '
                f'which calls it "{new}".',
                evidence={
                    "old": old,
                    "new": new,
                    "since": change.version,
                    "readers": sorted({str(one) for one in pc.unique(some["reader"]).to_pylist()}),
                    "count": len(some),
                    "annotations": some["annotation"][:_NAMED].to_pylist(),
                },
                key=f"{old}:{change.version}",
            )


def _grouped(table: pa.Table, keys: list[str]) -> Iterable[dict[str, Any]]:
    """Rows that agree in `keys`, with their `count` and their annotations."""
    if not len(table):
        return []
    found = table.select([*keys, "annotation"]).group_by(keys, use_threads=False)
    counted = found.aggregate([("annotation", "list"), ("annotation", "count")])
    names = {"annotation_list": "annotations", "annotation_count": "count"}
    rows: list[dict[str, Any]] = counted.rename_columns(
        [names.get(name, name) for name in counted.column_names]
    ).to_pylist()
    return rows


def _which(row: dict[str, Any]) -> dict[str, Any]:
    return {"count": row["count"], "annotations": row["annotations"][:_NAMED]}


def _on(image: str | None) -> str:
    return f"image {image}" if image else "annotations without an image"


def _count(number: int) -> str:
    return "1 annotation" if number == 1 else f"{number:,} annotations"


def read_in_time(inputs: Inputs) -> pa.Table:
    """What `agreement.drift` follows: reader, case, time, label and size of each annotation.

    Slides without a case are cases of their own; annotations without reader or time, proposals
    and those that the reader could not judge are left out.
    """
    table = inputs.annotations
    kept = pc.and_(pc.is_valid(table["reader"]), pc.is_valid(table["time"]))
    kept = pc.and_(kept, pc.not_equal(table["basis"], "proposed"))
    kept = pc.and_(kept, pc.and_(pc.is_valid(table["image"]), pc.invert(table["cannot_judge"])))
    table = table.filter(kept)
    slides = inputs.slides
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
    wkb = table["geometry"].to_numpy(zero_copy_only=False).astype(object)
    area = shapely.area(shapely.from_wkb(np.where(areal, wkb, None), on_invalid="ignore"))
    size = 2 * np.sqrt(np.abs(area) / math.pi) * mpp
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

STALE = Rule(
    code="DRF001",
    name="stale-guideline",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations",),
    what="Annotations of a class that a later version of the guideline redefined, split or "
    "removed, and that nobody has looked at since.",
    why="Being wrong is no shame, but staying wrong is: old and new annotations under one name "
    "mean two things, and a model learns the mean of both.",
    bad="80 mitoses from 2024, after version 2.0 has excluded hyperchromatic nuclei.",
    good="Every annotation was made, or looked at again, under the guideline in force.",
    fix="Bring each back to a reader: `curatome guideline queue` lists them one by one. What is "
    "looked at again carries the new version.",
    method="The changelog of the guideline says which classes each version touched. An annotation "
    "is stale if its version is older than such a change (`curatome.annotations.guideline`).",
    promise="every single one",
    look=_stale,
)
OLD_NAME = Rule(
    code="DRF002",
    name="old-class-name",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations",),
    what="Annotations that have the name a class had before the guideline renamed it.",
    why="One class under two names is two classes for everything that counts or trains.",
    bad='312 annotations of "tumour", where version 2 calls it "carcinoma".',
    good="Every annotation has the present name of its class.",
    fix="`curatome guideline migrate` gives them the new names, after `--dry-run` has shown "
    "which; `curatome annotations undo` takes it back.",
    method="The renames in the changelog after the version that an annotation was made under are "
    "applied to its labels (`curatome.annotations.guideline`).",
    promise="every single one",
    look=_old_names,
)
MIX = Rule(
    code="DRF003",
    name="class-mix-drift",
    severity=Severity.WARNING,
    scope="dataset",
    needs=("annotations", "slides"),
    what="A reader gives a class more or less often since some day.",
    why="A reader who has learned, tired or changed their mind labels early and late cases by "
    "different rules. If the cases themselves have changed (another site, another disease), a "
    "model may take the date for the disease.",
    bad="Reader ada called 12 % of the cells mitoses until May, and 31 % since.",
    good="Shares that vary from case to case, but not from month to month.",
    fix="Compare cases of before and after side by side. If the reader has changed, have some of "
    "the earlier ones read again; if the guideline has, say so with `curatome guideline bump`.",
    method=_SERIES,
    promise="a share that doubles from 20 to 40 % in the middle of 40 cases of 20 objects each",
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
    needs=("annotations", "slides"),
    what="A reader draws the objects of a class larger or smaller since some day.",
    why="Lines that run further outside than they did take in other pixels, and every measure of "
    "size and overlap shifts with them.",
    bad="Tumor nuclei of reader ben: 9.8 µm until May, 12.4 µm since.",
    good="Sizes that vary from case to case, but not from month to month.",
    fix="Lay outlines of before and after over their objects. Have the wider ones drawn again, and "
    "say in the guideline where the line runs.",
    method=f"{_SERIES} Sizes are diameters of circles of the same area, as logarithms, class by "
    "class.",
    promise="30 % in the middle of 40 cases of 20 objects each",
    settings={
        "alpha": _ALPHA,
        "least_change": (
            0.1,
            "least relative change of the diameter; 10 % of 10 µm is the width of a pen",
        ),
    },
    look=_size,
)
MIXED = Rule(
    code="DRF005",
    name="mixed-class-names",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations",),
    what="Annotations made under the new guideline that use a name which it has retired.",
    why="Somebody works with an old template, or has not heard of the change: names are mixed, and "
    "more of them come in every day. No migration touches these, for their guideline knows better.",
    bad='Five annotations of "tumour" from last week, a year after it became "carcinoma".',
    good="Since a rename, new annotations have the new name only.",
    fix="Tell the readers that the finding names, correct the classes in their tool, and give "
    "these annotations the new name: `curatome import --class OLD=NEW` reads the file again.",
    method="Labels of annotations are compared with the names that their own guideline, or an "
    "earlier one, has renamed; a name that was added again later is left alone.",
    promise="every single one",
    look=_mixed_names,
)
RULES = (STALE, OLD_NAME, MIX, SIZE, MIXED)
