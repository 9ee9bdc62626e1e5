"""Parquet files that hold the images themselves, as Hugging Face stores datasets."""

from __future__ import annotations

import fnmatch
import re

import pyarrow as pa
import pyarrow.parquet as pq

from curatome.errors import SourceError
from curatome.sources.listing import Entry, Listing, SourceFiles
from curatome.sources.model import Layout


def list_parquet(files: SourceFiles, layout: Layout) -> Listing:
    """The rows of all files that fit; only the columns about the images are read.

    Raises:
        SourceError: a file is no Parquet or misses a column.
    """
    found = [name for name in files.names if _fits(files.full(name), layout.files)]
    entries: list[Entry] = []
    for name in found:
        entries += _of_file(files, name, layout)
    return Listing(tuple(entries))


def _fits(full: str, glob: str) -> bool:
    return fnmatch.fnmatchcase(full, f"*/{glob}") or fnmatch.fnmatchcase(full, glob)


def _of_file(files: SourceFiles, name: str, layout: Layout) -> list[Entry]:
    columns = {
        "label": layout.class_column,
        "case": layout.case_column,
        "split": layout.split_column,
        "mpp": layout.mpp_column,
    }
    wanted = [column for column in columns.values() if column]
    try:
        file = pq.ParquetFile(files.root / name)
        lost = [c for c in [layout.image, *wanted] if c not in file.schema_arrow.names]
        if lost:
            there = ", ".join(file.schema_arrow.names)
            raise SourceError(f'{name}: there is no column "{lost[0]}". There are: {there}.')
        table = file.read(columns=wanted)
        count = file.metadata.num_rows
    except pa.ArrowException as error:
        raise SourceError(f"{name} is no Parquet file that can be read: {error}.") from error
    pattern = re.search(layout.pattern, files.full(name)) if layout.pattern else None
    said = pattern.groupdict() if pattern else {}
    cells = {key: table.column(c).to_pylist() if c else None for key, c in columns.items()}
    entries = []
    for row in range(count):
        value = {key: column[row] if column else None for key, column in cells.items()}
        label = _text(value["label"])
        entries.append(
            Entry(
                name,
                row,
                label=layout.classes.get(label, label) if label is not None else None,
                case=_text(value["case"]) or said.get("case"),
                split=_text(value["split"]) or said.get("split"),
                part=said.get("part"),
                mpp=_mpp(value["mpp"], f"{name} row {row}"),
            )
        )
    return entries


def _text(value: object) -> str | None:
    """A cell as the layout's `classes` spell it: true and false in lower case."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _mpp(value: object, where: str) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise SourceError(f"{where}: mpp must be a positive number. Got {value!r}.")
    return float(value)
