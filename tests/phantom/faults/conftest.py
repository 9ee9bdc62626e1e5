from __future__ import annotations

import pytest

from curatome.phantom.faults import CleanDesign, make_tables


@pytest.fixture(scope="session")
def clean():
    return make_tables(CleanDesign(), 7)
