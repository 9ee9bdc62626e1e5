"""A table of annotations from shapes, with all else at its plainest."""

import shapely

from curatome import tables

PLAIN = {
    "image": "A",
    "labels": ["tumor"],
    "cannot_judge": False,
    "reader": "ann",
    "read": 1,
    "basis": "drawn",
    "parents": [],
    "properties": "{}",
}


def annotations(*rows):
    """`tables.ANNOTATIONS` from (kind, shape or WKB) or (kind, shape, other columns)."""
    made = []
    for number, (kind, shape, *more) in enumerate(rows):
        wkb = shapely.to_wkb(shape) if isinstance(shape, shapely.Geometry) else shape
        row = {**PLAIN, "annotation": f"a{number}", "kind": kind, "geometry": wkb}
        made.append(row | (more[0] if more else {}))
    return tables.ANNOTATIONS.from_rows(made)
