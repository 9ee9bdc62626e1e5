"""Many small slides of distinct content, cheap to make, and a protocol to build them by."""

import numpy as np

from curatome.phantom.svs import SvsOptions, write_svs
from tests.workflows.made import picture

SIZE = (600, 500)
SCENE = (4800, 3600)
MPP = 0.5
PROTOCOL = """
[dataset]
title = "many"
[[scales]]
name = "A"
mpp = 1.0
side_px = 96
min_tissue = 0.2
[[scales]]
name = "B"
mpp = 2.0
side_px = 48
min_tissue = 0.2
"""
"""Two scales on two planes, so every slide has two units of work."""


def write_slides(folder, count):
    """Pieces of one scene as slides; each says its number in one corner of its pixels."""
    folder.mkdir(parents=True)
    scene = picture(3, SCENE)
    draw = np.random.default_rng(4)
    width, height = SIZE
    options = SvsOptions(mpp=MPP, blocks=4)
    for number in range(count):
        x = int(draw.integers(SCENE[0] // 4, SCENE[0] * 3 // 4 - width))
        y = int(draw.integers(SCENE[1] // 4, SCENE[1] * 3 // 4 - height))
        piece = np.full((height, width, 3), 243, np.uint8)
        inside = np.s_[40 : height - 40, 40 : width - 40]
        piece[inside] = scene[y : y + height, x : x + width][inside]
        piece[:8, :8] = number % 256
        piece[:8, 8:16] = number // 256

        def read(left, top, w, h, piece=piece):
            return piece[top : top + h, left : left + w]

        write_svs(folder / f"s{number:04d}.svs", SIZE, read, options)
