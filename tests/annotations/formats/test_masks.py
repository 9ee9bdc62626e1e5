"""Masks and label images, against pictures made by Pillow and tifffile and the real ones."""

import numpy as np
import pytest
import shapely
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from curatome.annotations.formats.base import Frame, Frames, Options
from curatome.annotations.formats.masks import FORMAT
from curatome.annotations.formats.raster import objects
from curatome.errors import AnnotationError
from curatome.geometry import rasterize
from tests.annotations.shapes import annotations

FRAME = Frame("A", "cells.svs", 60, 40, None, None, (1.0, 4.0))
FRAMES = Frames([FRAME])


def read(path, frames=FRAMES, **options):
    return FORMAT.read(path, frames, Options(**options))


def shapes(table):
    return shapely.from_wkb(table["geometry"].to_pylist())


def labels_of(table):
    return [labels[0] if labels else None for labels in table["labels"].to_pylist()]


@pytest.fixture
def cells():
    """Two cells that touch, one with a hole, and one in two pieces."""
    pixels = np.zeros((40, 60), np.uint16)
    pixels[5:15, 5:20] = 300
    pixels[8:10, 8:12] = 0
    pixels[5:15, 20:30] = 301
    pixels[30:35, 40:45] = pixels[36:39, 50:55] = 7
    return pixels


def test_sixteen_bit_labels_are_objects(tmp_path, cells):
    path = tmp_path / "cells.png"
    Image.fromarray(cells).save(path)
    assert FORMAT.recognize(path, path.read_bytes()[:100]) == "a PNG or TIFF picture"
    found = read(path)
    assert found.dialect == "Masks: 16-bit PNG, a value for each object"
    assert found.table["foreign"].to_pylist() == ["7", "300", "301"]
    assert found.table["kind"].to_pylist() == ["multipolygon", "polygon", "polygon"]
    assert found.table["image"].to_pylist() == ["A"] * 3
    for value, shape in zip((7, 300, 301), shapes(found.table), strict=True):
        drawn = rasterize(shape, (0, 0), (1, 1), 60)[:40]
        assert np.array_equal(drawn, cells == value)


@pytest.mark.parametrize("ome", [False, True])
def test_32_bit_tiff_says_the_same(tmp_path, cells, ome):
    Image.fromarray(cells).save(tmp_path / "cells.png")
    path = tmp_path / ("cells.ome.tif" if ome else "cells.tif")
    tifffile.imwrite(path, cells.astype(np.uint32), ome=ome)
    found, same = read(path), read(tmp_path / "cells.png")
    assert ("OME-TIFF" in found.dialect) == ome
    assert all(shapely.equals_exact(shapes(found.table), shapes(same.table)))


def test_a_table_makes_values_classes(tmp_path, cells):
    path = tmp_path / "cells.png"
    Image.fromarray(cells).save(path)
    (tmp_path / "classes.csv").write_text("value;class\n300;tumor\n301;tumor\n7;stroma\n")
    found = read(path)
    assert labels_of(found.table) == ["stroma", "stroma", "tumor", "tumor"]
    assert read(path, classes={300: "a"}).table["labels"].to_pylist().count(["a"]) == 1


def test_colors_are_classes(tmp_path, cells):
    rgb = np.zeros((40, 60, 3), np.uint8)
    rgb[cells > 0], rgb[cells == 7] = (255, 0, 0), (0, 128, 255)
    path = tmp_path / "cells.png"
    Image.fromarray(rgb).save(path)
    assert sorted(labels_of(read(path).table)) == ["#0080ff", "#0080ff", "#ff0000"]
    (tmp_path / "cells.classes.json").write_text('{"#ff0000": "tumor", "#0080FF": "lymphocyte"}')
    found = read(path)
    assert sorted(labels_of(found.table)) == ["lymphocyte", "lymphocyte", "tumor"]
    assert found.colors == {"tumor": "#ff0000", "lymphocyte": "#0080ff"}


def test_a_palette_gives_classes_and_their_colors(tmp_path, cells):
    image = Image.fromarray((cells > 0).astype(np.uint8) + (cells == 7))
    image = image.convert("P")
    image.putpalette([0, 0, 0, 10, 20, 30, 200, 100, 0])
    image.save(tmp_path / "cells.png")
    found = read(tmp_path / "cells.png")
    assert sorted(labels_of(found.table)) == ["1", "2", "2"]
    assert found.colors == {"1": "#0a141e", "2": "#c86400"}


def test_a_binary_mask_is_one_class_in_pieces(tmp_path, cells):
    Image.fromarray(cells > 0).save(tmp_path / "cells.png")
    found = read(tmp_path / "cells.png")
    assert found.table.num_rows == 3
    assert sum(shapely.area(shapes(found.table))) == (cells > 0).sum()


def test_a_lower_level_is_brought_to_level_0(tmp_path):
    small = np.zeros((10, 15), np.uint8)
    small[2:4, 3:5] = 1
    Image.fromarray(small).save(tmp_path / "cells.png")
    found = read(tmp_path / "cells.png")
    assert found.doubts == ()
    assert shapes(found.table)[0].bounds == (12, 8, 20, 16)
    assert shapes(read(tmp_path / "cells.png", downsample=2.0).table)[0].bounds == (6, 4, 10, 8)


