"""The tables of slides and of cases that people keep, and which slide each row is about."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from curatome.errors import TableError
from curatome.findings import Finding, Severity
from curatome.location import Location, located
from curatome.protocol import SLIDE_FIELDS, Field, FieldValue
from curatome.slides.spreadsheet import Spreadsheet
from curatome.units import Mpp

_SLIDE_KEYS = ("slide", "path", "file", "filename")
_SCALE = {"mpp_x": SLIDE_FIELDS["mpp"], "mpp_y": SLIDE_FIELDS["mpp"]}
_DOUBLE_SUFFIXES = (".ome",)


@dataclass(frozen=True)
class SlideRow:
    """One row of a table of slides.

    Attributes:
        sheet: the CSV file.
        row: number of the row as a spreadsheet shows it; the header is row 1.
        slide: path, file name or stem of the slide, as written.
        mpp: the scale, or None if the row gives none.
        has_mpp: whether the table has a column for it, so that an empty cell takes it back.
        values: the other columns by name of their field; None where a cell is empty.
    """

    sheet: Path
    row: int
    slide: str
    mpp: Mpp | None = None
    values: Mapping[str, FieldValue] = field(default_factory=dict)
    has_mpp: bool = False


@dataclass(frozen=True)
class CaseRow:
    """One row of a table of cases.

    Attributes:
        sheet: the CSV file.
        row: number of the row as a spreadsheet shows it; the header is row 1.
        case: what the case is called, also in the table of slides.
        values: the other columns by name of their field; None where a cell is empty.
    """

    sheet: Path
    row: int
    case: str
    values: Mapping[str, FieldValue] = field(default_factory=dict)


def read_slide_table(path: Path, fields: Mapping[str, Field]) -> list[SlideRow]:
    """The rows of a table of slides.

    The column `slide` (or `path`, `file`, `filename`) says which slide a row is about; `mpp`, or
    `mpp_x` and `mpp_y`, give its scale in µm/px; all others are fields.

    Args:
        path: a CSV file, see `Spreadsheet`.
        fields: what its columns may be, `protocol.cohort.declared("slides")`.

    Raises:
        TableError: the file cannot be used; the message lists every problem with its row.
    """
    sheet = Spreadsheet(path, {"mpp": SLIDE_FIELDS["mpp"], **_SCALE, **fields}, _SLIDE_KEYS)
    given = set(sheet.columns) & set(_SCALE)
    if given and "mpp" in sheet.columns:
        sheet.refuse(["row 1: there are mpp and also mpp_x or mpp_y. Keep one of the two."])
    if len(given) == 1:
        sheet.refuse([f"row 1: there is {given.pop()} alone. Give mpp_x and mpp_y, or mpp."])

    def make(row: int, slide: str, values: dict[str, FieldValue]) -> SlideRow:
        has_mpp = bool(given) or "mpp" in sheet.columns
        return SlideRow(path, row, slide, _take_mpp(values), values, has_mpp)

    return sheet.each(make)


def read_case_table(path: Path, fields: Mapping[str, Field]) -> list[CaseRow]:
    """The rows of a table of cases; the column `case` says which case a row is about.

    Args:
        path: a CSV file, see `Spreadsheet`.
        fields: what its columns may be, `protocol.cohort.declared("cases")`.

    Raises:
        TableError: the file cannot be used; the message lists every problem with its row.
    """

    def make(row: int, case: str, values: dict[str, FieldValue]) -> CaseRow:
        return CaseRow(path, row, case, values)

    return Spreadsheet(path, fields, ("case",)).each(make)


def match_rows(
    rows: Sequence[SlideRow], slide_paths: Sequence[Location]
) -> tuple[dict[Location, SlideRow], list[Finding]]:
    """Which slide each row of a table is about.

    A row names its slide by URL or by path relative to the table, else by the last parts of
    either, at least the file name, else by the file name without its extension.

    Returns:
        The row of each slide that has one, by the path as given, and an ACQ013 finding for every
        row that is about no slide.

    Raises:
        TableError: a row's name fits several slides, or several rows fit one slide.
    """
    names = _Names(slide_paths)
    matches: dict[Location, SlideRow] = {}
    findings: list[Finding] = []
    problems: list[str] = []
    for row in rows:
        where = f"{row.sheet.name} row {row.row}"
        fitting = names.fitting(row)
        if not fitting:
            findings.append(_no_slide(row))
        elif len(fitting) > 1:
            listed = ", ".join(str(path) for path in fitting)
            problems.append(
                f'{where}: "{row.slide}" fits {len(fitting)} slides, {listed}. '
                "Write the path from the table's folder."
            )
        elif fitting[0] in matches:
            other = matches[fitting[0]]
            problems.append(
                f"{where} is about {fitting[0]}, as is {other.sheet.name} row {other.row}. "
                "Keep one of them."
            )
        else:
            matches[fitting[0]] = row
    if problems:
        raise TableError("\n".join(problems))
    return matches, findings


class _Names:
    """Everything that a set of slides may be called."""

    def __init__(self, slide_paths: Sequence[Location]) -> None:
        self._places: dict[str, list[Location]] = {}
        self._names: dict[str, list[Location]] = {}
        self._stems: dict[str, list[Location]] = {}
        for path in dict.fromkeys(slide_paths):
            place = os.path.realpath(path) if isinstance(path, Path) else path
            self._places.setdefault(place, []).append(path)
            self._names.setdefault(PurePosixPath(path).name, []).append(path)
            for stem in _stems(path):
                self._stems.setdefault(stem, []).append(path)

    def fitting(self, row: SlideRow) -> list[Location]:
        """The slides a row may be about, by the strictest way of naming that fits any."""
        for written in dict.fromkeys((row.slide, row.slide.replace("\\", "/"))):
            place = located(written, row.sheet.parent)
            exact = self._places.get(os.path.realpath(place) if isinstance(place, Path) else place)
            parts = tuple(part for part in PurePosixPath(written).parts if part != "..")
            named = self._names.get(parts[-1], []) if parts else []
            ending = [path for path in named if PurePosixPath(path).parts[-len(parts) :] == parts]
            found = exact or ending or self._stems.get(written)
            if found:
                return found
        return []


def _stems(path: Location) -> set[str]:
    """A file name without its extension, and without both of a double one."""
    stem = PurePosixPath(path).stem
    double = next((s for s in _DOUBLE_SUFFIXES if stem.lower().endswith(s)), "")
    return {stem, stem[: len(stem) - len(double)]}


def _no_slide(row: SlideRow) -> Finding:
    return Finding(
        "ACQ013",
        Severity.WARNING,
        f"file {row.sheet.name}",
        f'{row.sheet.name} row {row.row}: no slide is called "{row.slide}".',
        "Correct the name, or name the slide and this table in one `curatome add`.",
        evidence={"row": row.row, "slide": row.slide},
        key=row.slide,
    )


def _take_mpp(values: dict[str, FieldValue]) -> Mpp | None:
    """Takes the scale out of a row's values; values of fields of another type stay."""
    both = values.pop("mpp", None)
    x, y = values.pop("mpp_x", both), values.pop("mpp_y", both)
    for value in (x, y):
        if isinstance(value, int | float) and not value > 0:
            raise TableError(f"mpp must be positive. Got {value}. Empty the cell if unknown.")
    if x is None and y is None:
        return None
    if not isinstance(x, int | float) or not isinstance(y, int | float):
        raise TableError("one of mpp_x and mpp_y is empty. Give both, or none.")
    return Mpp(float(x), float(y), "table")
