"""Nesting, decided in closed form, against a search over every tile of a common period."""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curatome.errors import ProtocolError
from curatome.protocol import CPIA_SCALES, DatasetInfo, Protocol, Scale, nests


def _scale(name: str, mpp: float, side: int, stride: int | None = None, **more: str) -> Scale:
    return Scale(name=name, mpp=mpp, side_px=side, stride_px=stride, **more)


def _nests_by_search(child: Scale, parent: Scale) -> bool:
    """Tries every child of one period, against the 100 parents before it, in 1e-6 µm."""
    unit = 1_000_000
    fine, coarse = (int(Fraction(str(s.mpp)) * unit) for s in (child, parent))
    step, side = child.stride * fine, child.side_px * fine
    parent_step, parent_side = parent.stride * coarse, parent.side_px * coarse
    period = lcm(step, parent_step)
    return all(
        any(
            start <= left and left + side <= start + parent_side
            for start in range(
                max(0, left // parent_step - 99) * parent_step, left + 1, parent_step
            )
        )
        for left in range(0, period, step)
    )


MPPS = st.sampled_from([0.25, 0.5, 0.3, 0.1, 1.0, 0.7])


@settings(deadline=None)
@given(
    MPPS,
    MPPS,
    st.tuples(st.integers(8, 40), st.integers(1, 40)),
    st.tuples(st.integers(8, 80), st.integers(1, 80)),
)
@example(0.1, 0.3, (10, 10), (20, 20))  # 1.0 in 6.0 µm, where 0.1 * 3 != 0.3 in floats
@example(0.5, 0.5, (8, 16), (8, 16))  # gaps that lie on gaps
@example(0.5, 0.5, (8, 8), (40, 32))  # the parent overlaps
@example(0.5, 0.5, (16, 8), (40, 24))  # both overlap, and fit exactly
@example(0.5, 0.5, (17, 8), (40, 32))  # one pixel too wide
def test_closed_form_is_the_search(
    fine: float, coarse: float, child: tuple[int, int], parent: tuple[int, int]
) -> None:
    small, large = _scale("C", fine, *child), _scale("P", coarse, *parent)
    assert nests(small, large) == _nests_by_search(small, large)


@settings(deadline=None)
@given(st.integers(8, 400), st.integers(8, 400))
def test_without_overlap_the_parent_must_be_a_multiple(child: int, parent: int) -> None:
    assert nests(_scale("C", 0.4942, child), _scale("P", 0.4942, parent)) == (parent % child == 0)


def test_decimal_text_and_not_the_binary_float_decides() -> None:
    assert 3 * 0.1 != 0.3
    assert nests(_scale("C", 0.1, 30), _scale("P", 0.3, 10))
    assert not nests(_scale("C", 0.1000001, 30), _scale("P", 0.3, 10))


def test_cpia_scales_are_those_of_the_paper() -> None:
    assert [(s.name, s.side_px, s.stride, s.parent) for s in CPIA_SCALES] == [
        ("XL", 3840, 3840, None),
        ("L", 960, 960, "XL"),
        ("M", 384, 384, "XL"),
        ("S", 96, 96, "M"),
    ]
    assert {s.mpp for s in CPIA_SCALES} == {0.4942}


def test_sizes_in_micrometers() -> None:
    scale = _scale("T", 0.25, 512, 448)
    assert (scale.side_um, scale.stride_um, scale.stride) == (128.0, 112.0, 448)
    assert _scale("T", 0.25, 512).stride_um == 128.0


def _refusal(*scales: Scale) -> str:
    with pytest.raises(ValueError, match="scale") as caught:
        Protocol(dataset=DatasetInfo(title="t"), scales=scales)
    return str(caught.value)


def test_refusal_names_sizes_that_would_nest() -> None:
    text = _refusal(_scale("L", 0.5, 960), _scale("M", 0.5, 384, parent="L"))
    assert (
        "scale M (384 px at 0.5 µm/px) does not nest in L (960 px at 0.5 µm/px): "
        "960 is not a multiple of 384; use 320 or 480 px, or drop parent."
    ) in text


@settings(deadline=None)
@given(st.integers(8, 200), st.integers(8, 400), MPPS, MPPS)
def test_every_suggested_size_nests(child: int, parent: int, fine: float, coarse: float) -> None:
    large, small = _scale("P", coarse, parent), _scale("C", fine, child, parent="P")
    if nests(small, large):
        return
    advice = _refusal(large, small).split("; ")[-1].split(" px")[0]
    if "use" in advice:
        sizes = [int(word) for word in advice.split() if word.isdigit()]
        assert sizes
        assert all(nests(_scale("C", fine, size), large) for size in sizes)
    else:
        assert not any(nests(_scale("C", fine, size), large) for size in range(8, 2 * parent))


def test_refusal_in_micrometers_where_the_mpps_differ() -> None:
    text = _refusal(_scale("L", 1.0, 100), _scale("M", 0.5, 120, parent="L"))
    assert "100 µm is not a multiple of 60 µm; use 100 or 200 px, or drop parent." in text


def test_refusal_says_how_far_tiles_stick_out_where_they_overlap() -> None:
    text = _refusal(_scale("L", 0.5, 960), _scale("M", 0.5, 96, 48, parent="L"))
    assert "M (96 px every 48 px at 0.5 µm/px)" in text
    assert "stick out of their parent's by up to 24 µm; drop parent." in text


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        ([("A", None), ("a", None)], '"a" is defined twice (as "A"; case makes no difference)'),
        ([("A", None), ("A", None)], 'scale "A" is defined twice. Rename'),
        ([("A", "B")], 'its parent "B" is not defined. There are: none.'),
        ([("A", "A")], "A → A"),
        ([("A", "B"), ("B", "C"), ("C", "A")], "B → C → A → B"),
        ([], "at least one scale"),
    ],
)
def test_names_and_parents(scales: list[tuple[str, str | None]], message: str) -> None:
    made = [Scale(name=name, mpp=0.5, side_px=96, parent=parent) for name, parent in scales]
    assert message in _refusal(*made)


def test_a_scale_that_hangs_on_a_circle_is_not_blamed_for_it() -> None:
    made = [Scale(name=n, mpp=0.5, side_px=96, parent=p) for n, p in ("AB", "BC", "CB")]
    text = _refusal(*made)
    assert 'scale "B"' in text
    assert 'scale "C"' in text
    assert 'scale "A"' not in text


@pytest.mark.parametrize("name", ["", "1X", "a_b", "a-b", "Ä", "A" * 17, "A\n"])
def test_names_that_a_tile_id_could_not_hold(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        _scale(name, 0.5, 96)


def test_scale_by_name() -> None:
    protocol = Protocol(dataset=DatasetInfo(title="t"))
    assert protocol.scale("M").side_px == 384
    with pytest.raises(ProtocolError, match=r'no scale "m"\. There are: XL, L, M, S'):
        protocol.scale("m")
