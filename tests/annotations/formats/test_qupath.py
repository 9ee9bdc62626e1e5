"""QuPath GeoJSON: real files against plain JSON, identity of write and read, broken files."""

import gzip
import json
import tempfile
import uuid
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.annotations.formats import (
    geojson_scan,
    geojson_wkb,
    json_file,
    json_scan,
    qupath_bulk,
    qupath_read,
)
from curatome.annotations.formats.base import Frame, Frames, Options
from curatome.annotations.formats.qupath import FORMAT
from curatome.annotations.masks import mask_png
from curatome.annotations.model import new_ids
from curatome.errors import AnnotationError

from . import shapes

FEATURE = {
    "type": "Feature",
    "id": "2aa7e31c-8437-499d-ba61-88aacd9a2c3f",
    "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [4, 1], [5, 6], [0, 0]]]},
    "properties": {"objectType": "detection", "measurements": {"a": 1.5}},
}
KINDS = FORMAT.carries.kinds - {"mask"}


def read(path, *frames):
    return FORMAT.read(path, Frames(frames), Options())


def written(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def features_of(path):
    """The features of a file, by plain JSON."""
    value = json.loads(path.read_text())
    return value if isinstance(value, list) else value.get("features", [value])


@pytest.mark.parametrize("folder", ["qupath", "cmu-1-small-region"])
def test_real_files(data, folder):
    paths = sorted((data / "annotations" / folder).iterdir())
    assert len(paths) == {"qupath": 12, "cmu-1-small-region": 3}[folder]
    for path in paths:
        found, expected = read(path).table.to_pylist(), features_of(path)
        assert len(found) == len(expected), path
        for row, feature in zip(found, expected, strict=True):
            points = np.array(list(positions(feature["geometry"]["coordinates"])))
            got = shapely.get_coordinates(shapely.from_wkb(row["geometry"]))
            assert np.array_equal(got, points), path
            if "nucleusGeometry" in feature:
                inner = list(positions(feature["nucleusGeometry"]["coordinates"]))
                assert shapely.get_coordinates(shapely.from_wkb(row["nucleus"])).tolist() == inner
            measured = feature["properties"].get("measurements")
            assert json.loads(row["properties"]).get("measurements") == measured


def positions(coordinates):
    if isinstance(coordinates[0], list):
        for one in coordinates:
            yield from positions(one)
    else:
        yield [float(one) for one in coordinates]


@pytest.mark.parametrize(
    ("name", "kind", "labels"),
    [
        ("qupath-rectangle.json", "box", []),
        ("qupath-multipoint.json", "points", []),
        ("qupath-line.json", "line", []),
        ("holed.geojson", "polygon", []),
        ("geojson_example.json", "multipolygon", ["Tumor"]),
        ("qupath-polygon-cell-classified.json", "polygon", ["Cell"]),
    ],
)
def test_kinds_and_classes_of_real_files(data, name, kind, labels):
    row = read(data / "annotations" / "qupath" / name).table.to_pylist()[0]
    assert (row["kind"], row["labels"]) == (kind, labels)


def test_a_hole_stays_a_hole(data):
    table = read(data / "annotations" / "qupath" / "holed.geojson").table
    assert len(shapely.from_wkb(table["geometry"][0].as_py()).interiors) == 1


def test_luna_calls_its_classes_label_name(data):
    path = data / "annotations/cmu-1-small-region/123_joe_SVBMP-123asd_annot_geojson.json"
    assert read(path).table["labels"].to_pylist() == [["tissue_3"]]


@settings(max_examples=60, deadline=None)
@given(st.lists(shapes.rows(KINDS), min_size=1, max_size=5))
def test_write_and_read_is_the_identity(rows):
    table = shapes.table(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.geojson"
        assert FORMAT.write(table, path, Frames(), {}) == []
        back = read(path).table
    columns = {"kind", "geometry", "labels", *FORMAT.carries.columns}
    assert shapes.told(back, columns) == shapes.told(table, columns)


@settings(max_examples=30, deadline=None)
@given(st.lists(shapes.rows(KINDS - {"circle", "ellipse"}), min_size=1, max_size=5))
def test_another_reader_of_geojson_sees_the_same_shapes(rows):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "S1.geojson"
        FORMAT.write(shapes.table(rows), path, Frames(), {})
        # GEOS reads it, which shares nothing with our writer.
        found = shapely.from_geojson(path.read_text())
    expected = [shapely.from_wkb(row["geometry"]) for row in rows]
    assert len(found.geoms) == len(expected)
    for one, other in zip(found.geoms, expected, strict=True):
        assert shapely.equals_exact(one, other, tolerance=0, normalize=True)


def test_colors_and_derived_classes_come_back(tmp_path):
    table = shapes.table([shapes.imported("box", BOX, labels=["Tumor", "Positive"])])
    colors = {"Tumor: Positive": "#c80010"}
    FORMAT.write(table, tmp_path / "a.geojson", Frames(), colors)
    found = json.loads((tmp_path / "a.geojson").read_text())["features"][0]
    assert found["properties"]["classification"] == {
        "name": "Tumor: Positive",
        "color": [200, 0, 16],
    }
    assert read(tmp_path / "a.geojson").colors == colors


BOX = shapely.to_wkb(shapely.box(10, 20, 14, 22))


def test_what_is_lost_is_said(tmp_path):
    mask = mask_png(np.array([[True, False, True, True], [True, True, True, True]]))
    rows = [
        shapes.imported("mask", BOX, mask=mask),
        shapes.imported("whole", None, labels=["blurred"]),
    ]
    losses = FORMAT.write(shapes.table(rows), tmp_path / "a.geojson", Frames(), {})
    assert [(loss.annotation, loss.field) for loss in losses] == [
        (rows[0]["annotation"], "geometry"),
        (rows[1]["annotation"], "labels"),
    ]
    (row,) = read(tmp_path / "a.geojson").table.to_pylist()
    assert shapely.from_wkb(row["geometry"]).area == 7


def test_several_images_are_refused(tmp_path):
    rows = [shapes.imported("box", BOX, image=name) for name in "ab"]
    with pytest.raises(AnnotationError, match="one image, not 2"):
        FORMAT.write(shapes.table(rows), tmp_path / "a.geojson", Frames(), {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "layout", "count"),
    [
        ([FEATURE, {**FEATURE, "id": 7}], "array of features", 2),
        ({"type": "FeatureCollection", "features": []}, "FeatureCollection", 0),
        (FEATURE, "one feature", 1),
        (FEATURE["geometry"], "one geometry", 1),
        (json.dumps(FEATURE) + "\n" + json.dumps({**FEATURE, "id": "a"}), "feature per line", 2),
    ],
)
def test_layouts(tmp_path, value, layout, count):
    path = written(tmp_path / "a.geojson", value)
    reading = read(path, Frame("s1", "s1.svs", 100, 100))
    assert (reading.dialect, reading.table.num_rows) == (f"GeoJSON, {layout}", count)
    assert set(reading.table["image"].to_pylist()) <= {"s1"}
    assert FORMAT.recognize(path, path.read_bytes())
    zipped = tmp_path / "b.geojson.gz"
    zipped.write_bytes(gzip.compress(b"\xef\xbb\xbf" + path.read_bytes()))
    again = read(zipped)
    assert again.dialect == f"GeoJSON, {layout}, gzip"
    assert again.table["geometry"] == reading.table["geometry"]


def test_a_repeated_id_gets_a_new_one(tmp_path):
    reading = read(written(tmp_path / "a.json", [FEATURE, FEATURE]))
    first, second = reading.table.to_pylist()
    assert first["annotation"] == FEATURE["id"] == second["foreign"] != second["annotation"]
    assert reading.notes


def test_an_ellipse_is_its_rectangle(tmp_path):
    ring = [[10, 5], [5, 8], [0, 5], [5, 2], [10, 5]]
    shape = {"type": "Polygon", "coordinates": [ring], "isEllipse": True, "plane": {"c": -1}}
    reading = read(written(tmp_path / "a.json", {**FEATURE, "geometry": shape}))
    (row,) = reading.table.to_pylist()
    assert row["kind"] == "ellipse"
    assert shapely.from_wkb(row["geometry"]).bounds == (0, 2, 10, 8)
    assert json.loads(row["properties"])["plane"] == {"c": -1}


TEXT = json.dumps([FEATURE, FEATURE], indent=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT[:200], "ends too early, at line"),
        (TEXT.replace('"a": 1.5', '"a": 1.5,\n"a": 2'), '"a" twice in one object'),
        (TEXT.replace("1.5", "NaN"), "NaN"),
        (TEXT.replace("1.5", "[" * 5000 + "]" * 5000), "deep"),
        (TEXT.replace("Polygon", "Circle"), 'feature 1: "Circle" is not a geometry'),
        (TEXT.replace('"Feature"', '"Fetaure"'), "feature 1 is no feature"),
        ('{"type": "FeatureCollection"}', 'has no "features"'),
        ("", "is empty"),
        ("[1]", "feature 1"),
        (json.dumps([{**FEATURE, "geometry": None}]), "feature 1 is no feature"),
        (TEXT.replace("4,", '"4",'), "feature 1: '4' is not a coordinate"),
        (TEXT.replace("4,", "1e999,"), "too long|range|not finite"),
    ],
)
@pytest.mark.parametrize("large", [False, True])
def test_broken_files(tmp_path, monkeypatch, text, message, large):
    if large:
        monkeypatch.setattr(qupath_read, "LARGE", 0)
    with pytest.raises(AnnotationError, match=rf"(?s)a\.json.*({message})"):
        read(written(tmp_path / "a.json", text))


