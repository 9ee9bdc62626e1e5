"""COR, CON003, CON004 and CMP: labels, readers who differ, and what was overlooked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import shapely
from shapely import affinity

from curatome.annotations.exhaustive import EXHAUSTIVE
from curatome.findings import Finding
from curatome.phantom.faults import FAULTS, CleanDesign, Tables, make_tables
from curatome.phantom.faults.tables import Draft, picked
from curatome.phantom.objects import ObjectDesign, make_objects
from curatome.phantom.readers import Reader
from curatome.phantom.reading import read
from curatome.rules.rule import Inputs
from tests.rules.datasets import CLASSES, annotations_of, protocol_of, slides_of
from tests.rules.painted import painted
from tests.rules.promised.trial import Promise, Trial, given, images_of, plant, rows_of, sizes

PLAIN = CleanDesign(ObjectDesign(cases=20, slides_per_case=1, objects_per_slide=20))
EVEN = ObjectDesign(
    cases=15, slides_per_case=1, objects_per_slide=16, classes=("tumor", "lymphocyte"),
    frequencies=(0.5, 0.5),
)  # fmt: skip
NUCLEI = ObjectDesign(
    cases=9, slides_per_case=1, objects_per_slide=20, size_um=(220.0, 220.0), classes=("tumor",),
    frequencies=(1.0,),
)  # fmt: skip
CROWD = ObjectDesign(cases=20, slides_per_case=1, objects_per_slide=60)
PANEL = ObjectDesign(cases=60, slides_per_case=1, objects_per_slide=5,
                     frequencies=(0.25,) * 4)  # fmt: skip
SEARCHED = ObjectDesign(cases=20, slides_per_case=1, objects_per_slide=10)
_AWAY_UM = 1.0
"""By how much a second reader's outline lies aside."""


def _suspect(strength: float, seed: int) -> Trial:
    clean = make_tables(CleanDesign(EVEN), seed)
    planted = FAULTS["random_label"].plant(clean, strength, seed)
    inputs = given(planted.tables, pixels=painted(clean, seed))
    return Trial(inputs, frozenset(f"annotation {name}" for name in rows_of(planted)))


