"""What classes are counted on, and of which case, site and scanner each count is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.dataset.imbalance import Labels, labels_of
from curatome.dataset.labels import reference_of
from curatome.rules.marks import marks
from curatome.rules.remembered import Remembered
from curatome.rules.rule import Inputs

Whole = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FACTORS = ("site", "scanner")
_NEEDED = ["image", "labels", "basis", "cannot_judge", "area"]
"""Columns of marks; to leave out the others saves copying them."""


@dataclass(frozen=True, eq=False)
class Counted:
    """Labels of annotations, or of items, with where they come from.

    Attributes:
        what: `annotation`, or the kind of items.
        labels: of each.
        case: (N,) its case, an index into `cases`; what has no case is a case of its own image.
        cases: (C,) their names.
        area: (N,) of annotations, µm², NaN where it is not known; None of items, whose areas mean
            nothing.
        domain: by factor, (C,) site or scanner of each case, None where it is not known or the
            case has several.
    """

    what: str
    labels: Labels
    case: Whole
    cases: list[str]
    area: Floats | None
    domain: dict[str, list[str | None]]

    @property
    def plural(self) -> str:
        """Several of what is counted."""
        return f"{self.what}s"

    def number(self, count: float) -> str:
        """So many of them, in words."""
        return f"{count:,.0f} {self.what if count == 1 else self.plural}"

    def area_by_case(self, code: int) -> Floats:
        """(C,) area of a class in each case, µm²."""
        if self.area is None:
            return np.zeros(len(self.cases))
        rows = self.labels.row[self.labels.code == code]
        area = np.nan_to_num(self.area[rows])
        return np.bincount(self.case[rows], area, len(self.cases)).astype(np.float64)

    @cached_property
    def by_case(self) -> Floats:
        """(K, C) labels of each class in each case."""
        return self.labels.by(self.case, len(self.cases))


def counted(inputs: Inputs) -> list[Counted]:
    """Annotations, then items of each kind with the classes that no annotation has.

    Tiles get their labels from annotations, so the same class is not counted on both; and of one
    picture at several scales, the scale with most items counts.
    """
    return _counted(marks(inputs), inputs.slides, inputs.items)


@Remembered
def _counted(table: pa.Table, slides: pa.Table, items: pa.Table) -> list[Counted]:
    found: list[Counted] = []
    known: set[str] = set()
    reference = reference_of(table.select(_NEEDED))
    if len(reference):
        one = _annotations(reference, slides)
        known = set(one.labels.names)
        found += [one] if known else []
    items = items.filter(pc.greater(pc.list_value_length(items["labels"]), 0))
    for kind in sorted(pc.unique(items["kind"]).to_pylist()):
        one = _items(_one_scale(items.filter(pc.equal(items["kind"], kind))), kind)
        labels = one.labels.take(set(one.labels.names) - known)
        found += [replace(one, labels=labels)] if labels.names else []
    return found


def _annotations(table: pa.Table, slides: pa.Table) -> Counted:
    image = table["image"].combine_chunks()
    at = pc.index_in(image, slides["slide"].combine_chunks())

    def of(name: str) -> pa.Array:
        return slides[name].combine_chunks().take(at)

    scale = [of(n).to_numpy(zero_copy_only=False).astype(np.float64) for n in ("mpp_x", "mpp_y")]
    case, cases = _codes(pc.coalesce(of("case"), image))
    domain = {name: _single(case, of(name), len(cases)) for name in FACTORS}
    area = table["area"].to_numpy() * scale[0] * scale[1]
    return Counted("annotation", labels_of(table["labels"]), case, cases, area, domain)


def _items(table: pa.Table, kind: str) -> Counted:
    own = pc.coalesce(table["case"], table["slide"], table["item"])
    case, cases = _codes(own.combine_chunks())
    domain = {n: _single(case, table[n].combine_chunks(), len(cases)) for n in FACTORS}
    return Counted(kind, labels_of(table["labels"]), case, cases, None, domain)


def _one_scale(items: pa.Table) -> pa.Table:
    counts = items.group_by("scale").aggregate([([], "count_all")])
    if len(counts) < 2:
        return items
    most = counts.sort_by([("count_all", "descending"), ("scale", "ascending")])["scale"][0]
    return items.filter(pc.equal(items["scale"], most))


def _codes(column: pa.Array) -> tuple[Whole, list[str]]:
    coded = pc.dictionary_encode(column)
    code = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return code, coded.dictionary.to_pylist()


def _single(case: Whole, values: pa.Array, cases: int) -> list[str | None]:
    """The one value of each case."""
    coded = pc.dictionary_encode(values)
    code = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    names = coded.dictionary.to_pylist()
    pairs = np.unique((case * max(len(names), 1) + code)[code >= 0])
    row, value = np.divmod(pairs, max(len(names), 1))
    alone = np.bincount(row, minlength=cases)[row] == 1
    found: list[str | None] = [None] * cases
    for at, name in zip(row[alone].tolist(), value[alone].tolist(), strict=True):
        found[at] = names[name]
    return found
