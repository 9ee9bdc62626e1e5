"""A CSV file as spreadsheets export it, read against the fields its columns may be."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from curatome.errors import TableError
from curatome.protocol import Field, FieldValue, parse_field

T = TypeVar("T")
Make = Callable[[int, str, dict[str, FieldValue]], T]

_DELIMITERS = ",;\t"
_SHOWN = 10  # problems in one message


class Spreadsheet:
    """A CSV file in UTF-8 with commas, semicolons or tabs, whose first row is its header.

    Column names are compared without spaces around them and without regard to case. Rows are
    counted as a spreadsheet shows them: the header is row 1, blank rows count.

    Args:
        path: the file.
        fields: what its columns may be, by name.
        keys: names of the column that says what a row is about, the first is the usual one.

    Raises:
        TableError: it is no such file, or its header has missing, double or unknown columns.
    """

    def __init__(self, path: Path, fields: Mapping[str, Field], keys: Sequence[str]) -> None:
        self._path = path
        self._fields = {name.casefold(): (name, field) for name, field in fields.items()}
        self._records = _records(path)
        self._header = [cell.strip().casefold() for cell in self._records[0]]
        self._key = self._find_key(keys)
        self._check_header(keys[0])

    @property
    def columns(self) -> list[str]:
        """Names of its columns as the fields spell them, without the key's."""
        return [self._fields[cell][0] for cell in self._header if cell not in ("", self._key)]

    def each(self, make: Make[T]) -> list[T]:
        """What `make` builds of the number, key and values of every row that is not blank.

        Raises:
            TableError: rows are wrong, or `make` says so; the message lists them by number.
        """
        built: list[T] = []
        problems: list[str] = []
        first: dict[str, int] = {}
        for number, record in enumerate(self._records[1:], start=2):
            cells = [cell.strip() for cell in record]
            if not any(cells):
                continue
            try:
                key, values = self._parse(cells)
                if key in first:
                    raise TableError(f'"{key}" is in row {first[key]} already. Keep one of them.')
                first[key] = number
                built.append(make(number, key, values))
            except TableError as error:
                problems.append(f"row {number}: {error}")
        if problems:
            self.refuse(problems)
        return built

    def refuse(self, problems: Sequence[str]) -> NoReturn:
        """Raises a TableError that lists problems of this file."""
        shown = [f"{self._path.name} {problem}" for problem in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            shown.append(f"… and {len(problems) - _SHOWN} more.")
        raise TableError("\n".join(shown))

    def _find_key(self, keys: Sequence[str]) -> str:
        present = [key for key in keys if key in self._header]
        if not present:
            header = ", ".join(cell for cell in self._header if cell)
            self.refuse([f'row 1: there is no column "{keys[0]}". There are: {header}.'])
        return present[0]

    def _check_header(self, key: str) -> None:
        problems = []
        for cell in dict.fromkeys(self._header):
            if cell and self._header.count(cell) > 1:
                problems.append(f'row 1: the column "{cell}" is there twice. Keep one of them.')
            elif cell and cell != self._key and cell not in self._fields:
                problems.append(f"row 1: {self._unknown(cell, key)}")
        missing = [
            name
            for name, field in self._fields.values()
            if field.required and name.casefold() not in self._header
        ]
        problems += [f'row 1: the required column "{name}" is missing.' for name in missing]
        if problems:
            self.refuse(problems)

    def _unknown(self, cell: str, key: str) -> str:
        known = [name for name, _ in self._fields.values()]
        close = difflib.get_close_matches(cell, [*self._fields, key], n=1)
        guess = f' (did you mean "{close[0]}"?)' if close else ""
        table = "cases" if key == "case" else "slides"
        declare = f'[cohort.fields.{cell.replace(" ", "_")}] with table = "{table}"'
        return (
            f'the column "{cell}" is not known{guess}. Known are: {", ".join([key, *known])}. '
            f"Rename it, or declare it in curatome.toml as {declare}."
        )

    def _parse(self, cells: Sequence[str]) -> tuple[str, dict[str, FieldValue]]:
        """The key and the values of one row."""
        if any(cells[len(self._header) :]):
            raise TableError(
                f"it has {len(cells)} cells, the header {len(self._header)}. A value that "
                "contains the delimiter must be in double quotes."
            )
        key = ""
        values: dict[str, FieldValue] = {}
        padded = [*cells, *[""] * (len(self._header) - len(cells))]
        for name, cell in zip(self._header, padded, strict=False):
            if name == self._key:
                key = cell
            elif name:
                values[self._fields[name][0]] = parse_field(
                    self._fields[name][1], self._fields[name][0], cell
                )
            elif cell:
                raise TableError(f'"{cell}" stands in a column without a name. Name the column.')
        if not key:
            raise TableError(f'the column "{self._key}" is empty. Fill it in, or delete the row.')
        return key, values


def _records(path: Path) -> list[list[str]]:
    """The rows of a CSV file, the header first."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise TableError(
            f"{path.name} is not UTF-8 text (byte {error.start}). "
            'Export it from the spreadsheet as "CSV UTF-8".'
        ) from error
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)))
    except csv.Error as error:
        raise TableError(f"{path.name} is no CSV: {error}.") from error
    if not records or not any(cell.strip() for cell in records[0]):
        raise TableError(f"{path.name} row 1: the names of the columns are missing.")
    return records


def _delimiter(text: str) -> str:
    """The delimiter that cuts the header into most cells."""
    header = text.partition("\n")[0]
    return max(_DELIMITERS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))
