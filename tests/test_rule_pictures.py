"""Pictures of rules: drawn only if the rule says so, complete, and part of the package."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from docs.rule_pictures.all import FOLDER, PICTURES
from docs.rule_pictures.panel import drawn, found

from curatome.rules.registry import rule_of

ROOT = Path(__file__).parents[1]


def test_what_lies_there_is_what_is_drawn() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(PICTURES)
    for code in PICTURES:
        rule_of(code)


@pytest.mark.parametrize("code", ["SYN004", "LEK001", "DRF002", "BAL005"])
def test_rules_find_what_fails_and_nothing_else(code) -> None:
    fails, passes = PICTURES[code]()
    assert len(found(code, fails)) >= 1
    assert found(code, passes) == []


@pytest.mark.acceptance
@pytest.mark.parametrize("code", PICTURES)
def test_every_picture_is_what_its_rule_says(code) -> None:
    fails, passes = PICTURES[code]()
    assert len(found(code, fails)) >= 1
    assert found(code, passes) == []


@pytest.mark.parametrize("code", ["SYN004", "LEK001"])
def test_the_same_source_gives_the_same_picture(code) -> None:
    first = drawn(code, PICTURES[code]())
    assert first == drawn(code, PICTURES[code]())
    assert first[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_picture_that_its_rule_contradicts_is_not_drawn() -> None:
    fails, passes = PICTURES["SYN004"]()
    with pytest.raises(ValueError, match="the rule says of 'A line that never meets itself"):
        drawn("SYN004", (passes, passes))
    with pytest.raises(ValueError, match="crosses itself"):
        drawn("SYN004", (fails, fails))
    with pytest.raises(ValueError, match="has no setting"):
        found("SYN004", replace(fails, settings={"nonsense": 1.0}))


def test_a_wheel_holds_the_pictures(tmp_path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"curatome/rules/pictures/{code}.png" for code in PICTURES} <= names
    assert "curatome/report/templates/rules.html.jinja" in names
