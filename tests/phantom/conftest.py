"""A small cohort, written once for all tests here."""

from __future__ import annotations

from pathlib import Path

import pytest

from curatome.phantom import CohortTruth, make_cohort

SIDE_UM = 900.0


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> CohortTruth:
    return make_cohort(tmp_path_factory.mktemp("cohort"), seed=5, slides=4, side_um=SIDE_UM)


def slide_path(cohort: CohortTruth, name: str) -> Path:
    row = cohort.slides["slide"].to_pylist().index(name)
    return cohort.folder / cohort.slides["file"][row].as_py()
