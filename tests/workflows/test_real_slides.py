"""The main job on real slides, against readings that share no code with it."""

import math

import numpy as np
import pyarrow.parquet as pq
import pytest

from curatome.project import create_project
from curatome.tiles.encode import decode
from curatome.tiles.shards import read_member
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project
from curatome.workflows.slides import find_entries, set_mpp
from tests.oracle import exact_tile, level0, psnr, shift

CMU = "slides/aperio/cmu-1-small-region.svs"
TCGA = "slides/aperio/tcga-cr-7395-01a-01-ts1.svs"
CPIA = {"XL": 3840, "L": 960, "M": 384, "S": 96}


def protocol(scales, **build):
    lines = ['[dataset]\ntitle = "test"', "[build]"]
    lines += [f"{key} = {value!r}".replace("'", '"') for key, value in build.items()]
    for name, mpp, side in scales:
        lines.append(f'[[scales]]\nname = "{name}"\nmpp = {mpp}\nside_px = {side}\nmin_tissue = 0')
    return "\n".join(lines)


def built(folder, slide, text, mpp=None):
    project = create_project(folder, text)
    add_slides(project, [slide], workers=2)
    if mpp:
        set_mpp(project, find_entries(project, [slide.name]), mpp, mpp)
    build_project(project, workers=2)
    return project, pq.read_table(project.build / "tiles.parquet").to_pylist()


def pixels(project, row):
    return decode(read_member(project.build / row["shard"], row["offset"], row["length"]))


def counted(extent, side, edge):
    return math.floor(extent / side) if edge == "drop" else math.ceil(extent / side)


@pytest.mark.parametrize("edge", ["drop", "pad"])
def test_every_tile_of_every_cpia_scale_agrees_with_openslide(data, tmp_path, edge):
    scales = [(name, 0.4942, side) for name, side in CPIA.items()]
    text = protocol(scales, codec="png", edge=edge)
    project, rows = built(tmp_path / "p", data / CMU, text)
    source, step = level0(data / CMU), (0.4942 / 0.499,) * 2
    width, height = 2220 / step[0], 2967 / step[1]
    for name, side in CPIA.items():
        wanted = counted(width, side, edge) * counted(height, side, edge)
        assert sum(row["scale"] == name for row in rows) == wanted, name
    worst, furthest, color = math.inf, 0.0, 0.0
    for row in rows:
        found = pixels(project, row)
        assert found.shape == (row["side_px"], row["side_px"], 3)
        tile, inside = exact_tile(source, row["x"], row["y"], step, row["side_px"])
        assert inside.mean() == pytest.approx(row["inside_fraction"], abs=2 / row["side_px"])
        assert (found[~inside] == 255).all()
        worst = min(worst, psnr(found[inside], tile[inside]))
        color = max(color, np.abs(found[inside].mean(axis=0) - tile[inside].mean(axis=0)).max())
        if row["scale"] == "L" and inside.all():
            furthest = max(furthest, *map(abs, shift(found.astype(float), tile)))
    print(f"{edge}: {len(rows)} tiles, worst {worst:.1f} dB, shift {furthest:.4f} px, {color:.2f}")
    assert worst >= 38
    assert color < 0.5
    assert furthest < 0.1


@pytest.mark.parametrize(
    ("slide", "mpp", "scales"),
    [
        (CMU, None, [("A", 1.0, 256), ("B", 1.7, 200), ("C", 7.9, 96), ("N", 0.499, 512)]),
        (TCGA, 0.25, [("A", 0.4942, 384), ("B", 0.5, 512), ("C", 1.1, 256)]),
    ],
)
def test_reducing_agrees_with_exact_area_averages(data, tmp_path, slide, mpp, scales):
    text = protocol(scales, codec="png", edge="pad")
    project, rows = built(tmp_path / "p", data / slide, text, mpp)
    source, own = level0(data / slide), mpp or 0.499
    checked = dict.fromkeys([name for name, *_ in scales], 0)
    for row in rows:
        step = (row["mpp_x"] / own, row["mpp_y"] / own)
        tile, inside = exact_tile(source, row["x"], row["y"], step, row["side_px"])
        found = pixels(project, row)
        if row["level"] == 0:  # a coarser level is the scanner's own reduction, not an average
            assert psnr(found[inside], tile[inside]) >= 50, row["tile_id"]
        if inside.all() and row["tissue_fraction"] > 0.5:
            assert max(map(abs, shift(found.astype(float), tile))) < 0.1, row["tile_id"]
        checked[row["scale"]] += 1
    assert all(checked.values()), checked


def test_tolerance_keeps_native_pixels(data, tmp_path):
    text = protocol([("L", 0.4942, 480)], codec="png", mpp_tolerance=0.02)
    project, rows = built(tmp_path / "p", data / CMU, text)
    source = level0(data / CMU)
    assert len(rows) == (2220 // 480) * (2967 // 480)
    for row in rows:
        assert row["mpp_x"] == row["mpp_y"] == 0.499
        assert row["enlargement"] == 1
        x, y = int(row["x"]), int(row["y"])
        np.testing.assert_array_equal(pixels(project, row), source[y : y + 480, x : x + 480])


def test_a_folder_of_good_and_bad_slides(data, tmp_path):
    project = create_project(tmp_path / "p", protocol([("M", 0.4942, 384)]))
    result = add_slides(project, [data / "slides" / "aperio"], workers=2)
    states = {entry.name: entry.state for entry in result.slides}
    assert states == {
        "broken.svs": "unreadable",
        "cmu-1-small-region.svs": "ready",
        "tcga-cr-7395-01a-01-ts1.svs": "held",
        "unreadable.svs": "unreadable",
    }
    messages = {f.code: f.message for f in result.findings}
    assert "tcga-cr-7395-01a-01-ts1.svs" in messages["ACQ002"]
    unreadable = [f.message for f in result.findings if f.code == "ACQ001"]
    assert any("broken.svs" in m and "stage open" in m for m in unreadable)
    assert any("unreadable.svs" in m and "stage decode" in m for m in unreadable)
    assert build_project(project).slides == 1
    set_mpp(project, find_entries(project, ["tcga-cr-7395-01a-01-ts1"]), 0.5, 0.5)
    assert build_project(project).slides == 2
    rows = pq.read_table(project.build / "slides.parquet").to_pylist()
    (tcga,) = [row for row in rows if row["path"].endswith("ts1.svs")]
    assert (tcga["mpp_x"], tcga["mpp_source"]) == (0.5, "user")
