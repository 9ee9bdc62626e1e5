"""The way that docs/sources.md shows, with the published thyroid cells: `check` tells all of it."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from curatome.hashes import bytes_hash
from tests.rules.thyroid import FEATURES, field_of

DOCS = Path(__file__).parents[2] / "docs" / "sources.md"


def source_file(folder):
    """The example in the docs."""
    (example,) = re.findall(r'```toml\n(name = "thyroid".*?)```', DOCS.read_text(), re.DOTALL)
    path = folder / "thyroid.toml"
    path.write_text(example)
    return path


def copied(folder, data, fields):
    """A copy with the table that the example reads, of some fields or all; split and labels."""
    labels = json.loads((data / "labels.json").read_text())
    names = sorted(name for name in labels if not fields or field_of(name) in fields)
    parts = {part: json.loads((data / f"{part}.json").read_text()) for part in SPLITS}
    split = {name: part for part in SPLITS for name in parts[part]}
    (folder / "crops").mkdir(parents=True)
    with (folder / "cells.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["cell", "field", "split", *FEATURES])
        for name in names:
            writer.writerow([name, field_of(name), split[name], *labels[name]])
            shutil.copy(data / "crops" / f"{name}.jpg", folder / "crops")
    return {name: (split[name], tuple(labels[name])) for name in names}


SPLITS = ("train", "val", "test")
TWICE = frozenset({"B6_198_cell_13", "Image_142015_cell_21"})
"""One cell in two fields of train, under different labels, as anybody sees who looks at both."""
ALL = pytest.param((), marks=[pytest.mark.acceptance, pytest.mark.timeout(900)], id="all")


@pytest.mark.parametrize("fields", [("B3_173", "B6_198", "Image_142015"), ALL])
def test_what_check_says_of_a_published_dataset(run, data, tmp_path, monkeypatch, fields):
    thyroid = data / "cells" / "thyroid"
    cells = copied(tmp_path / "copy", thyroid, fields)
    assert run("init", tmp_path / "p").code == 0
    monkeypatch.chdir(tmp_path / "p")
    added = run("sources", "add", tmp_path / "copy", "--source", source_file(tmp_path))
    assert f"{len(cells):,} images added, 12 of them duplicates." in added.out
    run("sources", "build")
    found = defaultdict(list)
    for one in run("check", "--near", "--format", "json").json["findings"]:
        found[one["code"]].append(one)

    of_field, of_pixels = defaultdict(set), defaultdict(list)
    for name, (split, _) in cells.items():
        of_field[field_of(name)].add(split)
        of_pixels[bytes_hash((thyroid / "crops" / f"{name}.jpg").read_bytes())].append(name)
    leaking = {f"case thyroid/{name}" for name, held in of_field.items() if len(held) > 1}
    assert {one["subject"] for one in found["LEK001"]} == leaking
    copies = {frozenset(names) for names in of_pixels.values() if len(names) > 1}
    assert len(copies) == 12
    assert all(len({cells[name][1] for name in names}) == 2 for names in copies)
    assert pairs(found["CON001"], "items") == copies
    across = {names for names in copies if len({cells[name][0] for name in names}) > 1}
    assert len(across) == 5
    assert pairs(found["LEK004"], "members") == across
    assert not found["LEK002"]  # the crops' field is their case; no crop lies in two splits
    # Cells that only share the white around them are no near-duplicates.
    assert pairs(found["CON002"], "items") == {TWICE}
    assert not found["LEK005"]
    if not fields:
        assert len(leaking) == 70
        (inclusion,) = [one for one in found["BAL002"] if one["subject"] == "class Inclusion"]
        assert inclusion["evidence"]["irlbl"] == pytest.approx(11.53, abs=0.005)
        assert inclusion["evidence"]["mean_ir"] == pytest.approx(3.59, abs=0.005)
        assert "11.53 times fewer" in inclusion["message"]

    run("split")
    after = {one["code"] for one in run("check", "--format", "json").json["findings"]}
    assert not after & {"LEK001", "LEK002", "LEK004"}
    assert "CON001" in after


def pairs(findings, member):
    named = [one["evidence"][member] for one in findings]
    return {frozenset(Path(name).stem for name in names) for names in named}
