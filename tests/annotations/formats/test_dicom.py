"""DICOM SEG and ANN, with highdicom as the other party in both directions."""

import json
import shutil

import highdicom
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.sr.coding import Code
from shapely import LineString, Point, Polygon, affinity, box

from curatome.annotations.formats import dicom_ann, dicom_seg
from curatome.annotations.formats.base import Frame, Frames, Options
from curatome.errors import AnnotationError
from curatome.geometry import rasterize
from tests.annotations.shapes import annotations

FRAME = Frame("A", "a.svs", 1_200, 900, 0.25, 0.25)
FRAMES = Frames([FRAME])
NUCLEUS = Code("84640000", "SCT", "Nucleus")


def shapes(table):
    return shapely.from_wkb(table["geometry"].to_pylist())


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """Annotations and their image beside each other, as an archive sends them."""
    beside = tmp_path_factory.mktemp("dicom")
    for name in ("annotations/dicom/sm_annotations.dcm", "slides/dicom/sm_image.dcm"):
        shutil.copy(data / name, beside)
    return beside


@pytest.mark.parametrize(("name", "pieces"), [("dots", 50), ("control", 37)])
def test_real_segmentations_cover_the_pixels_that_highdicom_reads(data, name, pieces):
    path = data / "annotations" / "dicom" / f"seg_image_sm_{name}.dcm"
    assert dicom_seg.FORMAT.recognize(path, path.read_bytes()[:65536])
    assert dicom_ann.FORMAT.recognize(path, path.read_bytes()[:65536]) is None
    found = dicom_seg.FORMAT.read(path, Frames(), Options()).table
    held = highdicom.seg.segread(path)
    pixels = held.get_total_pixel_matrix()
    ours = np.zeros_like(pixels)
    for row, shape in zip(found.to_pylist(), shapes(found), strict=True):
        number = segment_of(row)
        assert row["labels"] == [held.get_segment_description(number).segment_label]
        ours[..., number - 1] |= rasterize(shape, (0, 0), (1, 1), 50)
    assert np.array_equal(ours, pixels)
    assert found.num_rows == pieces


def segment_of(row):
    return json.loads(row["properties"])["dicom"]["segment"]


def test_real_annotations_lie_where_highdicom_puts_them(data):
    path = data / "annotations" / "dicom" / "sm_annotations.dcm"
    assert dicom_ann.FORMAT.recognize(path, path.read_bytes()[:65536])
    found = dicom_ann.FORMAT.read(path, Frames(), Options())
    (group,) = highdicom.ann.annread(path).get_annotation_groups()
    theirs = np.concatenate(group.get_graphic_data("2D"))
    assert np.array_equal(shapely.get_coordinates(shapes(found.table)), theirs)
    assert found.table["labels"].to_pylist() == [["nuclei"]] * 2
    assert '"Area um2": 20.39' in found.table["properties"][0].as_py()


def made_by_highdicom(folder, graphic, data, space="2D"):
    image = highdicom.imread(folder / "sm_image.dcm")
    group = highdicom.ann.AnnotationGroup(
        number=1,
        uid=highdicom.UID(),
        label="nuclei",
        annotated_property_category=Code("91723000", "SCT", "Anatomical Structure"),
        annotated_property_type=NUCLEUS,
        graphic_type=graphic,
        graphic_data=data,
        algorithm_type="MANUAL",
        measurements=[
            highdicom.ann.Measurements(
                Code("42798000", "SCT", "Area"),
                np.arange(len(data), dtype=float) + 0.5,
                Code("um2", "UCUM", "square micrometer"),
            )
        ],
    )
    return highdicom.ann.MicroscopyBulkSimpleAnnotations(
        source_images=[image],
        annotation_coordinate_type=space,
        annotation_groups=[group],
        series_instance_uid=highdicom.UID(),
        series_number=2,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="a",
        manufacturer_model_name="b",
        software_versions="1",
        device_serial_number="2",
    )


