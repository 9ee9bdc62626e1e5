"""A version that all exports are made of."""

import pytest

from tests.dataset.export.made import make


@pytest.fixture(scope="session")
def version(tmp_path_factory):
    return make(tmp_path_factory.mktemp("version"))
