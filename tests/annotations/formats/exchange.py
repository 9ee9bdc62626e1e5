"""What every format must keep: what it grants comes back, and what it does not is named."""

import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import shapely
from hypothesis import strategies as st

from curatome.annotations.formats import Frame, Frames, Options
from curatome.annotations.model import ellipse_rectangle
from curatome.tables import ANNOTATIONS

FRAME = Frame("0123456789abcdef", "slide.ndpi", 40000, 30000, 0.25, 0.25, (1.0,), (1000.0, -3000.0))
FRAMES = Frames([FRAME])
EVERYTHING = {
    "nucleus": shapely.to_wkb(shapely.Point(1, 2).buffer(1)),
    "cannot_judge": True,
    "confidence": 0.25,
    "reader": "joe",
    "read": 2,
    "guideline": "3",
    "time": datetime(2025, 3, 4, 5, 6, 7, 8, tzinfo=UTC),
    "tool": "QuPath 0.5",
    "basis": "drawn",
    "parents": ["a", "b"],
    "name": "the name",
    "foreign": "17",
    "properties": json.dumps({"Nucleus: Area µm^2": 12.5, "Type": {"odd": None}, "view": "x"}),
}


def png(pixels):
    """A 1-bit PNG."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.asarray(pixels, bool)).convert("1").save(stream, "PNG")
    return stream.getvalue()


def row(number, kind, shape, labels=("tumor",), **more):
    """One row, on `FRAME` unless said otherwise."""
    return {
        "annotation": f"00000000-0000-4000-8000-{number:012d}",
        "image": FRAME.image,
        "kind": kind,
        "geometry": None if shape is None else shapely.to_wkb(shape),
        "labels": list(labels),
        "cannot_judge": False,
        "read": 1,
        "basis": "imported",
        "parents": [],
        "properties": "{}",
        **more,
    }


def table(*rows):
    return ANNOTATIONS.from_rows(rows)


def star(x, y, radii):
    """A simple polygon around a place; coordinates are whole eighths of a px."""
    turns = np.arange(len(radii)) / len(radii) * 2 * np.pi
    points = np.c_[x + radii * np.cos(turns), y + radii * np.sin(turns)]
    return shapely.Polygon(np.round(points * 8) / 8)


def _eighths(low, high):
    return st.integers(low * 8, high * 8).map(lambda n: n / 8)


@st.composite
def shapes(draw, kind, holes=True):  # noqa: PLR0911 - one per kind
    """A shape of a kind, within `FRAME`."""
    x, y = draw(_eighths(2000, 30000)), draw(_eighths(2000, 25000))
    w, h = draw(_eighths(3, 500)), draw(_eighths(3, 500))
    far = draw(st.lists(st.tuples(_eighths(1, 900), _eighths(1, 900)), min_size=2, max_size=6,
                        unique=True))  # fmt: skip
    points = [(x + a, y + b) for a, b in far]
    radii = np.array(draw(st.lists(_eighths(200, 500), min_size=4, max_size=12)))
    if kind == "point":
        return shapely.Point(x, y)
    if kind == "points":
        return shapely.MultiPoint(points)
    if kind == "line":
        return shapely.LineString(points)
    if kind in ("box", "mask"):
        return shapely.box(x, y, x + w, y + h)
    if kind == "circle":
        return ellipse_rectangle((x, y), (w, w))
    if kind == "ellipse":
        return ellipse_rectangle((x, y), (w, w + h))
    polygon = star(x, y, radii)
    if holes and draw(st.booleans()):
        polygon = shapely.Polygon(polygon.exterior, [star(x, y, radii / 4).exterior])
    if kind == "polygon":
        return polygon
    beside = star(x + 1000, y, radii[::-1])
    return shapely.MultiPolygon([polygon, beside] if draw(st.booleans()) else [polygon])


NAMES = st.text("abcXYZ äß_-<>&\"'µ", min_size=1, max_size=8).filter(lambda s: s.strip() == s)


@st.composite
def tables(draw, carries, kinds=None, everything=False, names=NAMES):
    """Annotations, of kinds a format grants unless told otherwise."""
    chosen = draw(st.lists(st.sampled_from(sorted(kinds or carries.kinds)), min_size=1, max_size=5))
    rows = []
    for number, kind in enumerate(chosen):
        shape = None if kind == "whole" else draw(shapes(kind, carries.holes or everything))
        many = {"none": 0, "one": 1, "several": 3}[carries.labels] if not everything else 3
        labels = draw(st.lists(names, min_size=0 if carries.labels != "one" else 1,
                               max_size=many, unique=True))  # fmt: skip
        more = {}
        if kind == "mask":
            more["mask"] = png([[1, 0, 1], [1, 1, 0]])
        keep = EVERYTHING if everything else {
            name: value for name, value in EVERYTHING.items() if name in carries.columns
        }  # fmt: skip
        rows.append(row(number, kind, shape, labels, **more, **keep))
    return table(*rows)


def exchange(form, before, path, frames=FRAMES, options=None):
    """Write and read; the losses and what came back."""
    losses = form.write(before, path, frames, {"tumor": "#ff8000"})
    reading = form.read(path, frames, options or Options())
    assert reading.table.schema.equals(ANNOTATIONS.schema)
    return losses, reading


def same_shape(a, b, precision):
    """Whether two geometries (WKB) are the same but for a rounding."""
    if a is None or b is None:
        return a is b
    one, two = shapely.from_wkb(a).normalize(), shapely.from_wkb(b).normalize()
    if precision > 0.1:  # rounding may change which corner comes first
        return one.hausdorff_distance(two) <= precision * np.sqrt(2)
    return one.equals_exact(two, precision + 1e-9)


def assert_kept(form, before, losses, reading):
    """All that a format grants came back, and no loss was told of it."""
    assert [loss for loss in losses if loss.field in ("geometry", "labels")] == []
    granted = form.carries.columns
    assert [loss for loss in losses if loss.field in granted] == []
    old, new = before.to_pylist(), reading.table.to_pylist()
    if "annotation" in granted:
        new = {one["annotation"]: one for one in new}
        assert set(new) == {one["annotation"] for one in old}
        new = [new[one["annotation"]] for one in old]
    assert len(old) == len(new)
    for a, b in zip(old, new, strict=True):
        assert b["kind"] == a["kind"]
        assert same_shape(a["geometry"], b["geometry"], form.carries.precision)
        assert form.carries.labels == "none" or b["labels"] == a["labels"]
        assert b["image"] == a["image"]
        for column in granted:
            assert _value(column, b) == _value(column, a), column


def assert_named(form, before, losses, reading):
    """All that did not come back is named, annotation and field."""
    told = {(loss.annotation, loss.field) for loss in losses}
    assert all(loss.reason.endswith(".") for loss in losses)
    new = {one["annotation"]: one for one in reading.table.to_pylist()}
    for a in before.to_pylist():
        b = new.get(a["annotation"])
        if b is None:
            assert {(a["annotation"], "geometry"), (a["annotation"], "annotation")} & told
            continue
        kept = b["kind"] == a["kind"] and same_shape(
            a["geometry"], b["geometry"], form.carries.precision
        )
        assert kept or (a["annotation"], "geometry") in told, (a["kind"], b["kind"])
        for column in [*EVERYTHING, "labels", "image"]:
            same = _value(column, b) == _value(column, a)
            assert same or (a["annotation"], column) in told, column


def _value(column, one):
    return json.loads(one[column]) if column == "properties" else one[column]


def counted(reading):
    """Annotations by kind."""
    kinds, counts = np.unique(reading.table.column("kind").to_pylist(), return_counts=True)
    return dict(zip(kinds.tolist(), counts.tolist(), strict=True))


def empty():
    """A table without rows."""
    return pa.Table.from_pylist([], schema=ANNOTATIONS.schema)