def saved(dataset, path):
    dataset.save_as(path)
    return path


@pytest.mark.parametrize(
    ("graphic", "points", "kind", "expected"),
    [
        ("POLYGON", [[(5, 5), (9, 5), (9, 9)], [(1, 1), (4, 1), (4, 4), (1, 4)]], "polygon",
         [Polygon([(5, 5), (9, 5), (9, 9)]), box(1, 1, 4, 4)]),
        ("POLYLINE", [[(5, 5), (9, 5), (9, 9)], [(1, 1), (4, 1)]], "line",
         [LineString([(5, 5), (9, 5), (9, 9)]), LineString([(1, 1), (4, 1)])]),
        ("RECTANGLE", [[(1, 1), (4, 1), (4, 4), (1, 4)]], "box", [box(1, 1, 4, 4)]),
        ("ELLIPSE", [[(2, 10), (18, 10), (10, 6), (10, 14)]], "ellipse", [box(2, 6, 18, 14)]),
        ("POINT", [[(3, 4)], [(7.25, 8.5)]], "point", [Point(3, 4), Point(7.25, 8.5)]),
    ],
)  # fmt: skip
def test_what_highdicom_writes_is_read(folder, tmp_path, graphic, points, kind, expected):
    data = [np.array(one, float) for one in points]
    path = saved(made_by_highdicom(folder, graphic, data), tmp_path / "ann.dcm")
    found = dicom_ann.FORMAT.read(path, Frames(), Options()).table
    assert found["kind"].to_pylist() == [kind] * len(points)
    for ours, theirs in zip(shapes(found), expected, strict=True):
        assert ours.equals(theirs) or ours.equals_exact(theirs, 1e-9)
    assert '"Area um2": 0.5' in found["properties"][0].as_py()


def test_millimeters_on_the_glass_need_the_image_beside(folder, tmp_path):
    image = highdicom.imread(folder / "sm_image.dcm")
    inside = np.array([(5.0, 5.0), (9.0, 5.0), (9.0, 20.0)])
    onto = highdicom.spatial.ImageToReferenceTransformer.for_image(
        image, for_total_pixel_matrix=True
    )
    onto_glass = onto(inside)
    path = tmp_path / "ann.dcm"
    saved(made_by_highdicom(folder, "POLYGON", [onto_glass], "3D"), path)
    with pytest.raises(AnnotationError, match="DICOM files of its image beside it"):
        dicom_ann.FORMAT.read(path, Frames(), Options())
    shutil.copy(folder / "sm_image.dcm", tmp_path)
    found = dicom_ann.FORMAT.read(path, Frames(), Options())
    assert found.dialect.endswith("3D coordinates")
    assert np.allclose(shapely.get_coordinates(shapes(found.table))[:3], inside, atol=1e-3)


def test_pixels_of_a_lower_level_are_brought_to_level_0(folder):
    level0 = Frame("A", "sm_image.dcm", 200, 200, 0.125, 0.125, (1.0, 4.0))
    found = dicom_ann.FORMAT.read(folder / "sm_annotations.dcm", Frames([level0]), Options())
    assert np.allclose(shapely.get_coordinates(shapes(found.table))[0], (34.6 * 4, 18.4 * 4))


_number = st.floats(1, 800, allow_nan=False).map(lambda value: round(value, 3))
_corner = st.tuples(_number, _number)
_drawn = st.one_of(
    _corner.map(lambda xy: ("point", Point(xy))),
    st.tuples(_corner, st.floats(2, 50), st.floats(1, 50)).map(
        lambda one: ("box", box(*one[0], one[0][0] + one[1], one[0][1] + one[2]))
    ),
    st.lists(_corner, min_size=2, max_size=6, unique=True).map(lambda xy: ("line", LineString(xy))),
    st.tuples(_corner, st.integers(3, 9), st.floats(3, 60)).map(
        lambda one: ("polygon", Point(one[0]).buffer(one[2], quad_segs=one[1]))
    ),
    st.tuples(_corner, st.floats(5, 50), st.floats(1, 4.9), st.floats(0.1, 1.4)).map(
        lambda one: (
            "ellipse",
            affinity.rotate(
                box(one[0][0], one[0][1], one[0][0] + one[1], one[0][1] + one[2]),
                one[3],
                use_radians=True,
            ),
        )
    ),
)


