"""A fresh store on every database that there is to test with."""

import os
import uuid

import pytest
import sqlalchemy as sa

from curatome.annotations.store import open_annotations

_POSTGRES = os.environ.get("CURATOME_POSTGRES")


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request, tmp_path):
    """Where a store can be made that is gone after the test."""
    if request.param == "sqlite":
        yield str(tmp_path / "annotations.db")
        return
    # A server is more than `make test` may ask of a newcomer; `.ci/run` starts one.
    if not _POSTGRES:
        pytest.skip("no PostgreSQL: CURATOME_POSTGRES names no server's URL")
    schema = f"test_{uuid.uuid4().hex[:12]}"
    server = sa.create_engine(_POSTGRES)
    with server.begin() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    url = sa.make_url(_POSTGRES).update_query_dict({"options": f"-csearch_path={schema}"})
    yield url.render_as_string(hide_password=False)
    with server.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))
    server.dispose()


@pytest.fixture
def store(where):
    with open_annotations(where) as opened:
        yield opened
