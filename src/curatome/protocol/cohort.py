"""What is recorded about cases and slides, and how many of each kind the dataset should hold."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import date
from math import isfinite
from typing import Literal

import pydantic

from curatome.errors import TableError
from curatome.protocol.problems import Problem, refuse
from curatome.protocol.settings import Flag, Integer, Key, Name, Settings

TableName = Literal["cases", "slides"]
FieldType = Literal["text", "integer", "number", "boolean", "category", "date"]
FieldValue = str | int | float | bool | date | None

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Field(Settings):
    """One column of the table of cases or of slides.

    Attributes:
        table: the table it belongs to.
        type: what its values are.
        values: what a category may be; without any, it may be every text.
        unit: unit of a number.
        identifying: it may tell who the patient is, and is never released.
        required: every row must have a value.
    """

    table: TableName = "cases"
    type: FieldType = "text"
    values: tuple[Name, ...] = ()
    unit: str = ""
    identifying: Flag = False
    required: Flag = False

    @pydantic.model_validator(mode="after")
    def _values_belong_to_a_category(self) -> Field:
        if self.values and self.type != "category":
            message = f'only a category has values. Write type = "category" instead of {self.type}.'
            refuse([Problem(("values",), message)])
        twice = sorted({value for value in self.values if self.values.count(value) > 1})
        refuse([Problem(("values",), f'"{value}" is listed twice.') for value in twice])
        return self


CASE_FIELDS: Mapping[str, Field] = {
    "diagnosis": Field(type="category"),
    "age": Field(type="number", unit="years"),
    "sex": Field(type="category"),
    "body_site": Field(type="category"),
    "species": Field(type="category"),
}
"""What every table of cases may hold without being declared."""

SLIDE_FIELDS: Mapping[str, Field] = {
    "case": Field(table="slides", type="text"),
    "site": Field(table="slides", type="category"),
    "scanner": Field(table="slides", type="category"),
    "stain": Field(table="slides", type="category"),
    "block": Field(table="slides", type="text"),
    "mpp": Field(table="slides", type="number", unit="µm/px"),
}
"""What every table of slides may hold without being declared."""

_FIXED_TYPES: Mapping[tuple[str, str], FieldType] = {
    ("slides", "case"): "text",
    ("slides", "mpp"): "number",
}


class Cohort(Settings):
    """The cases the dataset is to hold.

    Attributes:
        targets: number of cases wanted, by factor (a field, or `class`) and its value.
        fields: the columns that are declared beyond the built-in ones, by name.
    """

    targets: dict[Key, dict[Key, Integer]] = pydantic.Field(default_factory=dict)
    fields: dict[Key, Field] = pydantic.Field(default_factory=dict)

    @pydantic.model_validator(mode="after")
    def _targets_and_fields_agree(self) -> Cohort:
        refuse([*self._field_problems(), *self._target_problems()])
        return self

    def declared(self, table: TableName) -> dict[str, Field]:
        """Every field of a table by name: the built-in ones, as overridden, then the others."""
        built_in = CASE_FIELDS if table == "cases" else SLIDE_FIELDS
        own = {name: field for name, field in self.fields.items() if field.table == table}
        return {**built_in, **own}

    def find(self, name: str) -> Field | None:
        """The field of that name, of cases before slides, or None."""
        return self.declared("cases").get(name) or self.declared("slides").get(name)

    def factor_problem(self, factor: str) -> str:
        """Why one cannot group cases by `factor`, or an empty text."""
        if factor == "class" or self.find(factor) is not None:
            return ""
        known = [*self.declared("cases"), *self.declared("slides"), "class"]
        close = difflib.get_close_matches(factor, known, n=1)
        guess = f' Did you mean "{close[0]}"?' if close else ""
        return (
            f'"{factor}" is not a field of cases or slides.{guess} '
            f"Declare it under [cohort.fields.{factor}], or use one of: {', '.join(known)}."
        )

    def _field_problems(self) -> list[Problem]:
        problems = []
        for name, field in self.fields.items():
            fixed = _FIXED_TYPES.get((field.table, name))
            if fixed not in (None, field.type):
                message = f'"{name}" of slides is always of type "{fixed}". Got "{field.type}".'
                problems.append(Problem(("fields", name, "type"), message))
        return problems

    def _target_problems(self) -> list[Problem]:
        problems = []
        for factor, wanted in self.targets.items():
            message = self.factor_problem(factor)
            if message:
                problems.append(Problem(("targets", factor), message))
            for value, cases in wanted.items():
                message = self._target_problem(factor, value, cases)
                if message:
                    problems.append(Problem(("targets", factor, value), message))
        return problems

    def _target_problem(self, factor: str, value: str, cases: int) -> str:
        field = self.find(factor)
        if cases < 0:
            return f"a number of cases cannot be negative. Got {cases}."
        if field is not None and field.values and value not in field.values:
            return f'"{value}" is not a value of {factor}: {", ".join(field.values)}.'
        return ""


def parse_field(field: Field, name: str, raw: str) -> FieldValue:
    """The value that a table's cell stands for; None for an empty cell.

    Args:
        field: what the column holds.
        name: the column's name, for the message.
        raw: the cell's text; spaces around it are dropped.

    Raises:
        TableError: the text is not a value of the field, or is empty though one is required. The
            message names the column; the caller adds file and row.
    """
    text = raw.strip()
    if not text:
        if field.required:
            raise TableError(f'column "{name}" must have a value in every row.')
        return None
    try:
        return _parse(field, text)
    except ValueError as error:
        raise TableError(f'column "{name}" {error}. Got "{text}".') from None


def _parse(field: Field, text: str) -> FieldValue:
    match field.type:
        case "integer":
            return _parse_integer(text)
        case "number":
            return _parse_number(text)
        case "boolean":
            return _parse_boolean(text)
        case "date":
            return _parse_date(text)
        case "category":
            return _parse_category(field.values, text)
        case "text":
            return text


def _parse_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("must be a whole number")
    return int(text)


def _parse_number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        comma = ", with a point for the decimals and nothing between thousands"
        raise ValueError(f"must be a number{comma if ',' in text else ''}")
    value = float(text)
    if not isfinite(value):
        raise ValueError("must be a number that a computer can hold, below 1.8e308")
    return value


def _parse_boolean(text: str) -> bool:
    if text.casefold() not in _BOOLEANS:
        raise ValueError(f"must be one of {', '.join(_BOOLEANS)}")
    return _BOOLEANS[text.casefold()]


def _parse_date(text: str) -> date:
    wanted = "must be a date as year-month-day, 2024-05-31"
    if not _DATE.fullmatch(text):
        raise ValueError(wanted)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{wanted}, that is in the calendar") from None


def _parse_category(values: tuple[str, ...], text: str) -> str:
    if values and text not in values:
        folded = {value.casefold(): value for value in values}
        close = difflib.get_close_matches(text.casefold(), folded, n=1)
        guess = f' (did you mean "{folded[close[0]]}"?)' if close else ""
        raise ValueError(f"must be one of {', '.join(values)}{guess}")
    return text
