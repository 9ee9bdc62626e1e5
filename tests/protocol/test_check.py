"""The table `[check]`: what it holds, and what it refuses."""

from __future__ import annotations

import pytest

from curatome.errors import ProtocolError
from curatome.protocol import CheckSettings, Suppression, parse_protocol

TEXT = """\
[dataset]
title = "t"
[check]
select = ["SYN", "DRF001"]
ignore = ["SYN011"]
[check.rules.SYN022]
least = 4
mode = "strict"
[[check.suppress]]
code = "SYN008"
reason = "cells at the edge"
image = "a.svs"
"""


def test_what_it_holds() -> None:
    check = parse_protocol(TEXT, "t").check
    assert check == CheckSettings(
        select=("SYN", "DRF001"),
        ignore=("SYN011",),
        rules={"SYN022": {"least": 4.0, "mode": "strict"}},
        suppress=(Suppression(code="SYN008", reason="cells at the edge", image="a.svs"),),
    )


def test_without_it_everything_is_checked() -> None:
    check = parse_protocol('[dataset]\ntitle = "t"\n', "t").check
    assert (check.select, check.ignore, check.rules, check.suppress) == ((), (), {}, ())


@pytest.mark.parametrize("value", ["true", "[1]", "nan", "2024-01-01"])
def test_a_setting_is_a_number_or_a_text(value: str) -> None:
    text = f'[dataset]\ntitle = "t"\n[check.rules.SYN022]\nleast = {value}\n'
    said = r"line 4: check\.rules\.SYN022\.least: must be a number, or a text in quotes"
    with pytest.raises(ProtocolError, match=said):
        parse_protocol(text, "t")


def test_a_suppression_needs_a_reason() -> None:
    text = '[dataset]\ntitle = "t"\n[[check.suppress]]\ncode = "SYN008"\n'
    with pytest.raises(
        ProtocolError, match=r"line 3: check\.suppress: the key .reason. is missing"
    ):
        parse_protocol(text, "t")
    with pytest.raises(ProtocolError, match="reason: must not be empty"):
        parse_protocol(text + 'reason = " "\n', "t")
