"""Tables of cells that people and tools keep: an outline, box or point in each row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from curatome.errors import TableError

_SLIDE = ("slide", "image", "path", "file")
_CELL = ("cell", "id")
_GEOMETRY = ("geometry", "shape", "wkt", "wkb")
_PARQUET = (".parquet", ".geoparquet", ".pq")
_DELIMITERS = ",;\t"
_BYTE_ORDERS = ("00", "01")  # what hexadecimal WKB begins with, as databases export it

Make = Callable[[Mapping[str, Any]], shapely.Geometry]


@dataclass(frozen=True)
class ShapeRow:
    """One row of a table of cells.

    Attributes:
        file: the table.
        row: its number, for messages: of a CSV file the header is row 1, of a Parquet file the
            first row is.
        slide: the slide as the row names it.
        cell: the cell's id; the number of the row where the table has no ids.
        shape: outline, box or point in level-0 pixels; None where it cannot be read.
        problem: why not, in words.
    """

    file: Path
    row: int
    slide: str
    cell: str
    shape: shapely.Geometry | None
    problem: str = ""

    @property
    def where(self) -> str:
        """File and row."""
        return f"{self.file.name} row {self.row}"


def read_shapes(path: Path) -> list[ShapeRow]:
    """The rows of a CSV or (Geo)Parquet file.

    The column `slide` names the slide, `cell`, if there is one, the cell. The shape is WKT or WKB,
    hexadecimal or not, in the column `geometry` (or `shape`, `wkt`, `wkb`), a box in `x`, `y`,
    `w`, `h`, or a point in `x` and `y`. Other columns are passed over; names are compared without
    regard to case.

    Raises:
        TableError: the file cannot be read, or has no column for slide or shape.
    """
    columns, first, rows = _parquet(path) if path.suffix.lower() in _PARQUET else _csv(path)
    slide = _column(path, columns, _SLIDE)
    if slide is None:
        raise _missing(path, columns, 'no column "slide"')
    cell = _column(path, columns, _CELL)
    make = _maker(path, columns)
    found = []
    for number, row in enumerate(rows, start=first):
        if not any(value not in ("", None) for value in row.values()):
            continue
        shape, problem = _made(make, row)
        name = str(row[slide] or "").strip()
        called = str(number) if cell is None else str(row[cell]).strip()
        found.append(ShapeRow(path, number, name, called, shape, problem))
    return found


def _made(make: Make, row: Mapping[str, Any]) -> tuple[shapely.Geometry | None, str]:
    try:
        return make(row), ""
    except (shapely.errors.ShapelyError, ValueError, TypeError) as error:
        return None, f"its shape cannot be read: {' '.join(str(error).split())}"


def _maker(path: Path, columns: Sequence[str]) -> Make:
    """What makes the shape of a row."""
    geometry = _column(path, columns, _GEOMETRY)
    if geometry is not None:
        return lambda row: _parsed(row[geometry])
    if not {"x", "y"} <= set(columns):
        raise _missing(path, columns, 'no shape: neither "geometry" nor "x" and "y"')
    if ("w" in columns) != ("h" in columns):
        raise _missing(path, columns, 'only one of "w" and "h"')
    return _box if "w" in columns else _point


def _parsed(value: Any) -> shapely.Geometry:
    if value in ("", None):
        raise ValueError("the cell of the table is empty")
    is_wkb = isinstance(value, bytes) or value[:2] in _BYTE_ORDERS
    return shapely.from_wkb(value) if is_wkb else shapely.from_wkt(value)


def _box(row: Mapping[str, Any]) -> shapely.Geometry:
    x, y, width, height = (_number(row, name) for name in ("x", "y", "w", "h"))
    if width <= 0 or height <= 0:
        raise ValueError(f"w and h must be positive, got {width:g} and {height:g}")
    return shapely.box(x, y, x + width, y + height)


def _point(row: Mapping[str, Any]) -> shapely.Geometry:
    return shapely.Point(_number(row, "x"), _number(row, "y"))


def _number(row: Mapping[str, Any], name: str) -> float:
    try:
        return float(row[name])
    except (TypeError, ValueError):
        raise ValueError(f'{name} is no number, got "{row[name]}"') from None


def _column(path: Path, columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The column that goes by one of several names, the first that is there."""
    found = next((name for name in names if name in columns), None)
    if found is not None and columns.count(found) > 1:
        raise TableError(f'{path.name}: the column "{found}" is there twice. Keep one of them.')
    return found


def _missing(path: Path, columns: Sequence[str], what: str) -> TableError:
    return TableError(
        f"{path.name} has {what}. There are: {', '.join(columns)}. Give slide, cell, and "
        "geometry (WKT or WKB), or x, y, w, h, in level-0 pixels."
    )


def _csv(path: Path) -> tuple[list[str], int, Iterator[Mapping[str, Any]]]:
    """Columns, number of the first row, rows."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise TableError(
            f"{path.name} is neither Parquet nor UTF-8 text (byte {error.start}). Export it as "
            "CSV in UTF-8, or as GeoParquet with the ending .parquet."
        ) from error
    delimiter = max(_DELIMITERS, key=text.partition("\n")[0].count)
    csv.field_size_limit(1 << 30)  # an outline of 10,000 points is longer than the usual limit
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise TableError(f"{path.name} is no CSV: {error}.") from error
    columns = [name.strip().casefold() for name in records[0]] if records else []
    if not any(columns):
        raise TableError(f"{path.name} row 1: the names of the columns are missing.")
    for number, record in enumerate(records[1:], start=2):
        if any(record[len(columns) :]):
            raise TableError(
                f"{path.name} row {number} has {len(record)} cells, the header {len(columns)}. "
                "A value that holds the delimiter, as WKT does, must be in double quotes."
            )
    empty = dict.fromkeys(columns, "")
    rows = (empty | dict(zip(columns, record, strict=False)) for record in records[1:])
    return columns, 2, rows


def _parquet(path: Path) -> tuple[list[str], int, Iterator[Mapping[str, Any]]]:
    """The same of a Parquet file; of GeoParquet, the primary column is the geometry."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise TableError(f"{path} cannot be read as Parquet: {error}.") from error
    columns = [name.casefold() for name in table.column_names]
    primary = _primary(table)
    if primary is not None and "geometry" not in columns:
        columns[columns.index(primary)] = "geometry"
    for name, kind in zip(columns, table.schema.types, strict=True):
        if name in _GEOMETRY and not _is_text_or_bytes(kind):
            raise TableError(
                f'{path.name}: the column "{name}" holds {kind}, no WKB and no WKT. Write '
                'GeoParquet with the encoding "WKB".'
            )
    renamed = table.rename_columns(columns)
    rows = (row for batch in renamed.to_batches() for row in batch.to_pylist())
    return columns, 1, rows


def _primary(table: pa.Table) -> str | None:
    about = (table.schema.metadata or {}).get(b"geo")
    if about is None:
        return None
    name = json.loads(about).get("primary_column")
    return name.casefold() if name in table.column_names else None


def _is_text_or_bytes(kind: pa.DataType) -> bool:
    known = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
    return kind in known or pa.types.is_dictionary(kind)
