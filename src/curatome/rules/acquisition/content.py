"""ACQ021 and ACQ022: one slide under two cases, and slides with next to no tissue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow.compute as pc

from curatome.findings import Finding, Severity
from curatome.rules.rule import Inputs, Rule
from curatome.slides.tissue import find_tissue

_FIELD_MM2 = 0.24
"""An image of no more than a field of a microscope is no slide."""


def _two_cases(inputs: Inputs) -> Iterator[Finding]:
    """Slides of two cases most of whose items look alike, or are alike byte for byte."""
    items = inputs.items.filter(pc.is_valid(inputs.items["slide"]))
    names = items["item"].to_pylist()
    slide = dict(zip(names, items["slide"].to_pylist(), strict=True))
    case = dict(zip(slide.values(), items["case"].to_pylist(), strict=True))
    of = Counter(slide.values())
    alike: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for one, other in _pairs(inputs):
        pair = slide.get(one), slide.get(other)
        if None in pair or pair[0] == pair[1] or case[pair[0]] == case[pair[1]]:
            continue
        first, second = sorted(((pair[0] or "", one), (pair[1] or "", other)))
        sides = alike.setdefault((first[0], second[0]), (set(), set()))
        sides[0].add(first[1])
        sides[1].add(second[1])
    least = float(inputs.settings["least_share"])
    for (left, right), found in sorted(alike.items()):
        share = max(len(found[0]) / of[left], len(found[1]) / of[right])
        if share >= least:
            yield _same(inputs, (left, right), (case[left], case[right]), share)


def _pairs(inputs: Inputs) -> Iterator[tuple[str, str]]:
    if inputs.near is not None:
        columns = (inputs.near[name].to_pylist() for name in ("first", "second"))
        yield from zip(*columns, strict=True)
    first: dict[str, str] = {}
    rows = zip(inputs.items["item"].to_pylist(), inputs.items["hash"].to_pylist(), strict=True)
    for item, content in rows:
        if content is not None and first.setdefault(content, item) != item:
            yield first[content], item


def _same(
    inputs: Inputs, slides: tuple[str, str], cases: tuple[str | None, str | None], share: float
) -> Finding:
    paths = dict(zip(*(inputs.slides[n].to_pylist() for n in ("slide", "path")), strict=True))
    one, other = (paths.get(slide, slide).rpartition("/")[2] for slide in slides)
    mine, its = (f"case {case}" if case else "no case" for case in cases)
    return TWO_CASES.finding(
        f"slide {slides[1]}",
        f"{other} of {its} shows the same as {one} of {mine}: {share:.0%} of the images of one "
        "are there in the other.",
        evidence={"of": slides[0], "share": share, "cases": list(cases)},
        key=slides[0],
    )


def _little_tissue(inputs: Inputs) -> Iterator[Finding]:
    settings = inputs.protocol.tissue
    least = float(inputs.settings["least_mm2"])
    for row in inputs.slides.to_pylist():
        if inputs.pixels is None or not row["width"] or not row["mpp_x"]:
            continue
        mpp = max(settings.mpp, row["mpp_x"])
        mm2 = row["width"] * row["mpp_x"] * row["height"] * row["mpp_y"] / 1e6
        if mm2 <= _FIELD_MM2:
            continue  # somebody chose it
        box = (0.0, 0.0, float(row["width"]), float(row["height"]))
        mask, _ = find_tissue(inputs.pixels(row["slide"], box, mpp), mpp, settings)
        area = float(mask.sum()) * mpp**2 / 1e6
        if area < least:
            name = row["path"].rpartition("/")[2]
            yield LITTLE.finding(
                f"slide {row['slide']}",
                f"{name} shows {area:.2g} mm² of tissue, less than {least:g} mm².",
                evidence={"tissue_mm2": area},
            )


TWO_CASES = Rule(
    code="ACQ021",
    name="one-slide-two-cases",
    severity=Severity.ERROR,
    scope="dataset",
    needs=("items", "near"),
    what="Two slides of two cases that show the same tissue.",
    why="One of the cases has the wrong slide, and its diagnosis with it; and the same tissue can "
    "fall on both sides of a split.",
    bad="S12.svs of case C07, and a rescan of it that was filed under C09.",
    good="Slides of two cases show two pieces of tissue.",
    fix="Find out by label and report which case the slide belongs to, correct the table of slides "
    "and read it again with `curatome add`.",
    method="Tiles, regions and cells of two cases that are the same byte for byte, or look alike "
    "turned or not (`curatome.cohort.duplicates`), are counted for each pair of slides.",
    promise="copies and rescans of which half of the tiles were found alike",
    settings={
        "least_share": (
            0.5,
            "of the images of one of the slides; single empty or black ones look alike anywhere",
        )
    },
    look=_two_cases,
)
LITTLE = Rule(
    code="ACQ022",
    name="little-tissue",
    severity=Severity.WARNING,
    scope="image",
    needs=("slides", "pixels"),
    what="A slide that shows less tissue than one field of a microscope.",
    why="It adds a case to the count and nothing to learn from; often the section was lost, or "
    "the scanner has found the wrong part of the glass.",
    bad="A scan of the cover slip's edge with two fragments of 0.05 mm².",
    good="A needle biopsy of 8 mm².",
    fix="Look at it. If the tissue is there but pale, raise `sensitivity` under [tissue]; else "
    "have the slide scanned again, or leave it out.",
    method="The tissue mask of the build (`curatome.slides.tissue`) over an overview of the slide. "
    "Images of no more than 0.24 mm² are no slides and are left out.",
    promise="slides with 0.2 mm² of tissue or less, beside others with 0.6 mm² or more",
    settings={
        "least_mm2": (0.24, "mm², one high-power field of an eyepiece of 22 mm at 40×"),
    },
    look=_little_tissue,
    version=2,
)
RULES = (TWO_CASES, LITTLE)
