"""A project whose readers are the phantom's, so that what they miss and mistake is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from curatome.annotations.store import Act, open_annotations
from curatome.phantom.objects import ObjectDesign, make_objects
from curatome.phantom.readers import Reader
from curatome.phantom.reads import Session
from curatome.phantom.reads_cohort import ReadsDesign, read_all
from curatome.phantom.reads_drawn import points_of
from curatome.project import Project, SlideEntry, create_project
from curatome.protocol import template
from curatome.units import Mpp

OBJECTS = ObjectDesign(cases=20)
MISS = {"ada": 0.1, "ben": 0.2, "cyd": 0.15}
MPP = 0.25


def reading_project(folder: Path, repeats: bool = False, seed: int = 1) -> Project:
    """Three readers who marked points on 20 slides; they miss 10, 20 and 15 % and err 5 to 10 %."""
    readers = tuple(
        Reader.even(name, OBJECTS.classes, miss=miss, error=miss / 2, location_um=0.5)
        for name, miss in MISS.items()
    )
    sessions = (Session(), Session(number=2, start=8.0)) if repeats else (Session(),)
    objects = make_objects(OBJECTS, seed)
    project = create_project(folder, template("detection", "Reads"))
    slides = objects.slides
    for number, slide in enumerate(slides):
        declared = {"case": f"P{number // 2}", "site": f"site {number % 3}"}
        entry = SlideEntry(slide, slide * 4, f"{slide}.svs", "ready", declared=declared)
        entry = SlideEntry(**{**vars(entry), "width": 100_000, "height": 100_000})
        entry = SlideEntry(**{**vars(entry), "mpp": Mpp(MPP, MPP, "file")})
        project.store.save_slide(entry, [])
    with open_annotations(project.annotations) as store:
        for reads in read_all(objects, ReadsDesign(OBJECTS, readers, sessions), seed):
            table = points_of(reads, np.full(len(slides), MPP))
            store.import_table(table, Act(reads.reader.name, "phantom", "1", "", "phantom"))
    return project
