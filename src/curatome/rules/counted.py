"""What classes are counted on, and of which case, site and scanner each count is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.dataset.imbalance import Labels, labels_of
from curatome.dataset.labels import reference_of
from curatome.rules.rule import Inputs

Whole = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FACTORS = ("site", "scanner")


@dataclass(frozen=True, eq=False)
class Counted:
    """Labels of annotations, or of items, with where they come from.

    Attributes:
        what: `annotations`, or the kind of items.
        labels: of each.
        case: (N,) its case, an index into `cases`; what has no case is a case of its own image.
        cases: (C,) their names.
        area_um2: (N,) of each, 0 where it has none; None where areas mean nothing.
        domain: by factor, (C,) site or scanner of each case, None where it is not known or the
            case has several.
    """

    what: str
    labels: Labels
    case: Whole
    cases: list[str]
    area_um2: Floats | None
    domain: dict[str, list[str | None]]

    @property
    def plural(self) -> str:
        """Several of what is counted."""
        return self.what if self.what.endswith("s") else f"{self.what}s"

    def by_case(self, weights: Floats | None = None) -> Floats:
        """(K, C) labels of each class in each case, or the sum of weights."""
        return self.labels.by(self.case, len(self.cases), weights)


def counted(inputs: Inputs) -> Iterator[Counted]:
    """Annotations, then items of each kind with the classes that no annotation has.

    Tiles get their labels from annotations, so the same class is not counted on both; and of one
    picture at several scales, the scale with most items counts.
    """
    known: set[str] = set()
    table = reference_of(inputs.annotations)
    if len(table):
        found = _annotations(table, inputs.slides)
        known = set(found.labels.names)
        if known:
            yield found
    items = inputs.items.filter(pc.greater(pc.list_value_length(inputs.items["labels"]), 0))
    for kind in sorted(pc.unique(items["kind"]).to_pylist()):
        mine = _one_scale(items.filter(pc.equal(items["kind"], kind)))
        found = _items(mine, kind)
        labels = found.labels.take(set(found.labels.names) - known)
        if labels.names:
            yield Counted(kind, labels, found.case, found.cases, None, found.domain)


def _annotations(table: pa.Table, slides: pa.Table) -> Counted:
    image = table["image"].combine_chunks()
    at = pc.index_in(image, slides["slide"].combine_chunks())

    def of(name: str) -> pa.Array:
        return slides[name].combine_chunks().take(at)

    shapes = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False))
    scale = [of(n).to_numpy(zero_copy_only=False).astype(np.float64) for n in ("mpp_x", "mpp_y")]
    area = np.nan_to_num(shapely.area(shapes) * scale[0] * scale[1])
    case, cases = _codes(pc.coalesce(of("case"), image))
    domain = {name: _single(case, of(name), len(cases)) for name in FACTORS}
    return Counted("annotations", labels_of(table["labels"]), case, cases, area, domain)


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
    pairs = np.unique(np.stack([case, code], axis=1)[code >= 0], axis=0)
    many = np.bincount(pairs[:, 0], minlength=cases)
    names = coded.dictionary.to_pylist()
    found: list[str | None] = [None] * cases
    for row, value in pairs[many[pairs[:, 0]] == 1].tolist():
        found[row] = names[value]
    return found