def test_a_mask_of_another_shape_is_doubted(tmp_path):
    Image.fromarray(np.ones((40, 40), np.uint8)).save(tmp_path / "cells.png")
    (doubt,) = read(tmp_path / "cells.png").doubts
    assert doubt.about == "image"
    assert "40 × 40 px, cells.svs has 60 × 40 px" in doubt.evidence


def test_one_picture_per_object_as_in_dsb_2018(tmp_path, cells):
    (tmp_path / "cells" / "masks").mkdir(parents=True)
    for value in (300, 301, 7):
        mask = np.where(cells == value, 255, 0).astype(np.uint8)
        Image.fromarray(mask).save(tmp_path / "cells" / "masks" / f"{value}.png")
    for folder in (tmp_path, tmp_path / "cells"):
        assert FORMAT.recognize(folder, b"") == "a folder of PNG or TIFF masks"
        found = read(folder).table
        assert found["foreign"].to_pylist() == ["300", "301", "7"]
        assert found["image"].to_pylist() == ["A"] * 3
        assert shapely.area(shapes(found)).tolist() == [142, 100, 40]


@given(arrays.arrays(np.uint8, (12, 15), elements=st.integers(0, 4)))
def test_outlines_of_objects_give_the_pixels_back(labels):
    again = np.zeros_like(labels)
    for value, shape in objects(labels, whole=True):
        again[rasterize(shape, (0, 0), (1, 1), 15)[:12]] = value
    assert np.array_equal(again, labels)
    pieces = np.zeros_like(labels)
    for value, shape in objects(labels, whole=False):
        pieces[rasterize(shape, (0, 0), (1, 1), 15)[:12]] = value
    assert np.array_equal(pieces, labels)


@settings(max_examples=25)
@given(
    arrays.arrays(np.uint8, (40, 60), elements=st.integers(0, 3)), st.sampled_from(["png", "tif"])
)
def test_what_is_written_is_read(tmp_path_factory, labels, suffix):
    drawn = [shape for _, shape in objects(labels, whole=True)]
    if not drawn:
        return
    rows = [
        ("multipolygon" if one.geom_type == "MultiPolygon" else "polygon", one) for one in drawn
    ]
    table = annotations(*rows)
    path = tmp_path_factory.mktemp("masks") / f"cells.{suffix}"
    losses = FORMAT.write(table, path, FRAMES, {})
    assert {loss.field for loss in losses} == {"reader", "basis"}
    found = read(path).table
    for column in ("annotation", "image", "kind", "labels"):
        assert found[column].to_pylist() == table[column].to_pylist()
    assert all(shapely.equals(shapes(found), shapes(table)))


def test_what_is_lost_is_said(tmp_path):
    table = annotations(
        ("box", shapely.box(0, 0, 10, 10)),
        ("polygon", shapely.box(5, 0, 15, 10)),
        ("polygon", shapely.box(50.6, 0, 50.9, 10)),
        ("point", shapely.Point(3, 3)),
    )
    losses = FORMAT.write(table, tmp_path / "a.tif", FRAMES, {})
    said = {(loss.annotation, loss.reason) for loss in losses if loss.field == "geometry"}
    assert ("a0", "Later annotations cover 50 of its 100 pixels.") in said
    assert ("a2", "It covers the middle of no pixel and was left out.") in said
    assert any(name == "a0" and "outline was kept" in told for name, told in said)
    assert any(name == "a3" and "left out" in told for name, told in said)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\x89PNG\r\n\x1a\nnothing", "not a whole picture"), (b"", "not a whole picture")],
)
def test_broken_pictures_are_refused(tmp_path, content, message):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(AnnotationError, match=message):
        read(tmp_path / "a.png")


def test_cut_and_unsuitable_pictures_are_refused(tmp_path, cells):
    path = tmp_path / "a.png"
    Image.fromarray(cells).save(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(AnnotationError, match=r"a\.png is not a whole picture"):
        read(path)
    tifffile.imwrite(tmp_path / "a.tif", cells.astype(np.float32))
    with pytest.raises(AnnotationError, match="whole numbers"):
        read(tmp_path / "a.tif")


def test_broken_tables_of_classes_are_refused(tmp_path, cells):
    path = tmp_path / "cells.png"
    Image.fromarray(cells).save(path)
    for text, message in (("a,b\n1,2\n", "must have the columns"), ("value,class\nx,y\n", "row 2")):
        (tmp_path / "classes.csv").write_text(text)
        with pytest.raises(AnnotationError, match=message):
            read(path)


def test_writing_needs_the_size_of_the_image(tmp_path):
    table = annotations(("polygon", shapely.box(0, 0, 9, 9)))
    with pytest.raises(AnnotationError, match="size of the image A"):
        FORMAT.write(table, tmp_path / "a.png", Frames(), {})
    assert list(tmp_path.iterdir()) == []


def test_real_nuclei_are_counted(data):
    folder = data / "nuclei" / "dsb2018-brightfield" / "masks"
    paths = sorted(folder.glob("*.png"))[:6]
    for path in paths:
        pixels = np.asarray(Image.open(path))
        table = read(path, Frames()).table
        assert table["foreign"].to_pylist() == [str(one) for one in np.unique(pixels[pixels > 0])]
        areas = np.bincount(pixels.ravel())
        assert shapely.area(shapes(table)).tolist() == areas[np.unique(pixels[pixels > 0])].tolist()
        assert table["image"].unique().to_pylist() == [path.stem]
