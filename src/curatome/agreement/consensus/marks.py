"""Marks that were matched into objects: who marked which, how sure, and who looked there at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from curatome.agreement.consensus.verdict import names_of
from curatome.errors import AnnotationError, TableError
from curatome.tables import FUSED

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Shapes = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Marks:
    """M marks of I objects by R readers.

    Attributes:
        item: (M,) number of the object of each mark, 0 to I - 1, as `matching` gives it.
        reader: (M,) number of its reader.
        readers: (R,) their names.
        confidence: (M,) 0 to 1, how sure each mark is.
        weight: (R,) above 0, how much each reader counts.
        looked: (I, R), who looked where the object is.
    """

    item: Whole
    reader: Whole
    readers: tuple[str, ...]
    confidence: Floats
    weight: Floats
    looked: Flags

    @property
    def marked(self) -> Flags:
        """(I, R): who marked what."""
        found = np.zeros(self.looked.shape, np.bool_)
        found[self.item, self.reader] = True
        return found


def marks(
    item: Sequence[int] | Whole,
    reader: Sequence[str],
    *,
    confidence: Sequence[float] | Floats | None = None,
    weight: dict[str, float] | None = None,
    readers: Sequence[str] | None = None,
    looked: Flags | None = None,
) -> Marks:
    """Marks with what is not said filled in.

    Args:
        item: (M,) number of the object of each mark.
        reader: (M,) who made it.
        confidence: (M,) how sure; 1 by default.
        weight: how much readers count, for example their skill; 1 by default.
        readers: all who looked, with or without a mark; those with one by default.
        looked: (I, R) who looked where; everybody everywhere by default.

    Raises:
        TableError: a reader marked an object twice, is none of `readers`, marked where it is said
            not to have looked, or has no positive weight.
    """
    numbers = np.asarray(item, np.int64)
    names = tuple(sorted(set(reader)) if readers is None else readers)
    unknown = set(reader) - set(names)
    if unknown:
        raise TableError(f"reader {min(unknown)} is none of {', '.join(names)}.")
    place = {name: k for k, name in enumerate(names)}
    who = np.array([place[name] for name in reader], np.int64)
    count = int(numbers.max(initial=-1)) + 1
    seen = np.ones((count, len(names)), np.bool_) if looked is None else looked
    blind = np.flatnonzero(~seen[numbers, who])
    if len(blind):
        at = int(blind[0])
        raise TableError(f"reader {reader[at]} marked item {numbers[at]} and did not look there.")
    pairs, times = np.unique(numbers * len(names) + who, return_counts=True)
    if len(pairs) and times.max() > 1:
        twice, by = divmod(int(pairs[times.argmax()]), len(names))
        raise TableError(f"reader {names[by]} marked item {twice} twice. Match one mark to each.")
    sure = np.ones(len(numbers)) if confidence is None else np.asarray(confidence, np.float64)
    heavy = np.array([(weight or {}).get(name, 1.0) for name in names])
    if len(heavy) and heavy.min() <= 0:
        name = names[int(heavy.argmin())]
        raise TableError(f"weight of reader {name} must be above 0. Got {heavy.min()}.")
    return Marks(numbers, who, names, sure, heavy, seen)


def by_item(of: Marks, shapes: Shapes) -> list[Whole]:
    """For each object the numbers of its marks.

    Raises:
        AnnotationError: a shape crosses itself.
    """
    wrong = np.flatnonzero(~shapely.is_valid(shapes))
    if len(wrong):
        raise AnnotationError(
            f"mark {wrong[0]} of item {of.item[wrong[0]]} is no valid shape: "
            f"{shapely.is_valid_reason(shapes[wrong[0]])}. Repair it before it is fused."
        )
    order = np.argsort(of.item, kind="stable")
    ends = np.searchsorted(of.item[order], np.arange(1, len(of.looked)))
    return list(np.split(order, ends))


def fused_table(of: Marks, shapes: Shapes, fused: Shapes, ways: Sequence[str]) -> pa.Table:
    """The table `tables.FUSED`: one row per object that somebody marked.

    The confidence is that of Solovyev et al. with at most one mark per reader: the mean of the
    marks' confidences, times the share of the readers who marked it; both weighted.

    Args:
        of: the marks.
        shapes: (M,) what readers drew.
        fused: (I,) what came of it.
        ways: (I,) how.
    """
    marked = of.marked
    some = np.flatnonzero(marked.any(axis=1))
    heavy = np.bincount(of.item, of.weight[of.reader] * of.confidence, len(marked))
    whole = fused[of.item]
    both = shapely.area(shapely.intersection(shapes, whole))
    either = shapely.area(shapes) + shapely.area(whole) - both
    overlap = np.bincount(of.item, both / np.where(either > 0, either, 1), len(marked))
    missed = of.looked & ~marked
    return FUSED.from_columns(
        {
            "item": some,
            "geometry": pa.array(shapely.to_wkb(fused[some]), pa.binary()),
            "confidence": (heavy / np.maximum(of.looked @ of.weight, 1e-300))[some],
            "overlap": (overlap / np.maximum(marked.sum(axis=1), 1))[some],
            "readers": of.looked.sum(axis=1, dtype=np.int32)[some],
            "agreeing": marked.sum(axis=1, dtype=np.int32)[some],
            "dissenters": names_of(missed[some], of.readers),
            "decided_by": [ways[int(k)] for k in some],
        }
    )
