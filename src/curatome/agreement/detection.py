"""Detection: F1, precision and recall between readers and against a reference; ranked candidates.

All of it starts from items, as matching makes them: an item that both marked is a true positive,
one that only the reader marked a false positive, one that only the reference marked a false
negative. For a class both must give it that class, so an object that is found but called something
else is a false negative of one class and a false positive of the other.

Items of many readers can part two marks that would match alone, since all of an item must match.
Match one reader and the reference alone where the highest F1 of those two is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curatome.agreement.intervals import bootstrap, case_sums
from curatome.agreement.matching.reads import NOTHING
from curatome.agreement.ratings import Ratings
from curatome.errors import TableError
from curatome.findings import Measure

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_METHOD = "items of both readers; bootstrap over cases"


@dataclass(frozen=True)
class Hits:
    """What a reader found of a reference.

    Attributes:
        found: items that both marked, true positives.
        added: items that only the reader marked, false positives.
        missed: items that only the reference marked, false negatives.
    """

    found: int
    added: int
    missed: int

    @property
    def precision(self) -> float:
        """Share of the reader's objects that the reference has; NaN without any."""
        return _value(_precision, self)

    @property
    def recall(self) -> float:
        """Share of the reference's objects that the reader has (sensitivity); NaN without any."""
        return _value(_recall, self)

    @property
    def f1(self) -> float:
        """Twice the found over all of both (Dice 1945, 10.2307/1932409); NaN without any."""
        return _value(_f1, self)


def hits(reads: Ratings, reader: str, reference: str, label: str | None = None) -> Hits:
    """Count what a reader found of a reference, on items whose image both read.

    Args:
        reads: of `ratings(read_table(…))`; `NOTHING` is a label of it.
        reader: who is judged.
        reference: a reader, or a consensus among them.
        label: of this class on both sides; by default found at all, whatever it is called.

    Raises:
        TableError: a reader or label is none of those in `reads`.
    """
    parts, _ = _parts(reads, reader, reference, label)
    found, added, missed = parts.sum(axis=0).tolist()
    return Hits(found, added, missed)


def against_reference(
    reads: Ratings,
    reference: str,
    *,
    domain: pa.Array | None = None,
    replicates: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> list[Measure]:
    """F1, precision and recall of each reader: over all, per class, per domain, and both.

    Args:
        reads: as in `hits`.
        reference: whose objects are to be found.
        domain: (N,) of each item, such as its tumor type; null lies in none.
        replicates: draws of the bootstrap over cases.
        level: of the intervals.
        seed: of the bootstrap.

    Returns:
        Measures `detection_f1`, `detection_precision` and `detection_recall`, of subjects like
        `reader joe` and `reader joe, class tumor, domain lung`. What is not defined, since neither
        marked such an object, is left out.

    Raises:
        TableError: the reference is none of the readers, or `domain` has another length.
    """
    made = []
    for reader in reads.readers:
        if reader == reference:
            continue
        for subject, label, rows in _scopes(reads, f"reader {reader}", domain):
            parts, cases = _parts(reads.take(rows), reader, reference, label)
            for name, statistic in _STATISTICS.items():
                made += _measure(
                    (name, subject), (parts, cases), statistic, (replicates, level, seed)
                )
    return made


def between_readers(
    reads: Ratings,
    *,
    domain: pa.Array | None = None,
    replicates: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> list[Measure]:
    """F1 of each pair of readers, which is the same whoever is the reference, and of all pairs.

    Args:
        reads: as in `hits`.
        domain: (N,) of each item; null lies in none.
        replicates: draws of the bootstrap over cases.
        level: of the intervals.
        seed: of the bootstrap.

    Returns:
        Measures `detection_f1` of `readers ann and joe`, also by class and domain, and of `all`,
        `class tumor` and so on from the summed counts of all pairs.

    Raises:
        TableError: `domain` has another length than there are items.
    """
    made: list[Measure] = []
    pairs = list(combinations(reads.readers, 2))
    for groups, who in [(pairs, "all"), *(([p], f"readers {p[0]} and {p[1]}") for p in pairs)]:
        for subject, label, rows in _scopes(reads, who, domain):
            scope = reads.take(rows)
            each = [_parts(scope, *pair, label) for pair in groups]
            parts = np.concatenate([p for p, _ in each])
            cases = np.concatenate([c for _, c in each])
            made += _measure(
                ("detection_f1", subject), (parts, cases), _f1, (replicates, level, seed)
            )
    return made


def _scopes(
    reads: Ratings, who: str, domain: pa.Array | None
) -> Iterator[tuple[str, str | None, Whole]]:
    """What is measured: its subject, the class or None for all, and the rows of its domain."""
    if domain is not None and len(domain) != len(reads):
        raise TableError(f"{len(reads)} items, but {len(domain)} values of domain.")
    domains: dict[str, Whole] = {"": np.arange(len(reads))}
    if domain is not None:
        of = np.array(domain.to_pylist(), object)
        for one in sorted({d for d in of.tolist() if d is not None}):
            domains[f"domain {one}"] = np.flatnonzero(of == one)
    for place, rows in domains.items():
        for label in (None, *(one for one in reads.labels if one != NOTHING)):
            said = [who if who != "all" else "", f"class {label}" if label else "", place]
            yield ", ".join(filter(None, said)) or "all", label, rows


def _parts(reads: Ratings, reader: str, reference: str, label: str | None) -> tuple[Whole, Whole]:
    """(N, 3) whether each item is found, added, missed, and (N,) its case."""
    pair = reads.of([reader, reference])
    pair = pair.take(np.flatnonzero((pair.codes >= 0).all(axis=1)))
    if label is None:
        marked = pair.codes != (reads.labels.index(NOTHING) if NOTHING in reads.labels else -1)
    elif label in reads.labels:
        marked = pair.codes == reads.labels.index(label)
    else:
        raise TableError(f'label "{label}" is none of {", ".join(reads.labels)}.')
    mine, theirs = marked.T
    parts = np.stack([mine & theirs, mine & ~theirs, ~mine & theirs], axis=1)
    return parts.astype(np.int64), pair.cases


def _measure(
    name: tuple[str, str],
    counts: tuple[Whole, Whole],
    statistic: Callable[[Floats], Floats],
    draws: tuple[int, float, int],
) -> list[Measure]:
    parts, cases = counts
    value = float(statistic(parts.sum(axis=0, keepdims=True).astype(np.float64))[0])
    if not np.isfinite(value):
        return []
    replicates, level, seed = draws
    sums = case_sums(parts, cases)
    ends = bootstrap(sums, statistic, replicates=replicates, level=level, seed=seed)
    low, high = ends or (None, None)
    n = int(parts.any(axis=1).sum())
    return [Measure(*name, value, low, high, level, n, len(sums), unit="fraction", method=_METHOD)]


def _ratio(above: Floats, below: Floats) -> Floats:
    out: Floats = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    return out


def _f1(sums: Floats) -> Floats:
    return _ratio(2 * sums[:, 0], 2 * sums[:, 0] + sums[:, 1] + sums[:, 2])


def _precision(sums: Floats) -> Floats:
    return _ratio(sums[:, 0], sums[:, 0] + sums[:, 1])


def _recall(sums: Floats) -> Floats:
    return _ratio(sums[:, 0], sums[:, 0] + sums[:, 2])


_STATISTICS = {
    "detection_f1": _f1,
    "detection_precision": _precision,
    "detection_recall": _recall,
}


def _value(statistic: Callable[[Floats], Floats], of: Hits) -> float:
    return float(statistic(np.array([[of.found, of.added, of.missed]], np.float64))[0])
