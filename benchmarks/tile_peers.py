"""One way of making tiles, run by the Python of its own virtual environment.

    PEER/bin/python tile_peers.py NAME SLIDE TASK.json

Prints CPU seconds and encoded pixels as JSON. Only the entries of Curatome import anything of it.
A task holds `mpp` (of the slide), `target`, `side`, `places` (columns and rows of the grid)
and, for Curatome, `build` and `key`.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

QUALITY = 90
GLASS = 220  # mean gray above which CPIA's procedure leaves a place out
Task = dict[str, Any]


def curatome(slide: Path, task: Task) -> int:
    """The whole unit of work: plan, pixels, encoding, hashes, shards and manifest, with fsync."""
    from curatome.tiles.engine import build_unit
    from curatome.tiles.record import load_record

    build, key = Path(task["build"]), task["key"]
    units = load_record(build, key).units  # type: ignore[union-attr]
    return sum(build_unit(build, slide, key, unit)["pixels"] for unit in range(units))


def bare_loop(slide: Path, task: Task) -> int:
    """Decode the same raw tiles at half size and encode: what codecs alone cost."""
    import simplejpeg

    from curatome.slides.readers.direct import open_direct

    stored = open_direct(slide).stored[0]  # type: ignore[union-attr]
    half, side = stored.tile_width // 2, task["side"]
    picture = np.empty((side, side, 3), np.uint8)
    for column, row in task["places"]:
        for i, j in ((0, 0), (1, 0), (0, 1), (1, 1)):
            data = stored.jpeg(2 * column + i, 2 * row + j)
            tile = simplejpeg.decode_jpeg(data, min_height=half, min_width=half)
            picture[j * half : (j + 1) * half, i * half : (i + 1) * half] = tile
        simplejpeg.encode_jpeg(picture, quality=QUALITY, colorsubsampling="420", fastdct=False)
    return len(task["places"]) * task["side"] ** 2


def openslide_lanczos(slide: Path, task: Task) -> int:
    import openslide

    return _regions(openslide.OpenSlide(str(slide)), task)


def tiffslide(slide: Path, task: Task) -> int:
    import tiffslide

    return _regions(tiffslide.TiffSlide(str(slide)), task)


def _regions(slide: Any, task: Task) -> int:
    from PIL import Image

    side, step = task["side"], task["target"] / task["mpp"]
    span = round(side * step)
    for column, row in task["places"]:
        corner = round(column * side * step), round(row * side * step)
        region = slide.read_region(corner, 0, (span, span)).convert("RGB")
        tile = region.resize((side, side), Image.Resampling.LANCZOS)
        tile.save(io.BytesIO(), "JPEG", quality=QUALITY)
    return len(task["places"]) * task["side"] ** 2


def pyvips(slide: Path, task: Task) -> int:
    import pyvips

    pyvips.cache_set_max(0)
    image = pyvips.Image.tiffload(str(slide), page=0)  # the wheels have no OpenSlide
    side, step = task["side"], task["target"] / task["mpp"]
    span = round(side * step)
    region = pyvips.Region.new(image)
    for column, row in task["places"]:
        corner = round(column * side * step), round(row * side * step)
        data = region.fetch(*corner, span, span)
        part = pyvips.Image.new_from_memory(data, span, span, 3, "uchar")
        part.resize(side / span, kernel="lanczos3").jpegsave_buffer(Q=QUALITY)
    return len(task["places"]) * task["side"] ** 2


def cucim(slide: Path, task: Task) -> int:
    from cucim import CuImage
    from PIL import Image

    image = CuImage(str(slide))
    side, step = task["side"], task["target"] / task["mpp"]
    span = round(side * step)
    for column, row in task["places"]:
        corner = round(column * side * step), round(row * side * step)
        region = np.asarray(image.read_region(corner, (span, span), 0))
        tile = Image.fromarray(region[..., :3]).resize((side, side), Image.Resampling.LANCZOS)
        tile.save(io.BytesIO(), "JPEG", quality=QUALITY)
    return len(task["places"]) * task["side"] ** 2


def cpia(slide: Path, task: Task) -> int:
    """CPIA's published procedure: level 0, one mean color per parent, Lanczos, loose files."""
    import openslide
    from PIL import Image

    source, out = openslide.OpenSlide(str(slide)), Path(task["scratch"])
    step, made = task["target"] / task["mpp"], 0
    span = round(3840 * step)
    width, height = source.dimensions
    for y in range(0, height - span + 1, span):
        for x in range(0, width - span + 1, span):
            region = source.read_region((x, y), 0, (span, span)).convert("RGB")
            if np.asarray(region).mean() > GLASS:
                continue
            parent = region.resize((3840, 3840), Image.Resampling.LANCZOS)
            for name, side in (("XL", 3840), ("L", 960), ("M", 384), ("S", 96)):
                for top in range(0, 3840, side):
                    for left in range(0, 3840, side):
                        tile = parent.crop((left, top, left + side, top + side))
                        tile.save(out / f"{name}_{x}_{y}_{left}_{top}.jpg", quality=QUALITY)
                        made += side * side
    return made


def codecs_of_cpia_scales(slide: Path, task: Task) -> int:
    """One decode of every source tile, one stock exact-area resize, and the encodes."""
    import cv2
    import simplejpeg

    from curatome.slides.readers.direct import open_direct

    cv2.setNumThreads(1)
    stored, made = open_direct(slide).stored[0], 0  # type: ignore[union-attr]
    tile, span = stored.tile_width, round(3840 * task["target"] / task["mpp"])
    for column, row in task["parents"]:
        source = np.zeros((span + 2 * tile, span + 2 * tile, 3), np.uint8)
        first, top = column * span // tile, row * span // tile
        for j in range(-(-span // tile)):
            for i in range(-(-span // tile)):
                data = stored.jpeg(first + i, top + j)
                part = simplejpeg.decode_jpeg(data)
                source[j * tile : (j + 1) * tile, i * tile : (i + 1) * tile] = part
        parent = cv2.resize(source[:span, :span], (3840, 3840), interpolation=cv2.INTER_AREA)
        for side in (3840, 960, 384, 96):
            for y in range(0, 3840, side):
                for x in range(0, 3840, side):
                    piece = np.ascontiguousarray(parent[y : y + side, x : x + side])
                    simplejpeg.encode_jpeg(
                        piece, quality=QUALITY, colorsubsampling="420", fastdct=False
                    )
                    made += side * side
    return made


WAYS: dict[str, Callable[[Path, Task], int]] = {
    way.__name__: way
    for way in (
        curatome,
        bare_loop,
        openslide_lanczos,
        tiffslide,
        pyvips,
        cucim,
        cpia,
        codecs_of_cpia_scales,
    )
}


def main() -> None:
    name, slide, task = sys.argv[1], Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text())
    few = {**task, "places": task["places"][:4]}
    if name not in ("cpia", "codecs_of_cpia_scales"):
        WAYS[name](slide, few)  # libraries loaded, files in the page cache
    started = time.process_time()
    pixels = WAYS[name](slide, task)
    print(json.dumps({"cpu": time.process_time() - started, "pixels": pixels}))


if __name__ == "__main__":
    main()
