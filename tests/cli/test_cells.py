"""`curatome cells` from tables to crops."""

import csv
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from PIL import Image

from curatome.project import create_project, open_project
from curatome.tiles.cell_store import read_mask
from curatome.tiles.encode import decode
from curatome.tiles.shards import read_member
from curatome.workflows.add import add_slides
from tests.workflows.made import picture, protocol, slide


def write(path, rows, header=("slide", "cell", "geometry")):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def circle(x, y, radius=12):
    return shapely.Point(x, y).buffer(radius).wkt


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells") / "project"
    project = create_project(folder, protocol())
    add_slides(project, [slide(folder / "slides/sound.svs", 1, (960, 800))])
    return folder


@pytest.fixture
def added(made, tmp_path, monkeypatch):
    """A project with one slide, 960 x 800 px at 0.5 µm/px, in the working folder."""
    copy = shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(copy)
    return copy


def test_crops_masks_and_table(run, added):
    cells = [("sound.svs", f"c{n}", circle(200 + 60 * n, 300)) for n in range(5)]
    table = write(added / "nuclei.csv", cells)
    done = run("cells", table, "--side-um", "20", "--side-px", "40")
    assert done.code == 0
    assert "Cut 5 cells out of 1 slide: 40 px = 20 µm (0.5 µm/px), context ground." in done.out
    rows = pq.read_table(added / "cells/nuclei/cells.parquet").to_pylist()
    assert [row["cell"] for row in rows] == ["c0", "c1", "c2", "c3", "c4"]
    shard = added / "cells/nuclei" / rows[0]["shard"]
    crop = decode(read_member(shard, rows[0]["offset"], rows[0]["length"]))
    assert crop.shape == (40, 40, 3)


def test_white_ground_is_png_and_exact(run, added):
    table = write(added / "nuclei.csv", [("sound", "a", circle(400, 300))])
    done = run(
        "cells", table, "--ground", "white", "--side-um", "20", "--side-px", "40", "--out",
        added / "elsewhere/white", "--json",
    )  # fmt: skip
    assert (done.code, done.json["cells"], done.json["masks"]) == (0, 1, 1)
    assert (done.json["codec"], done.json["ground"], done.json["mpp"]) == ("png", "white", 0.5)
    folder = added / "elsewhere/white"
    assert done.json["table"] == str(folder / "cells.parquet")
    (row,) = pq.read_table(folder / "cells.parquet").to_pylist()
    shard = folder / row["shard"]
    crop = decode(read_member(shard, row["offset"], row["length"]))
    mask = read_mask(read_member(shard, row["mask_offset"], row["mask_length"]))
    assert (crop[~mask] == 255).all()
    assert (crop[mask] < 255).any()


def test_what_is_left_out_drawn_again_or_too_large_is_told(run, added):
    identity = open_project(added).store.slides()[0].slide
    rows = [
        (identity, "a", circle(400, 300)),
        ("sound", "b", circle(401, 300)),  # a once more
        ("sound", "a", circle(500, 300)),  # its id is taken
        ("sound", "c", "LINESTRING (1 1, 2 2)"),
        ("sound", "d", "POLYGON ((1 1"),
        ("sound", "e f", circle(600, 300)),
        ("sound", "g", circle(700, 300, 60)),
        ("sound.svs", "h", circle(2, 2)),
    ]
    table = write(added / "nuclei.csv", rows)
    done = run("cells", table, "--side-um", "20", "--side-px", "40")
    assert done.code == 1
    for line in (
        "nuclei.csv row 4 (cell a): its slide has a cell a already, in nuclei.csv row 2.",
        "nuclei.csv row 5 (cell c): its shape is a LineString without area.",
        "nuclei.csv row 6 (cell d): its shape cannot be read: ParseException",
        "nuclei.csv row 7 (cell e f): 'e f' is no id.",
        "Give every cell of a slide its own id",
        "once more",
        "Cut 4 cells out of 1 slide",
        "1 cell is larger than the field",
        "1 crop beyond the image's border",
    ):
        assert line in done.out, line
    told = run("cells", table, "--side-um", "20", "--side-px", "40", "--json").json
    assert [row["where"] for row in told["left_out"]] == [
        f"nuclei.csv row {n}" for n in range(4, 8)
    ]
    (twin,) = told["drawn_again"]
    assert {twin["cell"], twin["of"]} == {"a", "b"}
    assert (told["copies"], told["larger"], told["beyond"]) == ([], 1, 1)


