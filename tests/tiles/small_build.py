"""A small build that tests write themselves: every tile is known by its color."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curatome.hashes import bytes_hash
from curatome.protocol import BuildSettings
from curatome.tables import TILES
from curatome.tiles.encode import encode
from curatome.tiles.shards import ShardWriter

SIDE, SLIDES, EACH = 16, 5, 21
COUNT = SLIDES * EACH
SIDES = {"S": SIDE, "T": 8}


def image(number, side=SIDE):
    pixels = np.full((side, side, 3), 128, np.uint8)
    pixels[:] = (number % 251, number // 251, 77)
    return pixels


def row(number, slide, scale, **place):
    """A row of the manifest; what reading does not look at is zero, false or empty."""
    zero = {c.name: "" if c.type == pa.string() else 0 for c in TILES.columns if not c.nullable}
    flags = {c.name: False for c in TILES.columns if c.type == pa.bool_()}
    known = {
        "tile_id": f"{slide}_{scale}_{number * SIDES[scale]}_0",
        "slide": slide,
        "case": f"C{slide[0]}",
        "scale": scale,
        "side_px": SIDES[scale],
    }
    return {**zero, **flags, **known, **place}


def write_build(folder):
    """105 tiles of scale S and 105 of T in row groups of 17; the path of the manifest."""
    rows, number = [], 0
    for s in range(SLIDES):
        slide = f"{s:x}" * 16
        for scale, side in SIDES.items():
            name = f"shards/{scale}/{slide}.tar"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with (folder / name).open("wb") as stream:
                shard = ShardWriter(stream)
                for i in range(EACH):
                    at = number if scale == "S" else 0
                    codec = "png" if i % 3 else "jpeg"
                    data = encode(image(at, side), BuildSettings(codec=codec))
                    offset = shard.add(f"{i}", data)
                    place = {"shard": name, "offset": offset, "length": len(data)}
                    rows.append(row(i, slide, scale, hash=bytes_hash(data), **place))
                    number += scale == "S"
                shard.finish()
    pq.write_table(TILES.from_rows(rows), folder / "tiles.parquet", row_group_size=17)
    return folder / "tiles.parquet"
