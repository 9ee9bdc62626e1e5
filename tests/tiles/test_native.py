import numpy as np
import pyarrow.parquet as pq
import pytest

from curatome.hashes import file_sha256
from curatome.protocol import parse_protocol
from curatome.slides.readers.direct import open_direct
from curatome.tiles.encode import decode
from curatome.tiles.engine import build_unit
from curatome.tiles.record import part_path, slide_key
from curatome.tiles.shards import read_member
from curatome.tiles.survey import SlideSource, survey_slide
from curatome.units import Mpp
from tests.oracle import level0
from tests.slides.test_readers_direct import tissue_svs

PROTOCOL = """
[dataset]
title = "native"
[build]
edge = "pad"
pass_through = {}
[[scales]]
name = "A"
mpp = 0.25
side_px = 256
min_tissue = 0
[[scales]]
name = "B"
mpp = 0.25
side_px = 128
parent = "A"
min_tissue = 0
"""


def built(build, path, text):
    protocol, mpp = parse_protocol(text, "test"), Mpp(0.25, 0.25)
    sha256 = file_sha256(path)
    source = SlideSource(path, sha256, slide_key(sha256, mpp, protocol), mpp)
    record = survey_slide(build, source, protocol)
    for unit in range(record.units):
        build_unit(build, path, source.key, unit)
    parts = [part_path(build, source.key, unit) for unit in range(record.units)]
    return [row for part in parts for row in pq.read_table(part).to_pylist()]


def data_of(build, row):
    return read_member(build / row["shard"], row["offset"], row["length"])


def test_tiles_that_coincide_are_copied_and_the_others_encoded(data, tmp_path):
    path = tissue_svs(tmp_path / "a.svs", data, (1200, 900))
    rows = built(tmp_path / "b", path, PROTOCOL.format("true"))
    stored, whole = open_direct(path).stored[0], level0(path)
    native = [row for row in rows if row["native"]]
    assert len(native) == 4 * 3  # whole tiles of 256 px on 1200 x 900
    assert {row["scale"] for row in native} == {"A"}
    for row in native:
        x, y = int(row["x"]), int(row["y"])
        assert data_of(tmp_path / "b", row) == stored.jpeg(x // 256, y // 256)
        pixels = decode(data_of(tmp_path / "b", row))
        assert np.abs(pixels - whole[y : y + 256, x : x + 256]).max() <= 1
    cut = [row for row in rows if row["scale"] == "A" and not row["native"]]
    assert len(cut) == 5 * 4 - 4 * 3
    assert all(row["inside_fraction"] < 1 for row in cut)
    assert sum(row["scale"] == "B" for row in rows) == 10 * 8
    order = [row["offset"] for row in native]
    assert order == sorted(order)


@pytest.mark.parametrize(
    "change",
    [
        ("pass_through = true", "pass_through = false"),
        ('edge = "pad"', 'edge = "pad"\ncodec = "png"'),
        ("side_px = 256", "side_px = 512"),
        ("mpp = 0.25\nside_px = 256", "mpp = 0.26\nside_px = 256"),
        ("side_px = 256", "side_px = 256\nstride_px = 128"),
    ],
)
def test_nothing_is_copied_where_scale_grid_or_codec_differ(data, tmp_path, change):
    path = tissue_svs(tmp_path / "a.svs", data, (1200, 900))
    text = PROTOCOL.format("true").replace(*change).replace('parent = "A"\n', "")
    rows = built(tmp_path / "b", path, text)
    assert rows
    assert not any(row["native"] for row in rows)
