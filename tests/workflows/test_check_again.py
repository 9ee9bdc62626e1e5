"""A check after edits finds what a check from scratch finds, though it looks at little again."""

from __future__ import annotations

import datetime
import shutil
from dataclasses import replace

import numpy as np
import pytest
import shapely

from curatome.annotations.store import Act, Edit
from curatome.project import open_project
from curatome.rules.engine import image_of, look, with_images
from curatome.rules.registry import all_rules
from curatome.rules.rule import Inputs
from curatome.tables import SLIDES
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.check import check_project
from curatome.workflows.manifest import slide_row
from tests.workflows.made_checks import CROSSED, draw, entry, project, row

PROTOCOL = """
[[classes]]
name = "tumor"
[[classes]]
name = "stroma"
[[classes]]
name = "mitosis"
[[scales]]
name = "S"
mpp = 0.25
side_px = 16
[[gates]]
measure = "completeness"
min = 1.0
"""
SLIDES_MADE = tuple(f"s{k:02}" for k in range(24))
START = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
PLANTED = {
    "SYN020", "SYN022", "SIZ002", "SIZ003", "BAL001", "BAL005", "DRF003", "DRF004", "COR002",
    "COR003", "CON003", "CON004", "CMP004", "ACQ020",
}  # fmt: skip
"""Rules about several images at once, or about several readers, that find something at first."""


def circle(x, y, radius, steps=4):
    return shapely.Point(x, y).buffer(radius, quad_segs=steps)


def slide(name):
    """Site and class go together; the scale of one slide is wrong."""
    number = int(name[1:])
    made = entry(name)
    return replace(made, declared={"case": f"c{number}", "site": ("x", "y")[number % 2]})


def rows():
    """Ten objects on each of 24 slides, read by three; the third is careless and changes."""
    rng = np.random.default_rng(1)
    for number, name in enumerate(SLIDES_MADE):
        for place in range(10):
            at = 200 + 300 * place + rng.uniform(-9, 9), 500 + 200 * number
            radius = rng.uniform(15, 17) * (2 if number == 5 else 1)
            true = ("tumor", "stroma")[(number + (place > 7)) % 2]
            for reader in ("ada", "ben", "cyd"):
                careless = reader == "cyd" and rng.random() < 0.7
                if careless and place % 2:
                    continue
                label = "mitosis" if number == 3 and place == 4 else true
                label = "tumor" if reader == "ben" and number >= 12 else label
                wide = 1.3 if reader == "cyd" and number >= 12 else 1.0
                yield row(
                    f"{name}-{place}-{reader}", circle(*at, radius * wide), name, reader=reader,
                    labels=["stroma" if careless else label],
                    time=START + datetime.timedelta(days=number),
                )  # fmt: skip
    yield row("huge", circle(5000, 5000, 400), "s01")
    yield row("odd name", circle(7000, 5000, 16), "s02", labels=["tumro"])
    yield row("odd reader", circle(7000, 5000, 16), "s03", reader="Ada")
    yield row("twice", circle(9000, 5000, 16), "s04", labels=["tumor"])
    yield row("twice 2", circle(9000, 5000, 16), "s04", labels=["stroma"])
    yield row("again", circle(9000, 6000, 16), "s04", labels=["tumor"])
    yield row("again 2", circle(9000, 6000, 16), "s04", labels=["stroma"], read=2)
    yield row("nowhere", circle(10, 10, 16), None)
    yield row("crossed", CROSSED, "s06", reader="ben")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = project(tmp_path_factory.mktemp("check") / "p", [], PROTOCOL, slides=())
    for name in SLIDES_MADE:
        made.store.save_slide(slide(name), ())
    draw(made, *rows())
    return made


def from_scratch(made):
    for path in (made.root / ".curatome").glob("check*"):
        path.unlink()
    return check_project(made)


def one_edit(made, rng):
    """Draw, delete, relabel or move an annotation, or change what is known of a slide."""
    name = str(rng.choice(SLIDES_MADE))
    action = rng.choice(["create", "delete", "relabel", "edit", "slide"])
    if action == "slide":
        made.store.save_slide(replace(slide(name), declared={"case": f"c{rng.integers(24)}"}), ())
        return
    with annotation_store(made) as store:
        table = store.current(name)
        some = table["annotation"][int(rng.integers(len(table)))].as_py()
        shape = circle(*rng.uniform(100, 7000, 2), rng.uniform(5, 40))
        values = {
            "create": dict(row(f"new {rng.random()}", shape, name, reader="ben")),
            "delete": {},
            "relabel": {"labels": [str(rng.choice(["tumor", "stroma", "mitosis", "other"]))]},
            "edit": {"geometry": shapely.to_wkb(shape), "kind": "polygon"},
        }[str(action)]
        new = action == "create"
        edit = Edit(
            values.pop("annotation") if new else some, str(action),
            None if new else store.head(), values,
        )  # fmt: skip
        store.apply([edit], Act("ben"))


def told(checked):
    return sorted(checked.findings, key=repr), dict(checked.more), sorted(checked.rules)


@pytest.mark.parametrize("seed", range(3))
def test_after_edits_as_from_scratch(made, tmp_path, seed) -> None:
    rng = np.random.default_rng(seed)
    shutil.copytree(made.root, tmp_path / "p")
    copy = open_project(tmp_path / "p")
    first = check_project(copy)
    for _ in range(3):
        for _ in range(int(rng.integers(1, 3))):
            one_edit(copy, rng)
        again = check_project(copy)
        assert again.looked < first.looked
        assert told(again) == told(from_scratch(copy))


def test_rules_find_in_a_project_what_they_find_in_its_tables(made) -> None:
    """Whatever a rule looks at, it has asked for; what it is given of marks is all it needs."""
    found = from_scratch(made)
    with annotation_store(made) as store:
        annotations = store.current()
    slides = SLIDES.from_rows([slide_row(one) for one in made.store.slides()])
    whole = Inputs(made.protocol, slides=slides, annotations=annotations, cases=made.store.cases())
    images = dict(zip(*(annotations[n].to_pylist() for n in ("annotation", "image")), strict=True))
    expected = []
    for rule in all_rules():
        if rule.scope == "dataset" and not {"pixels", "items", "near"} & set(rule.needs):
            expected += with_images(look(rule, whole).findings, images)
    codes = {one.code for one in expected}
    dataset = [one for one in found.findings if one.code in codes]
    assert sorted(dataset, key=repr) == sorted(expected, key=repr)
    assert {one.code for one in found.findings} >= PLANTED
    assert all(image_of(one) for one in found.findings if one.code == "SIZ002")