def read_again(**other: object) -> Callable[..., Draft]:
    """All objects are read once more; some of them get another class then.

    Args:
        **other: columns of the second read, such as its reader.
    """

    def apply(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
        held = draft.tables.annotations.to_pylist()
        mpp = dict(zip(*(draft.tables.images[n].to_pylist() for n in ("slide", "mpp")),
                       strict=True))  # fmt: skip
        hit = set(picked(rng, len(held), strength).tolist())
        added = []
        for k, row in enumerate(held):
            others = [name for name in CLASSES if name not in row["labels"]]
            labels = [others[rng.integers(len(others))]] if k in hit else row["labels"]
            away = _AWAY_UM / mpp[row["image"]]
            shape = affinity.translate(shapely.from_wkb(row["geometry"]), away)
            own = {"annotation": f"{row['annotation'][:-2]}zz", "labels": labels,
                   "geometry": shapely.to_wkb(shape), **other}  # fmt: skip
            added.append(row | own)
        return draft.add("annotations", added, [row["annotation"] for row in held])

    return apply


def _read_again(other: dict[str, object], strength: float, seed: int) -> Trial:
    tables = make_tables(PLAIN, seed)
    planted = plant(read_again(**other), tables, strength, seed)
    labels: dict[str, list[list[str]]] = {}
    for row in planted.tables.annotations.to_pylist():
        labels.setdefault(row["annotation"][:-2], []).append(row["labels"])
    due = frozenset(name for name, (one, again) in labels.items() if one != again)

    def named(finding: Finding) -> list[str]:
        return [finding.subject.removeprefix("annotation ")[:-2]]

    return Trial(given(planted.tables), due, named=named)


def _twice(strength: float, seed: int) -> Trial:
    planted = FAULTS["overlapping_classes"].plant(make_tables(PLAIN, seed), strength, seed)
    sources = planted.changes["source"].to_pylist()

    def named(finding: Finding) -> list[str]:
        return [finding.subject.removeprefix("annotation "), finding.evidence["other"]]

    return Trial(given(planted.tables), rows_of(planted) | frozenset(sources), named=named)


def _panel(right: float, seed: int) -> Trial:
    """Four readers, of whom one in every second cohort is right less often than the others."""
    objects = make_objects(PANEL, seed)
    weak = right if seed % 2 == 0 else 0.9
    shares = {"ann": 0.9, "joe": weak, "mia": 0.9, "zoe": 0.9}
    rows = []
    for name, share in shares.items():
        reads = read(objects, Reader.even(name, objects.classes, 0.0, 1 - share), seed)
        rows += [
            {"image": f"{row['slide']}/{row['item']}", "labels": [row["label"]], "reader": name}
            for row in reads.table().to_pylist()
        ]
    images = sorted({row["image"] for row in rows})
    slides = slides_of([{"slide": one, "case": one.partition("/")[0]} for one in images])
    inputs = Inputs(protocol_of(), slides=slides, annotations=annotations_of(rows))
    return Trial(inputs, frozenset({"reader joe"} if seed % 2 == 0 else ()))


def regions(tables: Tables, classes: tuple[str, ...] = CLASSES) -> pa.Table:
    """Every slide's field as an exhaustive region."""
    same = {"kind": "polygon", "classes": list(classes), "reader": "ada"}
    return EXHAUSTIVE.from_rows(
        [
            same
            | {"region": name, "image": name, "geometry": shapely.to_wkb(shapely.box(0, 0, *at))}
            for name, at in sizes(tables).items()
        ]
    )


def _missed(strength: float, seed: int) -> Trial:
    """A finding names the object on which its middle lies, or its own place where none is."""
    clean = make_tables(CleanDesign(NUCLEI), seed)
    planted = FAULTS["missed_objects"].plant(clean, strength, seed)
    gone = rows_of(planted)
    lost = [row for row in clean.annotations.to_pylist() if row["annotation"] in gone]
    shapes = shapely.from_wkb(np.array([row["geometry"] for row in lost], object))

    def named(finding: Finding) -> list[str]:
        place = finding.place
        x, y = place.x + place.width / 2, place.y + place.height / 2
        on = shapely.contains_xy(shapes, x, y)
        on &= np.array([row["image"] == finding.evidence["image"] for row in lost])
        hit = [row["annotation"] for row, one in zip(lost, on, strict=True) if one]
        return hit or [f"nothing at {finding.subject} {x:.0f} {y:.0f}"]

    held = {"exhaustive": regions(clean, ("tumor",)), "pixels": painted(clean, seed)}
    return Trial(given(planted.tables, **held), gone, named=named)


def _unscreened(strength: float, seed: int) -> Trial:
    clean = make_tables(CleanDesign(CROWD), seed)
    planted = FAULTS["unscreened_fields"].plant(clean, strength, seed)
    hit = {f"slide {name}" for name in images_of(clean, rows_of(planted))}
    return Trial(given(planted.tables, exhaustive=regions(clean)), frozenset(hit))


def _below(found: float, seed: int) -> Trial:
    """Two readers find so many of 200 objects together; 99 % in every second cohort."""
    share = found if seed % 2 == 0 else 0.99
    miss = (1 - share) ** 0.5
    tables = make_tables(CleanDesign(SEARCHED, readers=("ada",)), seed)
    rng = np.random.default_rng([seed, 44])
    rows = [
        row | {"annotation": f"{row['annotation'][:-2]}{k:02d}", "reader": reader}
        for k, reader in enumerate(("ada", "ben"))
        for row in tables.annotations.to_pylist()
        if rng.random() >= miss
    ]
    gates = [{"measure": "completeness", "min": 0.9}]
    inputs = replace(given(tables), protocol=protocol_of(gates=gates),
                     annotations=tables.annotations.from_pylist(rows, tables.annotations.schema),
                     )  # fmt: skip
    return Trial(inputs, frozenset({"gate"} if seed % 2 == 0 else ()), named=_anything)


def _anything(_: Finding) -> list[str]:
    return ["gate"]


_AGAIN = "objects that get another class"
PROMISES = (
    Promise("COR001", "wrong label, share of objects of two classes that look different",
            _suspect, 0.05, (0.02, 0.1), 3),
    Promise("COR002", f"second reader, share of {_AGAIN}",
            partial(_read_again, {"reader": "zoe"}), 0.05, (0.01, 0.3), 2, exact=True),
    Promise("COR003", "share of objects that one reader of four has right, the others 90 %",
            _panel, 0.7, (0.85, 0.8, 0.5), 40),
    Promise("CMP001", "nucleus not annotated, share", _missed, 0.1, (0.05, 0.15), 3),
    Promise("CMP003", "share of a field with 60 objects that nobody searched", _unscreened, 0.5,
            (0.1, 0.2, 0.3, 0.7), 3),
    Promise("CMP004", "share of 200 objects that two readers found, gate 0.9", _below, 0.75,
            (0.95, 0.85, 0.8, 0.6), 40),
    Promise("CON003", f"second read, share of {_AGAIN}", partial(_read_again, {"read": 2}), 0.05,
            (0.01, 0.3), 2, exact=True),
    Promise("CON004", "object twice, share, the second outline at 0.9 of the first", _twice, 0.1,
            (0.02, 0.3), 2, exact=True),
)  # fmt: skip
