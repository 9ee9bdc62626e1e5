"""What a change of the guideline makes of annotations, on small cases worked out by hand."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curatome.annotations.guideline import in_order, migration, renames, since, stale
from curatome.errors import AnnotationError
from curatome.protocol import Guideline, GuidelineChange
from curatome.tables import ANNOTATIONS

DEFAULTS = {
    "image": "S1", "kind": "whole", "cannot_judge": False, "reader": "joe", "read": 1,
    "basis": "drawn", "parents": [], "properties": "{}",
}  # fmt: skip


def table(*rows: tuple[str, str | None, list[str]]) -> pa.Table:
    """Annotations as (id, guideline, labels)."""
    return ANNOTATIONS.from_rows(
        [
            {**DEFAULTS, "annotation": name, "guideline": version, "labels": labels}
            for name, version, labels in rows
        ]
    )


def change(version: str, **more: object) -> GuidelineChange:
    number = int(version)
    return GuidelineChange(
        version=version, date=date(2025, number, 1), change=f"change {version}", **more
    )


HISTORY = Guideline(
    version="4",
    changelog=(
        change("4", split={"stroma": ("fibrous", "loose")}, removed=("artifact",)),
        change("1"),
        change("2", redefined=("tumor",), renamed={"tumour": "tumor", "cancer": "tumor"}),
        change("3", renamed={"tumor": "carcinoma"}, added=("mitosis",)),
    ),
)


def test_changes_come_in_the_order_of_their_dates() -> None:
    assert [c.version for c in in_order(HISTORY)] == ["1", "2", "3", "4"]
    assert [c.version for c in since(HISTORY, "2")] == ["3", "4"]
    assert since(HISTORY, "4") == ()
    assert [c.version for c in since(HISTORY, None)] == ["1", "2", "3", "4"]


def test_an_unknown_version_is_refused_by_name() -> None:
    with pytest.raises(AnnotationError, match='never had a version "2b"; it has 1, 2, 3, 4'):
        since(HISTORY, "2b")
    assert since(Guideline(), "1") == ()


def test_renames_and_merges_are_followed_through_later_ones() -> None:
    assert renames(since(HISTORY, "1")) == {
        "tumour": "carcinoma", "cancer": "carcinoma", "tumor": "carcinoma",
    }  # fmt: skip
    assert renames(since(HISTORY, "3")) == {}


def test_classes_can_swap_their_names() -> None:
    assert renames([change("2", renamed={"a": "b", "b": "a"})]) == {"a": "b", "b": "a"}


def test_a_migration_shows_before_and_after() -> None:
    rows = migration(
        table(
            ("A", "1", ["tumour", "stroma"]),
            ("B", "3", ["carcinoma"]),
            ("C", "1", ["tumour", "cancer"]),
            ("D", None, ["stroma"]),
        ),
        HISTORY,
    ).to_pylist()
    assert [(row["annotation"], row["before"], row["after"]) for row in rows] == [
        ("A", ["tumour", "stroma"], ["carcinoma", "stroma"]),
        ("C", ["tumour", "cancer"], ["carcinoma"]),
    ]


def test_what_needs_a_reader_is_stale_with_its_reason() -> None:
    rows = stale(
        table(
            ("A", "1", ["tumour", "stroma"]),  # not migrated yet
            ("B", "1", ["carcinoma"]),  # migrated
            ("C", "2", ["tumor"]),  # made under the new definition
            ("D", "4", ["fibrous"]),
            ("E", "3", ["artifact"]),
            ("F", None, ["lymphocyte"]),
        ),
        HISTORY,
    ).to_pylist()
    found = {(row["annotation"], row["label"], row["since"], row["reason"]) for row in rows}
    assert found == {
        ("A", "carcinoma", "2", "redefined: change 2"),
        ("A", "stroma", "4", "split into fibrous, loose: change 4"),
        ("B", "carcinoma", "2", "redefined: change 2"),
        ("E", "artifact", "4", "removed: change 4"),
    }


def test_migrating_does_not_make_anything_less_stale() -> None:
    before = table(("A", "1", ["tumour"]), ("B", "1", ["cancer", "stroma"]))
    after = table(("A", "1", ["carcinoma"]), ("B", "1", ["carcinoma", "stroma"]))
    assert stale(before, HISTORY).to_pylist() == stale(after, HISTORY).to_pylist()


NAMES = st.sampled_from("abcde")


@given(
    st.lists(st.dictionaries(NAMES, NAMES, max_size=3), max_size=4),
    st.lists(NAMES, min_size=1, max_size=3, unique=True),
)
def test_all_renames_at_once_are_the_renames_one_by_one(
    steps: list[dict[str, str]], labels: list[str]
) -> None:
    changes = [
        change(str(n), renamed={old: new for old, new in step.items() if old != new})
        for n, step in enumerate(steps, start=1)
    ]
    one_by_one = labels
    for one in changes:
        one_by_one = [one.renamed.get(label, label) for label in one_by_one]
    at_once = renames(changes)
    assert [at_once.get(label, label) for label in labels] == one_by_one


def test_a_change_gives_a_class_one_fate() -> None:
    with pytest.raises(ValueError, match='class "a" is both renamed and split'):
        change("2", renamed={"a": "b"}, split={"a": ("c", "d")})
    with pytest.raises(ValueError, match='class "a" is renamed to itself'):
        change("2", renamed={"a": "a"})


def test_rows_of_the_same_kind_are_judged_together_and_all_found() -> None:
    kinds = table(("A", "1", ["tumour"]), ("B", "2", ["stroma"]), ("C", "3", ["other"]))
    many = kinds.take(pa.array([number % 3 for number in range(30_000)]))
    assert len(stale(many, HISTORY)) == 20_000
    assert len(migration(many, HISTORY)) == 10_000
