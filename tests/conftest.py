"""Fixtures that several test folders share."""

import os
from pathlib import Path

import pytest

# Children do not look for modules in the working folder, but those of tests need their tasks.
_ROOT = str(Path(__file__).parents[1])
os.environ["PYTHONPATH"] = os.pathsep.join([_ROOT, os.environ.get("PYTHONPATH", "")]).rstrip(":")

_DATA = Path(os.environ.get("CURATOME_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data():
    """Real slides and annotations; set CURATOME_DATA to have them elsewhere."""
    # The files are large and have licenses of their own; all else is tested without them.
    if not _DATA.is_dir():
        pytest.skip(f"real data is not there: {_DATA} (set CURATOME_DATA)")
    return _DATA