@settings(max_examples=30)
@given(st.lists(_drawn, min_size=1, max_size=8))
def test_written_annotations_come_back_and_highdicom_reads_them(tmp_path_factory, drawn):
    drawn = sorted(drawn, key=lambda one: one[0])
    table = annotations(*drawn)
    path = tmp_path_factory.mktemp("ann") / "a.dcm"
    losses = dicom_ann.FORMAT.write(table, path, FRAMES, {})
    assert {loss.field for loss in losses} == {"annotation", "reader", "basis"}
    said = Options(downsample=1.0, unit="px", swap_axes=False)
    found = dicom_ann.FORMAT.read(path, FRAMES, said).table
    assert found["kind"].to_pylist() == [kind for kind, _ in drawn]
    assert found["labels"].to_pylist() == table["labels"].to_pylist()
    assert found["image"].to_pylist() == ["A"] * len(drawn)
    for ours, (_, theirs) in zip(shapes(found), drawn, strict=True):
        assert shapely.hausdorff_distance(ours, theirs) < 1e-6
    groups = highdicom.ann.annread(path).get_annotation_groups()
    assert sum(group.number_of_annotations for group in groups) == len(drawn)
    for group in groups:
        for points, (_, shape) in zip(
            group.get_graphic_data("2D"),
            [one for one in drawn if dicom_ann._TYPES[one[0]] == group.graphic_type.value],
            strict=True,
        ):
            assert np.allclose(points.mean(axis=0), _mean(group.graphic_type.value, shape))


def _mean(graphic, shape):
    points = shapely.get_coordinates(shape)
    return points.mean(axis=0) if graphic in ("POINT", "POLYLINE") else points[:-1].mean(axis=0)


def test_measurements_are_written():
    assert dicom_ann._measured(
        dicom_ann._group_item(
            1,
            ("a", "point"),
            [
                {"shape": Point(1, 1), "properties": {"measurements": {"Area": 2.5}}},
                {"shape": Point(1, 1), "properties": {"measurements": {"Area": 3.5, "B": 1}}},
            ],
        ),
        2,
    ) == [{"Area": 2.5}, {"Area": 3.5, "B": 1.0}]


def test_circles_holes_and_points_in_sets_are_named_as_losses(tmp_path):
    holed = Polygon([(0, 0), (90, 0), (90, 90)], [[(40, 10), (50, 10), (50, 20)]])
    table = annotations(
        ("circle", box(0, 0, 9, 9)),
        ("polygon", holed),
        ("points", shapely.MultiPoint([(1, 1), (2, 2)])),
        ("whole", None),
    )
    losses = dicom_ann.FORMAT.write(table, tmp_path / "a.dcm", FRAMES, {})
    told = {loss.annotation: loss.reason for loss in losses if loss.field in ("geometry", "kind")}
    assert set(told) == {"a0", "a1", "a2", "a3"}
    with pytest.raises(AnnotationError, match="can hold none"):
        dicom_ann.FORMAT.write(annotations(("whole", None)), tmp_path / "b.dcm", FRAMES, {})
    assert not (tmp_path / "b.dcm").exists()


