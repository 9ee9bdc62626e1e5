"""What each case brings, counted by hand."""

from __future__ import annotations

import pyarrow as pa
import pytest

from curatome.dataset.splits import case_counts, tied
from curatome.errors import TableError

ITEMS = pa.table(
    {
        "case": ["B", "A", "B", "B"],
        "site": ["Bonn", "Graz", "Bonn", None],
        "labels": pa.array([["tumor"], [], ["tumor", "necrosis", "tumor"], ["normal"]]),
    }
)


def test_cases_items_factors_and_classes():
    found = case_counts(ITEMS, ["site"])
    assert found.cases == ("A", "B")
    assert dict(zip(found.strata, found.values.T.tolist(), strict=True)) == {
        "cases": [1, 1],
        "items": [1, 3],
        "site=Bonn": [0, 1],
        "site=Graz": [1, 0],
        "class necrosis": [0, 1],
        "class normal": [0, 1],
        "class tumor": [0, 2],  # items, however often an item says it
    }


def test_some_cases_have_some_strata():
    found = case_counts(ITEMS, ["site"]).take(["A"])
    assert found.strata == ("cases", "items", "site=Graz")


def test_an_item_without_case_is_named():
    items = pa.table({"case": ["A", None], "labels": [["x"], ["y"]]})
    with pytest.raises(TableError, match="1 items have no case"):
        case_counts(items)
    with pytest.raises(TableError, match="no column scanner"):
        case_counts(ITEMS, ["scanner"])


def test_ties_are_transitive_and_named():
    cases = pa.table({"case": list("ABCDE")})
    counts = case_counts(cases, labels=False)
    units = tied(counts, {"A": "s", "C": "s", "B": None, "E": None}, [("C", "D")])
    assert [units.cases(k) for k in range(len(units))] == [["A", "C", "D"], ["B"], ["E"]]
    assert units.values[:, 0].tolist() == [3, 1, 1]
    with pytest.raises(TableError, match='case "X" is tied'):
        tied(counts, pairs=[("A", "X")])
