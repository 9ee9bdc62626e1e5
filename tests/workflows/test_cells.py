import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from curatome.errors import TableError
from curatome.project import create_project, open_project
from curatome.protocol import BuildSettings
from curatome.slides.readers import open_slide
from curatome.tables import CELLS
from curatome.tiles.cell_store import read_mask
from curatome.tiles.cells import CellSettings, cut_cells, plan_cells
from curatome.tiles.encode import decode
from curatome.tiles.shards import read_member
from curatome.workflows.add import add_slides
from curatome.workflows.cells import cut_project_cells
from tests.workflows.made import MPP, protocol, slide, tree

PNG = BuildSettings(codec="png")
SETTINGS = CellSettings(side_px=40, mpp=0.6, ground="white", build=PNG)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    project = create_project(folder / "p", protocol())
    add_slides(project, [slide(folder / f"s{seed}.svs", seed) for seed in (1, 2)])
    return project


def table(rows):
    return pa.table(
        {
            "slide": [row[0] for row in rows],
            "cell": [row[1] for row in rows],
            "shape": [shapely.to_wkb(row[2]) for row in rows],
        }
    )


def drawn(project):
    """Ten cells on each of two slides; the last is drawn again on the first."""
    rng = np.random.default_rng(6)
    rows = []
    for entry in project.store.slides():
        for number, (x, y) in enumerate(rng.uniform((200, 200), (1200, 900), (10, 2))):
            rows.append((entry.slide, f"c{number}", shapely.Point(x, y).buffer(rng.uniform(8, 15))))
    first = rows[0]
    again = shapely.transform(first[2], lambda at: np.add(at, (1.5, -1)))
    return [*rows, (first[0], "again", again)]


def test_crops_masks_and_rows_agree(project):
    rows = drawn(project)
    result = cut_project_cells(project, "nuclei", table(rows), SETTINGS, workers=2)
    assert (result.cells, result.failed) == (21, {})
    found = pq.read_table(result.table)
    assert found.schema.equals(CELLS.schema)
    shapes = {(slide, cell): shape for slide, cell, shape in rows}
    paths = {e.slide: project.absolute(e.path) for e in project.store.slides()}
    for row in found.to_pylist():
        shape = shapes[row["slide"], row["cell"]]
        reader = open_slide(paths[row["slide"]])
        mpp = next(e.mpp for e in project.store.slides() if e.slide == row["slide"])
        (crop,) = cut_cells(reader, plan_cells(reader, mpp, [shape], SETTINGS))
        reader.close()
        shard = result.table.parent / row["shard"]
        assert np.array_equal(decode(read_member(shard, row["offset"], row["length"])), crop.pixels)
        mask = read_mask(read_member(shard, row["mask_offset"], row["mask_length"]))
        assert np.array_equal(mask, crop.mask)
        assert mask.sum() * 0.6**2 == pytest.approx(shape.area * MPP**2, rel=0.05)
        assert (row["side_um"], row["mpp_x"]) == (24.0, 0.6)
        assert shapely.from_wkb(row["shape"]).equals(shape)
        assert row["left"] + row["width"] / 2 == pytest.approx(row["x"], abs=0.61)
    twice = {row["cell"]: row["drawn_again"] for row in found.to_pylist() if row["drawn_again"]}
    assert twice in ({"again": "c0"}, {"c0": "again"})
    assert found["copy_of"].null_count == 21


def test_the_same_cells_give_the_same_bytes(project):
    rows = table(drawn(project))
    first = tree(cut_project_cells(project, "a", rows, SETTINGS).table.parent)
    again = tree(cut_project_cells(project, "a", rows, SETTINGS, workers=2).table.parent)
    assert first == again
    assert len(first) == 5  # two shards, two parts, one table


def test_exact_copies_across_slides_are_marked(project):
    ids = [entry.slide for entry in project.store.slides()]
    glass = shapely.Point(-400, -400).buffer(5)  # beyond both slides: the same white crop
    result = cut_project_cells(
        project, "white", table([(ids[0], "w", glass), (ids[1], "w", glass)]), SETTINGS
    )
    found = pq.read_table(result.table).to_pylist()
    first, second = (row["slide"] for row in found)
    assert [row["copy_of"] for row in found] == [None, f"{first}/w"]
    assert first != second
    assert [row["inside_fraction"] for row in found] == [0.0, 0.0]


def test_points_have_no_mask(project):
    entry = project.store.slides()[0]
    rows = table([(entry.slide, "p", shapely.Point(500, 500))])
    context = CellSettings(side_px=40, mpp=0.6, build=PNG)
    (row,) = pq.read_table(cut_project_cells(project, "p", rows, context).table).to_pylist()
    assert row["mask_offset"] is row["mask_length"] is None
    refused = cut_project_cells(project, "p", rows, SETTINGS)
    assert (refused.table, refused.cells) == (None, 0)
    assert "is a point" in str(refused.failed[entry.slide])


def test_one_broken_slide_leaves_the_others(project, tmp_path):
    copy = shutil.copytree(project.root, tmp_path / "p")
    other = open_project(copy)
    ids = [entry.slide for entry in other.store.slides()]
    rows = [(ids[0], "good", shapely.box(500, 500, 520, 520))]
    rows.append((ids[1], "bad", shapely.LineString([(0, 0), (9, 9)])))
    result = cut_project_cells(other, "x", table(rows), SETTINGS)
    assert result.cells == 1
    assert list(result.failed) == [ids[1]]


def test_tables_that_cannot_be_are_refused(project):
    slide_id = project.store.slides()[0].slide
    box = shapely.box(500, 500, 520, 520)
    for rows, why in (
        ([("nobody", "a", box)], "row 0: slide nobody is not ready"),
        ([(slide_id, "a", box), (slide_id, "a", box)], "row 1: .* two cells called a"),
        ([(slide_id, "../a", box)], "is no id"),
    ):
        with pytest.raises(TableError, match=why):
            cut_project_cells(project, "x", table(rows), SETTINGS)
    with pytest.raises(TableError, match="has no column shape"):
        cut_project_cells(project, "x", table([]).drop_columns(["shape"]), SETTINGS)
    with pytest.raises(TableError, match="cannot be called"):
        cut_project_cells(project, "../x", table([]), SETTINGS)
