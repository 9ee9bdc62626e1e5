"""Cohorts of the phantom as captures, with what was really missed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from curatome.agreement.completeness import captures
from curatome.phantom.objects import ObjectDesign, make_objects
from curatome.phantom.readers import Reader
from curatome.phantom.reading import read

ONE = ObjectDesign(cases=20, objects_per_slide=25, classes=("mitosis",), frequencies=(1.0,))


def reader(name, miss, slope=0.0, classes=("mitosis",), **others):
    return Reader.even(name, classes, miss, 0.0, miss_slope=slope, **others)


def cohort(readers, seed, design=ONE):
    """Captures of a cohort, and how many of its objects none of the readers found."""
    objects = make_objects(design, seed)
    found = np.stack([read(objects, one, seed).judged.label >= 0 for one in readers], axis=1)
    case = objects.slide // design.slides_per_case
    seen = captures(found, [one.name for one in readers], cases=case)
    return seen, len(objects) - len(seen)


def sized(cases, per_case, **others):
    return replace(ONE, cases=cases, objects_per_slide=per_case, **others)
