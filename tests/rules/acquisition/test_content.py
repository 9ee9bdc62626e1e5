"""ACQ021 and ACQ022: one slide under two cases, and slides with next to no tissue."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from curatome.rules.acquisition.content import LITTLE, TWO_CASES
from curatome.tables import ITEMS, NEAR_DUPLICATES
from tests.rules.made import found, inputs, slide


def items(*slides):
    """Ten items of each slide, with a hash of their own."""
    rows = [
        {
            "item": f"{name}-{k}", "kind": "tile", "slide": name, "case": case, "labels": [],
            "hash": f"{content}-{k}",
        }
        for name, case, content in slides
        for k in range(10)
    ]  # fmt: skip
    return ITEMS.from_rows(rows)


def near(*pairs):
    return NEAR_DUPLICATES.from_rows(
        [
            {"first": a, "second": b, "distance": 2, "symmetry": 0, "similarity": 0.99}
            for a, b in pairs
        ]
    )


SLIDES = [slide("s1", case="c1"), slide("s2", case="c2"), slide("s3", case="c1")]
ALIKE = near(*((f"s1-{k}", f"s2-{k}") for k in range(6)))
ELSEWHERE = near(("s1-0", "nowhere"))


def test_a_rescan_under_another_case() -> None:
    given = inputs(of=SLIDES, items=items(("s1", "c1", "a"), ("s2", "c2", "b")), near=ALIKE)
    (finding,) = found(TWO_CASES, given)
    assert finding.subject == "slide s2"
    assert finding.evidence["share"] == pytest.approx(0.6)
    assert "s2.svs of case c1" not in finding.message


def test_the_same_bytes_under_another_case() -> None:
    given = inputs(of=SLIDES, items=items(("s1", "c1", "a"), ("s2", "c2", "a")), near=ELSEWHERE)
    (finding,) = found(TWO_CASES, given)
    assert finding.evidence == {"of": "s1", "share": 1.0, "cases": ["c1", "c2"]}


def test_the_same_case_and_single_tiles() -> None:
    same = inputs(of=SLIDES, items=items(("s1", "c1", "a"), ("s3", "c1", "a")), near=ELSEWHERE)
    assert found(TWO_CASES, same) == []
    few = near(*((f"s1-{k}", f"s2-{k}") for k in range(4)))
    apart = inputs(of=SLIDES, items=items(("s1", "c1", "a"), ("s2", "c2", "b")), near=few)
    assert found(TWO_CASES, apart) == []


def picture(side_px):
    """A slide of 2,500 × 2,000 µm with a square of tissue, at 8 µm per pixel."""

    def pixels(_image, box, mpp):
        assert box == (0.0, 0.0, 10_000.0, 8_000.0)
        assert mpp == 8.0
        rng = np.random.default_rng(1)
        out = 243 + rng.normal(0, 1.5, (250, 312, 3))
        out[100 : 100 + side_px, 100 : 100 + side_px] = [190, 110, 170]
        return np.clip(out, 0, 255).astype(np.uint8)

    return pixels


def test_little_tissue() -> None:
    (finding,) = found(LITTLE, dataclasses.replace(inputs(), pixels=picture(30)))
    # 30 px of 8 µm are 0.24 mm: 0.058 mm², and a rim of half a pixel.
    assert finding.evidence["tissue_mm2"] == pytest.approx(0.0576, rel=0.25)
    assert found(LITTLE, dataclasses.replace(inputs(), pixels=picture(90))) == []


def test_a_chosen_field_is_no_slide() -> None:
    """1,000 × 800 px of 0.25 µm are 0.05 mm²: it cannot show more."""
    small = inputs(of=[slide("s1", width=1_000, height=800)])

    def pixels(_image, _box, _mpp):
        raise AssertionError("nothing is to be looked at")

    assert found(LITTLE, dataclasses.replace(small, pixels=pixels)) == []
