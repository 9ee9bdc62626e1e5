"""Annotations to fill a store with."""

import uuid
from datetime import UTC, datetime

import shapely

from curatome.annotations.store import Act
from curatome.tables import ANNOTATIONS

ANNA, BEN = Act("Anna", "QuPath 0.5", "1.0"), Act("Ben", "studio", "1.1", "second look")


def identity(number):
    return str(uuid.UUID(int=number))


def box(x, y, width=10.0, height=10.0):
    return shapely.to_wkb(shapely.box(x, y, x + width, y + height))


def row(number, x=0.0, y=0.0, **more):
    """An annotation that says something in every column that may be left out."""
    return {
        "annotation": identity(number),
        "image": "s1",
        "kind": "box",
        "geometry": box(x, y),
        "mask": None,
        "nucleus": None,
        "labels": ["tumor"],
        "cannot_judge": False,
        "confidence": 0.5,
        "reader": "Anna",
        "read": 1,
        "guideline": "1.0",
        "time": datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC),
        "tool": "QuPath",
        "basis": "imported",
        "parents": [],
        "name": f"object {number}",
        "foreign": None,
        "properties": "{}",
        **more,
    }


def table(rows):
    return ANNOTATIONS.from_rows(rows)


def by_id(found):
    """A table's rows by their id."""
    return {one["annotation"]: one for one in found.to_pylist()}
