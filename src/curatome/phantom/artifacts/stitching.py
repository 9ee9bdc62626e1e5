"""Lanes of the scan that do not fit together: shifted along and across, brighter or darker."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import shapely

from curatome.phantom.artifacts.artifact import Artifact, Ground, Pixels, Request
from curatome.phantom.optics import Scanner

if TYPE_CHECKING:
    from curatome.phantom.scene import Scene

KIND = "stitching"
_LANE_PX = 2040


def make_lanes(request: Request, ground: Ground, rng: np.random.Generator) -> list[Artifact]:
    """Upright lanes, at least one of them shifted; as wide as a line camera, or narrower."""
    width, height = ground.size
    lane = min(_LANE_PX * ground.mpp, width / 5)
    edges = np.arange(0.0, width, lane)
    bad = rng.random(len(edges)) < 0.25 + 0.5 * request.strength
    bad[int(rng.integers(len(edges)))] = True
    lanes = []
    for left in edges[bad]:
        most = 2 + round(14 * request.strength)
        along = int(rng.integers(1, most + 1)) * int(rng.choice([-1, 1]))
        outline = shapely.box(left, 0, min(left + lane, width), height)
        lanes.append(
            Artifact(
                kind=request.kind,
                strength=request.strength,
                outline=outline,
                shape=None,
                bounds=outline.bounds,
                shift=(int(rng.integers(-(most // 4), most // 4 + 1)), along),
                gain=float(1 + 0.10 * request.strength * rng.uniform(-1, 1)),
            )
        )
    return lanes


def shift_lanes(
    scene: Scene, scanner: Scanner, box: tuple[int, int, int, int], pixels: Pixels
) -> None:
    """Put what the misplaced lanes saw into the (H, W, 3) pixels of a block."""
    from curatome.phantom.render import render  # which calls this

    lanes = [artifact for artifact in scene.artifacts if artifact.kind == KIND]
    if not lanes:
        return
    x, y, width, height = box
    others = tuple(artifact for artifact in scene.artifacts if artifact.kind != KIND)
    fitting = dataclasses.replace(scene, artifacts=others)
    for lane in lanes:
        edges = [round(edge / scanner.mpp) for edge in (lane.bounds[0], lane.bounds[2])]
        left, right = max(x, edges[0]), min(x + width, edges[1])
        if left < right:
            dx, dy = lane.shift
            seen = render(fitting, scanner, (left + dx, y + dy, right - left, height))
            bright = seen * lane.gain + 0.5
            pixels[:, left - x : right - x] = np.clip(bright, 0, 255).astype(np.uint8)
