"""What a build holds: every tile it should, where it should be, as its protocol says."""

import io
import json
import math
import tarfile
from collections import Counter
from functools import cache

import numpy as np
import openslide
import pyarrow.parquet as pq
import pytest
import tifffile
from PIL import Image, ImageCms, JpegImagePlugin

from curatome.hashes import bytes_hash
from curatome.project import create_project
from curatome.protocol import BuildSettings
from curatome.tiles.encode import encode
from curatome.tiles.read import TileSource
from curatome.tiles.record import load_record, slide_key
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project
from curatome.workflows.slides import find_entries, set_mpp
from tests.workflows.made import MPP, SIZE, build, picture, protocol

SCALES = {"P": (1.0, 384, 0.1), "Q": (1.0, 96, 0.25), "R": (2.2, 64, 0.05)}
TCGA = "slides/aperio/tcga-cr-7395-01a-01-ts1.svs"
PLACE = ("shard", "offset", "length", "hash")


@pytest.fixture(scope="module")
def padded(tmp_path_factory, slides):
    """The first slide as PNG, padded at its border. Not to be changed."""
    return build(tmp_path_factory.mktemp("padded") / "p", slides[:1], codec="png", edge="pad")


def rows(project):
    return pq.read_table(project.build / "tiles.parquet").to_pylist()


def encoded(project, row):
    data = (project.build / row["shard"]).read_bytes()
    return data[row["offset"] : row["offset"] + row["length"]]


def image(project, row):
    return Image.open(io.BytesIO(encoded(project, row)))


def fine_mask(project, slide):
    """The tissue mask on a grid of 1.6 level-0 px, which all tiles and mask pixels fall on."""
    (folder,) = (project.build / "slides").glob(f"{slide}-*")
    with Image.open(folder / "tissue.png") as png:
        mask = np.asarray(png.convert("L")) > 0
    assert (mask.shape[1] * 16, mask.shape[0] * 16) == SIZE
    return np.kron(mask, np.ones((10, 10)))


def share(fine, column, row, side):
    return fine[row : row + side, column : column + side].sum() / side**2


@pytest.mark.parametrize("edge", ["drop", "pad"])
def test_there_is_a_tile_wherever_there_is_enough_tissue_and_nowhere_else(whole, padded, edge):
    project = whole if edge == "drop" else padded
    found = rows(project)
    slides = {row["slide"] for row in found}
    assert len(slides) == (3 if edge == "drop" else 1)
    expected = {}
    for slide in slides:
        fine = fine_mask(project, slide)
        for name, (mpp, side, least) in SCALES.items():
            step = round(side * mpp / MPP / 1.6)  # of a tile, on the fine grid
            number = math.floor if edge == "drop" else math.ceil
            for j in range(number(fine.shape[0] / step)):
                for i in range(number(fine.shape[1] / step)):
                    part = share(fine, i * step, j * step, step)
                    if part >= least:
                        expected[slide, name, i * side, j * side] = part
    by_place = {}
    for row in found:
        x, y = map(int, row["tile_id"].split("_")[2:])
        by_place[row["slide"], row["scale"], x, y] = row
    assert len(by_place) == len(found)
    assert by_place.keys() == expected.keys()
    assert {key[1] for key in expected} == set(SCALES)
    for key, row in by_place.items():
        mpp, side, _ = SCALES[key[1]]
        assert row["tissue_fraction"] == pytest.approx(expected[key], abs=1e-6)
        assert row["x"] == pytest.approx(key[2] * mpp / MPP)
        assert row["y"] == pytest.approx(key[3] * mpp / MPP)
        assert row["width"] == row["height"] == pytest.approx(side * mpp / MPP)
        across = min(1, (SIZE[0] - row["x"]) / row["width"])
        down = min(1, (SIZE[1] - row["y"]) / row["height"])
        assert row["inside_fraction"] == pytest.approx(across * down, abs=1e-6)
    outside = sum(row["inside_fraction"] < 1 for row in found)
    assert outside == 0 if edge == "drop" else outside >= 2


