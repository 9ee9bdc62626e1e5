"""Scenes that are tissue of one kind from edge to edge, without nuclei: to measure textures."""

from __future__ import annotations

import dataclasses

import numpy as np

from curatome.phantom import make_scene, plan_cohort
from curatome.phantom.fabric import KINDS
from curatome.phantom.shapes import Blobs, Regions

CENTER_UM = 6000.0
RADIUS_UM = 5900.0


def bare_scene():
    """A small slide without anything that is planted on purpose."""
    plan = plan_cohort(9, 12, 900.0)[2]
    return make_scene(dataclasses.replace(plan, lesions=(), artifacts=()))


def giant(scene, kind: str, correlation: float = 12.0, transition: float = 0.0):
    """`scene` with one round region of `kind` instead of its own, and no nuclei."""
    center, radii = np.full((1, 2), CENTER_UM), np.full((1, 256), RADIUS_UM)
    tissue = Blobs(center, radii + 400.0, np.zeros(1, np.int64))
    number, widths = np.array([KINDS.index(kind)]), np.array([transition])
    regions = Regions(center, radii, number, widths, np.array([correlation]))
    fields = dataclasses.fields(scene.nuclei)
    none = type(scene.nuclei)(*(np.asarray(getattr(scene.nuclei, f.name))[:0] for f in fields))
    return dataclasses.replace(scene, tissue=tissue, regions=regions, nuclei=none)
