from __future__ import annotations

from collections import Counter

import pytest

from curatome.phantom import plan_cohort
from curatome.phantom.patients import BODY_SITES, place_weights


def test_twelve_slides_are_as_the_issue_counts_them():
    plans = plan_cohort(seed=3)
    assert len(plans) == 12
    per_case = Counter(p.case.name for p in plans)
    assert len(per_case) == 10
    assert sorted(per_case.values()) == [1] * 8 + [2] * 2
    assert {p.site for p in plans} == {"north", "south"}
    assert {p.scanner for p in plans} == {"aria", "boreal", "cirrus"}
    assert len({p.mpp for p in plans}) == 3
    assert sum(p.mpp < 0.3 for p in plans) == 2
    assert sum(not p.mpp_in_file for p in plans) == 1
    assert sum(p.tissue == "biopsy" for p in plans) == 1
    assert sum(p.width_um == 4500 and p.mpp == 0.499 for p in plans) == 1
    assert sum("pen" in p.artifacts for p in plans) == 3
    assert sum("fold" in p.artifacts for p in plans) == 3
    assert len({p.name for p in plans}) == 12


@pytest.mark.parametrize("slides", [1, 2, 3, 5, 6, 7, 11, 13, 30])
def test_any_number_of_slides_can_be_planned(slides):
    plans = plan_cohort(1, slides, 500.0)
    assert len(plans) == slides
    assert len({p.name for p in plans}) == slides
    if slides >= 3:
        assert any(not p.mpp_in_file for p in plans)
        assert any(p.tissue == "biopsy" for p in plans)


def test_the_seed_decides():
    assert plan_cohort(1) == plan_cohort(1)
    assert [p.seed for p in plan_cohort(1)] != [p.seed for p in plan_cohort(2)]


def test_cases_are_plausible():
    cases = [p.case for p in plan_cohort(4, 120)]
    assert all(place_weights(c.diagnosis)[BODY_SITES.index(c.body_site)] > 0 for c in cases)
    assert {c.sex for c in cases if c.body_site == "prostate"} <= {"M"}
    breast = [c.sex for c in cases if c.body_site == "breast"]
    assert breast.count("F") >= 0.9 * len(breast) > 0
    assert {c.sex for c in cases if c.body_site == "colon"} == {"F", "M"}
    assert all(18 <= c.age <= 95 for c in cases)
    assert 50 < sum(c.age for c in cases) / len(cases) < 66


@pytest.mark.parametrize(("slides", "side"), [(0, 900.0), (3, 100.0)])
def test_impossible_plans_are_refused(slides, side):
    with pytest.raises(ValueError, match="Got"):
        plan_cohort(1, slides, side)