def test_slides_that_are_not_ready_or_too_coarse_leave_the_others(run, added):
    unscaled = added / "slides/unscaled.png"
    Image.fromarray(picture(2, (960, 800))).save(unscaled)
    assert run("add", unscaled).code == 1
    rows = [("sound.svs", "a", circle(400, 300)), ("unscaled.png", "b", circle(400, 300))]
    table = write(added / "nuclei.csv", rows)
    done = run("cells", table)  # 0.25 µm/px of a slide at 0.5
    assert done.code == 1
    assert "nuclei.csv row 3 (cell b): its slide is held" in done.out
    assert "sound.svs: 0.5 µm/px would have to be enlarged 2-fold" in done.out
    assert "--max-enlargement" in done.out
    assert "No cell was cut out." in done.out
    again = run("cells", table, "--max-enlargement", "2")
    assert (again.code, "Cut 1 cell out of 1 slide" in again.out) == (1, True)


def test_points_boxes_and_several_tables(run, added):
    header = ("slide", "cell", "x", "y", "w", "h")
    boxes = write(added / "boxes.csv", [("sound", "a", 390, 290, 20, 30)], header)
    points = write(added / "points.csv", [("sound", 500, 400)], ("slide", "x", "y"))
    options = ("--side-um", "20", "--side-px", "40", "--json")
    both = run("cells", boxes, points, *options).json
    assert (both["cells"], both["masks"]) == (2, 1)
    white = run("cells", points, "--ground", "white", *options)
    assert white.code == 1
    assert "is a point, which has no outline" in white.json["left_out"][0]["reason"]


def test_errors_name_file_and_row_and_leave_what_was_made(run, added):
    table = write(added / "nuclei.csv", [("sound", "a", circle(400, 300))])
    field = ("--side-um", "20", "--side-px", "40")
    assert run("cells", table, *field).code == 0
    made = (added / "cells/nuclei/cells.parquet").read_bytes()
    (added / "other").mkdir()
    (added / "other/thesis.doc").write_text("mine")
    for arguments, why in (
        ((added / "none.csv",), "none.csv cannot be read"),
        ((write(added / "u.csv", [("nobody", "a", "")]),), "u.csv row 2: no slide is called"),
        ((write(added / "h.csv", [], ("a", "b")),), 'h.csv has no column "slide"'),
        ((table, "--side-um", "0"), "--side-um must be positive. Got 0."),
        ((table, "--side-px", "2"), "--side-px must be at least 8. Got 2."),
        ((table, "--max-enlargement", "0.5"), "--max-enlargement must be at least 1. Got 0.5."),
        ((table, "--out", added / "other"), "holds other files (thesis.doc)"),
    ):
        failed = run("cells", *arguments)
        assert failed.code == 2, arguments
        assert why in failed.err
    assert (added / "cells/nuclei/cells.parquet").read_bytes() == made
    assert (added / "other/thesis.doc").exists()


def test_real_contours_of_thyroid_fields(run, here, data):
    fields = data / "cells/thyroid/fields"
    names = ["B5_141", "B5_151"]  # the first has unique ids, the second gives some to two nuclei
    rows, drawn = [], 0
    for name in names:
        contours = json.loads((fields / "contour" / f"{name}_contours.json").read_text())
        for cell in contours[:60]:
            ring = ", ".join(f"{x} {y}" for x, y in [*cell["points"], cell["points"][0]])
            rows.append((f"{name}.jpg", f"c{cell['id']}", f"POLYGON (({ring}))"))
            drawn += 1
    rows.append((*rows[0][:1], "again", *rows[0][2:]))
    table = write(here / "nuclei.csv", rows)
    paths = [fields / "images" / f"{name}.jpg" for name in names]
    scale = write(here / "slides.csv", [(path, 0.25) for path in paths], ("slide", "mpp"))
    assert run("add", *paths, "--slides", scale).code == 0
    cut = ("cells", table, "--side-um", "20", "--side-px", "80", "--workers", "2", "--json")
    done = run(*cut, "--ground", "white")
    told = done.json
    ids = {(slide, cell) for slide, cell, _ in rows}
    assert (done.code, told["failed"]) == (1, {})
    assert told["cells"] == told["masks"] == len(ids) < drawn
    assert {"c0", "again"} == {told["drawn_again"][0]["cell"], told["drawn_again"][0]["of"]}
    assert all("already, in nuclei.csv row" in row["reason"] for row in told["left_out"])
    context = run(*cut, "--out", here / "context").json
    assert context["cells"] == told["cells"]
    for folder, share in ((here / "cells/nuclei", 1.0), (here / "context", 0.9)):
        found = pq.read_table(folder / "cells.parquet").to_pylist()
        row = max(found, key=lambda row: shapely.from_wkb(row["shape"]).area)
        shard = folder / row["shard"]
        crop = decode(read_member(shard, row["offset"], row["length"]))
        mask = read_mask(read_member(shard, row["mask_offset"], row["mask_length"]))
        white = np.mean((crop[~mask] == 255).all(axis=-1))
        assert white == 1.0 if share == 1.0 else white < share