class Pairs(list):
    """An object that may have a name twice."""


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(st.tuples(st.sampled_from('ab{":'), inner), max_size=3).map(Pairs)
    ),
    max_leaves=12,
)


def text_of(value):
    if isinstance(value, Pairs):
        return "{" + ", ".join(f"{json.dumps(k)} : {text_of(v)}" for k, v in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text_of, value)) + "]"
    return json.dumps(value)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_compiled_scan_finds_what_the_strict_reader_finds(value):
    text = text_of(value).encode()
    assert refused(json_scan.require_sound, text) == refused(json_file.parse, text)


def refused(check, text):
    try:
        check(text, "a.json")
    except AnnotationError:
        return True
    return False


COORDINATE = st.floats(-1e6, 1e6)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(COORDINATE, COORDINATE), min_size=3, max_size=9), min_size=1, max_size=3
    ),
    st.sampled_from([2, 3, 20]),
    st.sampled_from([None, 1]),
)
def test_compiled_outlines_are_exact(rings, digits, indent):
    rounded = [[[round(x, digits), round(y, digits)] for x, y in ring] for ring in rings]
    closed = [[*ring, ring[0]] for ring in rounded]
    shape = {"type": "Polygon", "coordinates": closed}
    text = json.dumps([{**FEATURE, "geometry": shape}], indent=indent).encode()
    found = geojson_scan.scan(np.frombuffer(text, np.uint8), text.index(b"{"), 9, len(text), True)
    assert found.state == geojson_scan.CLOSED
    if digits == 2:
        assert found.kinds[0] != geojson_wkb.OTHER
    if found.kinds[0] != geojson_wkb.OTHER:
        expected = shapely.to_wkb(shapely.Polygon(closed[0], closed[1:]))
        assert found.streams[geojson_scan.SHAPE] == expected


