"""Fields, their built-in definitions, and what a table's cell may say."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.errors import TableError
from curatome.protocol import Cohort, Field, FieldValue, parse_field

GRADE = Field(type="category", values=("low", "High"))


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        (Field(), "  two words ", "two words"),
        (Field(type="integer"), "-12", -12),
        (Field(type="number"), "+.5e1", 5.0),
        (Field(type="number"), "60", 60.0),
        (Field(type="boolean"), "Yes", True),
        (Field(type="boolean"), "0", False),
        (Field(type="date"), "2024-02-29", date(2024, 2, 29)),
        (GRADE, "High", "High"),
        (Field(type="category"), "anything", "anything"),
        (Field(type="integer"), "   ", None),
    ],
)
def test_cells_become_values(field: Field, raw: str, value: FieldValue) -> None:
    found = parse_field(field, "x", raw)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("field", "raw", "message"),
    [
        (Field(type="integer"), "1.0", 'column "x" must be a whole number. Got "1.0".'),
        (Field(type="integer"), "1_000", "must be a whole number"),
        (Field(type="number"), "0,25", "with a point for the decimals"),
        (Field(type="number"), "nan", "must be a number. Got"),
        (Field(type="number"), "1e999", "below 1.8e308"),
        (Field(type="boolean"), "maybe", "true, yes, 1, false, no, 0"),
        (Field(type="date"), "20240229", "year-month-day"),
        (Field(type="date"), "2023-02-29", "in the calendar"),
        (GRADE, "high", 'must be one of low, High (did you mean "High"?). Got "high".'),
        (Field(required=True), " ", 'column "x" must have a value in every row.'),
    ],
)
def test_cells_that_are_refused(field: Field, raw: str, message: str) -> None:
    with pytest.raises(TableError) as caught:
        parse_field(field, "x", raw)
    assert message in str(caught.value)


@settings(deadline=None)
@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.dates())
def test_what_python_writes_is_read_back(value: int | float | date) -> None:
    kinds = {int: "integer", float: "number", date: "date"}
    field = Field.model_validate({"type": kinds[type(value)]})
    assert parse_field(field, "x", str(value)) == value


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_value_or_a_table_error(raw: str) -> None:
    for kind in ("integer", "number", "boolean", "date"):
        try:
            found = parse_field(Field.model_validate({"type": kind}), "x", raw)
        except TableError:
            continue
        assert (found is None) == (not raw.strip())


def test_built_in_fields_are_declared() -> None:
    cohort = Cohort()
    assert list(cohort.declared("cases")) == ["diagnosis", "age", "sex", "body_site", "species"]
    assert list(cohort.declared("slides")) == ["case", "site", "scanner", "stain", "block", "mpp"]
    assert cohort.declared("cases")["age"].unit == "years"


def test_a_declaration_overrides_the_built_in_field_of_its_table() -> None:
    own = {"age": Field(type="integer"), "grade": GRADE, "site": Field(table="cases")}
    cohort = Cohort(fields=own)
    assert cohort.declared("cases")["age"].type == "integer"
    assert list(cohort.declared("cases"))[-2:] == ["grade", "site"]
    assert cohort.declared("slides")["site"].type == "category"
    assert cohort.find("grade") == GRADE
    assert cohort.find("colour") is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"fields": {"mpp": {"table": "slides", "type": "text"}}}, 'always of type "number"'),
        ({"fields": {"x": {"values": ["a"]}}}, "only a category has values"),
        ({"fields": {"x": {"type": "category", "values": ["a", "a"]}}}, '"a" is listed twice'),
        ({"targets": {"Sex": {"female": 1}}}, 'Did you mean "sex"?'),
        ({"targets": {"sex": {"female": -1}}}, "cannot be negative. Got -1"),
        (
            {
                "targets": {"g": {"b": 1}},
                "fields": {"g": {"type": "category", "values": ["a"]}},
            },
            '"b" is not a value of g: a.',
        ),
    ],
)
def test_cohorts_that_contradict_themselves(data: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match="Cohort") as caught:
        Cohort.model_validate(data)
    assert message in str(caught.value)


def test_targets_may_count_classes_and_declared_fields() -> None:
    cohort = Cohort(targets={"class": {"tumor": 3}, "grade": {"low": 0}}, fields={"grade": GRADE})
    assert cohort.targets["class"] == {"tumor": 3}
