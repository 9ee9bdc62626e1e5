"""What classes are counted on, and of which case, site and scanner each count is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

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
        shape: (N,) WKB of annotations, level-0 px; None of items, whose areas mean nothing.
        px_um2: (N,) area of a level-0 px on the image of each, NaN where it is not known.
        domain: by factor, (C,) site or scanner of each case, None where it is not known or the
            case has several.
    """

    what: str
    labels: Labels
    case: Whole
    cases: list[str]
    shape: pa.ChunkedArray | None
    px_um2: Floats
    domain: dict[str, list[str | None]]

    @property
    def plural(self) -> str:
        """Several of what is counted."""
        return self.what if self.what.endswith("s") else f"{self.what}s"

    def area_by_case(self, code: int) -> Floats:
        """(C,) area of a class in each case, µm²."""
        rows = self.labels.row[self.labels.code == code]
        if self.shape is None:
            return np.zeros(len(self.cases))
        shapes = shapely.from_wkb(self.shape.take(pa.array(rows)).to_numpy(zero_copy_only=False))
        area = np.nan_to_num(shapely.area(shapes) * self.px_um2[rows])
        return np.bincount(self.case[rows], area, len(self.cases)).astype(np.float64)

    def by_case(self) -> Floats:
        """(K, C) labels of each class in each case."""
        return self.labels.by(self.case, len(self.cases))


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
            yield replace(found, labels=labels)


def _annotations(table: pa.Table, slides: pa.Table) -> Counted:
    image = table["image"].combine_chunks()
    at = pc.index_in(image, slides["slide"].combine_chunks())

    def of(name: str) -> pa.Array:
        return slides[name].combine_chunks().take(at)

    scale = [of(n).to_numpy(zero_copy_only=False).astype(np.float64) for n in ("mpp_x", "mpp_y")]
    case, cases = _codes(pc.coalesce(of("case"), image))
    domain = {name: _single(case, of(name), len(cases)) for name in FACTORS}
    px = scale[0] * scale[1]
    labels = labels_of(table["labels"])
    return Counted("annotations", labels, case, cases, table["geometry"], px, domain)


def _items(table: pa.Table, kind: str) -> Counted:
    own = pc.coalesce(table["case"], table["slide"], table["item"])
    case, cases = _codes(own.combine_chunks())
    domain = {n: _single(case, table[n].combine_chunks(), len(cases)) for n in FACTORS}
    return Counted(kind, labels_of(table["labels"]), case, cases, None, np.zeros(0), domain)


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
