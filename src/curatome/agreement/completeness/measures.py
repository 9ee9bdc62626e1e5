"""How complete the annotations are, as measures: by anybody and by each reader, in each class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from curatome.agreement.completeness.captures import Captures
from curatome.agreement.completeness.chao import chao
from curatome.agreement.completeness.loglinear import loglinear
from curatome.agreement.completeness.missed import Missed, added, widened
from curatome.agreement.completeness.two_reads import chapman
from curatome.errors import TableError
from curatome.findings import Measure

MODELS = ("auto", "chapman", "chao", "loglinear")


def missed(captures: Captures, model: str = "auto", level: float = 0.95) -> Missed:
    """How many objects nobody found, with an interval that knows of cases.

    Args:
        captures: who found what.
        model: `chapman` for two readers, `loglinear` for more, `chao` for a lower bound;
            `auto` takes one of the first two by the number of readers.
        level: of the interval.

    Raises:
        TableError: the model is unknown or not made for so many readers, or the counts
            determine none.
    """
    readers = len(captures.readers)
    if model not in MODELS:
        raise TableError(f'"{model}" is none of {", ".join(MODELS)}.')
    if model == "chapman" and readers != 2:
        raise TableError(f"chapman is for two readers. Got {readers}; count some as one, `pooled`.")
    counts = captures.counts()
    if model == "chao":
        found = chao(counts, level)
    elif readers == 2 and model != "loglinear":
        found = chapman(counts, level)
    else:
        found = loglinear(counts, captures.readers, level)
    return _told(widened(found, captures.case_counts()), captures)


def _told(found: Missed, captures: Captures) -> Missed:
    clusters = len(np.unique(captures.cases)) < len(captures)
    notes = "; design effect of cases" if clusters else ""
    if (captures.weight < 1).any():
        notes += "; objects weighted by how probably they are real, taken as known"
    return replace(found, method=found.method + notes)


def completeness(
    captures: Captures,
    groups: Sequence[str] | None = None,
    *,
    kind: str = "class",
    model: str = "auto",
    level: float = 0.95,
) -> list[Measure]:
    """Measures `missed`, `objects` and `completeness` of all, of each reader and group.

    `missed` is how many objects nobody found, `objects` how many there are, `completeness` the
    share of them that anybody, or one reader, found. Intervals of all three are one: that of the
    missed. An upper end that nothing bounds is None.

    With groups, readers are taken for independent only within each: classes that are harder for
    everybody would look like readers who depend on each other. The whole is the sum of groups.
    A group whose counts tell nothing has no measures, nor has then the whole.

    Args:
        captures: who found what.
        groups: (N,) class, or domain, of each object.
        kind: what groups are, for the subjects: `class tumor`.
        model: as `missed` takes it.
        level: of the intervals.

    Raises:
        TableError: the model is unknown or not made for so many readers; groups of another
            length; without groups, counts that tell nothing.
    """
    if groups is None:
        return _of(captures, missed(captures, model, level), "all", level)
    names = np.asarray(groups, str)
    if len(names) != len(captures):
        raise TableError(f"groups must fit {len(captures)} objects. Got {len(names)}.")
    out, parts = [], []
    for name in np.unique(names):
        some = captures.take(names == name)
        try:
            parts.append(missed(some, model, level))
        except TableError:
            if model not in ("auto", "loglinear"):
                raise
            continue
        out += _of(some, parts[-1], f"{kind} {name}", level)
    if parts and len(parts) == len(np.unique(names)):
        return _of(captures, _sum(parts, kind), "all", level) + out
    return out


def _sum(parts: list[Missed], kind: str) -> Missed:
    if len(parts) == 1:
        return parts[0]
    whole = added(parts)
    return replace(whole, method=f"sum over {len(parts)} of kind {kind}: {whole.method}")


def _of(captures: Captures, unseen: Missed, subject: str, level: float) -> list[Measure]:
    n, count = captures.objects, len(captures)
    clusters = len(np.unique(captures.cases))

    def measure(name: str, about: str, ends: tuple[float, float, float], unit: str) -> Measure:
        value, low, high = ends
        bound = high if math.isfinite(high) else None
        return Measure(name, about, value, low, bound, level, count, clusters, unit, unseen.method)

    def share(found: float) -> tuple[float, float, float]:
        least, value, most = (
            found / (n + end) if n + end > 0 else math.nan
            for end in (unseen.high, unseen.value, unseen.low)
        )
        return value, least, most

    out = [
        measure("missed", subject, (unseen.value, unseen.low, unseen.high), "objects"),
        measure("objects", subject, (n + unseen.value, n + unseen.low, n + unseen.high), "objects"),
        measure("completeness", subject, share(n), "fraction"),
    ]
    for column, reader in enumerate(captures.readers):
        about = f"reader {reader}" if subject == "all" else f"reader {reader}, {subject}"
        own = float(captures.weight[captures.found[:, column]].sum())
        out.append(measure("completeness", about, share(own), "fraction"))
    return out
