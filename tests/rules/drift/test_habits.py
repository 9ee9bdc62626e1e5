"""DRF003 and DRF004: readers who change, and readers who only vary."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
import shapely

from curatome.rules.drift import MIX, SIZE
from curatome.rules.drift.habits import read_in_time
from tests.rules.made import START, annotation, found, inputs, slide

CASES, EACH = 40, 20


def reading(seed, share=(0.2, 0.2), size_um=(10.0, 10.0), reader="ada"):
    """40 cases of 20 objects, a case each day; the second half by other habits."""
    rng = np.random.default_rng(seed)
    made = []
    for case in range(CASES):
        late = case >= CASES // 2
        own = rng.beta(8, 8 / share[late] - 8)
        for k in range(EACH):
            label = "mitosis" if rng.random() < own else "tumor"
            radius = size_um[late] * np.exp(rng.normal(0, 0.15)) / 2 / 0.25
            shape = shapely.Point(500 + 90 * k, 500).buffer(radius, quad_segs=16)
            time = START + datetime.timedelta(days=case, minutes=k)
            row = annotation(f"{case}-{k}", shape, labels=[label], time=time, reader=reader)
            made.append({**row, "image": f"s{case}"})
    return inputs(made, of=[slide(f"s{case}") for case in range(CASES)])


def test_sizes_are_diameters_of_circles_in_micrometers() -> None:
    given = inputs([annotation("a", shapely.box(0, 0, 40, 40)), annotation("b")])
    table = read_in_time(given)
    assert table["size_um"].to_pylist()[0] == pytest.approx(2 * (1600 / np.pi) ** 0.5 * 0.25)
    assert np.isnan(table["size_um"].to_pylist()[1])
    assert table["case"].to_pylist() == ["s1", "s1"]


def test_who_is_not_followed() -> None:
    rows = [
        annotation("a", reader=None), annotation("b", time=None),
        annotation("c", basis="proposed"), annotation("d", cannot_judge=True),
        annotation("e", image=None), annotation("f", image="elsewhere"),
    ]  # fmt: skip
    assert read_in_time(inputs(rows))["case"].to_pylist() == ["elsewhere"]


@pytest.mark.parametrize("seed", range(1001, 1007))
def test_a_share_that_grows(seed) -> None:
    findings = found(MIX, reading(seed, share=(0.2, 0.5)))
    assert {one.subject for one in findings} == {"reader ada"}
    assert {one.evidence["quantity"] for one in findings} == {"share of mitosis", "share of tumor"}
    mitoses = [one for one in findings if one.evidence["quantity"] == "share of mitosis"]
    middle = START + datetime.timedelta(days=CASES // 2)
    told = [datetime.datetime.fromisoformat(one.evidence["time"]) for one in mitoses]
    assert min(abs(time - middle) for time in told) < datetime.timedelta(days=4)
    assert any(one.evidence["before"] < one.evidence["after"] for one in mitoses)


@pytest.mark.parametrize("seed", range(1001, 1007))
def test_sizes_that_grow(seed) -> None:
    findings = found(SIZE, reading(seed, size_um=(10.0, 13.0)))
    assert "size of tumor" in {one.evidence["quantity"] for one in findings}
    assert all("µm" in one.message for one in findings)
    assert found(MIX, reading(seed, size_um=(10.0, 13.0))) == []


@pytest.mark.parametrize("seed", range(1001, 1007))
def test_readers_who_only_vary(seed) -> None:
    assert found(MIX, reading(seed)) == found(SIZE, reading(seed)) == []


def test_too_few_cases_say_nothing() -> None:
    given = inputs([annotation("a"), annotation("b")])
    assert found(MIX, given) == found(SIZE, given) == []
