"""Every format keeps what it grants and names what it loses."""

import importlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curatome.annotations.model import KINDS
from curatome.errors import AnnotationError

from .exchange import FRAMES, assert_kept, assert_named, empty, exchange, tables

QUICK = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FORMATS = ["asap", "imagescope", "ndpa", "halo", "csv_table", "geoparquet", "cvat", "sliderunner"]


def form_of(name):
    return importlib.import_module(f"curatome.annotations.formats.{name}").FORMAT


@pytest.mark.parametrize("name", FORMATS)
def test_all_that_is_granted_comes_back(name, tmp_path):
    form = form_of(name)

    @QUICK
    @given(tables(form.carries))
    def check(before):
        losses, reading = exchange(form, before, tmp_path / f"a{form.suffixes[0]}")
        assert_kept(form, before, losses, reading)

    check()


@pytest.mark.parametrize("name", FORMATS)
def test_all_else_is_named(name, tmp_path):
    form = form_of(name)

    @QUICK
    @given(st.data())
    def check(data):
        before = data.draw(tables(form.carries, KINDS, everything=True))
        path = tmp_path / f"a{form.suffixes[0]}"
        holds = {"points", "mask", "ellipse", "circle", "box", "polygon", "multipolygon", "point"}
        if not set(before.column("kind").to_pylist()) & (form.carries.kinds | holds):
            return
        losses, reading = exchange(form, before, path)
        assert_named(form, before, losses, reading)

    check()


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_to_write_is_refused(name, tmp_path):
    form = form_of(name)
    with pytest.raises(AnnotationError, match="can hold none"):
        form.write(empty(), tmp_path / "a.xml", FRAMES, {})
    assert list(tmp_path.iterdir()) == []