def test_a_tile_has_the_parent_that_contains_it_if_that_was_kept(whole, padded):
    for project in (whole, padded):
        found = rows(project)
        large = {row["tile_id"]: row for row in found if row["scale"] == "P"}
        orphans = 0
        for row in found:
            if row["scale"] != "Q":
                assert row["parent"] is None
                continue
            x, y = map(int, row["tile_id"].split("_")[2:])
            wanted = f"{row['slide']}_P_{x // 384 * 384}_{y // 384 * 384}"
            assert row["parent"] == (wanted if wanted in large else None)
            orphans += row["parent"] is None
            if row["parent"]:
                outer = large[row["parent"]]
                for start, size in (("x", "width"), ("y", "height")):
                    assert row[start] >= outer[start]
                    assert row[start] + row[size] <= outer[start] + outer[size] + 1e-6
        assert 0 < orphans < sum(row["scale"] == "Q" for row in found) or project is padded


def test_shards_are_plain_tar_files_and_the_manifest_says_what_is_in_them(whole):
    found = rows(whole)
    by_shard = {}
    for row in found:
        by_shard.setdefault(row["shard"], []).append(row)
    there = {str(path.relative_to(whole.build)) for path in whole.build.glob("shards/*/*")}
    assert there == set(by_shard)
    names = Counter()
    for shard, members in by_shard.items():
        assert len({(row["slide"], row["scale"]) for row in members}) == 1
        content = (whole.build / shard).read_bytes()
        with tarfile.open(whole.build / shard) as tar:
            infos = tar.getmembers()
            data = [tar.extractfile(info).read() for info in infos]
        assert [info.name for info in infos] == [f"{row['tile_id']}.jpg" for row in members]
        names.update(info.name for info in infos)
        for row, info, one in zip(members, infos, data, strict=True):
            assert (info.offset_data, info.size) == (row["offset"], row["length"])
            assert content[row["offset"] : row["offset"] + row["length"]] == one
            assert bytes_hash(one) == row["hash"]
            with Image.open(io.BytesIO(one)) as tile:
                assert (tile.size, tile.mode) == ((row["side_px"],) * 2, "RGB")
        assert content.endswith(b"\0" * 1024)
    assert len(names) == len(found)
    assert set(names.values()) == {1}


def test_the_hash_is_blake2b_of_16_bytes():
    # Printed by `b2sum -l 128` for the three bytes "abc".
    assert bytes_hash(b"abc") == "cf4ab791c62b8d2b2109c90275287816"


def jpeg_facts(data):
    """Quantization tables and chroma subsampling."""
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "JPEG"
        return picture.quantization, JpegImagePlugin.get_sampling(picture)


def of_quality(quality, sampling):
    """The same of what Pillow writes; 0, 1 and 2 are 4:4:4, 4:2:2 and 4:2:0."""
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "JPEG", quality=quality, subsampling=sampling)
    return jpeg_facts(stream.getvalue())


def test_jpeg_is_of_the_declared_quality_and_chroma(tmp_path, slides, whole):
    other = build(tmp_path / "p", slides[:1], quality=75, chroma="4:4:4")
    for project, wanted in ((whole, of_quality(90, 2)), (other, of_quality(75, 0))):
        for row in rows(project):
            assert jpeg_facts(encoded(project, row)) == wanted
    settings = BuildSettings(quality=60, chroma="4:2:2")
    assert jpeg_facts(encode(picture(1)[:96, :96], settings)) == of_quality(60, 1)