POINT = st.tuples(st.integers(-9, 9), st.sampled_from([0, 0.5, 1.25, 1e-7, 0.1234567890123456789]))
CORNERS = [[0, 0], [4, 1], [5, 6], [0, 0]]
GEOMETRIES = st.one_of(
    st.just({"type": "Polygon", "coordinates": [CORNERS]}),
    st.just({"type": "Polygon", "coordinates": [CORNERS], "plane": {"c": -1, "z": 2}}),
    st.just({"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 3], [0, 3], [0, 0]]]}),
    st.just({"type": "MultiPolygon", "coordinates": [[CORNERS], [CORNERS, CORNERS]]}),
    st.just({"type": "Polygon", "coordinates": [CORNERS[:3]]}),
    st.just({"coordinates": [CORNERS], "type": "Polygon"}),
    st.just({"type": "Polygon", "coordinates": [CORNERS], "isEllipse": True}),
    POINT.map(lambda xy: {"type": "Point", "coordinates": xy}),
    st.lists(POINT, min_size=2, max_size=4).map(
        lambda xy: {"type": "LineString", "coordinates": xy}
    ),
)
WORDS = st.text('a"µ\\\n{[:,☃', max_size=4)
MEMBERS = {
    "objectType": st.sampled_from(["annotation", "cell", "detection"]),
    "name": st.none() | WORDS,
    "classification": st.one_of(
        st.none(),
        WORDS,
        st.builds(lambda name: {"name": name, "color": [1, 2, 3]}, WORDS),
        st.just({"names": ["A", "B"], "colorRGB": -1}),
    ),
    "measurements": st.dictionaries(WORDS, st.integers() | st.floats(allow_nan=False), max_size=3),
    "nested": st.just({"type": "Feature", "x": [{"type": "Feature"}, [[], {}], True]}),
    "label_name": st.just("luna"),
    "curatome": st.just({"reader": "joe", "read": 2}),
}
FEATURES = st.fixed_dictionaries(
    {
        "type": st.just("Feature"),
        "geometry": GEOMETRIES,
        "properties": st.fixed_dictionaries({}, optional=MEMBERS),
    },
    optional={
        "id": st.uuids().map(str) | st.sampled_from([7, "a", 'a"', "µ", FEATURE["id"]]),
        "nucleusGeometry": st.just({"type": "Polygon", "coordinates": [CORNERS]}),
        "bbox": st.just([0, 0, 1, 1]),
    },
)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_machine_code_reads_what_the_general_reader_reads(data):
    """Also of files with a byte too many, too few or another one: the same table, or refused."""
    features = data.draw(st.lists(FEATURES, min_size=1, max_size=4))
    wrapped = {"type": "FeatureCollection", "features": features, "more": [1, {"features": []}]}
    indent = data.draw(st.sampled_from([None, 2]))
    layout = data.draw(st.sampled_from(["collection", "array", "lines"]))
    text = json.dumps(wrapped if layout == "collection" else features, indent=indent)
    if layout == "lines":
        text = "\n".join(map(json.dumps, features))
    text = text.encode()
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(text) - 1))
        other = data.draw(
            st.sampled_from([b"", b'"', b"}", b"{", b",", b"7", b"\\", b"\xff", b"]"])
        )
        text = text[:at] + other + text[at + data.draw(st.integers(0, 1)) :]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "a.geojson"
        path.write_bytes(text)
        small = outcome(path)
        patch.setattr(qupath_read, "LARGE", 0)
        patch.setattr(qupath_bulk, "PIECE", data.draw(st.sampled_from([16, 300, 1 << 20])))
        assert outcome(path) == small


def outcome(path):
    """What a file says, but for new ids; None if it is refused."""
    try:
        reading = read(path)
    except AnnotationError:
        return None
    found = reading.table.to_pylist()
    for row in found:
        if row["annotation"] not in path.read_text("utf-8") or row["foreign"] is not None:
            del row["annotation"]
        row["properties"] = json.loads(row["properties"])
    return found, reading.dialect, reading.colors, reading.notes


def test_ids_that_are_made_are_uuids_of_version_4():
    found = new_ids(1000).to_pylist()
    assert len(set(found)) == 1000
    assert all(str(uuid.UUID(one)) == one and uuid.UUID(one).version == 4 for one in found)
    assert {uuid.UUID(one).variant for one in found} == {uuid.RFC_4122}
