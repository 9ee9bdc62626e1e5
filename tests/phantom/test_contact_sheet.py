"""Whatever the phantom can draw has its picture in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from docs.phantom_sheet import SHEETS
from docs.sheets import faults, histology, layout, mishaps, reading
from PIL import Image

from curatome.phantom import artifacts, fabric
from curatome.phantom.cells import CLASSES, PHASES
from curatome.phantom.faults import FAULTS
from curatome.phantom.traits import TRAITS

FOLDER = layout.FOLDER


def test_every_kind_of_everything_is_on_a_sheet():
    assert set(histology.TISSUES) == set(fabric.KINDS)
    assert set(histology.NUCLEI) == set(CLASSES)
    assert set(histology.PHASES) == set(PHASES) - {""}
    assert tuple(histology.TRAITS) == TRAITS
    assert set(mishaps.ARTIFACTS) == set(artifacts.KINDS)
    assert set(faults.PICTURES) == set(FAULTS)
    asked = {kind: request for kind, (request, _) in mishaps.ARTIFACTS.items()}
    assert all(artifacts.Request.parsed(request).kind == kind for kind, request in asked.items())


def test_sheets_are_drawn_linked_and_small():
    drawn = {path.stem for path in FOLDER.iterdir()}
    assert drawn == set(SHEETS)
    linked = re.findall(
        r"\]\(phantom/([\w.-]+)\)", Path(FOLDER, "../phantom.md").read_text("utf-8")
    )
    assert sorted(linked) == sorted(path.name for path in FOLDER.iterdir())
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2_500_000


def test_a_fault_is_seen_in_its_picture():
    """The picture of what was planted differs from that of nothing planted."""
    clean = faults.clean()
    for name, (paint, strength) in faults.PICTURES.items():
        planted = FAULTS[name].plant(clean, strength, 1)
        assert planted.changes.num_rows > 0
        pixels = np.asarray(paint(planted)).astype(int)
        red = np.abs(pixels - np.array(layout.WRONG)).sum(axis=2) < 60
        assert red.sum() > 20, name


def test_text_is_wrapped_and_what_does_not_fit_is_refused():
    face = layout.font(14)
    lines = layout.wrapped("one two three four five six", 80, face)
    assert " ".join(lines) == "one two three four five six"
    assert all(face.getlength(line) <= 80 for line in lines)
    with pytest.raises(ValueError, match="does not fit"):
        layout.wrapped("incomprehensibilities", 40, face)
    with pytest.raises(ValueError, match="needs 3 lines"):
        layout.captioned(Image.new("RGB", (80, 20)), "a", "one two three four five six")


def test_the_readers_sheet_draws_the_truth_and_the_reader():
    for name, (paint, _) in reading.READER_FAULTS.items():
        bare = reading.background()
        picture = bare.copy()
        paint(picture)
        changed = (np.asarray(picture) != np.asarray(bare)).any(axis=2)
        assert 0.005 < changed.mean() < 0.6, name


def test_figures_on_the_page_are_printed_by_benchmarks():
    root = FOLDER.parents[1]
    text = (root / "docs" / "phantom.md").read_text("utf-8").split("## How real is it?")[1]
    results = root / "benchmarks" / "results"
    printed = "".join((results / f"{name}.txt").read_text("utf-8") for name in ("phantom", "reads"))
    figures = re.findall(r"\*\*(.+?)\*\*", text)
    assert len(figures) > 8
    for figure in figures:
        assert figure in printed, f"{figure}: no benchmark prints it"
