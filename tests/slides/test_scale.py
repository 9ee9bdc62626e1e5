import math

import pytest

from curatome.findings import Severity
from curatome.slides.scale import resolve_mpp
from curatome.units import Mpp


def resolve(recorded=None, table=None, user=None, power=None):
    return resolve_mpp(
        recorded, table, user, subject="slide 3f2a", name="a.svs", objective_power=power
    )


def codes(findings):
    return [(f.code, str(f.severity)) for f in findings]


def table(x, y=None):
    return Mpp(x, x if y is None else y, "table")


def user(x, y=None):
    return Mpp(x, x if y is None else y, "user")


def test_the_user_goes_before_the_table_and_the_table_before_the_file():
    assert resolve((0.25, 0.25)) == (Mpp(0.25, 0.25, "file"), [])
    assert resolve((0.25, 0.25), table(0.2501))[0] == table(0.2501)
    assert resolve((0.25, 0.25), table(0.2501), user(0.5)) == (user(0.5), [])
    assert resolve(None, None, user(0.5)) == (user(0.5), [])


@pytest.mark.parametrize("recorded", [None, (0, 0), (-0.25, 0.25), (math.nan, 0.25), (math.inf, 1)])
def test_a_slide_without_scale_is_held_back(recorded):
    mpp, findings = resolve(recorded)
    assert mpp is None
    assert codes(findings) == [("ACQ002", "error")]
    assert "a.svs" in findings[0].message
    assert "`curatome slides set-mpp a.svs 0.25`" in findings[0].remedy
    assert findings[0].subject == "slide 3f2a"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (25400 / 72, "this is 72 dpi"),
        (25400 / 96, "this is 96 dpi"),
        (84.67, "this is 300 dpi"),
        (28.97, "outside of 0.05 to 20 µm/px at level 0."),
        (0.049, "outside of 0.05 to 20 µm/px at level 0."),
        (20.1, "outside"),
    ],
)
def test_an_absurd_scale_is_explained_and_held_back(value, reason):
    mpp, findings = resolve((value, value))
    assert mpp is None
    assert codes(findings) == [("ACQ003", "error")]
    assert reason in findings[0].message
    assert f"{value:.4g}" in findings[0].message
    assert resolve(None, table(value))[0] is None


@pytest.mark.parametrize("value", [0.05, 20.0])
def test_the_limits_are_plausible(value):
    assert resolve((value, value)) == (Mpp(value, value), [])


def test_a_table_s_absurd_scale_is_not_replaced_by_the_file_s():
    mpp, findings = resolve((0.25, 0.25), table(0.0))
    assert mpp is None
    assert codes(findings) == [("ACQ003", "error")]


def test_axes_may_differ_by_one_percent():
    assert resolve((0.25, 0.2524))[1] == []
    mpp, findings = resolve((0.25, 0.26))
    assert mpp is None
    assert codes(findings) == [("ACQ004", "error")]
    assert "4.0 %" in findings[0].message


def test_a_person_s_word_is_taken_with_a_note():
    mpp, findings = resolve(None, None, user(30, 33))
    assert mpp == user(30, 33)
    assert codes(findings) == [("ACQ012", "note"), ("ACQ012", "note")]
    assert findings[0].fingerprint != findings[1].fingerprint
    assert resolve(None, None, user(-1))[0] is None


def test_table_and_file_that_disagree_are_a_warning():
    assert resolve((0.25, 0.25), table(0.2524))[1] == []
    mpp, findings = resolve((0.25, 0.25), table(0.26))
    assert mpp == table(0.26)
    assert codes(findings) == [("ACQ010", "warning")]
    assert "4.0 % apart" in findings[0].message
    # A default of 72 dpi is no witness against the table.
    assert resolve((352.8, 352.8), table(0.26)) == (table(0.26), [])


@pytest.mark.parametrize(
    ("power", "mpp", "warned"),
    [(40, 0.25, 0), (40, 0.5, 1), (20, 0.25, 1), (20, 0.499, 0), (40, 0.17, 0), (40, 0.15, 1)],
)
def test_an_objective_that_contradicts_the_scale_is_a_warning(power, mpp, warned):
    found, findings = resolve((mpp, mpp), power=power)
    assert found == Mpp(mpp, mpp)
    assert [f.code for f in findings] == ["ACQ011"] * warned
    assert all(f.severity is Severity.WARNING for f in findings)


def test_an_objective_of_zero_says_nothing():
    assert resolve((0.25, 0.25), power=0.0)[1] == []
