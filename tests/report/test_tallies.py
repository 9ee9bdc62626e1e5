from __future__ import annotations

import pytest

from curatome.report import FactGroup, tallies, wording
from tests.report.samples import card, report


def test_states_are_counted_in_their_order():
    counts = tallies.by_state([*report().slides, card(9, state="new")])
    assert list(counts.items()) == [
        ("ready", 4),
        ("held", 2),
        ("refused", 1),
        ("unreadable", 1),
        ("new", 1),
    ]


def test_a_case_counts_once_and_a_nameless_slide_by_itself():
    slides = [card(0, case="A"), card(1, case="A"), card(2, case=None), card(3, case=None)]
    assert tallies.cases_of(slides) == 3
    assert tallies.cohort_table(slides).unnamed == 2


def test_the_cohort_table_counts_cases_not_slides():
    slides = [
        card(0, case="A", scanner="X"),
        card(1, case="A", scanner="X"),
        card(2, case="A", scanner="Y"),
        card(3, case="B", scanner="Y", stain=None),
        card(4, case="C", scanner="X", site="Aachen"),
    ]
    table = tallies.cohort_table(slides)
    assert table.columns == (("X", "H&E"), ("Y", "H&E"), ("Y", "not given"))
    assert table.rows == (("Köln", (1, 1, 1), 2), ("Aachen", (1, 0, 0), 1))
    assert (table.cases, table.biggest) == (3, 1)


def test_rare_columns_are_gathered():
    slides = [card(i, case=f"C{i}", scanner=f"scanner {i // 2:02d}") for i in range(40)]
    table = tallies.cohort_table(slides)
    assert len(table.columns) == 12
    assert table.columns[-1] == ("others", "")
    assert table.rows[0][1] == (*[2] * 11, 18)


def test_one_remedy_is_said_once_only_if_all_share_it():
    groups = {g.code: g.remedy for g in tallies.group_findings(report().findings)}
    assert groups == {"ACQ010": "Copy it again.", "ACQ001": "", "ACQ012": "", "COH002": ""}


def test_loose_facts_stand_under_run():
    host = FactGroup("Host", (("Cores", "8"),))
    assert tallies.group_facts((("a", "1"), host, ("b", "2"))) == [
        FactGroup("Run", (("a", "1"), ("b", "2"))),
        host,
    ]
    assert tallies.group_facts((host,)) == [host]


@pytest.mark.parametrize(
    ("width", "most", "label", "share"),
    [
        (10_000.0, 0.3, "2 mm", 0.2),
        (128.0, 0.4, "50 µm", 50 / 128),
        (1000.0, 1.0, "1 mm", 1.0),
        (20.0, 0.1, "2 µm", 0.1),
        (3.0, 0.3, "0.5 µm", 0.5 / 3),
    ],
)
def test_scale_bars_have_round_lengths(width, most, label, share):
    bar = wording.scale_bar(width, most)
    assert bar is not None
    assert bar.label == label
    assert bar.share == pytest.approx(share)


@pytest.mark.parametrize("width", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_an_unknown_width_has_no_scale_bar(width):
    assert wording.scale_bar(width) is None


def test_areas_say_what_is_known():
    assert [wording.area(a) for a in (None, 0.0, 0.6762, 23.84, 22010.4)] == [
        "unknown",
        "0 mm²",
        "0.676 mm²",
        "23.8 mm²",
        "22,010 mm²",
    ]
