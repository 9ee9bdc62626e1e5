"""Rules that need tables only find nothing above note level in cohorts without faults."""

from __future__ import annotations

import pytest

from curatome.findings import Severity
from curatome.phantom.faults import CleanDesign, make_tables
from curatome.phantom.objects import ObjectDesign
from curatome.rules.registry import family_rules
from tests.rules.made import image_by_image, phantom_inputs

LARGE = CleanDesign(ObjectDesign(cases=40, slides_per_case=2, objects_per_slide=20))


@pytest.mark.parametrize("seed", [1001, 1002, 1003])
def test_a_clean_cohort_gives_nothing_above_notes(seed) -> None:
    given = phantom_inputs(make_tables(LARGE, seed))
    for family in ("SYN", "DRF", "ACQ", "CHK"):
        for rule in family_rules(family):
            if not {"near", "pixels"} & set(rule.needs):
                loud = [f for f in image_by_image(rule, given) if f.severity > Severity.NOTE]
                assert loud == [], rule.code