def test_coordinates_give_the_pixels_that_png_shards_hold(tmp_path, slides, padded):
    kept = rows(padded)
    settings = {"codec": "png", "edge": "pad", "output": "coordinates"}
    project = build(tmp_path / "p", slides[:1], **settings)
    found = rows(project)
    assert not list(project.build.rglob("*.tar"))
    assert [{**row, **dict.fromkeys(PLACE)} for row in kept] == found
    entries = {entry.slide: entry for entry in project.store.slides()}
    records = {
        slide: load_record(project.build, slide_key(entry.sha256, entry.mpp, project.protocol))
        for slide, entry in entries.items()
    }
    source = TileSource(project.build, records, lambda slide: project.absolute(entries[slide].path))
    differing = total = 0
    for bare, row in zip(found, kept, strict=True):
        tile = image(padded, row)
        assert (tile.format, tile.mode) == ("PNG", "RGB")
        stored = np.asarray(tile).astype(int)
        read = source.pixels(bare)
        assert read.shape == stored.shape
        # Weights are rounded to 2**-15 from where a strip begins, and a tile alone begins
        # elsewhere than a block of tiles, so a value near a half may be rounded the other way.
        assert np.abs(read - stored).max() <= 1
        differing += np.count_nonzero(read != stored)
        total += stored.size
    source.close()
    print(f"{differing} of {total} values differ by one")
    assert differing < 1e-3 * total


@cache  # a profile holds the time it was made
def swapped():
    """A color profile like sRGB's with the red and the green primary in each other's place."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for old, new in ((b"rXYZ", b"----"), (b"gXYZ", b"rXYZ"), (b"----", b"gXYZ")):
        assert data.count(old) == 1
        data = data.replace(old, new)
    return data


def test_colors_are_brought_to_srgb_by_the_slides_profile(tmp_path):
    pixels, built = picture(1), {}
    path = tmp_path / "slide.tif"
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb",
        tile=(256, 256),
        resolution=(1e4 / MPP, 1e4 / MPP),
        resolutionunit="CENTIMETER",
        iccprofile=swapped(),
    )
    for icc in ("keep", "srgb"):
        project = build(tmp_path / icc, [path], codec="png", icc=icc)
        (record,) = (project.build / "slides").glob("*/record.json")
        built[icc] = rows(project), project, json.loads(record.read_bytes())["icc"]
        assert (record.parent / "profile.icc").read_bytes() == swapped()
    assert [built["keep"][2], built["srgb"][2]] == ["kept", "srgb"]
    assert len(built["keep"][0]) > 20
    for before, after in zip(built["keep"][0], built["srgb"][0], strict=True):
        assert before["tile_id"] == after["tile_id"]
        kept = image(built["keep"][1], before)
        found = np.asarray(image(built["srgb"][1], after)).astype(int)
        wanted = ImageCms.profileToProfile(
            kept,
            ImageCms.ImageCmsProfile(io.BytesIO(swapped())),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.PERCEPTUAL,
        )
        np.testing.assert_array_equal(found, np.asarray(wanted))
        # What that must come to, whoever computes it: red and green change places.
        assert np.abs(found - np.asarray(kept)[..., [1, 0, 2]]).max() <= 2


def test_the_profile_of_a_real_slide_is_kept_with_its_record(data, tmp_path):
    project = create_project(tmp_path / "p", protocol(icc="srgb", output="coordinates"))
    add_slides(project, [data / TCGA])
    set_mpp(project, find_entries(project, ["tcga-cr-7395-01a-01-ts1"]), 0.5, 0.5)
    build_project(project)
    (record,) = (project.build / "slides").glob("*/record.json")
    assert json.loads(record.read_bytes())["icc"] == "srgb"
    with openslide.OpenSlide(data / TCGA) as slide:
        profile = slide.color_profile.tobytes()
    assert (record.parent / "profile.icc").read_bytes() == profile


def test_a_slide_without_profile_says_so(whole):
    records = [path.read_bytes() for path in whole.build.glob("slides/*/record.json")]
    assert [json.loads(record)["icc"] for record in records] == ["none"] * 3
    assert not list(whole.build.rglob("profile.icc"))
