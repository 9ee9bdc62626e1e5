"""LEK: what lies in two splits, so that a test set is known from training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.dataset.association import association
from curatome.dataset.leakage import crossings
from curatome.findings import Finding, Place, Severity
from curatome.rules.rule import Inputs, Rule

Whole = npt.NDArray[np.int64]

_EXAMPLES = 10
_FACTORS = ("site", "scanner")
_MORE = {"overlap": ("x", "y", "width", "height"), "identical": ("hash", "turned_hash")}
"""Columns of items that one kind of leak is found by; the others cost nothing without them."""
_WHY = (
    "A model knows what it was trained on. What it is tested on must be new to it, else the "
    "numbers are too good, and nobody can tell by how much."
)
_FIX = (
    "Divide by case again with `curatome split`, which never parts a case, and ties cases that "
    "share a picture; or take the items out of one of the splits."
)


def _by_subject(inputs: Inputs, kind: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """What crosses in one way, by what it is about."""
    wanted = ("item", "split", "case", "slide", *_MORE.get(kind, ()))
    items = inputs.items.select([n for n in inputs.items.column_names if n in wanted])
    found = crossings(items, inputs.near if kind == "near-duplicate" else None)
    rows = found.filter(pc.equal(found["kind"], kind)).to_pylist()
    held: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        held.setdefault(row["subject"], []).append(row)
    yield from held.items()


def _splits(rows: list[dict[str, Any]]) -> str:
    others = [f"{row['items']:,} of its items in {row['other_split']}" for row in rows]
    return f"lies in {rows[0]['split']}, but {' and '.join(others)}"


def _evidence(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "splits": sorted({rows[0]["split"], *(row["other_split"] for row in rows)}),
        "items": sum(row["items"] for row in rows),
    }


def _cases(inputs: Inputs) -> Iterator[Finding]:
    """A case that is named after its slide is left to the rule of slides."""
    slides = set(pc.unique(inputs.items["slide"]).to_pylist())
    for case, rows in _by_subject(inputs, "case"):
        if case not in slides:
            yield CASE.finding(
                f"case {case}", f"case {case} {_splits(rows)}.", evidence=_evidence(rows)
            )


def _slides(inputs: Inputs) -> Iterator[Finding]:
    for slide, rows in _by_subject(inputs, "slide"):
        text = f"slide or source image {slide} {_splits(rows)}."
        yield SLIDE.finding(f"slide {slide}", text, evidence=_evidence(rows))


def _identical(inputs: Inputs) -> Iterator[Finding]:
    column = "turned_hash" if "turned_hash" in inputs.items.column_names else "hash"
    found = dict(_by_subject(inputs, "identical"))
    names = _items_of(inputs.items, column, list(found))
    for content, rows in found.items():
        items = names[content]
        said = ", ".join(f"{item} in {split}" for item, split in items[:_EXAMPLES])
        more = f" and {len(items) - _EXAMPLES} more" if len(items) > _EXAMPLES else ""
        text = f"{len(items)} items of several splits have the same pixels: {said}{more}."
        evidence = _evidence(rows) | {"members": [item for item, _ in items[:_EXAMPLES]]}
        yield IDENTICAL.finding(f"item {items[0][0]}", text, evidence=evidence, key=content)


def _items_of(items: pa.Table, column: str, values: list[str]) -> dict[str, list[tuple[str, str]]]:
    """Items with each value of a column, and their splits."""
    rows = items.filter(pc.is_in(items[column], pa.array(values, pa.string())))
    rows = rows.filter(pc.is_valid(rows["split"]))
    held: dict[str, list[tuple[str, str]]] = {}
    for row in rows.select(["item", "split", column]).to_pylist():
        held.setdefault(row[column], []).append((row["item"], row["split"]))
    return held


def _near(inputs: Inputs) -> Iterator[Finding]:
    """Pairs with the same pixels are left to the rule of identical items."""
    same = dict(zip(*(inputs.items[n].to_pylist() for n in ("item", "hash")), strict=True))
    for item, rows in _by_subject(inputs, "near-duplicate"):
        other = rows[0]["other"]
        if same[item] is not None and same[item] == same.get(other):
            continue
        text = (
            f"item {item} of split {rows[0]['split']} looks like {other} of "
            f"{rows[0]['other_split']}."
        )
        yield NEAR.finding(f"item {item}", text, evidence={"other": other, **_evidence(rows)})


def _overlaps(inputs: Inputs) -> Iterator[Finding]:
    boxes = ("slide", "x", "y", "width", "height")
    found = dict(_by_subject(inputs, "overlap"))
    mine = inputs.items.filter(pc.is_in(inputs.items["item"], pa.array(list(found), pa.string())))
    place = {row["item"]: row for row in mine.select(["item", *boxes]).to_pylist()}
    held: dict[str, list[dict[str, Any]]] = {}
    for item, rows in found.items():
        held.setdefault(place[item]["slide"], []).extend(rows)
    for slide, rows in held.items():
        first = rows[0]
        text = (
            f"{len(rows):,} pairs of items of slide {slide} overlap across splits, such as "
            f"{first['subject']} of {first['split']} and {first['other']} of "
            f"{first['other_split']}."
        )
        at = place[first["subject"]]
        evidence = {"pairs": len(rows), "examples": [r["subject"] for r in rows[:_EXAMPLES]]}
        yield OVERLAP.finding(
            f"slide {slide}",
            text,
            place=Place(at["x"], at["y"], at["width"], at["height"]),
            evidence=evidence,
        )


def _divided(inputs: Inputs, factor: str) -> pa.Table:
    """Each case once in each split and domain it lies in."""
    items = inputs.items.select(["case", "split", factor]).drop_null()
    return items.group_by(["case", "split", factor]).aggregate([])


def _domains(inputs: Inputs) -> Iterator[Finding]:
    for factor in () if inputs.protocol.split.site_preserved else _FACTORS:
        rows = _divided(inputs, factor)
        splits = pc.unique(rows["split"]).to_pylist()
        names = pc.unique(rows[factor]).to_pylist()
        if len(splits) < 2 or len(names) < 2:
            continue
        for name in sorted(names):
            mine = rows.filter(pc.equal(rows[factor], name))
            only = pc.unique(mine["split"]).to_pylist()
            if len(only) == 1 and len(mine) >= int(inputs.settings["least_cases"]):
                text = f"all {len(mine)} cases of {factor} {name} lie in split {only[0]}."
                evidence = {"factor": factor, "split": only[0], "cases": len(mine)}
                yield DOMAIN.finding(f"{factor} {name}", text, evidence=evidence)


def _confounded(inputs: Inputs) -> Iterator[Finding]:
    for factor in () if inputs.protocol.split.site_preserved else _FACTORS:
        rows = _divided(inputs, factor)
        if not len(rows):
            continue
        case, split, domain = (_codes(rows[name]) for name in ("case", "split", factor))
        _, first = np.unique(case[0], return_index=True)
        shares = np.zeros((len(first), len(split[1])))
        np.add.at(shares, (case[0], split[0]), 1.0)
        shares /= shares.sum(axis=1, keepdims=True)
        _, group = np.unique(domain[0][first], return_inverse=True)
        found = association(shares, group)
        if found.v >= float(inputs.settings["least_v"]) and found.chance <= float(
            inputs.settings["chance"]
        ):
            text = (
                f"splits go with {factor}s: Cramér's V {found.v:.2f} over {len(first)} cases, "
                f"chance {found.chance:.4f}. A test set from other {factor}s than the training "
                "set measures how a model moves to them, not how good it is at home."
            )
            evidence = {"factor": factor, "v": round(found.v, 4), "chance": found.chance}
            yield CONFOUNDED.finding(f"{factor}s and splits", text, evidence=evidence)


def _codes(column: pa.ChunkedArray) -> tuple[Whole, list[str]]:
    coded = pc.dictionary_encode(column.combine_chunks())
    return coded.indices.to_numpy().astype(np.int64), coded.dictionary.to_pylist()


CASE = Rule(
    code="LEK001",
    name="case-in-two-splits",
    severity=Severity.ERROR,
    scope="dataset",
    needs=("items",),
    what="A case has items in more than one split.",
    why=_WHY + " All slides of a patient share the tissue, its fixation and its stain.",
    bad="Case C12 has slide A in train and slide B in test.",
    good="All slides of case C12 are in train.",
    fix=_FIX,
    method="Every case is counted in every split; exact. A case named after its only slide is "
    "reported by LEK002.",
    promise="every case that lies in two splits, with one item or with many",
    look=_cases,
)
SLIDE = Rule(
    code="LEK002",
    name="slide-in-two-splits",
    severity=Severity.ERROR,
    scope="dataset",
    needs=("items",),
    what="Items that were cut from one slide or source image lie in more than one split.",
    why=_WHY + " Neighbors on one image share stain, focus, and often the very same structure.",
    bad="Crops of field B5_141 were shuffled into train, val and test.",
    good="All crops of field B5_141 are in train.",
    fix=_FIX,
    method="Every slide is counted in every split; exact.",
    promise="every slide that lies in two splits, with one item or with many",
    look=_slides,
)
OVERLAP = Rule(
    code="LEK003",
    name="overlap-across-splits",
    severity=Severity.ERROR,
    scope="dataset",
    needs=("items",),
    what="Items of two splits show the same part of a slide.",
    why=_WHY + " Pixels of the test set were trained on.",
    bad="Tiles overlap by half, and every second one was drawn into test.",
    good="A slide's tiles are in one split, however much they overlap.",
    fix=_FIX,
    method="Boxes of items on one slide that share area; exact.",
    promise="every slide on which items of two splits share area",
    look=_overlaps,
)
IDENTICAL = Rule(
    code="LEK004",
    name="identical-across-splits",
    severity=Severity.ERROR,
    scope="dataset",
    needs=("items",),
    what="Items of two splits have the same pixels.",
    why=_WHY + " This also happens across cases, where an image was copied under another name.",
    bad="cell_1 of train and cell_72 of test are byte for byte the same crop.",
    good="Each image is in the dataset once.",
    fix="Remove all but one of the copies, then divide again with `curatome split`.",
    method="Content hashes; those that rotations and flips share where items have them. Exact.",
    promise="every item that is in two splits, byte for byte",
    look=_identical,
)
NEAR = Rule(
    code="LEK005",
    name="near-duplicate-across-splits",
    severity=Severity.WARNING,
    scope="dataset",
    needs=("items", "near"),
    what="Items of two splits look the same, turned, compressed again, or in other colors.",
    why=_WHY + " Content hashes do not see a copy that was saved again.",
    bad="A crop of test is one of train, rotated by 90 degrees.",
    good="Copies of one picture are in one split, or there is only one.",
    fix="Look at the pair. If it is one picture, remove one, or let `curatome split` tie their "
    "cases.",
    method="Perceptual hashes under the eight symmetries, confirmed by pixels "
    "(curatome.cohort.duplicates); items that pairs connect are one group.",
    promise="every pair of the table of near-duplicates that lies in two splits",
    look=_near,
)
DOMAIN = Rule(
    code="LEK006",
    name="domain-in-one-split",
    severity=Severity.NOTE,
    scope="dataset",
    needs=("items",),
    what="All cases of a site or scanner lie in one split.",
    why="If it is the training split, nothing tells how a model does on that site; if it is the "
    "test split, the result is about a new site, and should be reported as such.",
    bad="All eight cases of Bonn are in train.",
    good="Cases of Bonn are in train, val and test; or splits are site-preserved on purpose.",
    fix="Add `site` or `scanner` to split.stratify, or set split.site_preserved if it is meant so.",
    method="Cases of each site and scanner are counted in each split. Says nothing where "
    "split.site_preserved is set.",
    promise="every site and scanner of three cases or more that lies in one split",
    settings={"least_cases": (3.0, "fewer cases cannot be in all of three splits")},
    look=_domains,
)
CONFOUNDED = Rule(
    code="LEK007",
    name="split-goes-with-domain",
    severity=Severity.WARNING,
    scope="dataset",
    needs=("items",),
    what="Sites or scanners are divided between splits far more unevenly than by chance.",
    why="Sites differ in color, sharpness and patients. A test set from other sites than the "
    "training set answers another question than one from the same.",
    bad="Train is from Bonn and Ulm, test from Graz, and the protocol says nothing of it.",
    good="Every site is in every split; or split.site_preserved says that it is meant so.",
    fix="Add `site` or `scanner` to split.stratify and divide again; or set split.site_preserved.",
    method="Cramér's V of split and site over cases, and the chance that a random deal of cases "
    "gives as large a one (4,999 deals; Besag & Clifford 1991, 10.1093/biomet/78.2.301).",
    promise="three splits and four sites, 7 of 10 cases in the split of their site, of 60 cases",
    settings={
        "least_v": (0.3, "a medium effect (Cohen 1988); less does no harm"),
        "chance": (0.001, "a sound dataset is warned about once in a thousand times"),
    },
    look=_confounded,
)

RULES: tuple[Rule, ...] = (CASE, SLIDE, OVERLAP, IDENTICAL, NEAR, DOMAIN, CONFOUNDED)
