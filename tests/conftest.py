"""Fixtures that several test folders share."""

import os
from pathlib import Path

import pytest

_DATA = Path(os.environ.get("CURATOME_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data():
    """Real slides and annotations; set CURATOME_DATA to have them elsewhere."""
    if not _DATA.is_dir():
        pytest.skip(f"real data is not there: {_DATA} (set CURATOME_DATA)")
    return _DATA
