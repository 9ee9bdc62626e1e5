"""Projects without a folder: annotations, slides and phantom cohorts as `Inputs`."""

from __future__ import annotations

import datetime
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import shapely

from curatome.protocol import parse_protocol
from curatome.rules.engine import lacking, look
from curatome.rules.rule import Inputs
from curatome.tables import ANNOTATIONS, SLIDES

START = datetime.datetime(2025, 3, 1, 9, tzinfo=datetime.UTC)
TITLE = '[dataset]\ntitle = "t"\n'
CHANGED = """
[guideline]
version = "2.0"
[[guideline.changelog]]
version = "1.0"
date = 2024-01-01
change = "first"
[[guideline.changelog]]
version = "2.0"
date = 2025-01-01
change = "a dark nucleus alone is no mitosis"
redefined = ["mitosis"]
renamed = { tumour = "tumor" }
"""
"""A guideline whose second version redefines mitosis and renames tumour."""


def annotation(name, shape=None, labels=("tumor",), **more):
    """A row of annotations: a polygon of reader ada on slide s1."""
    return {
        "annotation": name, "image": "s1", "kind": "polygon" if shape is not None else "whole",
        "geometry": None if shape is None else shapely.to_wkb(shape), "labels": list(labels),
        "cannot_judge": False, "reader": "ada", "read": 1, "guideline": "1", "time": START,
        "basis": "drawn", "parents": [], "properties": "{}", **more,
    }  # fmt: skip


def annotations(*rows):
    return ANNOTATIONS.from_rows(rows)


def slide(name="s1", **more):
    """A row of slides: 10,000 × 8,000 px at 0.25 µm."""
    return {
        "slide": name, "sha256": name * 4, "path": f"slides/{name}.svs", "state": "ready",
        "case": name, "width": 10_000, "height": 8_000, "mpp_x": 0.25, "mpp_y": 0.25,
        "mpp_source": "file", **more,
    }  # fmt: skip


def slides(*rows):
    return SLIDES.from_rows(rows)


def inputs(rows=(), protocol="", of=(), **more):
    """Inputs of annotations, and of slide s1 or those that are given."""
    return Inputs(
        parse_protocol(TITLE + protocol, "t"),
        slides=slides(*(of or [slide()])),
        annotations=annotations(*rows),
        **more,
    )


def found(rule, given, image=None):
    """What a rule finds; it must have what it needs, and not fail."""
    assert lacking(rule, given) is None
    looked = look(rule, given, image)
    assert not [one.message for one in looked.findings if one.code == "CHK003"]
    return list(looked.findings)


def image_by_image(rule, given):
    """What a rule finds in a dataset; a rule of images is given one after the other."""
    if rule.scope == "dataset":
        return found(rule, given)
    out = []
    named = [given.slides["slide"].to_pylist(), given.annotations["image"].to_pylist()]
    for name in dict.fromkeys(one for names in named for one in names):
        one = replace(
            given,
            slides=given.slides.filter(pc.equal(given.slides["slide"], name)),
            annotations=given.annotations.filter(pc.equal(given.annotations["image"], name)),
        )
        if lacking(rule, one) is None:
            out += found(rule, one, name)
    return out


def phantom_inputs(tables, protocol=CHANGED):
    """Tables of `phantom.faults` as inputs; a slide is as large as its images reach."""
    held = {}
    for row in tables.images.to_pylist():
        one = held.setdefault(row["slide"], {"width": 0.0, "height": 0.0})
        one["width"] = max(one["width"], row["x"] + row["width"])
        one["height"] = max(one["height"], row["y"] + row["height"])
        one |= {name: row[name] for name in ("case", "site", "scanner", "mpp")}
    rows = [
        slide(
            name, case=one["case"], site=one["site"], scanner=one["scanner"],
            mpp_x=one["mpp"], mpp_y=one["mpp"],
            width=int(np.ceil(one["width"])), height=int(np.ceil(one["height"])),
        )
        for name, one in held.items()
    ]  # fmt: skip
    cases = {row["case"]: {"diagnosis": row["label"]} for row in tables.images.to_pylist()}
    return Inputs(
        parse_protocol(TITLE + protocol, "t"), slides(*rows), tables.annotations, cases=cases
    )
