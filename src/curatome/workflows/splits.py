"""`curatome split`: which case lies in which split, kept in splits.csv beside the protocol."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from curatome.dataset.asking import asked
from curatome.dataset.splits import (
    Fold,
    Units,
    balance,
    case_counts,
    divide,
    k_folds,
    leave_one_out,
    nested_folds,
    tied,
)
from curatome.dataset.splits.counts import Counts
from curatome.durable import write_file
from curatome.errors import TableError
from curatome.project import Project

FILE, FOLDS = "splits.csv", "folds.csv"
_OF_ITEMS = ("site", "scanner", "stain")


@dataclass(frozen=True, eq=False)
class Division:
    """A division of a project's cases.

    Attributes:
        split: of each case that has items.
        new: cases that had none before.
        gone: cases that have a split, but no items now; they keep it.
        balance: `dataset.splits.BALANCE`.
    """

    split: Mapping[str, str]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    balance: pa.Table


@dataclass(frozen=True)
class Folding:
    """Which folds.

    Attributes:
        folds: how many; every case is tested in one of them.
        inner: folds within each fold's training cases; 0 for none.
        leave_out: site, scanner or stain: one value after the other is tested on instead.
        val: share of the remaining cases for `val`, where a domain is left out.
    """

    folds: int = 5
    inner: int = 0
    leave_out: str = ""
    val: float = 0.0


def read_splits(project: Project) -> dict[str, str]:
    """The split of each case as splits.csv says; none where there is no such file.

    Raises:
        TableError: the file is no such table, or names a case twice.
    """
    path = project.root / FILE
    if not path.exists():
        return {}
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path} cannot be read: {error}.") from error
    found: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        case, split = (str(row.get(name) or "").strip() for name in ("case", "split"))
        if not case or not split:
            raise TableError(f"{FILE} row {number}: every row needs a case and its split.")
        if case in found:
            raise TableError(f'{FILE} row {number}: case "{case}" is there twice. Keep one row.')
        found[case] = split
    return found


def save_splits(project: Project, split: Mapping[str, str]) -> None:
    """Write splits.csv, by case."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("case", "split"))
    writer.writerows(sorted(split.items()))
    write_file(project.root / FILE, text.getvalue())


def divide_cases(project: Project, items: Path, near: pa.Table | None = None) -> Division:
    """Give every case with items a split; those that have one keep it.

    Args:
        project: the project.
        items: Parquet file of `tables.ITEMS`.
        near: items that look alike, `tables.NEAR_DUPLICATES`: their cases go together, unless
            both have a split already.

    Raises:
        TableError: items have no case, or splits.csv names a split that the protocol has not.
    """
    settings = project.protocol.split
    before = read_splits(project)
    units = _units(project, items, _alike(items, near, before))
    counts = units.counts
    unknown = sorted(set(before.values()) - set(settings.fractions))
    if unknown:
        raise TableError(
            f'{FILE} has the split "{unknown[0]}", and curatome.toml only '
            f"{', '.join(settings.fractions)}. Add it under [split.fractions], or correct the file."
        )
    found = divide(units, settings.fractions, seed=settings.seed, locked=before)
    table = balance(counts, found, settings.fractions)
    new = tuple(sorted(set(found) - set(before)))
    return Division(found, new, tuple(sorted(set(before) - set(found))), table)


def fold_cases(project: Project, items: Path, way: Folding) -> tuple[Fold, ...]:
    """Repeated divisions, kept in folds.csv; `splits.csv` stays as it is.

    Args:
        project: the project.
        items: Parquet file of `tables.ITEMS`.
        way: which folds.

    Raises:
        TableError: items have no case, or there are too few cases or domains.
    """
    units, seed = _units(project, items), project.protocol.split.seed
    if way.leave_out:
        folds = leave_one_out(units, _domains(items, way.leave_out), way.val, seed=seed)
    elif way.inner:
        folds = nested_folds(units, way.folds, way.inner, seed=seed)
    else:
        folds = k_folds(units, way.folds, seed=seed)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("fold", "case", "split"))
    for fold in folds:
        writer.writerows((fold.name, case, one) for case, one in sorted(fold.split.items()))
    write_file(project.root / FOLDS, text.getvalue())
    return folds


def _domains(items: Path, factor: str) -> dict[str, list[str]]:
    """The values of a column of items in each case."""
    if factor not in _OF_ITEMS:
        raise TableError(f'"{factor}" cannot be left out. Use {", ".join(_OF_ITEMS)}.')
    with asked(items) as connection:
        sql = f'SELECT DISTINCT "case", "{factor}" FROM items WHERE "{factor}" IS NOT NULL'
        rows = connection.sql(sql).fetchall()
    found: dict[str, list[str]] = {}
    for case, value in sorted(rows):
        found.setdefault(case, []).append(value)
    return found


def _alike(items: Path, near: pa.Table | None, before: Mapping[str, str]) -> list[tuple[str, str]]:
    """Cases that share a picture, but those that were parted already."""
    if near is None or not len(near):
        return []
    with asked(items) as connection:
        connection.register("near", near)
        rows = connection.sql(
            'SELECT DISTINCT a."case", b."case" FROM near '
            "JOIN items a ON a.item = near.first JOIN items b ON b.item = near.second "
            'WHERE a."case" <> b."case"'
        ).fetchall()
    return sorted((a, b) for a, b in rows if not (a in before and b in before))


def _units(project: Project, items: Path, pairs: Sequence[tuple[str, str]] = ()) -> Units:
    """What is divided: cases with their strata, tied by site where the protocol says so."""
    settings = project.protocol.split
    factors = [name for name in settings.stratify if name != "class"]
    of_items = [name for name in factors if name in _OF_ITEMS]
    counts = case_counts(items, of_items, labels=True)
    counts = _with_fields(project, counts, [name for name in factors if name not in _OF_ITEMS])
    return tied(counts, _sites(project) if settings.site_preserved else None, pairs)


def _with_fields(project: Project, counts: Counts, fields: Sequence[str]) -> Counts:
    """The same with fields of cases as further strata."""
    cases = project.store.cases()
    names, columns = list(counts.strata), [counts.values]
    for name in fields:
        values = [str(cases.get(case, {}).get(name) or "") for case in counts.cases]
        for value in sorted(set(values) - {""}):
            names.append(f"{name}={value}")
            columns.append(np.array([[one == value] for one in values], np.float64))
    return Counts(counts.cases, tuple(names), np.concatenate(columns, axis=1))


def _sites(project: Project) -> dict[str, str | None]:
    return {
        entry.case: entry.declared.get("site")
        for entry in project.store.slides()
        if entry.case is not None
    }
