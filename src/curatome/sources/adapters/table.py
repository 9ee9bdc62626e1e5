"""CSV listings: a row per image, with its path, class, case, split and scale."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from curatome.errors import SourceError
from curatome.sources.listing import Entry, Listing, SourceFiles, inside
from curatome.sources.model import Layout

Row = Mapping[str, str]


def list_table(files: SourceFiles, layout: Layout) -> Listing:
    """The images that the listing names; those that are not there are `missing`.

    An image in one of the listing's folders that no row names is surplus.

    Raises:
        SourceError: the listing is no CSV, misses a column, or has a row that makes no sense.
    """
    found = files.find(layout.table)
    if not found:
        return Listing(())
    table = found[0]
    folder = PurePosixPath(table).parent
    prefix = "" if str(folder) == "." else f"{folder}/"
    entries: list[Entry] = []
    missing: list[str] = []
    for number, row in _rows(files.root / table, layout):
        where = f"{table} row {number}"
        path = prefix + inside(_path(layout.image, row, where), where)
        if path in files.known:
            entries.append(_entry(path, row, layout, where))
        else:
            missing.append(path)
    entries.sort(key=lambda entry: entry.path.split("/"))
    named = {entry.path for entry in entries}
    folders = {path.rpartition("/")[0] for path in [*named, *missing]}
    surplus = [
        name for name in files.images() if name not in named and name.rpartition("/")[0] in folders
    ]
    return Listing(tuple(entries), tuple(surplus), tuple(missing))


def _rows(path: Path, layout: Layout) -> list[tuple[int, Row]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not UTF-8 text (byte {error.start}).") from error
    head = text.partition("\n")[0]
    mark = max(",;\t", key=lambda sign: len(next(csv.reader([head], delimiter=sign), [])))
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=mark)
    columns = [name.strip() for name in reader.fieldnames or []]
    wanted = {
        layout.class_column,
        layout.case_column,
        layout.split_column,
        layout.mpp_column,
        *layout.label_columns,
    } - {""}
    lost = sorted(wanted - set(columns))
    if lost:
        raise SourceError(
            f'{path} row 1: there is no column "{lost[0]}". There are: {", ".join(columns)}.'
        )
    reader.fieldnames = columns
    try:
        return [
            (number, {name: (cell or "").strip() for name, cell in row.items() if name})
            for number, row in enumerate(reader, start=2)
            if any(row.values())
        ]
    except csv.Error as error:
        raise SourceError(f"{path} is no CSV: {error}.") from error


def _path(template: str, row: Row, where: str) -> str:
    try:
        return template.format_map(row)
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise SourceError(
            f'{where}: "{template}" names no column of the listing ({error}). '
            f"There are: {', '.join(row)}."
        ) from error


def _entry(path: str, row: Row, layout: Layout, where: str) -> Entry:
    label = row.get(layout.class_column) or None
    if layout.label_columns:
        label = ";".join(name for name in layout.label_columns if _is_set(row[name], name, where))
    return Entry(
        path,
        label=layout.classes.get(label, label) if label is not None else None,
        case=row.get(layout.case_column) or None,
        split=row.get(layout.split_column) or None,
        mpp=_mpp(row.get(layout.mpp_column, ""), where),
    )


def _is_set(cell: str, name: str, where: str) -> bool:
    if cell not in ("0", "1", "0.0", "1.0", ""):
        raise SourceError(f'{where}, column "{name}": must be 0 or 1. Got "{cell}".')
    return cell.startswith("1")


def _mpp(cell: str, where: str) -> float | None:
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise SourceError(f'{where}: mpp must be a positive number. Got "{cell}".')
    return value