def test_written_segmentations_come_back_and_highdicom_reads_them(tmp_path):
    holed = Polygon([(500, 500), (700, 500), (700, 800), (500, 800)],
                    [[(550, 550), (600, 550), (600, 600), (550, 600)]])  # fmt: skip
    table = annotations(
        ("polygon", box(10, 10, 60, 40)),
        ("polygon", holed),
        ("polygon", box(1_150, 20, 1_200, 30), {"labels": ["stroma"]}),
    )
    path = tmp_path / "seg.dcm"
    losses = dicom_seg.FORMAT.write(table, path, FRAMES, {})
    assert {loss.field for loss in losses} == {"annotation", "reader", "basis"}
    found = dicom_seg.FORMAT.read(path, FRAMES, Options()).table
    assert all(shapely.equals(shapes(found), shapes(table)))
    assert found["labels"].to_pylist() == table["labels"].to_pylist()
    held = highdicom.seg.segread(path)
    pixels = held.get_total_pixel_matrix()
    assert pixels.shape == (900, 1_200, 2)
    expected = [rasterize(one, (0, 0), (1, 1), 1_200)[:900] for one in shapes(table)]
    assert np.array_equal(pixels[..., 0], expected[0] | expected[1])
    assert np.array_equal(pixels[..., 1], expected[2])
    assert [one.segment_label for one in held.SegmentSequence] == ["tumor", "stroma"]


@pytest.mark.parametrize(
    ("kind", "organization"),
    [
        ("BINARY", "TILED_FULL"),
        ("BINARY", "TILED_SPARSE"),
        ("FRACTIONAL", "TILED_FULL"),
        ("LABELMAP", "TILED_FULL"),
        ("LABELMAP", "TILED_SPARSE"),
    ],
)
def test_segmentations_of_highdicom_are_read(folder, tmp_path, kind, organization):
    image = highdicom.imread(folder / "sm_image.dcm")
    masks = np.zeros((1, 50, 50, 2), np.uint8)
    masks[0, 5:23, 8:31, 0] = 1
    masks[0, 30:41, 2:12, 1] = 1
    pixels = masks * 0.8 if kind == "FRACTIONAL" else masks
    segments = [
        highdicom.seg.SegmentDescription(
            number, name, Code("91723000", "SCT", "Anatomical Structure"), NUCLEUS, "MANUAL"
        )
        for number, name in enumerate(("tumor", "stroma"), 1)
    ]
    held = highdicom.seg.Segmentation(
        [image], pixels, kind, segments, highdicom.UID(), 2, highdicom.UID(), 1, "a", "b", "1", "2",
        dimension_organization_type=organization, tile_pixel_array=True, tile_size=(16, 16),
        omit_empty_frames=organization == "TILED_SPARSE",
    )  # fmt: skip
    found = dicom_seg.FORMAT.read(saved(held, tmp_path / "seg.dcm"), Frames(), Options())
    assert found.dialect == f"DICOM Segmentation, {kind.lower()}"
    assert found.table["labels"].to_pylist() == [["tumor"], ["stroma"]]
    assert all(shapely.equals(shapes(found.table), [box(8, 5, 31, 23), box(2, 30, 12, 41)]))
    expected = pytest.approx(0.8, abs=0.01) if kind == "FRACTIONAL" else None
    assert found.table["confidence"].to_pylist() == [expected] * 2


@pytest.mark.parametrize("form", [dicom_ann.FORMAT, dicom_seg.FORMAT])
def test_what_is_no_annotation_is_refused(data, tmp_path, form):
    with pytest.raises(AnnotationError, match=r"sm_image\.dcm is DICOM, but no"):
        form.read(data / "slides" / "dicom" / "sm_image.dcm", Frames(), Options())
    name = "sm_annotations" if form is dicom_ann.FORMAT else "seg_image_sm_dots"
    whole = (data / "annotations" / "dicom" / f"{name}.dcm").read_bytes()
    for size in (0, 100, 600, len(whole) // 2, len(whole) - 40):
        (tmp_path / "cut.dcm").write_bytes(whole[:size])
        with pytest.raises(AnnotationError, match=r"cut\.dcm"):
            form.read(tmp_path / "cut.dcm", Frames(), Options())
