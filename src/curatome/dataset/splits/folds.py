"""Splits that are repeated: k-fold, nested, and one domain left out after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from curatome.dataset.splits.divide import divide
from curatome.dataset.splits.units import Units, tied
from curatome.errors import TableError


@dataclass(frozen=True)
class Fold:
    """One division of many.

    Attributes:
        name: `fold 1`, `fold 1, inner 2`, or the domain that is left out.
        split: of each case.
    """

    name: str
    split: Mapping[str, str]


def k_folds(units: Units, k: int, *, seed: int = 0) -> tuple[Fold, ...]:
    """Every case is in the test split of one fold and in the training split of all others.

    Args:
        units: what is divided.
        k: number of folds.
        seed: decides among equals.

    Raises:
        TableError: there are fewer units than folds.
    """
    if not 2 <= k <= len(units):
        raise TableError(
            f"{len(units)} groups of cases cannot be divided into {k} folds. Choose 2 to "
            f"{len(units)}."
        )
    part = divide(units, {str(i): 1 / k for i in range(k)}, seed=seed)
    return tuple(
        Fold(
            f"fold {i + 1}",
            {case: "test" if where == str(i) else "train" for case, where in part.items()},
        )
        for i in range(k)
    )


def nested_folds(units: Units, outer: int, inner: int, *, seed: int = 0) -> tuple[Fold, ...]:
    """Each outer fold's training cases again in folds of `train` and `val`; `test` stays out.

    Raises:
        TableError: there are fewer units than folds.
    """
    found = []
    for fold in k_folds(units, outer, seed=seed):
        rest = [case for case, where in fold.split.items() if where == "train"]
        counts = units.counts.take(rest)
        group = dict(zip(units.counts.cases, map(str, units.unit), strict=True))
        for number, part in enumerate(k_folds(tied(counts, group), inner, seed=seed), 1):
            inside = {c: "val" if w == "test" else "train" for c, w in part.split.items()}
            split = {case: inside.get(case, "test") for case in units.counts.cases}
            found.append(Fold(f"{fold.name}, inner {number}", split))
    return tuple(found)


def leave_one_out(
    units: Units, domain: Mapping[str, Iterable[str]], val: float = 0.0, *, seed: int = 0
) -> tuple[Fold, ...]:
    """For each domain (a site, a scanner), it alone is tested on.

    A case that lies in several domains is in the test split of each of them.

    Args:
        units: what is divided.
        domain: the domains of each case.
        val: share of the remaining cases that go to `val`.
        seed: decides among equals.

    Raises:
        TableError: there is only one domain, or one that all cases are tied to.
    """
    cases = units.counts.cases
    domains = sorted({one for case in cases for one in domain.get(case, ())})
    if len(domains) < 2:
        raise TableError(f"one domain cannot be left out of {len(domains)}. Name another factor.")
    group = dict(zip(cases, map(str, units.unit), strict=True))
    found = []
    for name in domains:
        out = {group[case] for case in cases if name in domain.get(case, ())}
        test = {case for case in cases if group[case] in out}
        rest = [case for case in cases if case not in test]
        if not rest:
            raise TableError(
                f'all cases are tied to domain "{name}", so nothing is left to train on.'
            )
        part = dict.fromkeys(rest, "train")
        if val:
            part = divide(
                tied(units.counts.take(rest), group), {"train": 1 - val, "val": val}, seed=seed
            )
        found.append(Fold(name, {case: part.get(case, "test") for case in cases}))
    return tuple(found)
