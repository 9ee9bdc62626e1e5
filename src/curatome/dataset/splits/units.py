"""What may not be parted: cases of one site, or cases that share a picture, go together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curatome.dataset.splits.counts import Counts, Floats
from curatome.errors import TableError


@dataclass(frozen=True, eq=False)
class Units:
    """U groups of cases that go together.

    Attributes:
        counts: of the cases.
        unit: (C,) the unit of each case, numbered by its first case.
        values: (U, S) sums over each unit's cases.
    """

    counts: Counts
    unit: npt.NDArray[np.int64]
    values: Floats

    def __len__(self) -> int:
        return len(self.values)

    def cases(self, unit: int) -> list[str]:
        """The cases of a unit."""
        return [self.counts.cases[row] for row in np.flatnonzero(self.unit == unit)]


def tied(
    counts: Counts,
    groups: Mapping[str, str | None] | None = None,
    pairs: Iterable[tuple[str, str]] = (),
) -> Units:
    """Tie cases to units.

    Args:
        counts: of the cases.
        groups: what no split may part, by case, such as its site; None ties to nothing.
        pairs: cases that may not be parted, such as two that show the same picture.

    Raises:
        TableError: a pair names a case that is not there.
    """
    place = {case: row for row, case in enumerate(counts.cases)}
    first: dict[str, int] = {}
    edges = []
    for case, group in (groups or {}).items():
        if group is not None and case in place:
            edges.append((first.setdefault(group, place[case]), place[case]))
    for pair in pairs:
        for case in pair:
            if case not in place:
                raise TableError(f'case "{case}" is tied to another, but has no items.')
        edges.append((place[pair[0]], place[pair[1]]))
    size = len(counts.cases)
    a, b = np.array(edges, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(a)), (a, b)), (size, size))
    _, component = connected_components(graph, directed=False)
    _, start, unit = np.unique(component, return_index=True, return_inverse=True)
    unit = np.argsort(np.argsort(start))[unit]
    values = np.zeros((len(start), len(counts.strata)))
    np.add.at(values, unit, counts.values)
    return Units(counts, unit.astype(np.int64), values)
