"""Small slides that tests make themselves, and trees of files to compare."""

import hashlib
from pathlib import Path

import numpy as np

from curatome.phantom.svs import SvsOptions, write_svs
from curatome.project import create_project
from curatome.workflows.add import add_slides
from curatome.workflows.build import build_project

SIZE = (1600, 1200)
MPP = 0.5

PROTOCOL = """
[dataset]
title = "test"
[build]
{build}
[[scales]]
name = "P"
mpp = 1.0
side_px = 384
[[scales]]
name = "Q"
mpp = 1.0
side_px = 96
parent = "P"
min_tissue = 0.25
[[scales]]
name = "R"
mpp = 2.2
side_px = 64
min_tissue = 0.05
"""
"""Three scales on two planes, so every slide has two units of work."""


def picture(seed, size=SIZE):
    """Tissue with a ragged border on glass, (H, W, 3) uint8; other seeds, other tissue."""
    rng = np.random.default_rng(seed)
    width, height = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = np.arctan2(y / height - 0.5, x / width - 0.48)
    radius = 0.33 + 0.06 * np.sin(3 * angle + seed) + 0.03 * np.sin(11 * angle)
    inside = np.hypot(x / width - 0.48, y / height - 0.5) < radius
    shade = np.kron(rng.normal(0, 16, (height // 8, width // 8)), np.ones((8, 8)))
    shade = (shade + rng.normal(0, 7, (height, width)))[..., None]
    pixels = np.full((height, width, 3), 243.0) + rng.normal(0, 1.5, (height, width, 1))
    pixels = np.where(inside[..., None], np.array([198.0, 128.0, 180.0]) + shade, pixels)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def slide(path, seed, size=SIZE, mpp=MPP):
    """Write a pyramidal SVS; the same arguments give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = picture(seed, size)
    options = SvsOptions(mpp=mpp, blocks=2)
    write_svs(path, size, lambda x, y, w, h: pixels[y : y + h, x : x + w], options)
    return path


def protocol(**build):
    """`PROTOCOL` with settings under [build]."""
    text = "\n".join(f"{key} = {value!r}".replace("'", '"') for key, value in build.items())
    return PROTOCOL.format(build=text)


def build(folder, slides, workers=2, **settings):
    """A project with these slides, built."""
    project = create_project(folder, protocol(**settings))
    add_slides(project, slides, workers=2)
    build_project(project, workers)
    return project


def tree(folder):
    """SHA-256 of every file below a folder, hidden ones too."""
    paths = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def stamps(folder):
    """Inode and time of change of every file and folder below a folder, and of itself."""
    paths = [Path(folder), *Path(folder).rglob("*")]
    found = {path: path.stat() for path in paths}
    return {
        str(path.relative_to(folder)): (stat.st_ino, stat.st_mtime_ns)
        for path, stat in found.items()
    }
