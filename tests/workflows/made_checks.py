"""Projects without files of slides, for checks that need no pixels."""

from __future__ import annotations

import shapely

from curatome.annotations.store import Act
from curatome.project import SlideEntry, create_project
from curatome.tables import ANNOTATIONS
from curatome.units import Mpp
from curatome.workflows.annotation_check import annotation_store

TEXT = '[dataset]\ntitle = "t"\n'
SOUND = shapely.box(100, 100, 200, 200)
BEYOND = shapely.box(9_900, 100, 10_100, 200)
CROSSED = shapely.Polygon([(300, 300), (390, 390), (390, 300), (300, 380)])


def row(name, shape=SOUND, image="s1", **more):
    """An annotation of class tumor, by ada."""
    return {
        "annotation": name, "image": image, "kind": "polygon", "geometry": shapely.to_wkb(shape),
        "labels": ["tumor"], "cannot_judge": False, "reader": "ada", "read": 1, "guideline": "1",
        "basis": "drawn", "parents": [], "properties": "{}", **more,
    }  # fmt: skip


def entry(name, **more):
    """A slide of 10,000 × 8,000 px at 0.25 µm; without pixels it is held."""
    return SlideEntry(
        name, name * 32, f"slides/{name}.svs", "held", width=10_000, height=8_000,
        mpp=Mpp(0.25, 0.25, "user"), declared={"case": f"case {name}"}, **more,
    )  # fmt: skip


def project(folder, rows, text="", slides=("s1", "s2", "s3")):
    """A project with slides and annotations."""
    made = create_project(folder, TEXT + text)
    for name in slides:
        made.store.save_slide(entry(name), ())
    draw(made, *rows)
    return made


def draw(made, *rows):
    with annotation_store(made) as store:
        store.import_table(ANNOTATIONS.from_rows(list(rows)), Act("ada"))
