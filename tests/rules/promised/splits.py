"""LEK, CON001 and CON002: leaks between splits, and copies with other labels."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from curatome.findings import Finding
from curatome.phantom.faults import FAULTS, CleanDesign, Planted, make_tables
from curatome.phantom.faults.clean import SITES
from curatome.phantom.faults.tables import Draft, picked
from curatome.phantom.objects import ObjectDesign
from tests.rules.datasets import near_of
from tests.rules.promised.trial import Promise, Trial, given, plant, rows_of

DESIGN = CleanDesign(ObjectDesign(cases=60, slides_per_case=2, objects_per_slide=1), tiles=3)


def _column(planted: Planted, column: str) -> set[str]:
    """Cases, slides or contents of images that were changed or added."""
    rows = rows_of(planted)
    return {row[column] for row in planted.tables.images.to_pylist() if row["image"] in rows}


def _leak(fault: str, column: str, strength: float, seed: int) -> Trial:
    planted = FAULTS[fault].plant(make_tables(DESIGN, seed), strength, seed)
    due = frozenset(f"{column} {name}" for name in _column(planted, column))
    return Trial(given(planted.tables), due)


def _same(strength: float, seed: int) -> Trial:
    """Copies are named by their content."""
    planted = FAULTS["leak_image"].plant(make_tables(DESIGN, seed), strength, seed)
    content = dict(zip(*(planted.tables.images[n].to_pylist() for n in ("image", "hash")),
                       strict=True))  # fmt: skip

    def named(finding: Finding) -> set[str]:
        return {content[one] for one in finding.evidence["members"]}

    return Trial(given(planted.tables), frozenset(_column(planted, "hash")), named=named)


def _pairs(planted: Planted) -> list[tuple[str, str]]:
    """The copies and what they were made from, as a search finds them."""
    return [(row["source"], row["row"]) for row in planted.changes.to_pylist()]


def _near(strength: float, seed: int) -> Trial:
    planted = FAULTS["leak_near"].plant(make_tables(DESIGN, seed), strength, seed)
    pairs = _pairs(planted)

    def named(finding: Finding) -> set[str]:
        return {finding.subject.removeprefix("item "), finding.evidence["other"]}

    due = frozenset(name for pair in pairs for name in pair)
    return Trial(given(planted.tables, near=near_of(pairs)), due, named=named)


def one_sided(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
    """All cases of some sites are trained on."""
    site = np.asarray(draft.tables.images["site"]).astype(str)
    hit = np.unique(site)[picked(rng, len(np.unique(site)), strength)]
    rows = np.flatnonzero(np.isin(site, hit))
    return draft.change("images", rows, {"split": ["train"] * len(rows)})


def _one_sided(strength: float, seed: int) -> Trial:
    """Where a site has a scanner of its own, the scanner lies in one split as well."""
    planted = plant(one_sided, make_tables(DESIGN, seed), strength, seed)
    images = planted.tables.images.to_pylist()
    splits: dict[str, set[str]] = {}
    for row in images:
        for factor in ("site", "scanner"):
            splits.setdefault(f"{factor} {row[factor]}", set()).add(row["split"])
    due = frozenset(name for name, held in splits.items() if len(held) == 1)
    return Trial(given(planted.tables), due)


def by_site(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
    """The split of some cases follows from their site."""
    images = draft.tables.images
    case, site = (np.asarray(images[n]).astype(str) for n in ("case", "site"))
    cases = np.unique(case)
    hit = cases[picked(rng, len(cases), strength)]
    rows = np.flatnonzero(np.isin(case, hit))
    own = dict(zip(SITES, ("train", "train", "val", "test"), strict=True))
    return draft.change("images", rows, {"split": [own[name] for name in site[rows]]})


def _by_site(strength: float, seed: int) -> Trial:
    """Every second cohort is clean."""
    tables = make_tables(DESIGN, seed)
    if seed % 2:
        return Trial(given(tables), frozenset(), named=_anything)
    planted = plant(by_site, tables, strength, seed)
    return Trial(given(planted.tables), frozenset({"splits"}), named=_anything)


def _anything(_: Finding) -> list[str]:
    """Site or scanner: with one scanner to a site, they are one thing."""
    return ["splits"]


def _items(finding: Finding) -> list[str]:
    return finding.evidence["items"]


def _relabeled(fault: str, strength: float, seed: int) -> Trial:
    planted = FAULTS[fault].plant(make_tables(DESIGN, seed), strength, seed)
    due = frozenset(name for pair in _pairs(planted) for name in pair)
    return Trial(given(planted.tables), due, named=_items)


def _relabeled_near(strength: float, seed: int) -> Trial:
    """Copies saved again: other bytes, found by a search for near-duplicates."""
    planted = FAULTS["duplicate_turned_relabeled"].plant(make_tables(DESIGN, seed), strength, seed)
    pairs = _pairs(planted)
    inputs = given(planted.tables, near=near_of(pairs))
    items = inputs.items.drop_columns(["turned_hash"])
    due = frozenset(name for pair in pairs for name in pair)
    return Trial(replace(inputs, items=items), due, named=_items)


def _exact(code: str, fault: str, plant: object, cohorts: int = 2) -> Promise:
    return Promise(code, fault, plant, 0.1, (0.02, 0.5), cohorts, exact=True)


PROMISES = (
    _exact("LEK001", "case in two splits, share", partial(_leak, "leak_case", "case"), 4),
    _exact("LEK002", "slide in two splits, share", partial(_leak, "leak_slide", "slide")),
    _exact("LEK003", "items that overlap across splits, share",
           partial(_leak, "leak_overlap", "slide")),
    _exact("LEK004", "item in two splits, share", _same),
    _exact("LEK005", "item nearly alike in two splits, share", _near),
    Promise("LEK006", "site in one split, share of sites", _one_sided, 0.25, (0.5, 0.75), 10,
            exact=True),
    Promise("LEK007", "split follows from the site, share of cases", _by_site, 0.7,
            (0.3, 0.5, 1.0), 40),
    _exact("CON001", "item twice, with two labels, share",
           partial(_relabeled, "duplicate_relabeled")),
    _exact("CON001", "item turned, with another label, share",
           partial(_relabeled, "duplicate_turned_relabeled")),
    _exact("CON002", "item nearly alike, with another label, share", _relabeled_near),
)  # fmt: skip
