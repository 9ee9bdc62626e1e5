"""DRF and ACQ: guidelines that changed, readers who did, and slides of another scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import numpy as np
import shapely

from curatome.findings import Finding
from curatome.phantom.faults import FAULTS, CleanDesign, Tables, make_tables
from curatome.phantom.faults.tables import Draft, picked
from curatome.phantom.objects import ObjectDesign
from tests.rules.clean.pictures import field, served
from tests.rules.datasets import near_of, protocol_of, slides_of
from tests.rules.promised.trial import Promise, Trial, geometry, given, plant, rows_of

LARGE = CleanDesign(ObjectDesign(cases=40, slides_per_case=2, objects_per_slide=20))
READERS = ("ada", "ben", "cyd")
_FREQUENT = (0.4, 0.2, 0.2, 0.2)
OVER_TIME = CleanDesign(
    ObjectDesign(
        cases=60, slides_per_case=2, objects_per_slide=20, frequencies=_FREQUENT, case_spread=0.05
    ),
    readers=READERS,
)
"""Each reader sees 40 cases, one slide of each; cases differ in their classes."""
TILED = CleanDesign(ObjectDesign(cases=20, slides_per_case=2, objects_per_slide=1), tiles=4)


def _changed(redefined: tuple[str, ...] = (), renamed: dict[str, str] | None = None) -> object:
    """A protocol whose guideline has changed from 1.0 to 2.0."""
    first = {"version": "1.0", "date": "2024-01-01", "change": "first"}
    second = {"version": "2.0", "date": "2025-01-01", "change": "sharper"}
    second |= {"redefined": list(redefined), "renamed": renamed or {}}
    return protocol_of(guideline={"version": "2.0", "changelog": [first, second]})


def _annotations(finding: Finding) -> list[str]:
    return finding.evidence["annotations"]


def _stale(strength: float, seed: int) -> Trial:
    tables = make_tables(LARGE, seed)
    planted = FAULTS["stale_guideline"].plant(tables, strength, seed)
    labels = dict(zip(*(tables.annotations[n].to_pylist() for n in ("annotation", "labels")),
                      strict=True))  # fmt: skip
    due = frozenset(name for name in rows_of(planted) if labels[name] == ["mitosis"])
    inputs = given(planted.tables, protocol=_changed(redefined=("mitosis",)))
    return Trial(inputs, due, named=_annotations)


def renamed(version: str) -> Callable[..., Draft]:
    """Some tumors have the name that the class had before; made under a version."""

    def apply(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
        labels = draft.tables.annotations["labels"].to_pylist()
        able = np.flatnonzero([held == ["tumor"] for held in labels])
        rows = able[picked(rng, len(able), strength)]
        news = {"labels": [["tumour"]] * len(rows), "guideline": [version] * len(rows)}
        return draft.change("annotations", rows, news)

    return apply


def _renamed(version: str, strength: float, seed: int) -> Trial:
    planted = plant(renamed(version), make_tables(LARGE, seed), strength, seed)
    inputs = given(planted.tables, protocol=_changed(renamed={"tumour": "tumor"}))
    return Trial(inputs, rows_of(planted), named=_annotations)


def _late(tables: Tables, reader: str) -> np.ndarray:
    """Rows of a reader's second half of cases by time."""
    held = tables.annotations
    mine = np.flatnonzero(np.asarray(held["reader"]) == reader)
    cases = [name.rpartition("-")[0] for name in held["image"].take(mine).to_pylist()]
    order = list(dict.fromkeys(cases))
    late = set(order[len(order) // 2 :])
    return mine[[case in late for case in cases]]


def mixed(reader: str, share: float) -> Callable[..., Draft]:
    """A reader's late annotations have one class more often than its fifth of all."""

    def apply(draft: Draft, _: float, rng: np.random.Generator) -> Draft:
        late = _late(draft.tables, reader)
        labels = draft.tables.annotations["labels"].take(late).to_pylist()
        others = late[[held != ["lymphocyte"] for held in labels]]
        hit = others[rng.random(len(others)) < (share - 0.2) / 0.8]
        return draft.change("annotations", hit, {"labels": [["lymphocyte"]] * len(hit)})

    return apply


def widened(reader: str, factor: float) -> Callable[..., Draft]:
    """A reader's late outlines are so many times larger across."""

    def apply(draft: Draft, _: float, rng: np.random.Generator) -> Draft:
        late = _late(draft.tables, reader)
        shapes = geometry(draft, late)
        middle = shapely.get_coordinates(shapely.centroid(shapes))
        points, owner = shapely.get_coordinates(shapes, return_index=True)
        points = middle[owner] + factor * (points - middle[owner])
        news = shapely.to_wkb(shapely.set_coordinates(shapes, points)).tolist()
        return draft.change("annotations", late, {"geometry": news})

    return apply


def _drifting(fault: Callable[..., Callable[..., Draft]], strength: float, seed: int) -> Trial:
    """One of three readers changes; every second cohort is clean."""
    tables, reader = make_tables(OVER_TIME, seed), READERS[seed // 2 % 3]
    if seed % 2:
        return Trial(given(tables), frozenset())
    planted = plant(fault(reader, strength), tables, 1.0, seed)
    return Trial(given(planted.tables), frozenset({f"reader {reader}"}))


def rescaled(factor: float) -> Callable[..., Draft]:
    """Some slides are said to be of another scale, larger or smaller."""

    def apply(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
        held = draft.tables.images
        slide = np.asarray(held["slide"]).astype(str)
        slides = np.unique(slide)
        up = np.where(rng.random(len(slides)) < 0.5, factor, 1 / factor)
        times = dict(zip(slides, up, strict=True))
        hit = slides[picked(rng, len(slides), strength)]
        rows = np.flatnonzero(np.isin(slide, hit))
        mpp = np.asarray(held["mpp"])[rows] * [times[name] for name in slide[rows]]
        return draft.change("images", rows, {"mpp": mpp.tolist()})

    return apply


def _scale(strength: float, seed: int) -> Trial:
    tables = make_tables(LARGE, seed)
    planted = plant(rescaled(strength), tables, 0.25, seed)
    where = dict(zip(*(tables.images[n].to_pylist() for n in ("image", "slide")), strict=True))
    hit = frozenset(f"slide {where[name]}" for name in rows_of(planted))
    return Trial(given(planted.tables), hit)


def _rescans(strength: float, seed: int) -> Trial:
    """A tenth of the slides was scanned again for another case; so many of its tiles look alike."""
    tables = make_tables(TILED, seed)
    rng = np.random.default_rng([seed, 21])
    rows = tables.images.to_pylist()
    tiles: dict[str, list[str]] = {}
    for row in rows:
        tiles.setdefault(row["slide"], []).append(row["image"])
    slides = rng.permutation(sorted(tiles)).tolist()
    pairs, hit = [], set()
    for one, other in zip(slides[:4], slides[4:8], strict=True):
        if one.rpartition("-")[0] == other.rpartition("-")[0]:
            continue
        hit.add(" ".join(sorted((one, other))))
        count = round(strength * len(tiles[one]))
        pairs += list(zip(tiles[one][:count], tiles[other][:count], strict=True))
    chance = rng.permutation([row["image"] for row in rows])[:20].reshape(-1, 2).tolist()
    inputs = given(tables, near=near_of([*pairs, *map(tuple, chance)]))

    def named(finding: Finding) -> list[str]:
        return [" ".join(sorted((finding.subject.removeprefix("slide "), finding.evidence["of"])))]

    return Trial(inputs, frozenset(hit), named=named)


@cache
def _tissue(seed: int) -> np.ndarray:
    """A field of the phantom at 2 µm per px."""
    held = field(seed, 1000.0)
    step = max(round(2.0 / held.scene.plan.mpp), 1)
    return held.rgb[::step, ::step]


def _little(strength: float, seed: int) -> Trial:
    """A piece of tissue of so many mm² on glass; every second slide has 0.6 mm²."""
    wanted = strength if seed % 2 else 0.6
    side = round(1000 * wanted**0.5 / 2.0)
    rng = np.random.default_rng([seed, 22])
    rgb = np.clip(243 + rng.normal(0, 1.5, (900, 1200, 3)), 0, 255).astype(np.uint8)
    tissue = _tissue(7)[:side, :side]
    rgb[200 : 200 + side, 300 : 300 + side][: tissue.shape[0], : tissue.shape[1]] = tissue
    slide = {"slide": "s", "width": 1200, "height": 900, "mpp_x": 2.0, "mpp_y": 2.0}
    inputs = replace(given(make_tables(TILED, 1)), slides=slides_of([slide]),
                     pixels=served(rgb, 2.0))  # fmt: skip
    empty = inputs.annotations.slice(0, 0)
    return Trial(replace(inputs, annotations=empty), frozenset({"slide s"} if seed % 2 else ()))


_OF_ANNOTATIONS = "share of annotations"
PROMISES = (
    Promise("DRF001", f"class redefined since, {_OF_ANNOTATIONS}", _stale, 0.1, (0.02, 0.5), 4,
            exact=True),
    Promise("DRF002", f"old name of a class, {_OF_ANNOTATIONS}", partial(_renamed, "1.0"), 0.05,
            (0.01, 0.5), 2, exact=True),
    Promise("DRF003", "share of a class from 20 % to so much, one of three readers",
            partial(_drifting, mixed), 0.5, (0.3, 0.4, 0.6), 40),
    Promise("DRF004", "outlines so many times larger across, one of three readers",
            partial(_drifting, widened), 1.3, (1.1, 1.2, 1.5), 40),
    Promise("DRF005", f"old name under the new guideline, {_OF_ANNOTATIONS}",
            partial(_renamed, "2.0"), 0.05, (0.01, 0.5), 2, exact=True),
    Promise("ACQ020", "scale off by so many times, a quarter of the slides", _scale, 2.0,
            (1.3, 1.6, 4.0), 2),
    Promise("ACQ021", "slide of another case, share of tiles alike", _rescans, 0.5, (0.25, 0.75),
            6),
    Promise("ACQ022", "tissue on the slide, mm²", _little, 0.2, (0.1, 0.24, 0.4), 40),
)  # fmt: skip
