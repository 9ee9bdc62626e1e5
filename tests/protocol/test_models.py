"""Defaults, immutability and what a build depends on."""

from __future__ import annotations

import json
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.hashes import settings_hash
from curatome.protocol import (
    CPIA_SCALES,
    BuildSettings,
    ClassDefinition,
    Gate,
    Protocol,
    Split,
    parse_protocol,
)

MINIMAL = '[dataset]\ntitle = "t"\n'


def test_only_the_title_is_needed() -> None:
    protocol = parse_protocol(MINIMAL, "t")
    assert protocol.scales == CPIA_SCALES
    assert protocol.split.fractions == {"train": 0.7, "val": 0.1, "test": 0.2}
    assert (protocol.build.quality, protocol.build.chroma) == (90, "4:2:0")
    assert (protocol.tissue.mpp, protocol.guideline.version) == (8.0, "1")
    assert (protocol.reading.readers_per_item, protocol.gates) == (1, ())


def _tables(model: pydantic.BaseModel) -> list[pydantic.BaseModel]:
    inner: list[Any] = []
    for name in type(model).model_fields:
        value = getattr(model, name)
        inner += value if isinstance(value, tuple) else [value]
    nested = [_tables(value) for value in inner if isinstance(value, pydantic.BaseModel)]
    return [model, *(table for tables in nested for table in tables)]


def test_no_table_can_be_changed() -> None:
    text = MINIMAL + '[[classes]]\nname = "a"\n[[gates]]\nmeasure = "m"\nmin = 0\n'
    text += '[[check.suppress]]\ncode = "CLN001"\nreason = "seen"\n'
    tables = _tables(parse_protocol(text, "t"))
    assert len({type(table) for table in tables}) == 14
    for table in tables:
        for name in type(table).model_fields:
            with pytest.raises(pydantic.ValidationError, match="frozen"):
                setattr(table, name, getattr(table, name))


@settings(deadline=None)
@given(
    st.sampled_from(["keep", "srgb"]),
    st.integers(1, 100),
    st.integers(0, 2**40),
    st.floats(0, 1),
)
def test_equal_texts_give_equal_protocols(icc: str, quality: int, seed: int, part: float) -> None:
    def text(seed: int) -> str:
        return (
            f'{MINIMAL}[build]\nicc = "{icc}"\nquality = {quality}\n'
            f"[split]\nseed = {seed}\nfractions = {{ a = {part!r}, b = {1 - part!r} }}\n"
        )

    protocol = parse_protocol(text(seed), "t")
    assert protocol == parse_protocol(text(seed), "other")
    assert protocol != parse_protocol(text(seed + 1), "t")
    assert Protocol.model_validate(protocol.model_dump()) == protocol
    assert Protocol.model_validate_json(protocol.model_dump_json()) == protocol


def _key(text: str) -> str:
    material = parse_protocol(MINIMAL + text, "t").build_key_material()
    assert json.loads(json.dumps(material)) == material
    return settings_hash(material)


SCALE = '[[scales]]\nname = "T"\nmpp = 0.5\nside_px = 96\n'


@pytest.mark.parametrize(
    "text",
    ["[build]\nquality = 91", "[tissue]\nmargin_um = 1", SCALE, "[build]\ncodec = 'png'"],
)
def test_what_changes_a_build_changes_its_key(text: str) -> None:
    assert _key(text) != _key("")


@pytest.mark.parametrize(
    "text",
    ["[build]\nquality = 90", "[split]\nseed = 4", "[[classes]]\nname = 'a'", "[tissue]\nmpp = 8"],
)
def test_what_a_build_does_not_depend_on_leaves_its_key(text: str) -> None:
    assert _key(text) == _key("")


def test_a_stride_written_out_is_the_same_stride() -> None:
    assert _key(SCALE + "stride_px = 96") == _key(SCALE)
    assert _key(SCALE + "stride_px = 95") != _key(SCALE)


def test_colors_are_lower_case() -> None:
    assert ClassDefinition(name="a", color="#A0B1C2").color == "#a0b1c2"


@pytest.mark.parametrize("color", ["red", "#abc", "#12345g", "#1234567", "123456", "#123456\n"])
def test_other_colors_are_refused(color: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="color"):
        ClassDefinition(name="a", color=color)


@pytest.mark.parametrize(
    "settings",
    [
        {"quality": 0},
        {"quality": 101},
        {"quality": True},
        {"quality": "90"},
        {"mpp_tolerance": 0.21},
        {"max_enlargement": 0.99},
        {"max_enlargement": float("inf")},
        {"chroma": "4:1:1"},
        {"webp": 1},
    ],
)
def test_build_settings_out_of_bounds(settings: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError, match=next(iter(settings))):
        BuildSettings(**settings)


@pytest.mark.parametrize("fractions", [{"a": 0.9}, {"a": 0.5, "b": 0.500001}, {}])
def test_fractions_must_sum_to_one(fractions: dict[str, float]) -> None:
    with pytest.raises(pydantic.ValidationError, match="must sum to 1"):
        Split(fractions=fractions)


def test_fractions_may_miss_one_by_rounding() -> None:
    assert len(Split(fractions={f"fold{i}": 0.1 for i in range(10)}).fractions) == 10


def test_a_gate_needs_a_bound_that_leaves_room() -> None:
    assert Gate(measure="m", min=0.5, max=0.5).max == 0.5
    with pytest.raises(pydantic.ValidationError, match='gate "m" has no bound'):
        Gate(measure="m")
    with pytest.raises(pydantic.ValidationError, match=r"min 0\.6 is above max 0.5"):
        Gate(measure="m", min=0.6, max=0.5)
