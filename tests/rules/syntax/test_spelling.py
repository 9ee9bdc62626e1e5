"""One name in two spellings, and two names that look alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curatome.rules.syntax.spelling import folded, same, slip, variants

SAME = [
    ("Hamammatsu XR", "Hamamatsu XR"),
    ("Hamamatsu  xr", "Hamamatsu XR"),
    ("hamamatsu_XR", "Hamamatsu XR"),
    ("HamamatsuXR", "Hamamatsu XR"),
    ("Hamammatsu-XR", "Hamamatsu XR"),
    ("HamammatsuXR", "Hamamatsu XR"),
    ("Hamamatsu ＸＲ", "Hamamatsu XR"),
    ("AT 2", "AT2"),
    ("In-Situ", "in situ"),
    ("tumour", "tumor"),
    ("lymhpocyte", "lymphocyte"),
    ("lymphosyte", "lymphocyte"),
    ("lymphocytes", "lymphocyte"),
    ("adenocarcinnoma", "adenocarcinoma"),
    ("stroma ", "stroma"),
]
OTHERS = [
    ("AT2", "GT450"),
    ("AT2", "AT3"),
    ("P1000", "P2000"),
    ("site 1-2", "site 12"),
    ("ER+", "ER-"),
    ("HER2+", "HER2"),
    ("her2 -", "her2 +"),
    ("siteA", "siteB"),
    ("scannerA", "scannerB"),
    ("type I", "type II"),
    ("gradei", "gradeii"),
    ("normal", "formal"),
    ("abnormal", "normal"),
    ("ileum", "ilium"),
    ("fat", "flat"),
    ("hyperplasia", "hypoplasia"),
    ("intranuclear", "internuclear"),
    ("north", "south"),
    ("east", "west"),
    ("male", "female"),
    ("benign", "malignant"),
    ("Leica GT450", "Leica AT2"),
    ("carcinoma in situ", "carcinoma ex situ"),
]


@pytest.mark.parametrize(("rare", "common"), SAME)
def test_one_name(rare, common) -> None:
    assert same(rare, common, 0.05)


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_two_names(one, other) -> None:
    assert not same(one, other, 0.01)
    assert not same(other, one, 0.01)


def test_a_slip_is_rare() -> None:
    assert same("adenocarcinnoma", "adenocarcinoma", 0.5)
    assert not same("adenocarcinnoma", "adenocarcinoma", 0.6)
    assert same("lymphosyte", "lymphocyte", 0.2)
    assert not same("lymphosyte", "lymphocyte", 0.3)
    assert same("tumour", "tumor", 0.1)
    assert not same("tumour", "tumor", 0.2)
    assert same("TUMOR", "tumor", 1.0)


def test_kinds_of_slips() -> None:
    assert slip("tumor", "tummor") == "left out"
    assert slip("tumor", "tmuor") == "swapped"
    assert slip("tumor", "tunor") == "replaced"
    assert slip("tumor", "tumox") == ""
    assert slip("tumor", "rumor") == ""
    assert slip("tumor", "tumor") == ""
    assert slip("tumor", "tummmor") == ""


def test_numbers_stay_apart() -> None:
    assert folded("1-2") != folded("12")
    assert folded("0.5") != folded("05")
    assert folded("???") == "???"


@given(st.text(alphabet="abcdefgh -_XY12+", min_size=1, max_size=12))
def test_case_and_separators_never_matter(name) -> None:
    parts = name.replace("_", " ").split()
    assert folded(name.upper()) == folded(name)
    if parts and not any(part.endswith("-") or part.startswith("-") for part in parts):
        assert folded("__".join(parts)) == folded(" ".join(parts))


@given(st.text(min_size=1, max_size=9), st.text(min_size=1, max_size=9))
def test_a_slip_has_no_direction(one, other) -> None:
    assert slip(one, other) == slip(other, one)


def test_each_variant_goes_to_the_most_frequent_name() -> None:
    counts = {"Hamamatsu XR": 41, "hamamatsu xr": 5, "Hamammatsu XR": 3, "Leica GT450": 30}
    assert dict(variants(counts)) == {
        "hamamatsu xr": "Hamamatsu XR",
        "Hamammatsu XR": "Hamamatsu XR",
    }


def test_many_names_take_no_time() -> None:
    counts = {f"name{k:05d}x": 1 + k % 7 for k in range(5_000)}
    assert list(variants(counts)) == []
