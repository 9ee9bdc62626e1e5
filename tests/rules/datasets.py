"""Small datasets for tests of rules: the phantom's tables as what a rule is given."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import shapely

from curatome.annotations.model import new_id
from curatome.findings import Finding, Severity
from curatome.phantom.faults import Tables
from curatome.protocol import Protocol
from curatome.rules.rule import Inputs, Rule
from curatome.tables import ANNOTATIONS, ITEMS, NEAR_DUPLICATES, SLIDES

CLASSES = ("tumor", "lymphocyte", "stromal", "mitosis")


def protocol_of(**parts: Any) -> Protocol:
    """A protocol with the classes of the phantom's objects, unless told otherwise."""
    classes = [{"name": name} for name in CLASSES]
    return Protocol.model_validate({"dataset": {"title": "t"}, "classes": classes} | parts)


def slides_of(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Slides of 0.25 µm/px, each its own case, unless told otherwise."""
    same = {"path": "", "state": "ready", "mpp_x": 0.25, "mpp_y": 0.25}
    return SLIDES.from_rows(
        [{**same, "sha256": row["slide"], "case": row["slide"], **row} for row in rows]
    )


def items_of(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Items that are named by their number, unless told otherwise."""
    same = {"kind": "image", "labels": []}
    return ITEMS.from_rows([{**same, "item": f"i{k}", **row} for k, row in enumerate(rows)])


def annotations_of(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Annotations of reader ann on slide s, unless told otherwise; `shape` is a shapely one."""
    same = {
        "image": "s",
        "labels": ["tumor"],
        "cannot_judge": False,
        "reader": "ann",
        "read": 1,
        "basis": "drawn",
        "parents": [],
        "properties": "{}",
    }
    made = []
    for row in rows:
        shape = row.get("shape")
        kind = "whole" if shape is None else "polygon"
        kind = "point" if isinstance(shape, shapely.Point) else kind
        geometry = None if shape is None else shapely.to_wkb(shape)
        made.append({"annotation": new_id(), "kind": kind, "geometry": geometry, **same, **row})
    return ANNOTATIONS.from_rows(made)


def near_of(pairs: Sequence[tuple[str, str]]) -> pa.Table:
    """Pairs as a search for near-duplicates gives them."""
    same = {"distance": 0, "symmetry": 0, "similarity": 1.0}
    return NEAR_DUPLICATES.from_rows([{"first": a, "second": b, **same} for a, b in pairs])


def phantom_inputs(tables: Tables, protocol: Protocol | None = None, **parts: Any) -> Inputs:
    """The phantom's tables: its images are items, with the hash that turned copies share."""
    images = tables.images
    items = items_of(
        [
            {
                "item": row["image"],
                "labels": [row["label"]],
                **{n: row[n] for n in ("case", "slide", "site", "scanner", "split")},
                **{n: row[n] for n in ("x", "y", "width", "height", "hash")},
            }
            for row in images.to_pylist()
        ]
    ).append_column("turned_hash", images["turned_hash"])
    slides = {row["slide"]: row for row in images.to_pylist()}
    table = slides_of(
        [
            {"slide": name, "mpp_x": row["mpp"], "mpp_y": row["mpp"]}
            | {n: row[n] for n in ("case", "site", "scanner")}
            for name, row in slides.items()
        ]
    )
    held = {"annotations": tables.annotations, "slides": table, "items": items}
    return Inputs(protocol or protocol_of(), **(held | parts))


def looked(rule: Rule, inputs: Inputs, **settings: float) -> list[Finding]:
    """What a rule finds, with its own settings unless told otherwise."""
    given = {**rule.defaults(), **settings}
    found = list(rule.look(Inputs(**(vars(inputs) | {"settings": given}))))
    for one in found:
        assert one.code == rule.code
        assert one.remedy
        json.dumps(dict(one.evidence))  # of JSON's types
    assert len({one.fingerprint for one in found}) == len(found)
    return found


def loud(rules: Sequence[Rule], inputs: Inputs) -> list[Finding]:
    """All that is found above note level."""
    return [one for rule in rules for one in looked(rule, inputs) if one.severity > Severity.NOTE]


def rates(found: set[str], planted: set[str]) -> tuple[float, float]:
    """Recall and precision."""
    hit = len(found & planted)
    return hit / max(len(planted), 1), hit / max(len(found), 1)
